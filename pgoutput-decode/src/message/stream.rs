//! Stream Start, Stream Stop, Stream Commit, Stream Abort: transactions sent before they end.

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::lsn::Lsn;
use crate::timestamp::TimestampTz;

/// A chunk of a transaction in progress starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStartBody {
    /// The id of the top-level transaction.
    pub xid: Xid,
    /// 1 for the first chunk of the transaction, else 0; as it came.
    pub first_segment: u8,
}

impl StreamStartBody {
    /// True for the first chunk of the transaction.
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

/// A streamed transaction is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCommitBody {
    /// The id of the transaction.
    pub xid: Xid,
    /// Unused by every server so far; kept as it came.
    pub flags: u8,
    /// Where the commit record starts.
    pub commit_lsn: Lsn,
    /// Where the commit record ends.
    pub end_lsn: Lsn,
    /// When the transaction was committed.
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

/// A streamed transaction, or one of its subtransactions, was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAbortBody {
    /// The id of the top-level transaction.
    pub xid: Xid,
    /// The id of what was rolled back; the same as `xid` when it was all of it.
    pub subxid: Xid,
    /// What the longer form adds.
    pub tail: Option<StreamAbortTail>,
}

/// What Stream Abort carries when the server streams in parallel (`streaming 'parallel'`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAbortTail {
    /// Where the abort record stands.
    pub abort_lsn: Lsn,
    /// When the transaction was rolled back.
    pub abort_time: TimestampTz,
}

/// Which of its two forms a Stream Abort has, where its length does not tell:
/// in [`Message::decode_prefix`](crate::Message::decode_prefix).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamAbortForm {
    /// Two transaction ids: `streaming` is `on`, whatever the protocol version.
    Short,
    /// Abort LSN and time as well: `streaming` is `parallel`.
    Long,
}

impl StreamAbortBody {
    /// Bytes after the tag in the short form.
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
