//! Writes `boolean`, integers, floats and `money`.

use super::{EncodeError, Write, Writer};
use crate::value::{Float4, Float8, Money};

impl Write for bool {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8((*self).into());
        Ok(())
    }
}

impl Write for i16 {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.i16(*self);
        Ok(())
    }
}

impl Write for i32 {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.i32(*self);
        Ok(())
    }
}

impl Write for i64 {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.i64(*self);
        Ok(())
    }
}

impl Write for Float4 {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u32(self.0.to_bits());
        Ok(())
    }
}

impl Write for Float8 {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u64(self.0.to_bits());
        Ok(())
    }
}

impl Write for Money {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.minor_units().write(writer)
    }
}
