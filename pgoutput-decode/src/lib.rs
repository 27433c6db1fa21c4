//! Decoder for PostgreSQL's pgoutput logical replication protocol, versions 1 to 4.
//!
//! PostgreSQL streams the changes of its tables through the output plugin *pgoutput*, which
//! `CREATE SUBSCRIPTION` uses. This crate turns the bytes of that stream into messages, borrowed
//! from them, and back. It opens no socket, reads no clock, owns no loop, and needs neither `std`
//! nor an allocator.
//!
//! **In scope**:
//!
//! - the 19 messages of protocol versions 1 to 4, including those of in-progress and prepared
//!   transactions (manual, section "Logical Replication Message Formats");
//! - the envelopes around them and the replies of a client ("Streaming Replication Protocol");
//! - rows with text, binary, NULL and unchanged TOAST columns;
//! - the tables that a stream has described;
//! - writing all of these back to bytes.
//!
//! **Out of scope**: connections, authentication, slots, acknowledgement and the assembly of
//! in-progress transactions, which belong to `pgoutput-reader`; other plugins (wal2json,
//! test_decoding).
//!
//! # From frame to message
//!
//! CopyData contains an envelope, which [`CopyData::decode`] reads. The data of an XLogData is a
//! frame: one message, for [`Decoder::decode`]. Between Stream Start and Stream Stop seven kinds of
//! message carry the id of their (sub)transaction, and nothing in their bytes shows it. The
//! decoder's only state is whether a chunk is open.
//!
//! ```text
//!                    Stream Start
//!          ┌───────────────────────────────────┐
//!          │                                   ▼
//!   ┌─────────────┐                     ┌─────────────┐
//!   │   outside   │                     │  in a chunk │
//!   └─────────────┘                     └─────────────┘
//!     all but Stream Stop,                Relation, Type, Insert, Update, Delete,
//!     no id in front of changes           Truncate, Message: with an id; Origin
//!          ▲                                   │
//!          └───────────────────────────────────┘
//!                    Stream Stop
//! ```
//!
//! Any other message in either state is an error. An error leaves the [`Decoder`] unchanged. Create
//! one decoder for each `START_REPLICATION`.
//!
//! ```
//! use pgoutput_decode::{CopyData, Decoder, Message, OldTuple, TupleColumn};
//!
//! // What a server sends for: update readme set id = 2, body = 'x' where id = 1
//! // (id integer primary key, body text, picture bytea: a TOAST value that did not change).
//! let begin: &[u8] = b"w\
//!     \0\0\0\0\x01\x58\xFA\xC8\0\0\0\0\x01\x58\xFA\xC8\
//!     \x00\x02\x78\x8C\xCF\xCA\x01\xDE\
//!     B\0\0\0\0\x01\x58\xFA\xC8\x00\x02\x78\x8C\xCF\xCA\x01\xDE\0\0\x03\x09";
//! let relation: &[u8] = b"R\0\0\x40\x13public\0readme\0d\0\x03\
//!     \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\
//!     \0body\0\0\0\0\x19\xFF\xFF\xFF\xFF\
//!     \0picture\0\0\0\0\x11\xFF\xFF\xFF\xFF";
//! let update: &[u8] = b"U\0\0\x40\x13K\0\x03t\0\0\0\x011nnN\0\x03t\0\0\0\x012t\0\0\0\x01xu";
//!
//! // The envelope has the LSN.
//! let CopyData::XLogData(envelope) = CopyData::decode(begin)? else { panic!("a keepalive") };
//! assert_eq!(envelope.wal_start.to_string(), "0/158FAC8");
//!
//! let mut decoder = Decoder::new();
//! // An error carries the LSN.
//! let message = decoder.decode(envelope.data).map_err(|error| error.at_lsn(envelope.wal_start))?;
//! let Message::Begin(begin) = message else { panic!("{message:?}") };
//! assert_eq!(begin.xid.as_u32(), 777);
//! assert_eq!(begin.commit_time.to_string(), "2022-01-14 17:22:10.298334+00");
//!
//! // A table is described before its first change. `Relations` (feature `alloc`) keeps such
//! // descriptions.
//! let Message::Relation(table) = decoder.decode(relation)? else { panic!() };
//! assert_eq!((table.namespace(), table.name), ("public", "readme"));
//! let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
//! assert_eq!(names, ["id", "body", "picture"]);
//!
//! // Columns come in the order of that description, without names.
//! let Message::Update(update) = decoder.decode(update)? else { panic!() };
//! assert_eq!(update.relation, table.oid);
//! let new: Vec<_> = update.new.columns().collect();
//! assert_eq!(new, [TupleColumn::Text(b"2"), TupleColumn::Text(b"x"), TupleColumn::Unchanged]);
//!
//! // The key changed, so the message has the old one.
//! let Some(OldTuple::Key(key)) = update.old else { panic!() };
//! let old: Vec<_> = key.columns(table.columns.iter().map(|column| column.flags)).collect();
//! assert_eq!(old, [(0, TupleColumn::Text(b"1"))]);
//!
//! // An error names the reason, the byte and the message. The decoder's state is unchanged.
//! let error = decoder.decode(b"I\0\0\x40\x13N\0\x01t\0\0\0\xC8abc").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "truncated column value at byte 13 of Insert ('I'): needed 200 bytes, had 3"
//! );
//! # Ok::<(), pgoutput_decode::DecodeError>(())
//! ```
//!
//! If you read every column of every row, use [`Decoder::decode_with`]. It passes the columns to
//! you while it checks the row, which saves a second walk over the lengths.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `std` | yes | implies `alloc` |
//! | `alloc` | by `std` | the tables that a stream has described, `Relations`; rows with named columns, module `row` |
//! | `ascii` | yes | faster UTF-8 checks of short text, by the crate `ascii` |
//! | `encode` | no | writing messages and envelopes, module `encode`; implies `alloc` |
//! | `serde` | no | rows into structs, `Row::deserialize`; JSON columns as `serde_json::Value`; implies `std` |
//! | `time` | no | columns as the types of the crate `time` |
//! | `uuid` | no | columns as `uuid::Uuid` |
//! | `postgres-types` | no | columns as any type that implements `postgres_types::FromSql`, `Row::get_sql`; implies `std` |
//!
//! Without features you have every message, tuple and envelope. A feature only adds items.
//!
//! # Guarantees
//!
//! - **No panic.** No input makes decoding panic. The crate has no unsafe code, no indexing, and no
//!   `unwrap` outside tests. `tests/no_std.rs` searches the optimised assembly of the decoder, with
//!   overflow checks, for a path to a panic; `fuzz/` and `tests/laws.rs` search for one with input.
//! - **No allocation.** Decoding allocates nothing, whatever lengths and counts a frame contains
//!   (`tests/memory.rs`). A program with neither `std` nor `alloc` links and runs (`tests/no-std`).
//! - **Bounded.** Decoding walks over a frame once, and over an invalid one again for its error.
//!   The time is linear in the number of columns and the bytes of names. Values are skipped by
//!   their length and never read. There is no recursion.
//! - **Nothing lost.** An accepted frame encodes to the same bytes again (`tests/reencode.rs`).
//!   Trailing bytes are an error, and unknown flags are kept.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
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

mod column;
mod copy_data;
mod cursor;
mod decoder;
#[cfg(feature = "encode")]
pub mod encode;
mod error;
mod field_name;
mod format;
mod id;
mod lsn;
pub mod message;
mod printable;
#[cfg(feature = "alloc")]
mod relation;
#[cfg(feature = "alloc")]
pub mod row;
mod tag;
mod timestamp;
mod tuple;
mod utf8;
pub mod value;

pub use column::ColumnFlags;
pub use copy_data::{
    CopyData, HotStandbyFeedback, PrimaryKeepalive, StandbyStatusUpdate, XLogData,
};
pub use decoder::Decoder;
pub use error::{DecodeError, ErrorKind};
pub use id::{Oid, Xid};
pub use lsn::{Lsn, ParseLsnError};
pub use message::{Message, ReplicaIdentity, StreamAbortForm};
pub use printable::{Printable, is_printable};
#[cfg(feature = "alloc")]
pub use relation::{Column, Relation, Relations};
pub use tag::Tag;
pub use timestamp::{Rfc3339, TimestampTz};
pub use tuple::{Columns, KeyTuple, OldTuple, TupleColumn, TupleData, TupleKind};
#[cfg(feature = "alloc")]
pub use tuple::{OldTupleBuf, TupleBuf};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
