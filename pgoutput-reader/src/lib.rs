//! Blocking PostgreSQL change data capture.
//!
//! Unix only, for now.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!(
    "pgoutput-reader needs a Unix system: it waits with poll(2) and wakes with a socket pair"
);

#[cfg(feature = "catalog")]
mod ack;
#[cfg(feature = "catalog")]
mod catalog;
pub mod config;
mod connection;
mod error;
#[cfg(feature = "catalog")]
mod event;
mod io;
mod proto;
#[cfg(feature = "catalog")]
mod reader;
mod setup;
mod stream;

#[cfg(feature = "catalog")]
pub use ack::{Acknowledge, Acknowledger};
pub use config::{Config, ConfigError, SslMode};
pub use connection::{Connection, CopyBoth, CreatedSlot, Row as QueryRow, Rows, SystemId};
pub use error::{
    AuthError, Error, ErrorKind, LimitError, ProtocolError, ServerMessage, SetupError, StreamError,
};
#[cfg(feature = "catalog")]
pub use event::{
    ChangeEvent, ColumnSchema, Op, Position, ReplicationOrigin, Row, RowColumns, TableSchema,
    Transaction,
};
pub use io::Waker;
pub use proto::{CreateSlot, Origin, ServerVersion, SlotSnapshot, StartReplication, Streaming};
#[cfg(feature = "catalog")]
pub use reader::{Next, Reader, ReaderBuilder};
pub use stream::{StopHandle, Stream, StreamEvent, StreamEventBuf};
