//! Decoder for PostgreSQL's pgoutput logical replication protocol, versions 1 to 4.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod copy_data;
mod cursor;
mod decoder;
#[cfg(feature = "encode")]
pub mod encode;
mod error;
mod id;
mod lsn;
pub mod message;
#[cfg(feature = "alloc")]
mod relation;
mod tag;
mod timestamp;
mod tuple;
pub mod value;

pub use copy_data::{
    CopyData, HotStandbyFeedback, PrimaryKeepalive, StandbyStatusUpdate, XLogData,
};
pub use decoder::Decoder;
pub use error::{DecodeError, ErrorKind};
pub use id::{Oid, Xid};
pub use lsn::{Lsn, ParseLsnError};
pub use message::{ColumnFlags, Message, ReplicaIdentity, StreamAbortForm};
#[cfg(feature = "alloc")]
pub use relation::{Column, Relation, Relations};
pub use tag::Tag;
pub use timestamp::{Rfc3339, TimestampTz};
pub use tuple::{Columns, KeyTuple, OldTuple, TupleColumn, TupleData};
