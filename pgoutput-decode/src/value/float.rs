//! `real` and `double precision`. Text: the shortest digits that read back as the number. Binary:
//! IEEE 754, big-endian. JSON: a number, or a string for `NaN`, `Infinity` and `-Infinity`.

use core::fmt::{self, Write};

use super::input::{Input, exactly};
use super::json_out::{JsonContext, WriteJson, quoted};
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

macro_rules! float {
    ($(#[$doc:meta])* $name:ident $float:ident $mantissa_bits:literal $plain_below:literal
     $max_digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default)]
        pub struct $name(pub $float);

        impl $name {
            /// Returns the shortest decimal digits that read back as this number, as
            /// `[-]d[.ddd]e[-]x`.
            ///
            /// The digits are those of PostgreSQL, which differ from Rust's in two ways. Digits
            /// exactly half-way between two floats are not used, even if rounding to even reads
            /// them back. Of two equally near candidates, the even one is used.
            fn shortest(self) -> Buffer {
                let shortest = Buffer::format(format_args!("{:e}", self.0));
                let decimals = shortest.decimals();
                for precision in decimals..$max_digits {
                    let nearest = Buffer::format(format_args!("{:.precision$e}", self.0));
                    if nearest.as_str().parse() == Ok(self.0) && !self.is_midpoint(&nearest) {
                        return nearest;
                    }
                    // Below a power of two the floats are denser, so the nearest may not read back.
                    if precision == decimals && !self.is_midpoint(&shortest) {
                        return shortest;
                    }
                }
                shortest
            }

            /// Returns whether these digits are exactly half-way between this number and a
            /// neighbour.
            fn is_midpoint(self, digits: &Buffer) -> bool {
                const EXPONENT_BIAS: i32 = $float::MAX_EXP - 1 + $mantissa_bits;
                let bits = u64::from(self.0.abs().to_bits());
                let fraction = bits & ((1 << $mantissa_bits) - 1);
                let biased = i32::try_from(bits >> $mantissa_bits).unwrap_or_default();
                let (mantissa, exponent) = match biased {
                    0 => (fraction, 1 - EXPONENT_BIAS),
                    _ => (fraction | 1 << $mantissa_bits, biased - EXPONENT_BIAS),
                };
                // In quarters of the last digit: the gap below a power of two is half as wide.
                let below = if fraction == 0 && biased > 1 { 1 } else { 2 };
                digits.equals(4 * mantissa + 2, exponent - 2)
                    || digits.equals((4 * mantissa).saturating_sub(below), exponent - 2)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.0.is_nan() {
                    f.write_str("NaN")
                } else if self.0.is_infinite() {
                    f.write_str(if self.0 > 0.0 { "Infinity" } else { "-Infinity" })
                } else {
                    write_number(f, self.shortest().as_str(), $plain_below)
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        /// Compares as PostgreSQL does: NaN equals NaN, and -0 equals 0.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0 || self.0.is_nan() && other.0.is_nan()
            }
        }

        impl Eq for $name {}

        impl<'a> FromField<'a> for $name {
            fn accepts(ty: FieldType<'_>) -> bool {
                $float::accepts(ty)
            }

            #[inline]
            fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
                from_formats(field)
            }
        }

        impl<'a> FromFormats<'a> for $name {
            fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
                $float::from_text(ty, text).map(Self)
            }

            fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
                $float::from_binary(ty, bytes).map(Self)
            }
        }

        impl WriteJson for $name {
            fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
                if !self.0.is_finite() {
                    return quoted(out, self);
                }
                // PostgreSQL's text is a JSON number, but some readers read -0 as an integer and
                // return 0.
                let is_negative_zero = self.0 == 0.0 && self.0.is_sign_negative();
                if is_negative_zero { out.write_str("-0.0") } else { write!(out, "{self}") }
            }
        }
    };
}

float! {
    /// A `real`: IEEE 754 binary32, including NaN, infinities and -0. `Display` prints PostgreSQL's
    /// text.
    Float4 f32 23 6 9
}
float! {
    /// A `double precision`: IEEE 754 binary64, including NaN, infinities and -0. `Display` prints
    /// PostgreSQL's text.
    ///
    /// ```
    /// use pgoutput_decode::value::Float8;
    ///
    /// assert_eq!(Float8(1e15).to_string(), "1e+15");
    /// assert_eq!(Float8(-0.00001).to_string(), "-1e-05");
    /// assert_eq!(Float8(f64::NEG_INFINITY).to_string(), "-Infinity");
    /// ```
    Float8 f64 52 15 17
}

impl<'a> FromField<'a> for f32 {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::FLOAT4
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for f32 {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let number: Self = match text {
            b"NaN" => return Ok(Self::NAN),
            b"Infinity" => return Ok(Self::INFINITY),
            b"-Infinity" => return Ok(Self::NEG_INFINITY),
            _ => decimal(text)?.parse().map_err(|_| ValueError::malformed("a number", 0))?,
        };
        if number.is_finite() { Ok(number) } else { Err(ValueError::out_of_range("real")) }
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        exactly(bytes).map(Self::from_be_bytes)
    }
}

/// Reads `real` too, because widening is exact.
impl<'a> FromField<'a> for f64 {
    fn accepts(ty: FieldType<'_>) -> bool {
        matches!(ty.oid(), type_oid::FLOAT4 | type_oid::FLOAT8)
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for f64 {
    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        if ty.oid() == type_oid::FLOAT4 {
            return f32::from_text(ty, text).map(Self::from);
        }
        let number: Self = match text {
            b"NaN" => return Ok(Self::NAN),
            b"Infinity" => return Ok(Self::INFINITY),
            b"-Infinity" => return Ok(Self::NEG_INFINITY),
            _ => decimal(text)?.parse().map_err(|_| ValueError::malformed("a number", 0))?,
        };
        if number.is_finite() {
            Ok(number)
        } else {
            Err(ValueError::out_of_range("double precision"))
        }
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        if ty.oid() == type_oid::FLOAT4 {
            return f32::from_binary(ty, bytes).map(Self::from);
        }
        exactly(bytes).map(Self::from_be_bytes)
    }
}

/// Checks for `[-]digits[.digits][e[+|-]digits]`. Rust's parser accepts more.
fn decimal(text: &[u8]) -> Result<&str, ValueError> {
    let mut input = Input::new(text);
    input.eat(b'-');
    input.number_run()?;
    if input.eat(b'.') {
        input.number_run()?;
    }
    if input.eat(b'e') {
        if !input.eat(b'+') {
            input.eat(b'-');
        }
        input.number_run()?;
    }
    input.end("a digit")?;
    crate::utf8::text(text).map_err(|_| ValueError::malformed("a number", 0))
}

/// Writes `[-]d[.ddd]e[-]x` in PostgreSQL's form: without an exponent if it is at least -4 and less
/// than `plain_below`, else with a sign and at least two digits in the exponent.
fn write_number(f: &mut fmt::Formatter<'_>, shortest: &str, plain_below: i32) -> fmt::Result {
    let (number, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= plain_below {
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(f, "{number}e{sign}{:02}", exponent.unsigned_abs());
    }
    let number = match number.strip_prefix('-') {
        Some(rest) => {
            f.write_char('-')?;
            rest
        }
        None => number,
    };
    let (head, tail) = number.split_once('.').unwrap_or((number, ""));
    let places = exponent.unsigned_abs() as usize;
    if exponent < 0 {
        f.write_str("0.")?;
        zeros(f, places - 1)?;
        f.write_str(head)?;
        return f.write_str(tail);
    }
    f.write_str(head)?;
    match tail.split_at_checked(places) {
        None => {
            f.write_str(tail)?;
            zeros(f, places - tail.len())
        }
        Some((whole, "")) => f.write_str(whole),
        Some((whole, fraction)) => write!(f, "{whole}.{fraction}"),
    }
}

fn zeros(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    (0..count).try_for_each(|_| f.write_char('0'))
}

/// A buffer for one float in scientific form, which has at most 24 characters.
#[derive(Default)]
struct Buffer {
    bytes: [u8; 32],
    len: usize,
}

impl Buffer {
    fn format(arguments: fmt::Arguments<'_>) -> Self {
        let mut buffer = Self::default();
        // The buffer is large enough: see its size.
        let _ = buffer.write_fmt(arguments);
        buffer
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| crate::utf8::text(b).ok()).unwrap_or_default()
    }

    /// Returns the number of digits after the decimal point.
    fn decimals(&self) -> usize {
        let number = self.as_str().split_once('e').map_or("", |(number, _)| number);
        number.split_once('.').map_or(0, |(_, decimals)| decimals.len())
    }

    /// Returns whether the digits without their sign are exactly `mantissa` times 2 to the power of
    /// `exponent`.
    fn equals(&self, mantissa: u64, exponent: i32) -> bool {
        let (number, power) = self.as_str().split_once('e').unwrap_or(("0", "0"));
        let digits = number.bytes().filter(u8::is_ascii_digit);
        let value = digits.fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        let power = power.parse().unwrap_or(0) - i32::try_from(self.decimals()).unwrap_or_default();
        if value == 0 || mantissa == 0 {
            return value == mantissa;
        }
        // value * 5^power * 2^power == mantissa * 2^exponent: the powers of two and the rest must
        // agree.
        let (twos, wanted_twos) = (value.trailing_zeros(), mantissa.trailing_zeros());
        if twos.cast_signed() + power != wanted_twos.cast_signed() + exponent {
            return false;
        }
        let (value, mantissa) = (u128::from(value >> twos), u128::from(mantissa >> wanted_twos));
        match 5_u128.checked_pow(power.unsigned_abs()) {
            None => false,
            Some(fives) if power >= 0 => value.checked_mul(fives) == Some(mantissa),
            Some(fives) => mantissa.checked_mul(fives) == Some(value),
        }
    }
}

impl Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
