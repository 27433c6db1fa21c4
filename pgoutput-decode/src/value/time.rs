//! `time` and `timetz`. Text: `HH:MM:SS[.f]` and an offset. Binary: microseconds since midnight and
//! seconds west of UTC. JSON: a string.

use core::fmt::{self, Write};

use super::datetime_text as parts;
use super::input::{Input, exactly};
use super::json_out::{JsonContext, WriteJson, quoted};
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};
use crate::timestamp::{write_clock, write_six_digit_clock};

/// 24:00:00, which PostgreSQL distinguishes from 00:00:00.
const END_OF_DAY: i64 = 86_400_000_000;

/// A `time without time zone`: microseconds since midnight, from 0 to 86400000000 (24:00:00).
///
/// `Display` prints PostgreSQL's text. JSON has six digits of fraction, or none if it is zero.
///
/// ```
/// use pgoutput_decode::value::Time;
///
/// assert_eq!(Time::from_micros(86_400_000_000).unwrap().to_string(), "24:00:00");
/// assert_eq!(Time::from_micros(86_400_000_001), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// Returns the time this many microseconds after midnight; `None` after 24:00:00.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros >= 0 && micros <= END_OF_DAY { Some(Self(micros)) } else { None }
    }

    /// Returns the microseconds since midnight.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

/// A `time with time zone`: a time of day and an offset from UTC in seconds, less than 16 hours.
///
/// Two values are equal if both parts are equal, as in PostgreSQL. `Display` prints PostgreSQL's
/// text, which is also the JSON form.
///
/// ```
/// use pgoutput_decode::value::{Time, TimeTz};
///
/// let noon = Time::from_micros(43_200_000_000).unwrap();
/// assert_eq!(TimeTz::new(noon, 19_800).unwrap().to_string(), "12:00:00+05:30");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TimeTz {
    time: Time,
    east: i32,
}

impl TimeTz {
    /// Creates a time of day at an offset of `seconds_east` of UTC; `None` for 16 hours or more.
    pub const fn new(time: Time, seconds_east: i32) -> Option<Self> {
        if seconds_east > -57_600 && seconds_east < 57_600 {
            Some(Self { time, east: seconds_east })
        } else {
            None
        }
    }

    /// Returns the local time of day at the offset.
    pub const fn time(self) -> Time {
        self.time
    }

    /// Returns the offset in seconds east of UTC. (PostgreSQL's binary form counts them to the
    /// west.)
    pub const fn utc_offset_seconds(self) -> i32 {
        self.east
    }
}

impl<'a> FromField<'a> for Time {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TIME
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Time {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let micros = parts::clock(&mut input)?;
        input.end("the end of the time")?;
        Ok(Self(micros))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let micros = i64::from_be_bytes(exactly(bytes)?);
        Self::from_micros(micros).ok_or(ValueError::out_of_range("time"))
    }
}

impl<'a> FromField<'a> for TimeTz {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TIMETZ
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for TimeTz {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let time = Time(parts::clock(&mut input)?);
        let east = parts::offset(&mut input)?;
        input.end("the end of the offset")?;
        let east = i32::try_from(east).ok().and_then(|east| Self::new(time, east));
        east.ok_or(ValueError::out_of_range("time with time zone"))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let micros = i64::from_be_bytes(input.array()?);
        let west = i32::from_be_bytes(input.array()?);
        input.finish()?;
        Time::from_micros(micros)
            .zip(west.checked_neg())
            .and_then(|(time, east)| Self::new(time, east))
            .ok_or(ValueError::out_of_range("time with time zone"))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_clock(f, self.0)
    }
}

impl fmt::Display for TimeTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_clock(f, self.time.0)?;
        f.write_char(if self.east < 0 { '-' } else { '+' })?;
        let seconds = self.east.unsigned_abs();
        write!(f, "{:02}", seconds / 3600)?;
        if !seconds.is_multiple_of(3600) {
            write!(f, ":{:02}", seconds / 60 % 60)?;
        }
        if !seconds.is_multiple_of(60) {
            write!(f, ":{:02}", seconds % 60)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for TimeTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Time {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        quoted(out, &SixDigits(*self))
    }
}

struct SixDigits(Time);

impl fmt::Display for SixDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_six_digit_clock(f, self.0.0)
    }
}

impl WriteJson for TimeTz {}
