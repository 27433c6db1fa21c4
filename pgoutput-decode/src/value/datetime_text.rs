//! The parts of dates and times in text with `DateStyle = ISO`.

use super::ValueError;
use super::input::Input;
use crate::timestamp::CalendarDay;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Reads `YYYY-MM-DD` with a year of at least four digits, which does not account for BC yet.
pub(super) fn day(input: &mut Input<'_>) -> Result<CalendarDay, ValueError> {
    let year = input.number(4, 7)?;
    input.expect(b'-', "a hyphen")?;
    let month = two_digits(input)?;
    input.expect(b'-', "a hyphen")?;
    let day = two_digits(input)?;
    Ok(CalendarDay { year, month, day })
}

fn two_digits(input: &mut Input<'_>) -> Result<i64, ValueError> {
    input.number(2, 2)
}

/// Reads the end of a date, nothing or ` BC`, and returns the days since 2000-01-01.
pub(super) fn end_of_day(input: &mut Input<'_>, mut day: CalendarDay) -> Result<i64, ValueError> {
    let bc = input.eat_all(b" BC");
    input.end("the end, or BC")?;
    if day.year == 0 {
        return Err(ValueError::malformed("a year of at least 1", 0));
    }
    if bc {
        day.year = 1 - day.year;
    }
    day.days().ok_or(ValueError::malformed("a day of the calendar", 0))
}

/// Reads `HH:MM:SS[.f]` with one to six digits of fraction, at most 24:00:00, as microseconds.
pub(super) fn clock(input: &mut Input<'_>) -> Result<i64, ValueError> {
    let start = *input;
    let hour = two_digits(input)?;
    input.expect(b':', "a colon")?;
    let minute = two_digits(input)?;
    input.expect(b':', "a colon")?;
    let second = two_digits(input)?;
    let micros = ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + fraction(input)?;
    if minute > 59 || second > 59 || micros > 24 * 3600 * MICROS_PER_SECOND {
        return Err(start.malformed("a time of day"));
    }
    Ok(micros)
}

/// Reads `.f` with one to six digits, or nothing, as microseconds.
pub(super) fn fraction(input: &mut Input<'_>) -> Result<i64, ValueError> {
    if !input.eat(b'.') {
        return Ok(0);
    }
    let before = input.offset();
    let mut micros = input.number(1, 6)?;
    for _ in (input.offset() - before)..6 {
        micros *= 10;
    }
    Ok(micros)
}

/// Reads `+HH[:MM[:SS]]`, or the same with a minus sign: seconds east of UTC, less than 16 hours.
pub(super) fn offset(input: &mut Input<'_>) -> Result<i64, ValueError> {
    let start = *input;
    let sign = match () {
        () if input.eat(b'+') => 1,
        () if input.eat(b'-') => -1,
        () => return Err(input.malformed("an offset from UTC")),
    };
    let hours = two_digits(input)?;
    let minutes = if input.eat(b':') { two_digits(input)? } else { 0 };
    let seconds = if input.eat(b':') { two_digits(input)? } else { 0 };
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(start.malformed("an offset of less than 16 hours"));
    }
    Ok(sign * ((hours * 60 + minutes) * 60 + seconds))
}
