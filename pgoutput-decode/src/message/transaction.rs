//! Begin, Commit, Origin.

use crate::cursor::{Cursor, split_u32, split_u64};
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::lsn::Lsn;
use crate::message::Message;
use crate::timestamp::TimestampTz;

/// Decodes a frame that is a Begin, outside of a chunk.
pub(super) fn begin(frame: &[u8]) -> Result<Message<'_>, DecodeError> {
    let body = || {
        let (_, rest) = frame.split_first()?;
        let (final_lsn, rest) = split_lsn(rest)?;
        let (commit_time, rest) = split_time(rest)?;
        let (xid, rest) = split_u32(rest)?;
        let xid = Xid::new(xid);
        rest.is_empty().then_some(BeginBody { final_lsn, commit_time, xid })
    };
    match body() {
        Some(body) => Ok(Message::Begin(body)),
        None => Message::decode_other(frame, false),
    }
}

/// Decodes a frame that is a Commit, outside of a chunk.
pub(super) fn commit(frame: &[u8]) -> Result<Message<'_>, DecodeError> {
    let body = || {
        let (&[_, flags], rest) = frame.split_first_chunk()?;
        let (commit_lsn, rest) = split_lsn(rest)?;
        let (end_lsn, rest) = split_lsn(rest)?;
        let (commit_time, rest) = split_time(rest)?;
        rest.is_empty().then_some(CommitBody { flags, commit_lsn, end_lsn, commit_time })
    };
    match body() {
        Some(body) => Ok(Message::Commit(body)),
        None => Message::decode_other(frame, false),
    }
}

#[inline]
fn split_lsn(bytes: &[u8]) -> Option<(Lsn, &[u8])> {
    split_u64(bytes).map(|(lsn, rest)| (Lsn::new(lsn), rest))
}

#[inline]
fn split_time(bytes: &[u8]) -> Option<(TimestampTz, &[u8])> {
    split_u64(bytes).map(|(micros, rest)| (TimestampTz::from_micros(micros.cast_signed()), rest))
}

/// The body of Begin: a transaction starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginBody {
    /// The commit LSN of the transaction: the start of its commit record. The manual calls it final
    /// LSN.
    pub final_lsn: Lsn,
    /// The time of the commit.
    pub commit_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
}

impl BeginBody {
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            final_lsn: cursor.lsn(FieldName::FinalLsn)?,
            commit_time: cursor.timestamp(FieldName::CommitTimestamp)?,
            xid: cursor.xid(FieldName::TransactionId)?,
        })
    }
}

/// The body of Commit: a transaction is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitBody {
    /// Flags that no server uses so far; as received.
    pub flags: u8,
    /// The start of the commit record; the same as Begin's final LSN.
    pub commit_lsn: Lsn,
    /// The end of the commit record: the LSN to report as flushed once the transaction was
    /// processed.
    pub end_lsn: Lsn,
    /// The time of the commit.
    pub commit_time: TimestampTz,
}

impl CommitBody {
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: cursor.u8(FieldName::Flags)?,
            commit_lsn: cursor.lsn(FieldName::CommitLsn)?,
            end_lsn: cursor.lsn(FieldName::EndLsn)?,
            commit_time: cursor.timestamp(FieldName::CommitTimestamp)?,
        })
    }
}

/// The body of Origin: the origin of a transaction that was itself replicated to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginBody<'a> {
    /// The LSN of the commit on the origin server.
    pub commit_lsn: Lsn,
    /// The name of the origin.
    pub name: &'a str,
}

impl<'a> OriginBody<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            commit_lsn: cursor.lsn(FieldName::CommitLsn)?,
            name: cursor.string(FieldName::OriginName)?,
        })
    }
}
