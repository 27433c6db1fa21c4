//! The string forms of values.

use alloc::string::String;

use serde::de::Error as _;

use super::failure::Failure;
use crate::id::Oid;
use crate::timestamp::TimestampTz;
use crate::timestamp::{CalendarTime, ShortText};
use crate::value::{Field, Format, JsonOptions, Numeric, Timestamp, Value, ValueError, type_oid};

/// The string of a value of one of the most common types, created without a heap buffer. It is the
/// same as the general code creates.
pub(super) enum Short<'a, 'b> {
    /// The characters of the column.
    Borrowed(&'a str),
    /// Characters that are in neither format of the column.
    Copied(&'b str),
}

impl<'a: 'b, 'b> Short<'a, 'b> {
    /// Returns `None` to leave the value to the general code.
    #[inline]
    pub(super) fn of(field: &Field<'a>, buffer: &'b mut ShortText) -> Option<Self> {
        let ty = field.ty().without_domains();
        if ty.is_text() {
            return field.plain_text().map(Self::Borrowed);
        }
        if !ty.is_base() {
            return None;
        }
        let bytes = field.bytes();
        match (ty.oid(), field.format()) {
            (type_oid::NUMERIC, Format::Text) => Numeric::displayed_text(bytes).map(Self::Borrowed),
            (type_oid::TIMESTAMPTZ, Format::Text) => {
                time(bytes.strip_suffix(b"+00")?, true, buffer)
            }
            (type_oid::TIMESTAMP, Format::Text) => time(bytes, false, buffer),
            (oid, Format::Binary) => binary(oid, bytes, buffer),
            _ => None,
        }
    }
}

/// Returns the string of a time from its text without the offset.
fn time<'a, 'b>(
    text: &[u8],
    with_offset: bool,
    buffer: &'b mut ShortText,
) -> Option<Short<'a, 'b>> {
    let (moment, []) = CalendarTime::parse(text)? else { return None };
    Some(Short::Copied(moment.rfc3339_of(text, with_offset, buffer)))
}

fn binary<'a, 'b>(oid: Oid, bytes: &[u8], buffer: &'b mut ShortText) -> Option<Short<'a, 'b>> {
    let field = Field::new(oid, Format::Binary, bytes);
    let (micros, with_offset) = match oid {
        type_oid::NUMERIC => {
            let text = field.get::<Numeric<'_>>().ok()?.displayed_in(&mut buffer.0);
            return text.map(Short::Copied);
        }
        type_oid::TIMESTAMPTZ => (field.get::<TimestampTz>().ok()?.as_micros(), true),
        type_oid::TIMESTAMP => (field.get::<Timestamp>().ok()?.as_micros(), false),
        _ => return None,
    };
    Some(Short::Copied(CalendarTime::of(micros)?.rfc3339(with_offset, buffer)))
}

/// Returns the string that represents the value in JSON.
pub(super) fn string(value: &Value<'_>) -> Result<String, Failure> {
    // The length of a timestamp, which suffices for most values.
    let mut json = String::with_capacity(36);
    value.write_json(&mut json, JsonOptions::default()).map_err(ValueError::from)?;
    if json.len() < 2 || !json.starts_with('"') || json.contains('\\') {
        return serde_json::from_str(&json).map_err(Failure::custom);
    }
    json.pop();
    json.remove(0);
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Returns the string that the general code creates where `Short` has none.
    fn slow(field: &Field<'_>) -> Option<String> {
        match field.get::<Value<'_>>().ok()? {
            Value::Text(text) => Some(text.to_string()),
            Value::Numeric(numeric) => Some(numeric.to_string()),
            value => string(&value).ok(),
        }
    }

    fn short(field: &Field<'_>) -> Option<String> {
        Some(match Short::of(field, &mut ShortText::default())? {
            Short::Borrowed(text) | Short::Copied(text) => text.into(),
        })
    }

    const TYPES: [Oid; 7] = [
        type_oid::NUMERIC,
        type_oid::TIMESTAMPTZ,
        type_oid::TIMESTAMP,
        type_oid::TEXT,
        type_oid::NAME,
        type_oid::DATE,
        type_oid::JSON,
    ];

    fn time() -> impl Strategy<Value = String> {
        let parts = (1..=9999_u32, 1..=12_u32, 1..=31_u32, 0..=24_u32, 0..=60_u32, 0..=60_u32);
        let tail = "(\\.[0-9]{0,7})?(\\+00|[-+][01][0-9](:[0-9]{2}){0,2})?( BC)?";
        (parts, tail).prop_map(|((y, m, d, h, n, s), tail)| {
            std::format!("{y:04}-{m:02}-{d:02} {h:02}:{n:02}:{s:02}{tail}")
        })
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => time(),
            2 => "-?[0-9]{0,6}(\\.[0-9]{0,6})?",
            1 => "-?[0.]{0,4}",
            1 => select(["infinity", "-infinity", "NaN", "Infinity", "-Infinity"].as_slice())
                .prop_map(Into::into),
            1 => "[-+:. 0-9BCT]{0,33}",
            1 => "\\PC{0,8}",
        ]
    }

    fn binaries() -> impl Strategy<Value = Vec<u8>> {
        let numeric =
            (0..4_u16, -4..9_i16, select(&[0_u16, 0x4000, 0xC000, 0xF000][..]), 0..40_u16);
        prop_oneof![
            any::<i64>().prop_map(|micros| micros.to_be_bytes().into()),
            (-70_000_000_000_000_000..300_000_000_000_000_000_i64)
                .prop_map(|micros| micros.to_be_bytes().into()),
            select(&[i64::MAX, i64::MIN][..]).prop_map(|micros| micros.to_be_bytes().into()),
            (numeric, proptest::collection::vec(0..10_001_u16, 0..4)).prop_map(
                |((_, weight, sign, scale), digits)| {
                    let count = u16::try_from(digits.len()).unwrap();
                    let head = [count, weight.cast_unsigned(), sign, scale];
                    head.into_iter().chain(digits).flat_map(u16::to_be_bytes).collect()
                }
            ),
            proptest::collection::vec(any::<u8>(), 0..12),
        ]
    }

    proptest! {
        #[test]
        fn short_texts_equal_those_of_the_general_code(oid in select(&TYPES[..]), text in texts()) {
            let field = Field::new(oid, Format::Text, text.as_bytes());
            let short = short(&field);
            let slow = slow(&field);
            prop_assert!(short.is_none() || short == slow, "{:?} {:?}", short, slow);
        }

        #[test]
        fn short_binaries_equal_those_of_the_general_code(
            oid in select(&TYPES[..]),
            bytes in binaries(),
        ) {
            let field = Field::new(oid, Format::Binary, &bytes);
            let short = short(&field);
            let slow = slow(&field);
            prop_assert!(short.is_none() || short == slow, "{:?} {:?}", short, slow);
        }
    }

    #[test]
    fn the_most_common_values_have_a_short_text() {
        let text = |oid, text: &str| short(&Field::new(oid, Format::Text, text.as_bytes()));
        for numeric in ["0", "12.50", "-0.01", "100", "0.00"] {
            assert_eq!(text(type_oid::NUMERIC, numeric).as_deref(), Some(numeric));
        }
        for numeric in ["007", "-0", "-0.00", ".5", "5.", "", "-", "1.2.3", "1e3", "NaN"] {
            assert_eq!(text(type_oid::NUMERIC, numeric), None);
        }
        let time = "2024-02-29 23:59:59";
        for (oid, zone, offset) in
            [(type_oid::TIMESTAMPTZ, "+00", "+00:00"), (type_oid::TIMESTAMP, "", "")]
        {
            for (fraction, digits) in [("", ""), (".1", ".100000"), (".123456", ".123456")] {
                let expected = std::format!("2024-02-29T23:59:59{digits}{offset}");
                assert_eq!(text(oid, &std::format!("{time}{fraction}{zone}")), Some(expected));
            }
        }
        assert_eq!(text(type_oid::TIMESTAMPTZ, "2023-02-29 23:59:59+00"), None);
        // 12.5
        let bytes = [0, 2, 0, 0, 0, 0, 0, 1, 0, 12, 0x13, 0x88];
        let numeric = Field::new(type_oid::NUMERIC, Format::Binary, &bytes);
        assert_eq!(short(&numeric).as_deref(), Some("12.5"));
    }
}
