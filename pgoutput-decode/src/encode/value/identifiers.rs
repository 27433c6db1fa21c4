//! Writes identifiers: `oid`, `xid`, `xid8`, `cid`, `tid`, `pg_lsn`, `pg_snapshot` and `uuid`.

use super::{EncodeError, Write, Writer};
use crate::id::{Oid, Xid};
use crate::lsn::Lsn;
use crate::value::{Cid, Snapshot, Tid, Uuid, Xid8};

impl Write for Oid {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.oid(*self);
        Ok(())
    }
}

impl Write for Xid {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.xid(*self);
        Ok(())
    }
}

impl Write for Xid8 {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u64(self.0);
        Ok(())
    }
}

impl Write for Cid {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u32(self.0);
        Ok(())
    }
}

impl Write for Tid {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u32(self.block);
        writer.u16(self.offset);
        Ok(())
    }
}

impl Write for Lsn {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.lsn(*self);
        Ok(())
    }
}

impl Write for Snapshot<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.length("pg_snapshot transaction count", self.in_progress().count())?;
        self.xmin().write(writer)?;
        self.xmax().write(writer)?;
        self.in_progress().try_for_each(|xid| xid.write(writer))
    }
}

impl Write for Uuid {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.0);
        Ok(())
    }
}
