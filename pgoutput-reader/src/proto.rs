//! The client's side of PostgreSQL's protocol as a pure state machine: bytes in, bytes and events
//! out.
//!
//! Nothing here opens a socket or reads the clock; `io` and `connection` do.

mod auth;
mod auth_policy;
pub(crate) mod backend;
pub(crate) mod command;
pub(crate) mod feedback;
pub(crate) mod frame;
mod handshake;
pub(crate) mod liveness;
#[cfg(feature = "tls")]
pub(crate) mod negotiation;
mod options;
pub(crate) mod pinned_settings;
pub(crate) mod quote;
mod start_replication;
mod startup;
mod version;

pub(crate) use auth_policy::Policy;
pub use command::{CreateSlot, SlotSnapshot};
pub(crate) use handshake::{Handshake, ServerStartup, lossy};
pub use options::{MissingPublication, Origin, StreamOptions, Streaming};
pub use start_replication::StartReplication;
pub(crate) use startup::StartupSettings;
