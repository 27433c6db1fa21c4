//! Dates, times and intervals by `--time`.

use std::fmt::Write as _;

use pgoutput_reader::TimestampTz;
use pgoutput_reader::decode::value::{Date, Interval, Time, TimeTz, Timestamp};

use crate::args::TimeArg;

/// Days and microseconds from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_MICROS: i128 = 946_684_800_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// A month of an interval is a twelfth of 365.25 days.
const MICROS_PER_MONTH: i128 = 2_629_800_000_000;

/// What Debezium writes for infinite dates and timestamps, in days and in microseconds.
const INFINITE_DAYS: [i64; 2] = [-2_147_472_691, -2_147_472_692];
const INFINITE_MICROS: [i128; 2] = [-9_223_372_036_832_400_000, 9_223_372_036_825_200_000];

/// The greatest precision of which adaptive times are milliseconds.
const MILLIS: i32 = 3;

/// The precision of times; the modifier is -1 if the column has none.
fn precision(modifier: i32) -> i32 {
    if modifier < 0 { 6 } else { modifier }
}

fn infinity(is_positive: bool, out: &mut String) {
    out.push_str(if is_positive { "\"infinity\"" } else { "\"-infinity\"" });
}

pub(super) fn date(value: Date, how: TimeArg, out: &mut String) {
    let is_positive = value.as_days() > 0;
    let days = i64::from(value.as_days()) + EPOCH_DAYS;
    // Writing to a String cannot fail.
    match how {
        TimeArg::Adaptive if value.is_finite() => {
            let _ = write!(out, "{days}");
        }
        TimeArg::Adaptive => {
            let _ = write!(out, "{}", INFINITE_DAYS[usize::from(is_positive)]);
        }
        TimeArg::Isostring if value.is_finite() => {
            out.push('"');
            day(days, out);
            out.push_str("Z\"");
        }
        TimeArg::Isostring => infinity(is_positive, out),
    }
}

pub(super) fn time(value: Time, modifier: i32, how: TimeArg, out: &mut String) {
    let micros = value.as_micros();
    match how {
        TimeArg::Adaptive => {
            let divisor = if precision(modifier) <= MILLIS { 1000 } else { 1 };
            let _ = write!(out, "{}", micros / divisor);
        }
        TimeArg::Isostring => {
            out.push('"');
            clock(micros, None, out);
            out.push_str("Z\"");
        }
    }
}

/// Writes the time in UTC, in either mode.
pub(super) fn timetz(value: TimeTz, out: &mut String) {
    let offset = i64::from(value.utc_offset_seconds()) * 1_000_000;
    let micros = value.time().as_micros() - offset;
    let is_end_of_day = micros == MICROS_PER_DAY && offset == 0;
    out.push('"');
    clock(if is_end_of_day { micros } else { micros.rem_euclid(MICROS_PER_DAY) }, None, out);
    out.push_str("Z\"");
}

pub(super) fn timestamp(value: Timestamp, modifier: i32, how: TimeArg, out: &mut String) {
    let is_positive = value.as_micros() > 0;
    let micros = if value.is_finite() {
        i128::from(value.as_micros()) + EPOCH_MICROS
    } else {
        INFINITE_MICROS[usize::from(is_positive)]
    };
    match how {
        TimeArg::Adaptive => {
            let divisor = if precision(modifier) <= MILLIS { 1000 } else { 1 };
            let _ = write!(out, "{}", micros.div_euclid(divisor));
        }
        TimeArg::Isostring if value.is_finite() => {
            out.push('"');
            instant(micros, None, out);
            out.push_str("Z\"");
        }
        TimeArg::Isostring => infinity(is_positive, out),
    }
}

/// Writes the time in UTC with as many digits as the column has, in either mode.
pub(super) fn timestamptz(value: TimestampTz, modifier: i32, out: &mut String) {
    if !value.is_finite() {
        infinity(value.as_micros() > 0, out);
        return;
    }
    let digits = usize::try_from(precision(modifier)).unwrap_or(6);
    out.push('"');
    instant(i128::from(value.as_micros()) + EPOCH_MICROS, Some(digits), out);
    out.push_str("Z\"");
}

/// Writes an interval in microseconds. One that does not fit is the greatest or the least number.
pub(super) fn interval(value: Interval, out: &mut String) {
    let micros = i128::from(value.months) * MICROS_PER_MONTH
        + i128::from(value.days) * i128::from(MICROS_PER_DAY)
        + i128::from(value.micros);
    let micros = micros.clamp(i64::MIN.into(), i64::MAX.into());
    let _ = write!(out, "{micros}");
}

fn instant(micros: i128, digits: Option<usize>, out: &mut String) {
    let per_day = i128::from(MICROS_PER_DAY);
    // A timestamp of PostgreSQL is within 295000 years.
    day(i64::try_from(micros.div_euclid(per_day)).unwrap_or_default(), out);
    out.push('T');
    clock(i64::try_from(micros.rem_euclid(per_day)).unwrap_or_default(), digits, out);
}

/// Writes a time of day with this number of digits after the point, or with as many as it needs.
fn clock(micros: i64, digits: Option<usize>, out: &mut String) {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(out, "{hours:02}:{minutes:02}:{seconds:02}");
    let start = out.len();
    let _ = write!(out, ".{micros:06}");
    match digits {
        Some(0) => out.truncate(start),
        Some(digits) => out.truncate(start + 1 + digits.min(6)),
        None => {
            let end = out.trim_end_matches('0').trim_end_matches('.').len();
            out.truncate(end.max(start));
        }
    }
}

/// Writes a day of the Gregorian calendar, which also counts before its introduction. Year 0 is
/// 1 BC; years of more than four digits have a sign.
fn day(days: i64, out: &mut String) {
    // Years are counted from March, so that a leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let sign = match year {
        0..=9999 => "",
        ..0 => "-",
        _ => "+",
    };
    let _ = write!(out, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs());
}

#[cfg(test)]
mod tests;
