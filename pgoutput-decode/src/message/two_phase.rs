//! Begin Prepare, Prepare, Commit Prepared, Rollback Prepared, Stream Prepare: two-phase commit.

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::lsn::Lsn;
use crate::timestamp::TimestampTz;

/// A prepared transaction starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginPrepareBody<'a> {
    /// Where the prepare record starts.
    pub prepare_lsn: Lsn,
    /// Where the prepare record ends.
    pub end_lsn: Lsn,
    /// When the transaction was prepared.
    pub prepare_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
    /// The name the user gave it in `PREPARE TRANSACTION`.
    pub gid: &'a str,
}

impl<'a> BeginPrepareBody<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            prepare_lsn: cursor.lsn(FieldName::PrepareLsn)?,
            end_lsn: cursor.lsn(FieldName::EndLsn)?,
            prepare_time: cursor.timestamp(FieldName::PrepareTimestamp)?,
            xid: cursor.xid(FieldName::TransactionId)?,
            gid: cursor.string(FieldName::Gid)?,
        })
    }
}

macro_rules! prepare {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name<'a> {
            /// Unused by every server so far; kept as it came.
            pub flags: u8,
            /// Where the prepare record starts.
            pub prepare_lsn: Lsn,
            /// Where the prepare record ends.
            pub end_lsn: Lsn,
            /// When the transaction was prepared.
            pub prepare_time: TimestampTz,
            /// The id of the transaction.
            pub xid: Xid,
            /// The name the user gave it in `PREPARE TRANSACTION`.
            pub gid: &'a str,
        }

        impl<'a> $name<'a> {
            pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
                Ok(Self {
                    flags: cursor.u8(FieldName::Flags)?,
                    prepare_lsn: cursor.lsn(FieldName::PrepareLsn)?,
                    end_lsn: cursor.lsn(FieldName::EndLsn)?,
                    prepare_time: cursor.timestamp(FieldName::PrepareTimestamp)?,
                    xid: cursor.xid(FieldName::TransactionId)?,
                    gid: cursor.string(FieldName::Gid)?,
                })
            }
        }
    };
}

prepare! {
    /// A transaction is prepared: its changes came since Begin Prepare.
    PrepareBody
}

prepare! {
    /// A streamed transaction is prepared: its changes came in chunks.
    StreamPrepareBody
}

/// A prepared transaction was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitPreparedBody<'a> {
    /// Unused by every server so far; kept as it came.
    pub flags: u8,
    /// Where the commit record starts.
    pub commit_lsn: Lsn,
    /// Where the commit record ends.
    pub end_lsn: Lsn,
    /// When the transaction was committed.
    pub commit_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
    /// The name the user gave it in `PREPARE TRANSACTION`.
    pub gid: &'a str,
}

impl<'a> CommitPreparedBody<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: cursor.u8(FieldName::Flags)?,
            commit_lsn: cursor.lsn(FieldName::CommitLsn)?,
            end_lsn: cursor.lsn(FieldName::EndLsn)?,
            commit_time: cursor.timestamp(FieldName::CommitTimestamp)?,
            xid: cursor.xid(FieldName::TransactionId)?,
            gid: cursor.string(FieldName::Gid)?,
        })
    }
}

/// A prepared transaction was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollbackPreparedBody<'a> {
    /// Unused by every server so far; kept as it came.
    pub flags: u8,
    /// Where the prepare record ends.
    pub prepare_end_lsn: Lsn,
    /// Where the rollback record ends.
    pub rollback_end_lsn: Lsn,
    /// When the transaction was prepared.
    pub prepare_time: TimestampTz,
    /// When it was rolled back.
    pub rollback_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
    /// The name the user gave it in `PREPARE TRANSACTION`.
    pub gid: &'a str,
}

impl<'a> RollbackPreparedBody<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: cursor.u8(FieldName::Flags)?,
            prepare_end_lsn: cursor.lsn(FieldName::PrepareEndLsn)?,
            rollback_end_lsn: cursor.lsn(FieldName::RollbackEndLsn)?,
            prepare_time: cursor.timestamp(FieldName::PrepareTimestamp)?,
            rollback_time: cursor.timestamp(FieldName::RollbackTimestamp)?,
            xid: cursor.xid(FieldName::TransactionId)?,
            gid: cursor.string(FieldName::Gid)?,
        })
    }
}
