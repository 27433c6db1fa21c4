//! The crate `time` (feature `time`): conversions, and columns read as its types.
//!
//! The conversions can fail: `time` has no infinities, no 24:00:00, and no years beyond 9999 in
//! either direction.

use time::{
    Date as TimeDate, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time as TimeOfDay,
    UtcOffset,
};

use super::{
    Date, Field, FieldType, FromField, FromFormats, Interval, Time, TimeTz, Timestamp, ValueError,
    ValueErrorKind, from_formats,
};
use crate::timestamp::TimestampTz;

const POSTGRES_EPOCH: TimeDate = match TimeDate::from_calendar_date(2000, Month::January, 1) {
    Ok(day) => day,
    Err(_) => TimeDate::MIN,
};

/// # Errors
/// Fails for the infinities, and for years before -9999 (10000 BC) or after 9999.
impl TryFrom<Date> for TimeDate {
    type Error = ValueError;

    fn try_from(date: Date) -> Result<Self, ValueError> {
        let day = date.is_finite().then(|| Duration::days(date.as_days().into()));
        day.and_then(|days| POSTGRES_EPOCH.checked_add(days))
            .ok_or(ValueError::out_of_range("time::Date"))
    }
}

/// # Errors
/// Fails for 24:00:00.
impl TryFrom<Time> for TimeOfDay {
    type Error = ValueError;

    fn try_from(time: Time) -> Result<Self, ValueError> {
        midnight_and(time.as_micros()).ok_or(ValueError::out_of_range("time::Time"))
    }
}

fn midnight_and(micros: i64) -> Option<TimeOfDay> {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    TimeOfDay::from_hms_micro(
        u8::try_from(seconds / 3600).ok()?,
        u8::try_from(seconds / 60 % 60).ok()?,
        u8::try_from(seconds % 60).ok()?,
        u32::try_from(micros).ok()?,
    )
    .ok()
}

/// # Errors
/// Fails for the infinities, and for years after 9999.
impl TryFrom<Timestamp> for PrimitiveDateTime {
    type Error = ValueError;

    fn try_from(timestamp: Timestamp) -> Result<Self, ValueError> {
        let since = timestamp.is_finite().then(|| Duration::microseconds(timestamp.as_micros()));
        since
            .and_then(|since| Self::new(POSTGRES_EPOCH, TimeOfDay::MIDNIGHT).checked_add(since))
            .ok_or(ValueError::out_of_range("time::PrimitiveDateTime"))
    }
}

/// Converts to a time in UTC.
///
/// # Errors
/// Fails for the infinities, and for years after 9999.
impl TryFrom<TimestampTz> for OffsetDateTime {
    type Error = ValueError;

    fn try_from(timestamp: TimestampTz) -> Result<Self, ValueError> {
        let since = timestamp.is_finite().then(|| Duration::microseconds(timestamp.as_micros()));
        since
            .and_then(|since| {
                PrimitiveDateTime::new(POSTGRES_EPOCH, TimeOfDay::MIDNIGHT).checked_add(since)
            })
            .map(PrimitiveDateTime::assume_utc)
            .ok_or(ValueError::out_of_range("time::OffsetDateTime"))
    }
}

/// Converts to the local time of day at the offset, and the offset.
///
/// # Errors
/// Fails for 24:00:00.
impl TryFrom<TimeTz> for (TimeOfDay, UtcOffset) {
    type Error = ValueError;

    fn try_from(time: TimeTz) -> Result<Self, ValueError> {
        let offset = UtcOffset::from_whole_seconds(time.utc_offset_seconds())
            .map_err(|_| ValueError::out_of_range("time::UtcOffset"))?;
        Ok((time.time().try_into()?, offset))
    }
}

/// Converts days to 24 hours each, as PostgreSQL's `extract(epoch from …)` and its comparisons do.
///
/// # Errors
/// [`ValueErrorKind::NoFixedLength`] for an infinite interval and for one with months (or years).
/// PostgreSQL treats a month as 30 days in comparisons, but with its real length when it is added
/// to a date.
impl TryFrom<Interval> for Duration {
    type Error = ValueError;

    fn try_from(interval: Interval) -> Result<Self, ValueError> {
        let target = "time::Duration";
        if interval.months != 0 {
            return Err(ValueError::new(ValueErrorKind::NoFixedLength { target }, 0));
        }
        // Out of range is not possible: both are some thousand times smaller than the maximum.
        Self::days(interval.days.into())
            .checked_add(Self::microseconds(interval.micros))
            .ok_or(ValueError::out_of_range(target))
    }
}

macro_rules! from_field {
    ($($target:ty, from $source:ident;)*) => {$(
        impl<'a> FromField<'a> for $target {
            fn accepts(ty: FieldType<'_>) -> bool {
                $source::accepts(ty)
            }

            #[inline]
            fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
                from_formats(field)
            }
        }

        impl<'a> FromFormats<'a> for $target {
            fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
                $source::from_text(ty, text)?.try_into()
            }

            fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
                $source::from_binary(ty, bytes)?.try_into()
            }
        }
    )*};
}

from_field! {
    TimeDate, from Date;
    TimeOfDay, from Time;
    PrimitiveDateTime, from Timestamp;
    OffsetDateTime, from TimestampTz;
    (TimeOfDay, UtcOffset), from TimeTz;
    Duration, from Interval;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Field, Format, type_oid};
    use std::string::ToString;
    use time::macros::{date, datetime, time};

    fn read<'a, T: FromField<'a>>(oid: crate::id::Oid, text: &'a str) -> Result<T, ValueError> {
        Field::new(oid, Format::Text, text.as_bytes()).get()
    }

    #[test]
    fn every_day_that_both_types_have_is_the_same() {
        assert_eq!(read(type_oid::DATE, "2024-02-29"), Ok(date!(2024 - 02 - 29)));
        assert_eq!(read(type_oid::DATE, "0001-12-31 BC"), Ok(date!(0000 - 12 - 31)));
        assert_eq!(read(type_oid::DATE, "9999-12-31"), Ok(date!(9999 - 12 - 31)));
        assert_eq!(read(type_oid::TIME, "23:59:59.999999"), Ok(time!(23:59:59.999_999)));
        assert_eq!(
            read(type_oid::TIMESTAMP, "1999-12-31 23:59:59.5"),
            Ok(datetime!(1999-12-31 23:59:59.5))
        );
        assert_eq!(
            read(type_oid::TIMESTAMPTZ, "1900-01-01 01:30:00+01:30"),
            Ok(datetime!(1900-01-01 00:00 UTC))
        );
    }

    #[test]
    fn values_that_time_does_not_have_are_errors() {
        for date in ["infinity", "-infinity", "10000-01-01", "5874897-12-31"] {
            let error = read::<TimeDate>(type_oid::DATE, date).unwrap_err();
            assert!(error.to_string().contains("out of range for time::Date"), "{error}");
        }
        assert!(read::<TimeOfDay>(type_oid::TIME, "24:00:00").is_err());
        for timestamp in ["infinity", "-infinity", "10000-01-01 00:00:00", "294276-12-31 23:59:59"]
        {
            assert!(read::<PrimitiveDateTime>(type_oid::TIMESTAMP, timestamp).is_err());
        }
        assert!(read::<OffsetDateTime>(type_oid::TIMESTAMPTZ, "-infinity").is_err());
        assert!(read::<OffsetDateTime>(type_oid::TIMESTAMP, "2000-01-01 00:00:00").is_err());
    }

    #[test]
    fn times_with_offsets_are_pairs() {
        let text = Field::new(type_oid::TIMETZ, Format::Text, b"12:00:00.5-05:30:15");
        let offset = UtcOffset::from_hms(-5, -30, -15).unwrap();
        assert_eq!(text.get(), Ok((TimeOfDay::from_hms_milli(12, 0, 0, 500).unwrap(), offset)));
        let binary = b"\0\0\0\x0A\x0E\xF3\x51\x20\0\0\x4D\x67";
        let binary = Field::new(type_oid::TIMETZ, Format::Binary, binary);
        assert_eq!(binary.get::<(TimeOfDay, UtcOffset)>(), text.get());
        assert!(read::<(TimeOfDay, UtcOffset)>(type_oid::TIMETZ, "24:00:00+00").is_err());
        assert!(read::<TimeOfDay>(type_oid::TIMETZ, "12:00:00+00").is_err(), "it has an offset");
    }

    #[test]
    fn intervals_without_months_have_a_length() {
        let length = Duration::days(-2) + Duration::new(3 * 3600, 500_000_000);
        assert_eq!(read::<Duration>(type_oid::INTERVAL, "-2 days +03:00:00.5"), Ok(length));
        let binary = b"\0\0\0\0\0\x0F\x42\x40\0\0\0\x01\0\0\0\0";
        let binary = Field::new(type_oid::INTERVAL, Format::Binary, binary);
        assert_eq!(binary.get::<Duration>(), Ok(Duration::seconds(86_401)));
        for text in ["1 mon", "-1 years 3 days", "infinity", "-infinity"] {
            let error = read::<Duration>(type_oid::INTERVAL, text).unwrap_err();
            assert_eq!(error.kind(), ValueErrorKind::NoFixedLength { target: "time::Duration" });
            assert!(error.to_string().contains("read it as `Interval`"), "{error}");
        }
        let longest = Duration::try_from(Interval::new(0, i32::MAX, i64::MAX));
        assert!(longest.unwrap() > Duration::days(i32::MAX.into()));
    }
}
