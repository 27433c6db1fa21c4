//! `timestamp` and `timestamptz`. Text: a date, a time, and an offset for the latter. Binary:
//! microseconds since 2000-01-01. JSON: a string in RFC 3339 form.

use core::fmt::{self, Write};

use super::datetime_text as parts;
use super::input::{Input, exactly};
use super::json_out::{JsonContext, WriteJson, quoted};
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};
use crate::timestamp::{CalendarTime, ShortText, TimestampTz, write_postgres};

/// A `timestamp without time zone`: microseconds since 2000-01-01 00:00:00 in no particular time
/// zone, from 4714-11-24 BC to 294276-12-31, and the infinities.
///
/// `Display` prints PostgreSQL's text with `DateStyle = ISO`. The JSON form is
/// `2020-01-01T00:00:00.123456`, with six digits of fraction, or none if it is zero. Infinities,
/// years BC and years after 9999 have PostgreSQL's text in JSON.
///
/// ```
/// use pgoutput_decode::value::Timestamp;
///
/// assert_eq!(Timestamp::from_micros(500_000).to_string(), "2000-01-01 00:00:00.5");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// `infinity`, later than every timestamp.
    pub const INFINITY: Self = Self(i64::MAX);
    /// `-infinity`, earlier than every timestamp.
    pub const NEG_INFINITY: Self = Self(i64::MIN);

    /// Returns the time this many microseconds after 2000-01-01 00:00:00.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since 2000-01-01 00:00:00.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns false for the infinities.
    pub const fn is_finite(self) -> bool {
        self.0 != i64::MAX && self.0 != i64::MIN
    }
}

/// From 4714-11-24 BC to the last microsecond of 294276.
const RANGE: core::ops::RangeInclusive<i64> = -211_813_488_000_000_000..=9_223_371_331_199_999_999;
const MICROS_PER_DAY: i64 = 86_400_000_000;

fn checked(micros: i64, target: &'static str) -> Result<i64, ValueError> {
    match micros {
        i64::MIN | i64::MAX => Ok(micros),
        _ if RANGE.contains(&micros) => Ok(micros),
        _ => Err(ValueError::out_of_range(target)),
    }
}

/// Reads text in any form, and creates the errors. [`CalendarTime`] reads the most common form.
fn from_text(text: &[u8], with_offset: bool, target: &'static str) -> Result<i64, ValueError> {
    match text {
        b"infinity" => return Ok(i64::MAX),
        b"-infinity" => return Ok(i64::MIN),
        _ => {}
    }
    let mut input = Input::new(text);
    let day = parts::day(&mut input)?;
    input.expect(b' ', "a space")?;
    let clock_input = input;
    let clock = parts::clock(&mut input)?;
    if clock >= MICROS_PER_DAY {
        return Err(clock_input.malformed("a time before 24:00:00"));
    }
    let east = if with_offset { parts::offset(&mut input)? } else { 0 };
    let days = parts::end_of_day(&mut input, day)?;
    days.checked_mul(MICROS_PER_DAY)
        .and_then(|micros| micros.checked_add(clock - east * 1_000_000))
        // The infinities are written as words, so a sum with their value is out of range.
        .filter(|micros| RANGE.contains(micros))
        .ok_or(ValueError::out_of_range(target))
}

impl<'a> FromField<'a> for Timestamp {
    #[inline]
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TIMESTAMP
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Timestamp {
    #[inline]
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        match CalendarTime::parse(text) {
            Some((moment, b"")) => Ok(Self(moment.micros())),
            _ => from_text(text, false, "timestamp").map(Self),
        }
    }

    #[inline]
    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        checked(i64::from_be_bytes(exactly(bytes)?), "timestamp").map(Self)
    }
}

impl<'a> FromField<'a> for TimestampTz {
    #[inline]
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TIMESTAMPTZ
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for TimestampTz {
    #[inline]
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        match CalendarTime::parse(text) {
            Some((moment, b"+00")) => Ok(Self::from_micros(moment.micros())),
            _ => from_text(text, true, "timestamp with time zone").map(Self::from_micros),
        }
    }

    #[inline]
    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let micros = i64::from_be_bytes(exactly(bytes)?);
        checked(micros, "timestamp with time zone").map(Self::from_micros)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_postgres(f, self.0, "")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct TimestampRfc3339(Timestamp);

impl fmt::Display for TimestampRfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match CalendarTime::of(self.0.0) {
            Some(moment) => f.write_str(moment.rfc3339(false, &mut ShortText::default())),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl WriteJson for Timestamp {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        quoted(out, &TimestampRfc3339(*self))
    }
}

impl WriteJson for TimestampTz {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        quoted(out, &self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        let parts = (0..=10_000_u32, 0..=13_u32, 0..=32_u32, 0..=25_u32, 0..=61_u32, 0..=61_u32);
        let tail = "(\\.[0-9]{0,7})?(\\+00|[-+][01][0-9](:[0-9]{2}){0,2})?( BC)?";
        let times = (parts, tail)
            .prop_map(|((y, m, d, h, n, s), tail)| {
                std::format!("{y:04}-{m:02}-{d:02} {h:02}:{n:02}:{s:02}{tail}")
            })
            .boxed();
        let changed =
            (times.clone(), any::<prop::sample::Index>(), "[ -~]").prop_map(|(time, at, by)| {
                let at = at.index(time.len());
                std::format!("{}{by}{}", &time[..at], &time[at + 1..])
            });
        prop_oneof![4 => times, 4 => changed, 1 => "[-+:. 0-9BC]{0,33}", 1 => "-?infinity"]
    }

    proptest! {
        #[test]
        fn the_most_common_form_is_read_like_the_others(text in texts()) {
            let ty = FieldType::new(type_oid::TIMESTAMPTZ);
            let read = TimestampTz::from_text(ty, text.as_bytes()).map(TimestampTz::as_micros);
            prop_assert_eq!(read, from_text(text.as_bytes(), true, "timestamp with time zone"));
            let ty = FieldType::new(type_oid::TIMESTAMP);
            let read = Timestamp::from_text(ty, text.as_bytes()).map(Timestamp::as_micros);
            prop_assert_eq!(read, from_text(text.as_bytes(), false, "timestamp"));
        }
    }
}
