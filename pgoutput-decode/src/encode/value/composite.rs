//! Writes composites.

use super::{EncodeError, Write, Writer, write_sized};
use crate::value::Composite;

impl Write for Composite<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.length("attribute count", self.attributes().len())?;
        self.attributes().try_for_each(|(attribute, value)| {
            writer.oid(attribute.ty.oid());
            write_sized(value.as_ref(), writer)
        })
    }
}
