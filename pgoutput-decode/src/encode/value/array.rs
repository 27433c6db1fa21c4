//! Writes arrays, `int2vector` and `oidvector`.

use super::{EncodeError, Write, Writer, write_sized};
use crate::value::Array;

impl Write for Array<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        // At most six. An empty vector still has one dimension, of length 0.
        let is_empty_vector = self.is_vector() && self.is_empty();
        let dimensions = if is_empty_vector { 1 } else { self.dimensions().len() };
        writer.length("array dimension count", dimensions)?;
        writer.i32(self.elements().any(|element| element.is_none()).into());
        writer.oid(self.element_type().oid());
        if is_empty_vector {
            writer.u64(0);
        }
        for dimension in self.dimensions() {
            writer.u32(dimension.len);
            writer.i32(dimension.lower);
        }
        self.elements().try_for_each(|element| write_sized(element.as_ref(), writer))
    }
}
