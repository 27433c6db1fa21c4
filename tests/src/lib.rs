//! Parts shared by the integration tests on real servers, and the captures shared by tests, fuzzing
//! and documentation.

#![allow(clippy::missing_panics_doc, reason = "a failure of the set-up is a failure of the test")]

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
