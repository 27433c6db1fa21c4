//! Stream Start, Stream Stop, Stream Commit, Stream Abort: in-progress transactions.

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::lsn::Lsn;
use crate::timestamp::TimestampTz;

/// The body of Stream Start: a chunk of an in-progress transaction starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStartBody {
    /// The id of the top-level transaction.
    pub xid: Xid,
    /// 1 for the first chunk of the transaction, otherwise 0; as received.
    pub first_segment: u8,
}

impl StreamStartBody {
    /// Returns true for the first chunk of the transaction.
    pub const fn is_first_segment(&self) -> bool {
        self.first_segment == 1
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            xid: cursor.xid(FieldName::TransactionId)?,
            first_segment: cursor.u8(FieldName::FirstSegmentFlag)?,
        })
    }
}

/// The body of Stream Commit: an in-progress transaction was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCommitBody {
    /// The id of the transaction.
    pub xid: Xid,
    /// Flags that no server uses so far; as received.
    pub flags: u8,
    /// The start of the commit record.
    pub commit_lsn: Lsn,
    /// The end of the commit record.
    pub end_lsn: Lsn,
    /// The time of the commit.
    pub commit_time: TimestampTz,
}

impl StreamCommitBody {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            xid: cursor.xid(FieldName::TransactionId)?,
            flags: cursor.u8(FieldName::Flags)?,
            commit_lsn: cursor.lsn(FieldName::CommitLsn)?,
            end_lsn: cursor.lsn(FieldName::EndLsn)?,
            commit_time: cursor.timestamp(FieldName::CommitTimestamp)?,
        })
    }
}

/// The body of Stream Abort: an in-progress transaction, or one of its subtransactions, was rolled
/// back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAbortBody {
    /// The id of the top-level transaction.
    pub xid: Xid,
    /// The id of the transaction that was rolled back: `xid` itself, or that of a subtransaction.
    pub subxid: Xid,
    /// The fields of the longer form.
    pub tail: Option<StreamAbortTail>,
}

/// The fields that Stream Abort has in addition with `streaming 'parallel'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAbortTail {
    /// The LSN of the abort record.
    pub abort_lsn: Lsn,
    /// The time of the rollback.
    pub abort_time: TimestampTz,
}

/// The form of a Stream Abort, for [`Message::decode_prefix`](crate::Message::decode_prefix), where
/// the length does not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamAbortForm {
    /// Two transaction ids: `streaming` is `on`, whatever the protocol version.
    Short,
    /// Abort LSN and time as well: `streaming` is `parallel`.
    Long,
}

impl StreamAbortBody {
    /// The number of bytes after the tag in the short form.
    pub(super) const SHORT_LEN: usize = 8;

    pub(super) fn read(
        cursor: &mut Cursor<'_>,
        form: StreamAbortForm,
    ) -> Result<Self, DecodeError> {
        Ok(Self {
            xid: cursor.xid(FieldName::TransactionId)?,
            subxid: cursor.xid(FieldName::SubtransactionId)?,
            tail: match form {
                StreamAbortForm::Short => None,
                StreamAbortForm::Long => Some(StreamAbortTail {
                    abort_lsn: cursor.lsn(FieldName::AbortLsn)?,
                    abort_time: cursor.timestamp(FieldName::AbortTimestamp)?,
                }),
            },
        })
    }
}
