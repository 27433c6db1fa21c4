//! Writes `hstore`.

use super::{EncodeError, Write, Writer, write_sized};
use crate::value::Hstore;

impl Write for Hstore<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.length("hstore pair count", self.pairs().count())?;
        self.pairs().try_for_each(|(key, value)| {
            write_sized(Some(&key), writer)?;
            write_sized(value.as_ref(), writer)
        })
    }
}
