//! The only files that name sockets and the clock.

mod channel;
mod connect;
mod gather;
mod inbox;
mod transport;
mod wake;

pub(crate) use channel::{Channel, Fill};
pub(crate) use connect::{Target, connect, may_try_next, targets};
pub(crate) use inbox::Position;
pub use wake::Waker;
