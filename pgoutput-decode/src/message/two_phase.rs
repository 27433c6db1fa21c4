//! Begin Prepare, Prepare, Commit Prepared, Rollback Prepared, Stream Prepare: two-phase commit.

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::lsn::Lsn;
use crate::timestamp::TimestampTz;

/// The body of Begin Prepare: a prepared transaction starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginPrepareBody<'a> {
    /// The start of the prepare record.
    pub prepare_lsn: Lsn,
    /// The end of the prepare record.
    pub end_lsn: Lsn,
    /// The time of the preparation.
    pub prepare_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
    /// The identifier given in `PREPARE TRANSACTION`.
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
            /// Flags that no server uses so far; as received.
            pub flags: u8,
            /// The start of the prepare record.
            pub prepare_lsn: Lsn,
            /// The end of the prepare record.
            pub end_lsn: Lsn,
            /// The time of the preparation.
            pub prepare_time: TimestampTz,
            /// The id of the transaction.
            pub xid: Xid,
            /// The identifier given in `PREPARE TRANSACTION`.
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
    /// The body of Prepare: a transaction is prepared. Its changes came since Begin Prepare.
    PrepareBody
}

prepare! {
    /// The body of Stream Prepare: an in-progress transaction is prepared. Its changes came in
    /// chunks.
    StreamPrepareBody
}

/// The body of Commit Prepared: a prepared transaction was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitPreparedBody<'a> {
    /// Flags that no server uses so far; as received.
    pub flags: u8,
    /// The start of the commit record.
    pub commit_lsn: Lsn,
    /// The end of the commit record.
    pub end_lsn: Lsn,
    /// The time of the commit.
    pub commit_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
    /// The identifier given in `PREPARE TRANSACTION`.
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

/// The body of Rollback Prepared: a prepared transaction was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollbackPreparedBody<'a> {
    /// Flags that no server uses so far; as received.
    pub flags: u8,
    /// The end of the prepare record.
    pub prepare_end_lsn: Lsn,
    /// The end of the rollback record.
    pub rollback_end_lsn: Lsn,
    /// The time of the preparation.
    pub prepare_time: TimestampTz,
    /// The time of the rollback.
    pub rollback_time: TimestampTz,
    /// The id of the transaction.
    pub xid: Xid,
    /// The identifier given in `PREPARE TRANSACTION`.
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
