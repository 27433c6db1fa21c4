//! PostgreSQL's changes as a plain blocking [`Iterator`], over logical replication and without an
//! async runtime.
//!
//! ```no_run
//! use pgoutput_reader::Reader;
//!
//! let mut reader = Reader::builder("postgresql://app@localhost/app")
//!     .slot("my_slot")
//!     .publication("my_publication")
//!     .connect()?;
//! for event in &mut reader {
//!     let event = event?;
//!     println!("{:?} {}", event.op(), serde_json::to_string(&event)?);
//! }
//! reader.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layers
//!
//! | type | returns | feature |
//! |---|---|---|
//! | [`Reader`] | change events in commit order, with their transaction, table and rows | `reader` |
//! | [`ReplicationStream`] | every message of one replication connection, with its LSNs | |
//! | [`Connection`] | replication commands and simple SQL, before the copy | |
//!
//! The messages are those of the crate `pgoutput-decode`, which is re-exported as [`decode`]. Your
//! program does not need to depend on that crate.
//!
//! # Rows
//!
//! A [`Row`] of an event gives its columns by name or index, as Rust types:
//! `row.get::<i64>("id")?`. More types come with features: `serde` (whole rows into structs,
//! `Row::deserialize`), `time`, `uuid`, `postgres-types` (`Row::get_sql`). Text and binary format
//! give the same. NULL needs an `Option`, and an unchanged TOAST value a [`Toast`]; for any other
//! type they are errors.
//!
//! # In scope, out of scope
//!
//! In scope:
//!
//! - servers from PostgreSQL 10 to 18;
//! - TCP, TLS (feature `tls`) and Unix sockets;
//! - trust, certificate, password, MD5 and SCRAM-SHA-256 authentication, with channel binding;
//! - connection strings, URIs, `PG*` variables, password and service files as libpq reads them
//!   ([`Config`]), several hosts and `target_session_attrs`;
//! - text and binary values;
//! - an initial copy of the published tables ([`Snapshot`]), and of tables that join later;
//! - acknowledgement by whole transactions.
//!
//! Out of scope: physical replication, other output plugins, async. Unix only, for now.
//!
//! # Delivery
//!
//! At least once. The server discards a transaction only after every event of it was acknowledged
//! (see [`Acknowledge`]), so after a crash whole transactions are delivered again.
//! [`ChangeEvent::message_id`] is the same on every delivery.
//!
//! A [`Reader`] whose connection is lost reconnects and continues with the next event
//! ([`Reconnect`]): in one process no event is delivered twice and none is lost.
//! [`ReplicationStream`] never reconnects: its first error is its last item.
//!
//! # Threads and waiting
//!
//! Changes are read on your thread, so changes that you do not read wait in the server. For each
//! stream a small thread sends status updates, so that a loop body may take minutes. To send them
//! yourself, use [`ReplicationStream::set_heartbeat`] and [`ReplicationStream::tick`]. Each attempt
//! to reconnect has its own thread, so that your waits end in time. A silent server is an error
//! after [`Config::wal_receiver_timeout`], 60 seconds by default. [`StopHandle`] ends a blocked
//! read from another thread; [`Reader::next_timeout`] bounds one.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(unix))]
compile_error!(
    "pgoutput-reader needs a Unix system: it waits with poll(2) and wakes with a socket pair"
);

#[cfg(feature = "reader")]
mod assemble;
#[cfg(feature = "reader")]
mod capture;
#[cfg(feature = "reader")]
mod catalog;
pub mod config;
mod connection;
#[cfg(feature = "reader")]
mod delivery;
#[cfg(feature = "reader")]
pub mod doctor;
mod error;
#[cfg(feature = "reader")]
mod event;
mod io;
#[cfg(feature = "reader")]
mod listener;
mod proto;
#[cfg(feature = "reader")]
mod reader;
#[cfg(feature = "reader")]
mod schema;
mod server_version;
mod setup;
#[cfg(feature = "reader")]
mod sink;
#[cfg(feature = "reader")]
mod snapshot;
#[cfg(feature = "reader")]
mod source;
mod sql;
mod stream;
#[cfg(test)]
mod waiting;

#[cfg(feature = "reader")]
pub use capture::{
    Capture, CaptureHeader, CaptureStatus, CapturedFrame, CapturedFrames, MaskedColumn,
    ParseMaskedColumnError,
};
#[cfg(feature = "reader")]
pub use catalog::{Published, RefusalCause, RefusedTables, SlotStatus};
pub use config::{Config, ConfigError, SslMode};
pub use connection::{Connection, CopyBoth, CreatedSlot, QueryRow, Rows, SystemId, TimelineSwitch};
#[cfg(feature = "reader")]
pub use delivery::{Acknowledge, Acknowledger, Idle, Stage};
pub use error::{
    AuthError, Error, ErrorKind, LimitError, ProtocolError, ServerMessage, SetupError, StreamError,
    TlsError,
};
#[cfg(feature = "reader")]
pub use error::{
    BlockingSession, CaptureError, ConditionError, CopyRowError, HistoryError,
    ParseSnapshotTableError, PositionError, ServerState, SnapshotError, SpillError, SqlError,
};
#[cfg(all(feature = "reader", feature = "json"))]
pub use event::JsonError;
#[cfg(feature = "reader")]
pub use event::{
    ChangeEvent, ColumnSchema, MessageId, Op, Position, ReplicationOrigin, Row, SchemaChange,
    SchemaOutput, TableSchema, TransactionInfo,
};
pub use io::{StopHandle, Waker};
pub use pgoutput_decode as decode;
#[cfg(feature = "reader")]
pub use pgoutput_decode::ReplicaIdentity;
#[cfg(feature = "reader")]
pub use pgoutput_decode::row::{RowColumn, RowColumns, RowError, RowErrorKind, RowIndex};
#[cfg(feature = "reader")]
pub use pgoutput_decode::value::Toast;
pub use pgoutput_decode::{Lsn, Oid, TimestampTz, Xid};
pub use proto::{
    CreateSlot, MissingPublication, Origin, SlotSnapshot, StartReplication, StreamOptions,
    Streaming,
};
#[cfg(feature = "reader")]
pub use reader::{
    Next, OwnedTransaction, OwnedTransactions, Reader, ReaderBuilder, ReplayBuilder, SlotCreation,
    SpillOptions, Transaction,
};
#[cfg(feature = "reader")]
pub use schema::{Changed, ColumnAt, SchemaDifference};
pub use server_version::ServerVersion;
#[cfg(feature = "reader")]
pub use setup::SlotWait;
#[cfg(feature = "reader")]
pub use sink::{BatchLimits, Pipe, PipeError, PipeStep, Sink};
#[cfg(feature = "reader")]
#[doc(hidden)]
pub use snapshot::inspect;
#[cfg(feature = "reader")]
pub use snapshot::{SlotAtRisk, Snapshot, SnapshotProgress, SnapshotTable, TableProgress};
#[cfg(feature = "reader")]
pub use source::{Reconnect, ReconnectAttempt, Reconnected, Started};
pub use stream::{Health, ReplicationStream, SkippedPublication, StreamEvent, StreamEventBuf};

#[cfg(all(doctest, feature = "reader", feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;
