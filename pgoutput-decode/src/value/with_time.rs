//! The crate `time` (feature `time`): conversions, and columns read as its types.
//!
//! They are fallible: `time` has no infinities, no 24:00:00, and no years beyond 9999 in either direction.

use time::{
    Date as TimeDate, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time as TimeOfDay,
};

use super::{Date, FieldType, FromField, Time, Timestamp, ValueError};
use crate::TimestampTz;

const POSTGRES_EPOCH: TimeDate = match TimeDate::from_calendar_date(2000, Month::January, 1) {
    Ok(day) => day,
    Err(_) => TimeDate::MIN,
};

/// # Errors
/// For the infinities, and years before -9999 (10000 BC) or after 9999.
impl TryFrom<Date> for TimeDate {
    type Error = ValueError;

    fn try_from(date: Date) -> Result<Self, ValueError> {
        let day = date.is_finite().then(|| Duration::days(date.as_days().into()));
        day.and_then(|days| POSTGRES_EPOCH.checked_add(days))
            .ok_or(ValueError::out_of_range("time::Date"))
    }
}

/// # Errors
/// For 24:00:00.
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
/// For the infinities, and years after 9999.
impl TryFrom<Timestamp> for PrimitiveDateTime {
    type Error = ValueError;

    fn try_from(timestamp: Timestamp) -> Result<Self, ValueError> {
        let since = timestamp.is_finite().then(|| Duration::microseconds(timestamp.as_micros()));
        since
            .and_then(|since| Self::new(POSTGRES_EPOCH, TimeOfDay::MIDNIGHT).checked_add(since))
            .ok_or(ValueError::out_of_range("time::PrimitiveDateTime"))
    }
}

/// In UTC.
///
/// # Errors
/// For the infinities, and years after 9999.
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

macro_rules! from_field {
    ($($target:ident from $source:ident)*) => {$(
        impl<'a> FromField<'a> for $target {
            fn accepts(ty: FieldType<'_>) -> bool {
                $source::accepts(ty)
            }

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
    TimeDate from Date
    TimeOfDay from Time
    PrimitiveDateTime from Timestamp
    OffsetDateTime from TimestampTz
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Field, Format, type_oid};
    use std::string::ToString;
    use time::macros::{date, datetime, time};

    fn read<'a, T: FromField<'a>>(oid: crate::Oid, text: &'a str) -> Result<T, ValueError> {
        Field::new(oid, Format::Text, text.as_bytes()).get()
    }

    #[test]
    fn every_day_both_can_say_is_the_same() {
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
    fn what_it_cannot_say_is_an_error() {
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
}
