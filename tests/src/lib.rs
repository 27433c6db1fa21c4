//! What the integration tests on real servers share, and the captures that tests, fuzzing and documentation share.

#![allow(clippy::missing_panics_doc, reason = "set-up that fails is a test that fails")]

pub mod capture;
mod fixture;
mod network;
mod proxy;
mod random;
mod wait;

pub use fixture::{Fixture, PUBLICATION, Slot, after, json, line};
pub use network::{Condition, Direction, Network};
pub use proxy::{Forward, Proxy};
pub use random::Random;
pub use wait::{eventually, while_waiting, within};
