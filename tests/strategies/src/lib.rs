//! Generators of pgoutput frames for property tests: any message, any tuple, any legal stream, any
//! damage.
//!
//! They write bytes by themselves, following the manual's section "Logical Replication Message
//! Formats". They use neither the decoder nor the encoder, so they do not share a mistake with
//! either.

mod config;
mod message;
mod mutate;
mod sequence;
mod tuple;
mod wire;

pub use config::config;
pub use message::{Frame, KINDS, any_frame, frame, message};
pub use mutate::{Mutation, mutated, mutation};
pub use sequence::{sequence, sequences};
pub use tuple::tuple;
