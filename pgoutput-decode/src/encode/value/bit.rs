//! Writes `bit` and `varbit`.

use super::{EncodeError, Write, Writer};
use crate::value::Bits;

impl Write for Bits<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.length("bit count", self.len())?;
        let mut bits = self.iter();
        for _ in 0..self.len().div_ceil(8) {
            // The last byte is filled up with zeros.
            let byte = (0..8).fold(0, |byte, _| byte << 1 | u8::from(bits.next().unwrap_or(false)));
            writer.u8(byte);
        }
        Ok(())
    }
}
