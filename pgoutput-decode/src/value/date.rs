//! `date`. Text: `YYYY-MM-DD[ BC]`. Binary: days since 2000-01-01. JSON: a string.

use core::fmt;

use super::datetime_text as parts;
use super::input::{Input, exactly};
use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};
use crate::timestamp::civil;

/// A `date`: days since 2000-01-01, from 4714-11-24 BC to 5874897-12-31, and the infinities.
///
/// `Display` prints PostgreSQL's text with `DateStyle = ISO`. The JSON form is the same text.
///
/// ```
/// use pgoutput_decode::value::Date;
///
/// assert_eq!(Date::from_days(-1).to_string(), "1999-12-31");
/// assert_eq!(Date::INFINITY.to_string(), "infinity");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Date(i32);

/// 4714-11-24 BC, the first day of the Julian day count, and 5874897-12-31.
const RANGE: core::ops::RangeInclusive<i32> = -2_451_545..=2_145_031_948;

impl Date {
    /// `infinity`, later than every day.
    pub const INFINITY: Self = Self(i32::MAX);
    /// `-infinity`, earlier than every day.
    pub const NEG_INFINITY: Self = Self(i32::MIN);

    /// Returns the day this many days after 2000-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Returns the days since 2000-01-01.
    pub const fn as_days(self) -> i32 {
        self.0
    }

    /// Returns false for the infinities.
    pub const fn is_finite(self) -> bool {
        self.0 != i32::MAX && self.0 != i32::MIN
    }

    fn checked(days: i32) -> Result<Self, ValueError> {
        let date = Self(days);
        if !date.is_finite() || RANGE.contains(&days) {
            Ok(date)
        } else {
            Err(ValueError::out_of_range("date"))
        }
    }
}

impl<'a> FromField<'a> for Date {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::DATE
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Date {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        match text {
            b"infinity" => return Ok(Self::INFINITY),
            b"-infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        let mut input = Input::new(text);
        let day = parts::day(&mut input)?;
        let days = parts::end_of_day(&mut input, day)?;
        let days = i32::try_from(days).map_err(|_| ValueError::out_of_range("date"))?;
        Self::checked(days)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::checked(i32::from_be_bytes(exactly(bytes)?))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INFINITY => return f.write_str("infinity"),
            Self::NEG_INFINITY => return f.write_str("-infinity"),
            _ => {}
        }
        let date = civil(self.0.into());
        let (year, era) = date.era();
        write!(f, "{year:04}-{:02}-{:02}{era}", date.month, date.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Date {}
