//! PostgreSQL's timestamps and the calendar for them.

mod calendar_time;

use core::fmt;

pub(crate) use self::calendar_time::{CalendarTime, ShortText};

/// A time in microseconds since 2000-01-01 00:00:00 UTC, signed 64 bits: the type
/// `timestamp with time zone` of PostgreSQL and the clock of the replication protocol.
///
/// PostgreSQL's range is 4714-11-24 BC to 294276-12-31, with [`INFINITY`](Self::INFINITY) and
/// [`NEG_INFINITY`](Self::NEG_INFINITY) outside of it. `Display` prints PostgreSQL's own text in
/// UTC with `DateStyle = ISO`; [`rfc3339`](Self::rfc3339) is the form with a `T` that JSON uses.
///
/// ```
/// use pgoutput_decode::TimestampTz;
///
/// let t = TimestampTz::from_unix_micros(1_642_180_930_298_334).unwrap();
/// assert_eq!(t.to_string(), "2022-01-14 17:22:10.298334+00");
/// assert_eq!(t.rfc3339().to_string(), "2022-01-14T17:22:10.298334+00:00");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimestampTz(i64);

/// Microseconds from 1970-01-01 to 2000-01-01.
const UNIX_TO_POSTGRES: i64 = 946_684_800_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

impl TimestampTz {
    /// 2000-01-01 00:00:00 UTC.
    pub const EPOCH: Self = Self(0);
    /// PostgreSQL's `infinity`, later than every time.
    pub const INFINITY: Self = Self(i64::MAX);
    /// PostgreSQL's `-infinity`, earlier than every time.
    pub const NEG_INFINITY: Self = Self(i64::MIN);

    /// Returns the time this many microseconds after 2000-01-01 00:00:00 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since 2000-01-01 00:00:00 UTC.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Converts microseconds since 1970-01-01 00:00:00 UTC; `None` if the result does not fit into
    /// 64 bits.
    pub const fn from_unix_micros(micros: i64) -> Option<Self> {
        match micros.checked_sub(UNIX_TO_POSTGRES) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// Returns the microseconds since 1970-01-01 00:00:00 UTC; `None` for the infinities and if the
    /// result does not fit into 64 bits.
    pub const fn as_unix_micros(self) -> Option<i64> {
        if self.is_finite() { self.0.checked_add(UNIX_TO_POSTGRES) } else { None }
    }

    /// Returns false for `infinity` and `-infinity`.
    pub const fn is_finite(self) -> bool {
        self.0 != i64::MAX && self.0 != i64::MIN
    }

    /// Returns a value that displays the RFC 3339 form, `2022-01-14T17:22:10.298334+00:00`: six
    /// digits of fraction, or none if it is zero.
    ///
    /// Infinities and years before 1 or after 9999, which RFC 3339 cannot express, are displayed as
    /// PostgreSQL's text.
    pub const fn rfc3339(self) -> Rfc3339 {
        Rfc3339(self)
    }
}

/// Displays a [`TimestampTz`] in RFC 3339 form; created by [`TimestampTz::rfc3339`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(TimestampTz);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match CalendarTime::of(self.0.0) {
            Some(moment) => f.write_str(moment.rfc3339(true, &mut ShortText::default())),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl fmt::Display for TimestampTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_postgres(f, self.0, "+00")
    }
}

impl fmt::Debug for TimestampTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A day of the proleptic Gregorian calendar. Year 0 is 1 BC, as in ISO 8601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CalendarDay {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl CalendarDay {
    /// Returns the year as PostgreSQL prints it and the suffix of its era: the year before year 1
    /// is 1 BC.
    pub(crate) const fn era(self) -> (i64, &'static str) {
        if self.year < 1 { (1 - self.year, " BC") } else { (self.year, "") }
    }

    /// Returns the days since 2000-01-01, or `None` if the calendar has no such day or the year has
    /// more than seven digits. The inverse of [`civil`].
    pub(crate) fn days(self) -> Option<i64> {
        if self.year.unsigned_abs() > MAX_YEAR {
            return None;
        }
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let months_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * months_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * DAYS_PER_400_YEARS + day_of_era - DAYS_FROM_MARCH_OF_YEAR_0;
        (civil(days) == self).then_some(days)
    }
}

/// Splits microseconds since 2000-01-01 into a day and the microseconds of that day.
fn split(micros: i64) -> (CalendarDay, i64) {
    (civil(micros.div_euclid(MICROS_PER_DAY)), micros.rem_euclid(MICROS_PER_DAY))
}

/// Writes microseconds since 2000-01-01 as PostgreSQL does, with `zone` between the time and the
/// era.
pub(crate) fn write_postgres(f: &mut fmt::Formatter<'_>, micros: i64, zone: &str) -> fmt::Result {
    match micros {
        i64::MAX => return f.write_str("infinity"),
        i64::MIN => return f.write_str("-infinity"),
        _ => {}
    }
    let (date, in_day) = split(micros);
    let (year, era) = date.era();
    write!(f, "{year:04}-{:02}-{:02} ", date.month, date.day)?;
    write_clock(f, in_day)?;
    f.write_str(zone)?;
    f.write_str(era)
}

/// Writes a time of day as PostgreSQL does: without trailing zeros in the fraction.
pub(crate) fn write_clock(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    write_whole_seconds(f, micros)?;
    write_fraction(f, (micros % 1_000_000).unsigned_abs())
}

/// Writes a decimal point and a fraction of a second, given in microseconds, without trailing
/// zeros. Writes nothing if the fraction is zero.
pub(crate) fn write_fraction(f: &mut fmt::Formatter<'_>, mut micros: u64) -> fmt::Result {
    if micros == 0 {
        return Ok(());
    }
    f.write_str(".")?;
    // Digit by digit: core's formatting with a width that is not constant contains a path to a
    // panic.
    while micros > 0 {
        micros *= 10;
        write!(f, "{}", micros / 1_000_000)?;
        micros %= 1_000_000;
    }
    Ok(())
}

/// Writes a time of day with six digits of fraction, or none if it is zero.
pub(crate) fn write_six_digit_clock(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    write_whole_seconds(f, micros)?;
    let fraction = micros % 1_000_000;
    if fraction == 0 { Ok(()) } else { write!(f, ".{fraction:06}") }
}

fn write_whole_seconds(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    let seconds = micros / 1_000_000;
    write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

const DAYS_FROM_MARCH_OF_YEAR_0: i64 = 730_425;
const DAYS_PER_400_YEARS: i64 = 146_097;
/// The greatest year of seven digits. No `Date` and no `TimestampTz` is in a year beyond it, before
/// or after year 0.
const MAX_YEAR: u64 = 9_999_999;
/// This many times 400 years before year 0 is earlier than any year with seven digits.
const ERAS: i64 = 30_000;

/// Returns the calendar day that is `days` after 2000-01-01 and in a year from -`MAX_YEAR` to
/// `MAX_YEAR`.
///
/// The algorithm is by Neri and Schneider ("Euclidean affine functions and their application to
/// calendar algorithms"). Years begin in March, so that the leap day is the last day. Quotients are
/// the high bits of products.
#[inline]
pub(crate) fn civil(days: i64) -> CalendarDay {
    // Counted from the first of March of a year that is early enough for every date. The calendar
    // repeats after 400 years, so that year is equivalent to year 0.
    let days = (days + DAYS_FROM_MARCH_OF_YEAR_0 + ERAS * DAYS_PER_400_YEARS).cast_unsigned();
    let quarters = 4 * days + 3;
    let (century, in_century) = (quarters / 146_097, (quarters % 146_097) | 3);
    let product = in_century * 2_939_745;
    let (year, in_year) = (product >> 32, (product & 0xFFFF_FFFF) / 2_939_745 / 4);
    let product = in_year * 2141 + 197_913;
    let (month, day) = (product >> 16, (product & 0xFFFF) / 2141 + 1);
    let is_after_december = month > 12;
    let year = (100 * century + year + u64::from(is_after_december)).cast_signed() - ERAS * 400;
    let month = if is_after_december { month - 12 } else { month };
    CalendarDay { year, month: month.cast_signed(), day: day.cast_signed() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn text(micros: i64) -> std::string::String {
        TimestampTz::from_micros(micros).to_string()
    }

    #[test]
    fn prints_as_postgresql_does() {
        // Each was checked with `select timestamptz 'epoch of 2000' + interval`.
        assert_eq!(text(0), "2000-01-01 00:00:00+00");
        assert_eq!(text(1), "2000-01-01 00:00:00.000001+00");
        assert_eq!(text(500_000), "2000-01-01 00:00:00.5+00");
        assert_eq!(text(-1), "1999-12-31 23:59:59.999999+00");
        assert_eq!(text(-63_082_281_600_000_000), "0001-01-01 00:00:00+00");
        assert_eq!(text(-63_082_281_600_000_001), "0001-12-31 23:59:59.999999+00 BC");
        assert_eq!(text(-211_813_488_000_000_000), "4714-11-24 00:00:00+00 BC");
        assert_eq!(text(9_223_371_331_199_999_999), "294276-12-31 23:59:59.999999+00");
        assert_eq!(text(i64::MAX), "infinity");
        assert_eq!(text(i64::MIN), "-infinity");
    }

    #[test]
    fn calendar_agrees_with_counting_days() {
        let (mut year, mut month, mut day) = (2000, 1, 1);
        for n in 0..800_000 {
            assert_eq!(civil(n), CalendarDay { year, month, day });
            assert_eq!(CalendarDay { year, month, day }.days(), Some(n));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > last {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn calendar_covers_the_range_of_dates_and_timestamps() {
        for day in [i32::MIN, -2_451_545, -1, 0, 2_145_031_948, i32::MAX] {
            let day = i64::from(day);
            assert_eq!(civil(day).days(), Some(day));
            let later = civil(day + DAYS_PER_400_YEARS);
            assert_eq!(CalendarDay { year: later.year - 400, ..later }, civil(day));
        }
        for year in [-9_999_998, -292_277, -4713, 0, 1, 294_276, 5_874_897, 9_999_999] {
            for (month, day) in [(1, 1), (2, 28), (3, 1), (12, 31)] {
                let date = CalendarDay { year, month, day };
                assert_eq!(date.days().map(civil), Some(date));
            }
            assert_eq!(CalendarDay { year, month: 99, day: 99 }.days(), None);
        }
        for year in [i64::MIN, -10_000_000, 10_000_000, i64::MAX] {
            assert_eq!(CalendarDay { year, month: 1, day: 1 }.days(), None);
        }
        for micros in [i64::MIN, i64::MAX] {
            assert_eq!(split(micros).0.days(), Some(micros.div_euclid(MICROS_PER_DAY)));
        }
    }

    #[test]
    fn rfc3339_falls_back_to_postgresql_text() {
        assert_eq!(TimestampTz::EPOCH.rfc3339().to_string(), "2000-01-01T00:00:00+00:00");
        assert_eq!(TimestampTz::INFINITY.rfc3339().to_string(), "infinity");
        let year_10000 = TimestampTz::from_micros(252_455_616_000_000_000);
        assert_eq!(year_10000.rfc3339().to_string(), "10000-01-01 00:00:00+00");
    }
}
