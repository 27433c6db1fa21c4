//! Begin, Commit, Origin.

use super::whole;
use crate::cursor::Cursor;
use crate::{DecodeError, Lsn, Message, TimestampTz, Xid};

/// Decodes a frame that is a Begin.
pub(super) fn begin(frame: &[u8]) -> Result<Message<'_>, DecodeError> {
    whole(frame, BeginBody::read, Message::Begin)
}

/// Decodes a frame that is a Commit.
pub(super) fn commit(frame: &[u8]) -> Result<Message<'_>, DecodeError> {
    whole(frame, CommitBody::read, Message::Commit)
}

/// A transaction starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginBody {
    /// The final LSN of the transaction: where its commit record starts.
    pub final_lsn: Lsn,
    /// When the transaction was committed.
    pub commit_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
}

impl BeginBody {
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            final_lsn: cursor.lsn("final LSN")?,
            commit_time: cursor.timestamp("commit timestamp")?,
            xid: cursor.xid("transaction id")?,
        })
    }
}

/// A transaction is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitBody {
    /// Unused by every server so far; kept as it came.
    pub flags: u8,
    /// Where the commit record starts; the same as Begin's final LSN.
    pub commit_lsn: Lsn,
    /// Where the commit record ends: the position to confirm once the transaction is dealt with.
    pub end_lsn: Lsn,
    /// When the transaction was committed.
    pub commit_time: TimestampTz,
}

impl CommitBody {
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: cursor.u8("flags")?,
            commit_lsn: cursor.lsn("commit LSN")?,
            end_lsn: cursor.lsn("end LSN")?,
            commit_time: cursor.timestamp("commit timestamp")?,
        })
    }
}

/// Where a transaction came from, when it was itself replicated to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginBody<'a> {
    /// The commit's LSN on the origin server.
    pub commit_lsn: Lsn,
    /// The name of the origin.
    pub name: &'a str,
}

impl<'a> OriginBody<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self { commit_lsn: cursor.lsn("commit LSN")?, name: cursor.string("origin name")? })
    }
}
