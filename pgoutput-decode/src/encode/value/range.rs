//! Writes ranges and multiranges.

use core::ops::Bound;

use super::{EncodeError, INSIDE, Write, Writer, write_sized};
use crate::value::{Field, Multirange, Range, range_flag as flag};

impl Write for Range<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.is_empty() {
            writer.u8(flag::EMPTY);
            return Ok(());
        }
        let (lower, upper) = (self.lower(), self.upper());
        let flags = |bound: &Bound<Field<'_>>, inclusive, infinite| match bound {
            Bound::Included(_) => inclusive,
            Bound::Excluded(_) => 0,
            Bound::Unbounded => infinite,
        };
        writer.u8(flags(&lower, flag::LOWER_INCLUSIVE, flag::LOWER_INFINITE)
            | flags(&upper, flag::UPPER_INCLUSIVE, flag::UPPER_INFINITE));
        [lower, upper].into_iter().try_for_each(|bound| match bound {
            Bound::Included(value) | Bound::Excluded(value) => write_sized(Some(&value), writer),
            Bound::Unbounded => Ok(()),
        })
    }
}

impl Write for Multirange<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.length("multirange range count", self.ranges().count())?;
        self.ranges().try_for_each(|range| writer.sized(INSIDE, |writer| range.write(writer)))
    }
}
