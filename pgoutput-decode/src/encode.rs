//! Encodes messages and values as bytes, for tests, proxies and mock servers.
//!
//! This is the counterpart of decoding. A decoded message is encoded to the same bytes, with every
//! flag as received ([`Message::encode`], [`CopyData::encode`](crate::CopyData::encode)). A new
//! message is built from the same types: the bodies are plain structs, which borrow from
//! [`TupleBuf`], [`RelationColumnsBuf`] or [`OidsBuf`] what decoded ones borrow from a
//! frame. [`Encoder`] keeps a whole replication stream valid, as [`Decoder`](crate::Decoder)
//! follows one. [`EncodeBinary`] writes values in their binary form.
//!
//! ```
//! use pgoutput_decode::encode::{RelationColumnsBuf, TupleBuf};
//! use pgoutput_decode::message::{InsertBody, RelationBody};
//! use pgoutput_decode::{ColumnFlags, Lsn, Message, Oid, ReplicaIdentity, TimestampTz, XLogData};
//!
//! let mut columns = RelationColumnsBuf::new();
//! columns
//!     .push(ColumnFlags::KEY, "id", Oid::new(23), -1)?
//!     .push(ColumnFlags(0), "note", Oid::new(25), -1)?;
//! let relation = Message::Relation(RelationBody {
//!     xid: None,
//!     oid: Oid::new(16403),
//!     wire_namespace: "public",
//!     name: "readme",
//!     replica_identity: ReplicaIdentity::DEFAULT,
//!     columns: columns.as_columns(),
//! });
//! assert_eq!(Message::decode(&relation.to_bytes()?, false)?, relation);
//!
//! let mut row = TupleBuf::new();
//! row.text("1")?.null()?;
//! let insert = InsertBody { xid: None, relation: Oid::new(16403), new: row.as_tuple() };
//! let insert = Message::Insert(insert);
//! let frame = insert.to_bytes()?;
//! assert_eq!(frame, b"I\0\0\x40\x13N\0\x02t\0\0\0\x011n");
//!
//! // The payload of the CopyData message that a server would send.
//! let envelope = XLogData {
//!     wal_start: Lsn::new(7),
//!     wal_end: Lsn::new(7),
//!     send_time: TimestampTz::EPOCH,
//!     data: &frame,
//! };
//! let mut payload = Vec::new();
//! envelope.encode(&mut payload);
//! assert_eq!(payload.len(), XLogData::HEADER_LEN + frame.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod columns;
mod copy_data;
mod dml;
mod encoder;
mod error;
mod oids;
mod relation;
mod transaction;
mod tuple;
mod value;
mod writer;

pub use crate::tuple::TupleBuf;
pub use columns::RelationColumnsBuf;
pub use encoder::Encoder;
pub use error::EncodeError;
pub use oids::OidsBuf;
pub use value::EncodeBinary;

use alloc::vec::Vec;

use crate::message::Message;
use writer::Writer;

impl Message<'_> {
    /// Appends this message to `out`, as the server would send it inside an XLogData.
    ///
    /// A decoded message is encoded to the bytes it was decoded from. Seven kinds of messages carry
    /// a transaction id inside a chunk; it is written if `xid` is `Some`. [`Encoder`] checks that
    /// this matches the position in the replication stream.
    ///
    /// ```
    /// use pgoutput_decode::{Decoder, Message};
    ///
    /// let frame = b"O\0\0\0\0\x01\x58\xFA\xC8upstream\0";
    /// let message = Decoder::new().decode(frame)?;
    /// let mut out = Vec::new();
    /// message.encode(&mut out)?;
    /// assert_eq!(out, frame);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Fails on a name that contains a zero byte and on content that is too long for its length
    /// field, neither of which occurs in a decoded message; `out` is then unchanged.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Writer::append(out, |writer| self.write(writer))
    }

    /// Returns this message as a frame; see [`encode`](Self::encode).
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        self.encode(&mut out)?;
        Ok(out)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.tag().0);
        match self {
            Self::Begin(body) => body.write(writer),
            Self::Message(body) => return body.write(writer),
            Self::Commit(body) => body.write(writer),
            Self::Origin(body) => return body.write(writer),
            Self::Relation(body) => return body.write(writer),
            Self::Type(body) => return body.write(writer),
            Self::Insert(body) => body.write(writer),
            Self::Update(body) => body.write(writer),
            Self::Delete(body) => body.write(writer),
            Self::Truncate(body) => return body.write(writer),
            Self::StreamStart(body) => body.write(writer),
            Self::StreamStop => {}
            Self::StreamCommit(body) => body.write(writer),
            Self::StreamAbort(body) => body.write(writer),
            Self::BeginPrepare(body) => return body.write(writer),
            Self::Prepare(body) => return body.write(writer),
            Self::CommitPrepared(body) => return body.write(writer),
            Self::RollbackPrepared(body) => return body.write(writer),
            Self::StreamPrepare(body) => return body.write(writer),
        }
        Ok(())
    }
}
