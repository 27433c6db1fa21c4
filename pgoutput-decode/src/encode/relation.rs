//! Writes Relation and Type.

use super::EncodeError;
use super::writer::Writer;
use crate::message::{ColumnBody, RelationBody, TypeBody};

impl RelationBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.stream_xid(self.xid);
        writer.oid(self.oid);
        writer.string("namespace", self.wire_namespace)?;
        writer.string("relation name", self.name)?;
        writer.u8(self.replica_identity.0);
        writer.u16(self.columns.count());
        self.columns.iter().try_for_each(|column| column.write(writer))
    }
}

impl ColumnBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.flags.0);
        writer.string("column name", self.name)?;
        writer.oid(self.type_oid);
        writer.i32(self.type_modifier);
        Ok(())
    }
}

impl TypeBody<'_> {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.stream_xid(self.xid);
        writer.oid(self.oid);
        writer.string("namespace", self.wire_namespace)?;
        writer.string("type name", self.name)
    }
}
