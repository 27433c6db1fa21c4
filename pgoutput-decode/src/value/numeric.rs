//! `numeric`. Text: decimal digits. Binary: base-10000 digits. JSON: a number with all its digits.

mod digits;

use core::cmp::Ordering;
use core::fmt::{self, Write};

pub use digits::Digits;

use super::input::Input;
use super::json_out::{JsonContext, WriteJson, quoted};
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

/// A `numeric`: up to 131072 digits before the decimal point and 16383 after it, NaN, and since
/// PostgreSQL 14 the two infinities (manual, section "Arbitrary Precision Numbers").
///
/// It borrows the digits as received and computes nothing: no float, no allocation. `Display`
/// prints PostgreSQL's text with its scale (the number of decimal places). Comparison is by value,
/// as in PostgreSQL: 1.0 equals 1.00, NaN equals NaN, and NaN is greater than everything else.
///
/// ```
/// use pgoutput_decode::value::Numeric;
///
/// let price = Numeric::parse("-0120.50")?;
/// assert_eq!(price.to_string(), "-120.50");
/// assert_eq!(price.scale(), Some(2));
/// assert!(price.integer_digits().eq([1, 2, 0]));
/// assert!(price.fraction_digits().eq([5, 0]));
/// assert_eq!(price, Numeric::parse("-120.5")?);
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Numeric<'a>(NumericRepr<'a>);

#[derive(Clone, Copy)]
enum NumericRepr<'a> {
    NegInfinity,
    /// ASCII digits; the integer part has no leading zeros.
    Decimal {
        negative: bool,
        integer: &'a [u8],
        fraction: &'a [u8],
    },
    /// Base-10000 digits of two bytes each. The first is multiplied by 10000 to the power of
    /// `weight`.
    Base10000 {
        negative: bool,
        weight: i16,
        scale: u16,
        digits: &'a [u8],
    },
    Infinity,
    NaN,
}

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEG_INFINITY: u16 = 0xF000;
/// The number of digits before the point beyond which JSON parsers that use floats may reject a
/// number: the maximum of a double is 1.8e308.
const MAX_JSON_DIGITS: usize = 308;
/// The greatest scale in the binary form.
const MAX_SCALE: u16 = 0x3FFF;

impl<'a> Numeric<'a> {
    /// Reads PostgreSQL's text of a numeric: `[-]digits[.digits]`, `NaN`, `Infinity` or
    /// `-Infinity`.
    pub fn parse(text: &'a str) -> Result<Self, ValueError> {
        Self::read_text(text.as_bytes())
    }

    fn read_text(text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let negative = input.eat(b'-');
        let mut integer = match input.number_run() {
            Ok(digits) => digits,
            Err(error) => return Self::not_finite(text).ok_or(error),
        };
        let fraction = if input.eat(b'.') { input.number_run()? } else { &[] };
        input.end("a digit")?;
        while let [b'0', rest @ ..] = integer {
            integer = rest;
        }
        let negative =
            negative && !(integer.is_empty() && fraction.iter().all(|digit| *digit == b'0'));
        Ok(Self(NumericRepr::Decimal { negative, integer, fraction }))
    }

    #[cold]
    fn not_finite(text: &[u8]) -> Option<Self> {
        match text {
            b"NaN" => Some(Self(NumericRepr::NaN)),
            b"Infinity" => Some(Self(NumericRepr::Infinity)),
            b"-Infinity" => Some(Self(NumericRepr::NegInfinity)),
            _ => None,
        }
    }

    /// Returns the text of a finite number if `Display` writes the same.
    #[cfg(feature = "serde")]
    pub(crate) fn displayed_text(text: &'a [u8]) -> Option<&'a str> {
        let Ok(Self(NumericRepr::Decimal { negative, integer, fraction })) = Self::read_text(text)
        else {
            return None;
        };
        // Leading zeros and the sign of zero are not displayed.
        let point = usize::from(!fraction.is_empty());
        let displayed = usize::from(negative) + integer.len().max(1) + point + fraction.len();
        if displayed == text.len() { crate::utf8::text(text).ok() } else { None }
    }

    /// Writes a finite binary number into the buffer as `Display` does; `None` if it does not fit.
    #[cfg(feature = "serde")]
    pub(crate) fn displayed_in<'b>(&self, buffer: &'b mut [u8; 32]) -> Option<&'b str> {
        let NumericRepr::Base10000 { negative, weight, scale, digits } = self.0 else {
            return None;
        };
        let (digits, _) = digits.as_chunks();
        let four_digits = |power: i32| {
            let at = usize::try_from(i32::from(weight) - power).ok();
            let digit =
                at.and_then(|at| digits.get(at)).map_or(0, |digit| u16::from_be_bytes(*digit));
            let [tens, ones] = [digit / 100, digit % 100];
            [tens / 10, tens % 10, ones / 10, ones % 10].map(|digit| b'0' | digit.to_le_bytes()[0])
        };
        // From the end. The last four digits may be more than the scale has.
        let end = buffer.len() - usize::from(scale.wrapping_neg() % 4);
        let mut free = &mut buffer[..];
        for power in -i32::from(scale.div_ceil(4))..0 {
            let (rest, last) = core::mem::take(&mut free).split_last_chunk_mut()?;
            *last = four_digits(power);
            free = rest;
        }
        if scale > 0 {
            *free.split_off_last_mut()? = b'.';
        }
        let integer_end = free.len();
        for power in 0..=i32::from(weight.max(0)) {
            let (rest, last) = core::mem::take(&mut free).split_last_chunk_mut()?;
            *last = four_digits(power);
            free = rest;
        }
        let mut start = free.len();
        while start + 1 < integer_end && buffer.get(start) == Some(&b'0') {
            start += 1;
        }
        if negative {
            start = start.checked_sub(1)?;
            *buffer.get_mut(start)? = b'-';
        }
        crate::utf8::text(buffer.get(start..end)?).ok()
    }

    fn read_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let count = u16::from_be_bytes(input.array()?);
        let weight = i16::from_be_bytes(input.array()?);
        let sign_input = input;
        let sign = u16::from_be_bytes(input.array()?);
        let scale_input = input;
        let scale = u16::from_be_bytes(input.array()?);
        let digits = input.rest();
        for _ in 0..count {
            let digit_input = input;
            if u16::from_be_bytes(input.array()?) > 9999 {
                return Err(digit_input.malformed("a digit less than 10000"));
            }
        }
        input.finish()?;
        let negative = match sign {
            POSITIVE => false,
            NEGATIVE => true,
            NAN => return Ok(Self(NumericRepr::NaN)),
            INFINITY => return Ok(Self(NumericRepr::Infinity)),
            NEG_INFINITY => return Ok(Self(NumericRepr::NegInfinity)),
            _ => return Err(sign_input.malformed("the sign of a numeric")),
        };
        if scale > MAX_SCALE {
            return Err(scale_input.malformed("a scale of at most 16383"));
        }
        // A number without digits is zero, whatever its weight is.
        let weight = if digits.is_empty() { -1 } else { weight };
        let signed = |negative| Self(NumericRepr::Base10000 { negative, weight, scale, digits });
        Ok(signed(negative && !signed(false).is_zero()))
    }

    /// Returns whether a finite number is zero. PostgreSQL has no negative zero.
    #[cold]
    fn is_zero(&self) -> bool {
        self.integer_digits().chain(self.fraction_digits()).all(|digit| digit == 0)
    }

    /// Returns true for NaN.
    pub const fn is_nan(&self) -> bool {
        matches!(self.0, NumericRepr::NaN)
    }

    /// Returns false for NaN and the infinities.
    pub const fn is_finite(&self) -> bool {
        matches!(self.0, NumericRepr::Decimal { .. } | NumericRepr::Base10000 { .. })
    }

    /// Returns true for numbers less than zero, including negative infinity.
    pub const fn is_negative(&self) -> bool {
        match self.0 {
            NumericRepr::NegInfinity => true,
            NumericRepr::Decimal { negative, .. } | NumericRepr::Base10000 { negative, .. } => {
                negative
            }
            NumericRepr::Infinity | NumericRepr::NaN => false,
        }
    }

    /// Returns the number of decimal places, including trailing zeros; `None` for NaN and the
    /// infinities.
    pub const fn scale(&self) -> Option<usize> {
        match self.0 {
            NumericRepr::Decimal { fraction, .. } => Some(fraction.len()),
            NumericRepr::Base10000 { scale, .. } => Some(scale as usize),
            _ => None,
        }
    }

    /// Returns the decimal digits before the point, each 0 to 9, the most significant first,
    /// without leading zeros. There are none if the number is less than one in magnitude or not
    /// finite.
    pub fn integer_digits(&self) -> Digits<'a> {
        let mut digits = match self.0 {
            NumericRepr::Decimal { integer, .. } => Digits::ascii(integer),
            NumericRepr::Base10000 { weight, digits, .. } => {
                let end = (i64::from(weight) + 1).max(0) * 4;
                Digits::base_10000(digits, 0, end)
            }
            _ => Digits::ascii(&[]),
        };
        while digits.clone().next() == Some(0) {
            digits.next();
        }
        digits
    }

    /// Returns the decimal digits after the point. There are [`scale`](Self::scale) of them.
    pub fn fraction_digits(&self) -> Digits<'a> {
        match self.0 {
            NumericRepr::Decimal { fraction, .. } => Digits::ascii(fraction),
            NumericRepr::Base10000 { weight, scale, digits, .. } => {
                let at = (i64::from(weight) + 1) * 4;
                let end = at + i64::from(scale);
                Digits::base_10000(digits, at, end)
            }
            _ => Digits::ascii(&[]),
        }
    }

    /// Compares the magnitudes of two finite numbers.
    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        let (left, right) = (self.integer_digits(), other.integer_digits());
        left.len().cmp(&right.len()).then_with(|| left.cmp(right)).then_with(|| {
            let (mut left, mut right) = (self.fraction_digits(), other.fraction_digits());
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return Ordering::Equal,
                    (l, r) => match l.unwrap_or(0).cmp(&r.unwrap_or(0)) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        })
    }

    const fn rank(&self) -> u8 {
        match self.0 {
            NumericRepr::NegInfinity => 0,
            NumericRepr::Decimal { .. } | NumericRepr::Base10000 { .. } => 1,
            NumericRepr::Infinity => 2,
            NumericRepr::NaN => 3,
        }
    }
}

impl fmt::Display for Numeric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            NumericRepr::NaN => return f.write_str("NaN"),
            NumericRepr::Infinity => return f.write_str("Infinity"),
            NumericRepr::NegInfinity => return f.write_str("-Infinity"),
            NumericRepr::Decimal { negative, integer, fraction } => {
                return write_decimal(f, negative, integer, fraction);
            }
            NumericRepr::Base10000 { .. } => {}
        }
        if self.is_negative() {
            f.write_char('-')?;
        }
        let integer = self.integer_digits();
        if integer.len() == 0 {
            f.write_char('0')?;
        }
        write_digits(f, integer)?;
        let fraction = self.fraction_digits();
        if fraction.len() > 0 {
            f.write_char('.')?;
        }
        write_digits(f, fraction)
    }
}

/// Writes ASCII digits as received.
fn write_decimal(
    f: &mut fmt::Formatter<'_>,
    negative: bool,
    integer: &[u8],
    fraction: &[u8],
) -> fmt::Result {
    let text = |digits| crate::utf8::text(digits).unwrap_or_default();
    if negative {
        f.write_char('-')?;
    }
    f.write_str(if integer.is_empty() { "0" } else { text(integer) })?;
    if !fraction.is_empty() {
        f.write_char('.')?;
        f.write_str(text(fraction))?;
    }
    Ok(())
}

fn write_digits(f: &mut fmt::Formatter<'_>, mut digits: Digits<'_>) -> fmt::Result {
    // In runs: a call for each digit takes longer than finding the digit.
    while digits.len() > 0 {
        let mut run = [b'0'; 64];
        let mut len = 0;
        for (byte, digit) in run.iter_mut().zip(digits.by_ref()) {
            *byte = b'0' + digit;
            len += 1;
        }
        let run = run.get(..len).and_then(|run| crate::utf8::text(run).ok());
        f.write_str(run.unwrap_or_default())?;
    }
    Ok(())
}

impl fmt::Debug for Numeric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Numeric<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric<'_> {}

impl PartialOrd for Numeric<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numeric<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if !self.is_finite() || !other.is_finite() {
            return self.rank().cmp(&other.rank());
        }
        match (self.is_negative(), other.is_negative()) {
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl<'a> FromField<'a> for Numeric<'a> {
    #[inline]
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::NUMERIC
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Numeric<'a> {
    #[inline]
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::read_text(text)
    }

    #[inline]
    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::read_binary(bytes)
    }
}

impl WriteJson for Numeric<'_> {
    fn write_json(&self, out: &mut dyn Write, context: JsonContext<'_>) -> fmt::Result {
        if !self.is_finite() || context.options.numeric_as_string {
            return quoted(out, self);
        }
        if self.integer_digits().len() > MAX_JSON_DIGITS {
            context.note(|notes| notes.as_text = true);
            return quoted(out, self);
        }
        write!(out, "{self}")
    }
}
