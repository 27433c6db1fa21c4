//! Tests of NATS.

mod delivery;
mod login;
mod refusals;
pub(crate) mod running;
