//! Blocking PostgreSQL change data capture.
//!
//! Unix only, for now.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "pgoutput-reader needs a Unix system: it waits with poll(2) and wakes with a socket pair"
);

pub mod config;
mod connection;
mod error;
mod io;
mod proto;

pub use config::{Config, ConfigError, SslMode};
pub use connection::{Connection, CopyBoth, CreatedSlot, Row, Rows, SystemId};
pub use error::{AuthError, Error, ErrorKind, LimitError, ProtocolError, ServerMessage};
pub use io::Waker;
pub use proto::{CreateSlot, Origin, ServerVersion, SlotSnapshot, StartReplication, Streaming};
