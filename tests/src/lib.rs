//! What the integration tests on real servers share, and the captures that tests, fuzzing and documentation share.

#![allow(clippy::missing_panics_doc, reason = "set-up that fails is a test that fails")]

pub mod capture;
mod fixture;
mod network;
mod proxy;
mod random;
mod wait;

pub use fixture::{Fixture, IDLE_LAG, PUBLICATION, Slot, after, formats, is_idle_at, json, line};
pub use network::{Condition, Direction, Network};
pub use pgoutput_harness::{eventually, waiting, within};
pub use proxy::{Forward, Proxy};
pub use random::Random;
pub use wait::{InTime, stopped_in_time, while_waiting};
