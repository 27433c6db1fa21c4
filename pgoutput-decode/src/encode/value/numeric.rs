//! Writes `numeric`.

use super::{EncodeError, Write, Writer};
use crate::value::Numeric;

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEG_INFINITY: u16 = 0xF000;
/// The greatest scale in the binary form.
const MAX_SCALE: usize = 0x3FFF;
/// The greatest number of decimal digits before the point: groups of four, of which the first is
/// multiplied by 10000 to the power of `i16::MAX`.
const MAX_INTEGER_DIGITS: usize = 4 * (i16::MAX as usize + 1);

impl Write for Numeric<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let Some(scale) = self.scale() else {
            // No digits and no weight. Servers send 32 as the scale of the infinities.
            let (sign, scale) = match (self.is_nan(), self.is_negative()) {
                (true, _) => (NAN, 0),
                (false, false) => (INFINITY, 32),
                (false, true) => (NEG_INFINITY, 32),
            };
            for part in [0, 0, sign, scale] {
                writer.u16(part);
            }
            return Ok(());
        };
        let digits = self.integer_digits().len();
        let too_long = |field, length, limit| Err(EncodeError::TooLong { field, length, limit });
        if digits > MAX_INTEGER_DIGITS {
            return too_long("numeric integer digits", digits, MAX_INTEGER_DIGITS);
        }
        let Some(scale) = u16::try_from(scale).ok().filter(|_| scale <= MAX_SCALE) else {
            return too_long("numeric scale", scale, MAX_SCALE);
        };
        // Leading and trailing groups of zeros are not written.
        let weight = i32::try_from(digits.div_ceil(4)).unwrap_or(i32::MAX) - 1;
        let skipped = self.groups().take_while(|group| *group == 0).count();
        let written = self.groups().enumerate().filter(|(_, group)| *group != 0);
        let count = written.last().map_or(0, |(at, _)| at + 1 - skipped);
        let weight =
            if count == 0 { 0 } else { weight - i32::try_from(skipped).unwrap_or(i32::MAX) };
        // The limits above keep both in range: there are at most 32768 + 4096 groups.
        writer.u16(u16::try_from(count).unwrap_or(u16::MAX));
        writer.i16(i16::try_from(weight).unwrap_or(i16::MIN));
        writer.u16(if self.is_negative() { NEGATIVE } else { POSITIVE });
        writer.u16(scale);
        self.groups().skip(skipped).take(count).for_each(|group| writer.u16(group));
        Ok(())
    }
}

impl Numeric<'_> {
    /// Returns all digits in groups of four, aligned to the point and padded with zeros.
    fn groups(&self) -> impl Iterator<Item = u16> {
        let (integer, fraction) = (self.integer_digits(), self.fraction_digits());
        let before = integer.len().next_multiple_of(4) - integer.len();
        let after = fraction.len().next_multiple_of(4) - fraction.len();
        let zeros = |count| core::iter::repeat_n(0_u8, count);
        let mut digits = zeros(before).chain(integer).chain(fraction).chain(zeros(after));
        core::iter::from_fn(move || {
            let first = digits.next()?;
            let rest = digits.by_ref().take(3);
            Some(rest.fold(u16::from(first), |group, digit| group * 10 + u16::from(digit)))
        })
    }
}
