//! The only files that name sockets and the clock.

mod channel;
mod endpoint;
mod inbox;
mod transport;
mod wake;

pub(crate) use channel::{Channel, Fill};
pub(crate) use endpoint::{Address, Endpoint};
pub(crate) use inbox::Position;
pub use wake::Waker;
