//! Writes Insert, Update, Delete and Truncate with their tuples, and Message.

use super::EncodeError;
use super::writer::Writer;
use crate::message::{DeleteBody, InsertBody, MessageBody, TruncateBody, UpdateBody};
use crate::tuple::{OldTuple, TupleData};

impl InsertBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.stream_xid(self.xid);
        writer.oid(self.relation);
        tuple(writer, b'N', self.new);
    }
}

impl UpdateBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.stream_xid(self.xid);
        writer.oid(self.relation);
        if let Some(old) = self.old {
            old_tuple(writer, old);
        }
        tuple(writer, b'N', self.new);
    }
}

impl DeleteBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        writer.stream_xid(self.xid);
        writer.oid(self.relation);
        old_tuple(writer, self.old);
    }
}

fn old_tuple(writer: &mut Writer<'_>, old: OldTuple<'_>) {
    match old {
        OldTuple::Key(key) => tuple(writer, b'K', key.full_width()),
        OldTuple::Full(row) => tuple(writer, b'O', row),
    }
}

fn tuple(writer: &mut Writer<'_>, kind: u8, row: TupleData<'_>) {
    writer.u8(kind);
    writer.u16(row.count());
    writer.bytes(row.as_bytes());
}

impl TruncateBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.stream_xid(self.xid);
        writer.length("relation count", self.relations.len())?;
        writer.u8(self.flags.0);
        self.relations.iter().for_each(|oid| writer.oid(oid));
        Ok(())
    }
}

impl MessageBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.stream_xid(self.xid);
        writer.u8(self.flags.0);
        writer.lsn(self.lsn);
        writer.string("message prefix", self.prefix)?;
        writer.length("content", self.content.len())?;
        writer.bytes(self.content);
        Ok(())
    }
}
