//! What stands inside of JSON documents.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use serde::de::{Deserializer, Error as _, Visitor};
use serde_json::Number;

use super::exact_floats::Exact;
use super::failure::Failure;
use crate::value::{Text, in_one_piece, json_error_offset};

/// The name under which `serde_json` asks for a document as it stands.
pub(super) const RAW: &str = "$serde_json::private::RawValue";

/// Reads a whole document. One that stood in an array or composite with escapes has nothing to borrow from.
macro_rules! read {
    ($text:ident, $reader:ident => $read:expr) => {
        match in_one_piece($text) {
            Cow::Borrowed(text) => {
                read!(text, serde_json::Deserializer::from_str(text), $reader => $read)
            }
            Cow::Owned(text) => {
                read!(&text, serde_json::Deserializer::from_reader(text.as_bytes()), $reader => $read)
            }
        }
    };
    ($text:expr, $make:expr, $reader:ident => $read:expr) => {{
        let mut reader = $make;
        let $reader = Exact(&mut reader);
        let failure = |error: serde_json::Error| {
            Failure::custom(&error).rebased(json_error_offset($text, &error))
        };
        let value = $read.map_err(failure)?;
        reader.end().map_err(failure)?;
        Ok(value)
    }};
}

pub(super) fn any<'a, V: Visitor<'a>>(text: &Text<'a>, visitor: V) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_any(visitor))
}

pub(super) fn f32<'a, V: Visitor<'a>>(text: &Text<'a>, visitor: V) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_f32(visitor))
}

pub(super) fn f64<'a, V: Visitor<'a>>(text: &Text<'a>, visitor: V) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_f64(visitor))
}

pub(super) fn raw<'a, V: Visitor<'a>>(text: &Text<'a>, visitor: V) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_newtype_struct(RAW, visitor))
}

pub(super) fn variant<'a, V: Visitor<'a>>(
    text: &Text<'a>,
    name: &'static str,
    variants: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_enum(name, variants, visitor))
}

/// How `serde_json` holds a number; that depends on its feature `arbitrary_precision`, which any crate may turn on.
enum Held {
    /// With every character.
    Whole,
    /// As a float that is printed as this number, though perhaps with fewer zeros.
    Float(f64),
}

/// `None` if digits would be lost.
fn held(number: &str) -> Option<Held> {
    let parsed: Number = serde_json::from_str(number).ok()?;
    if parsed.to_string() == number {
        return Some(Held::Whole);
    }
    // Its own reader of floats may miss the nearest one.
    let float: f64 = number.parse().ok()?;
    let is_it = float.is_finite() && decimal(&alloc::format!("{float:e}")) == decimal(number);
    is_it.then_some(Held::Float(float))
}

/// A number's sign, its digits from the first to the last that is not zero, and the power of ten behind them.
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

/// A finite float, for a `serde_json::Value`: as PostgreSQL writes it, if `serde_json` keeps characters.
pub(super) fn float<'a, V: Visitor<'a>>(text: &str, visitor: V) -> Result<V::Value, Failure> {
    match (held(text), text.parse()) {
        (Some(Held::Whole), _) | (_, Err(_)) => whole(text, visitor),
        // Two shortest forms of one float may differ in their digits.
        (_, Ok(float)) => visitor.visit_f64(float),
    }
}

/// A finite `numeric`, for a `serde_json::Value`: the number with all its digits, a float that is printed as the same
/// number, or else a string.
pub(super) fn number<'a, V: Visitor<'a>>(text: &str, visitor: V) -> Result<V::Value, Failure> {
    match held(text) {
        Some(Held::Whole) => whole(text, visitor),
        Some(Held::Float(float)) => visitor.visit_f64(float),
        None => visitor.visit_str(text),
    }
}

fn whole<'a, V: Visitor<'a>>(number: &str, visitor: V) -> Result<V::Value, Failure> {
    serde_json::Deserializer::from_reader(number.as_bytes())
        .deserialize_any(visitor)
        .map_err(Failure::custom)
}

/// No number with fewer characters, and without an exponent, loses any in a float.
const ALWAYS_HELD: usize = 15;

/// Where in a document a number stands that `serde_json` would lose digits of.
pub(super) fn first_inexact(document: &str) -> Option<usize> {
    let (mut at, mut rest) = (0, document);
    while let Some(skipped) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, token) = rest.split_at_checked(skipped)?;
        at += before.len();
        let len = if token.starts_with('"') { string_len(token) } else { number_len(token) };
        let (token, after) = token.split_at_checked(len)?;
        let may_be_inexact =
            !token.starts_with('"') && (token.len() > ALWAYS_HELD || token.contains(['e', 'E']));
        if may_be_inexact && held(token).is_none() {
            return Some(at);
        }
        at += token.len();
        rest = after;
    }
    None
}

/// With its quotes.
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
