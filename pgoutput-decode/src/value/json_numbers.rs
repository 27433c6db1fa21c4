//! Detection of numbers that `serde_json` stores without losing digits.

use alloc::string::{String, ToString};

use serde_json::Number;

/// The form in which `serde_json` stores a number. It depends on its feature `arbitrary_precision`,
/// which any crate may enable.
pub(super) enum JsonNumber {
    /// With every character.
    Whole,
    /// As a float, which may be printed with fewer zeros at its end.
    Float(f64),
}

/// Returns `None` if digits would be lost.
pub(super) fn json_number(number: &str) -> Option<JsonNumber> {
    let parsed: Number = serde_json::from_str(number).ok()?;
    if parsed.to_string() == number {
        return Some(JsonNumber::Whole);
    }
    // The float parser of `serde_json` may miss the nearest float.
    let float: f64 = number.parse().ok()?;
    let is_it = float.is_finite() && decimal(&alloc::format!("{float:e}")) == decimal(number);
    is_it.then_some(JsonNumber::Float(float))
}

/// Splits a number into its sign, its digits from the first to the last that is not zero, and a
/// power of ten.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_negative = integer.starts_with('-');
    let digits = [integer.trim_start_matches('-'), fraction].concat();
    let last = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - last.len()).ok()?;
    let scale = i64::try_from(fraction.len()).ok()?;
    let first = last.trim_start_matches('0');
    let power = exponent.parse::<i64>().ok()?.checked_add(zeros)?.checked_sub(scale)?;
    Some((is_negative, first.to_string(), if first.is_empty() { 0 } else { power }))
}

/// The number of characters up to which a number without an exponent loses no digits in a float.
const EXACT_DIGITS: usize = 15;

/// Returns the offset of the first number of a document in which `serde_json` would lose digits.
pub(crate) fn first_inexact(document: &str) -> Option<usize> {
    let (mut at, mut rest) = (0, document);
    while let Some(skipped) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, token) = rest.split_at_checked(skipped)?;
        at += before.len();
        let len = if token.starts_with('"') { string_len(token) } else { number_len(token) };
        let (token, after) = token.split_at_checked(len)?;
        let may_be_inexact =
            !token.starts_with('"') && (token.len() > EXACT_DIGITS || token.contains(['e', 'E']));
        if may_be_inexact && json_number(token).is_none() {
            return Some(at);
        }
        at += token.len();
        rest = after;
    }
    None
}

/// Returns the length including the quotes.
fn string_len(text: &str) -> usize {
    let mut is_escaped = true;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |end| end + 1)
}

fn number_len(text: &str) -> usize {
    let is_part =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().position(|byte| !is_part(byte)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_a_float_prints_otherwise_are_found() {
        let exact = r#"{"1.00000000000000000001": [1, -0, 0.1, 1.50, 1e3, 1E-7, 18446744073709551615, "\"9e999"]}"#;
        assert_eq!(first_inexact(exact), None);
        for (document, at) in [
            ("18446744073709551617", 0),
            ("[1, 0.1000000000000000055]", 4),
            (r#"{"a\\": 1e999}"#, 8),
            ("[-12345678901234567890.5]", 1),
        ] {
            assert_eq!(first_inexact(document), Some(at), "{document}");
        }
    }

    #[test]
    fn decimals_are_equal_as_numbers_are() {
        for (left, right) in
            [("1.50", "15e-1"), ("100", "1e2"), ("0.00", "0e7"), ("-0.010", "-1E-2")]
        {
            assert_eq!(decimal(left), decimal(right));
        }
        for (left, right) in [("1", "-1"), ("1", "10"), ("0.1", "0.11")] {
            assert_ne!(decimal(left), decimal(right));
        }
    }
}
