//! `numeric` and `money` by `--decimal`.

use pgoutput_reader::decode::value::{Money, Numeric};

use super::bytes::base64;
use super::text::displayed;
use super::value::EncodeError;
use crate::args::DecimalArg;

/// The scale of a column `numeric(precision, scale)`; `None` without a precision.
///
/// The modifier has the scale in its last 11 bits, as a signed number since PostgreSQL 15.
fn scale_of(modifier: i32) -> Option<i32> {
    let scale = modifier.checked_sub(4).filter(|rest| *rest >= 0)? & 0x7ff;
    Some((scale ^ 0x400) - 0x400)
}

/// Writes a `numeric` of a column with this type modifier.
pub(super) fn numeric(
    value: &Numeric<'_>,
    modifier: i32,
    how: DecimalArg,
    out: &mut String,
) -> Result<(), EncodeError> {
    match how {
        DecimalArg::String if value.is_nan() => out.push_str("\"NAN\""),
        DecimalArg::String if !value.is_finite() => {
            let sign = if value.is_negative() { "NEGATIVE" } else { "POSITIVE" };
            displayed(out, format_args!("{sign}_INFINITY"));
        }
        DecimalArg::String => displayed(out, value),
        DecimalArg::Double => double(&value.to_string(), out)?,
        DecimalArg::Precise if !value.is_finite() => {
            return Err(EncodeError::Unsupported(
                "is NaN or infinite, which --decimal precise cannot express: use --decimal string",
            ));
        }
        DecimalArg::Precise => precise(value, modifier, out)?,
    }
    Ok(())
}

/// Writes an amount, whose scale is the number of decimal places of the currency.
pub(super) fn money(value: Money, how: DecimalArg, out: &mut String) -> Result<(), EncodeError> {
    match how {
        DecimalArg::Precise => {
            base64(shortest(&value.minor_units().to_be_bytes()).iter().copied(), out);
        }
        DecimalArg::String => displayed(out, value.to_decimal()),
        DecimalArg::Double => double(&value.to_decimal().to_string(), out)?,
    }
    Ok(())
}

fn double(text: &str, out: &mut String) -> Result<(), EncodeError> {
    let number = text.parse().map_err(|_| EncodeError::Unsupported("is not a number"))?;
    super::value::float8(number, out);
    Ok(())
}

/// Writes the unscaled value: with the scale of the column, or else together with its own scale.
fn precise(value: &Numeric<'_>, modifier: i32, out: &mut String) -> Result<(), EncodeError> {
    let digits = || value.integer_digits().chain(value.fraction_digits());
    let own_scale = value.scale().unwrap_or(0);
    if let Some(scale) = scale_of(modifier) {
        let integer = value.integer_digits().count();
        // A column with a negative scale has fewer digits than the value.
        let kept = (i64::try_from(integer).unwrap_or(i64::MAX) + i64::from(scale)).max(0);
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        if digits().skip(kept).any(|digit| digit != 0) {
            return Err(EncodeError::Unsupported("has more digits than its column"));
        }
        let digits = digits().chain(std::iter::repeat(0)).take(kept);
        base64(unscaled(digits, value.is_negative()), out);
        return Ok(());
    }
    let zeros =
        value.fraction_digits().fold(0, |zeros, digit| if digit == 0 { zeros + 1 } else { 0 });
    let scale = own_scale - zeros;
    displayed_scale(scale, out);
    let count = value.integer_digits().count() + scale;
    base64(unscaled(digits().take(count), value.is_negative()), out);
    out.push('}');
    Ok(())
}

fn displayed_scale(scale: usize, out: &mut String) {
    out.push_str("{\"scale\":");
    out.push_str(&scale.to_string());
    out.push_str(",\"value\":");
}

/// The digits that a limb holds.
const LIMB_DIGITS: u32 = 9;

/// Returns an integer of decimal digits in two's complement, the most significant byte first, with
/// as few bytes as possible.
fn unscaled(digits: impl Iterator<Item = u8>, is_negative: bool) -> Vec<u8> {
    // The least significant limb first.
    let mut limbs: Vec<u32> = vec![0];
    let (mut pending, mut count) = (0_u32, 0);
    for digit in digits {
        pending = pending * 10 + u32::from(digit);
        count += 1;
        if count == LIMB_DIGITS {
            multiply_add(&mut limbs, 10_u32.pow(count), pending);
            (pending, count) = (0, 0);
        }
    }
    multiply_add(&mut limbs, 10_u32.pow(count), pending);
    // Space for the sign.
    limbs.push(0);
    if is_negative {
        let mut carry = true;
        for limb in &mut limbs {
            (*limb, carry) = (!*limb).overflowing_add(u32::from(carry));
        }
    }
    let bytes: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
    shortest(&bytes).to_vec()
}

fn multiply_add(limbs: &mut Vec<u32>, factor: u32, addend: u32) {
    let mut carry = u64::from(addend);
    for limb in &mut *limbs {
        let product = u64::from(*limb) * u64::from(factor) + carry;
        *limb = u32::try_from(product & 0xffff_ffff).unwrap_or_default();
        carry = product >> 32;
    }
    if let Some(carry) = u32::try_from(carry).ok().filter(|carry| *carry > 0) {
        limbs.push(carry);
    }
}

/// Removes the bytes at the start that only repeat the sign.
fn shortest(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [first, tail @ ..] = rest
        && let [second, ..] = tail
        && (*first == 0 && second & 0x80 == 0 || *first == 0xff && second & 0x80 != 0)
    {
        rest = tail;
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn modifier(precision: i32, scale: i32) -> i32 {
        (precision << 16 | scale & 0x7ff) + 4
    }

    fn write(text: &str, modifier: i32, how: DecimalArg) -> String {
        let mut out = String::new();
        match numeric(&Numeric::parse(text).unwrap(), modifier, how, &mut out) {
            Ok(()) => out,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn precise_is_the_unscaled_value_in_the_scale_of_the_column() {
        // 110 = 0x6e, 330 = 0x014a, -12345 = 0xcfc7, 128 = 0x0080, -128 = 0x80, 222200 = 0x0363f8.
        for (text, precision, scale, bytes) in [
            ("1.10", 3, 2, "bg=="),
            ("3.30", 3, 2, "AUo="),
            ("-123.45", 5, 2, "z8c="),
            ("1.28", 3, 2, "AIA="),
            ("-1.28", 3, 2, "gA=="),
            ("22.2200", 6, 4, "A2P4"),
            ("10", 4, 0, "Cg=="),
            ("0.00", 3, 2, "AA=="),
            // 0x0080000000 and 0xff7fffffff.
            ("2147483648", 10, 0, "AIAAAAA="),
            ("-2147483649", 10, 0, "/3////8="),
            // The value of a column whose scale was raised keeps its own until it is rewritten.
            ("1.1", 3, 2, "bg=="),
            ("0.05", 3, 5, "E4g="),
            // 12300 with scale -2 is 123 = 0x7b.
            ("12300", 3, -2, "ew=="),
        ] {
            let written = write(text, modifier(precision, scale), DecimalArg::Precise);
            assert_eq!(written, format!("\"{bytes}\""), "{text}");
        }
        assert_eq!(
            write("1.234", modifier(4, 2), DecimalArg::Precise),
            "has more digits than its column"
        );
    }

    #[test]
    fn precise_without_a_scale_has_that_of_the_value_without_zeros() {
        // 101111 = 0x018af7.
        for (text, json) in [
            ("10.1111", r#"{"scale":4,"value":"AYr3"}"#),
            ("10.1000", r#"{"scale":1,"value":"ZQ=="}"#),
            ("10", r#"{"scale":0,"value":"Cg=="}"#),
            ("100", r#"{"scale":0,"value":"ZA=="}"#),
            ("0.000", r#"{"scale":0,"value":"AA=="}"#),
            ("-0.5", r#"{"scale":1,"value":"+w=="}"#),
        ] {
            assert_eq!(write(text, -1, DecimalArg::Precise), json, "{text}");
        }
    }

    #[test]
    fn strings_have_all_digits_and_doubles_are_floats() {
        let column = modifier(6, 4);
        assert_eq!(write("22.2200", column, DecimalArg::String), "\"22.2200\"");
        assert_eq!(write("22.2200", column, DecimalArg::Double), "22.22");
        assert_eq!(write("10", -1, DecimalArg::Double), "10.0");
        for (text, name) in
            [("NaN", "NAN"), ("Infinity", "POSITIVE_INFINITY"), ("-Infinity", "NEGATIVE_INFINITY")]
        {
            assert_eq!(write(text, -1, DecimalArg::String), format!("\"{name}\""));
            assert_eq!(write(text, -1, DecimalArg::Double), format!("\"{text}\""));
            assert!(write(text, -1, DecimalArg::Precise).contains("--decimal string"));
        }
    }

    #[test]
    fn amounts_have_the_scale_of_the_currency() {
        let write = |how| {
            let mut out = String::new();
            money(Money::new(-123_411, 2), how, &mut out).unwrap();
            out
        };
        // -123411 = 0xfe1ded.
        assert_eq!(write(DecimalArg::Precise), "\"/h3t\"");
        assert_eq!(write(DecimalArg::String), "\"-1234.11\"");
        assert_eq!(write(DecimalArg::Double), "-1234.11");
    }

    proptest! {
        #[test]
        fn unscaled_bytes_are_those_of_the_integer(number: i128, shift in 0_u32..127) {
            let number = number >> shift;
            let digits: Vec<u8> =
                number.unsigned_abs().to_string().bytes().map(|digit| digit - b'0').collect();
            let bytes = unscaled(digits.into_iter(), number < 0);
            let all = number.to_be_bytes();
            prop_assert_eq!(&*bytes, shortest(&all));
            let sign = if number < 0 { 0xff } else { 0 };
            let mut wide = [sign; 16];
            wide[16 - bytes.len()..].copy_from_slice(&bytes);
            prop_assert_eq!(i128::from_be_bytes(wide), number);
        }
    }
}
