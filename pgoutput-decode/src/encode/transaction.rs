//! Writes Begin, Commit, Origin, the stream control messages and those of prepared transactions.
//! Fields are in wire order.

use super::EncodeError;
use super::writer::Writer;
use crate::message::{
    BeginBody, BeginPrepareBody, CommitBody, CommitPreparedBody, OriginBody, PrepareBody,
    RollbackPreparedBody, StreamAbortBody, StreamCommitBody, StreamPrepareBody, StreamStartBody,
};

impl BeginBody {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.lsn(self.final_lsn);
        writer.timestamp(self.commit_time);
        writer.xid(self.xid);
    }
}

impl CommitBody {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.u8(self.flags);
        writer.lsn(self.commit_lsn);
        writer.lsn(self.end_lsn);
        writer.timestamp(self.commit_time);
    }
}

impl OriginBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.lsn(self.commit_lsn);
        writer.string("origin name", self.name)
    }
}

impl StreamStartBody {
    pub(super) fn write(self, writer: &mut Writer<'_>) {
        writer.xid(self.xid);
        writer.u8(self.first_segment);
    }
}

impl StreamCommitBody {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.xid(self.xid);
        writer.u8(self.flags);
        writer.lsn(self.commit_lsn);
        writer.lsn(self.end_lsn);
        writer.timestamp(self.commit_time);
    }
}

impl StreamAbortBody {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.xid(self.xid);
        writer.xid(self.subxid);
        if let Some(tail) = self.tail {
            writer.lsn(tail.abort_lsn);
            writer.timestamp(tail.abort_time);
        }
    }
}

impl BeginPrepareBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.lsn(self.prepare_lsn);
        writer.lsn(self.end_lsn);
        writer.timestamp(self.prepare_time);
        writer.xid(self.xid);
        writer.string("GID", self.gid)
    }
}

macro_rules! prepare {
    ($($name:ident)*) => {$(
        impl $name<'_> {
            pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
                writer.u8(self.flags);
                writer.lsn(self.prepare_lsn);
                writer.lsn(self.end_lsn);
                writer.timestamp(self.prepare_time);
                writer.xid(self.xid);
                writer.string("GID", self.gid)
            }
        }
    )*};
}

// Stream Prepare has the same layout as Prepare.
prepare!(PrepareBody StreamPrepareBody);

impl CommitPreparedBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.flags);
        writer.lsn(self.commit_lsn);
        writer.lsn(self.end_lsn);
        writer.timestamp(self.commit_time);
        writer.xid(self.xid);
        writer.string("GID", self.gid)
    }
}

impl RollbackPreparedBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.flags);
        writer.lsn(self.prepare_end_lsn);
        writer.lsn(self.rollback_end_lsn);
        writer.timestamp(self.prepare_time);
        writer.timestamp(self.rollback_time);
        writer.xid(self.xid);
        writer.string("GID", self.gid)
    }
}
