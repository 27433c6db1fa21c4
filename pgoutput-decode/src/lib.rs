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
mod error;
mod id;
mod lsn;
mod tag;
mod timestamp;
pub mod value;

pub use copy_data::{
    CopyData, HotStandbyFeedback, PrimaryKeepalive, StandbyStatusUpdate, XLogData,
};
pub use error::{DecodeError, ErrorKind};
pub use id::{Oid, Xid};
pub use lsn::{Lsn, ParseLsnError};
pub use tag::Tag;
pub use timestamp::{Rfc3339, TimestampTz};
