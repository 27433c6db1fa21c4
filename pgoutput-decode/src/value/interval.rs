//! `interval`: text `1 year 2 mons -3 days +04:05:06.5`, binary microseconds, days and months, JSON a
//! string as ISO 8601 has it.

use core::fmt::{self, Write};

use super::datetime_text as parts;
use super::input::Input;
use super::json_out::{JsonPlace, WriteJson, quoted};
use super::{FieldType, FromField, ValueError, type_oid};
use crate::timestamp::write_fraction;

/// An `interval`: months, days and microseconds, kept apart because no month has a fixed number of days and
/// no day a fixed number of hours. Each has the whole range of its integer.
///
/// Equality is that of all three: `1 mon` is not `30 days`, though PostgreSQL's `=` takes them for equal.
/// `Display` is PostgreSQL's text with `IntervalStyle` postgres; JSON the ISO 8601 form, as PostgreSQL writes
/// it with `IntervalStyle` iso_8601.
///
/// The greatest of all three together is PostgreSQL 17's `infinity`, and the least `-infinity`. Older servers have no
/// infinite interval, and these two as finite ones: their text says so, and is read as that. In the binary format the two
/// are the same bytes, and no value says what server it is from; they are read as the infinities.
///
/// ```
/// use pgoutput_decode::value::Interval;
///
/// let interval = Interval::new(14, -3, 4 * 3_600_000_000);
/// assert_eq!(interval.to_string(), "1 year 2 mons -3 days +04:00:00");
/// assert_eq!(interval.iso_8601().to_string(), "P1Y2M-3DT4H");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    /// Months, twelve to the year.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
    /// One of the two that are infinite since PostgreSQL 17, from a server where they are not.
    is_finite_extreme: bool,
}

impl Interval {
    /// PostgreSQL 17's `infinity`.
    pub const INFINITY: Self = Self::new(i32::MAX, i32::MAX, i64::MAX);
    /// PostgreSQL 17's `-infinity`.
    pub const NEG_INFINITY: Self = Self::new(i32::MIN, i32::MIN, i64::MIN);

    /// These months, days and microseconds; the greatest of all three, or the least, are the infinities.
    pub const fn new(months: i32, days: i32, micros: i64) -> Self {
        Self { months, days, micros, is_finite_extreme: false }
    }

    /// False for the infinities.
    pub fn is_finite(self) -> bool {
        self.infinite().is_none()
    }

    /// The ISO 8601 form; `infinity` and `-infinity` for what it cannot say.
    pub const fn iso_8601(self) -> Iso8601 {
        Iso8601(self)
    }

    fn infinite(self) -> Option<&'static str> {
        // One that is finite though it looks like them equals neither.
        match self {
            Self::INFINITY => Some("infinity"),
            Self::NEG_INFINITY => Some("-infinity"),
            _ => None,
        }
    }
}

const HOUR: u64 = 3_600_000_000;
const MINUTE: u64 = 60_000_000;

impl<'a> FromField<'a> for Interval {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::INTERVAL
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        match text {
            b"infinity" => return Ok(Self::INFINITY),
            b"-infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        read(Input::new(text))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let micros = i64::from_be_bytes(input.array()?);
        let days = i32::from_be_bytes(input.array()?);
        let months = i32::from_be_bytes(input.array()?);
        input.finish()?;
        Ok(Self::new(months, days, micros))
    }
}

/// Years, months and days, each of them there or not, and the time, in this order.
fn read(mut input: Input<'_>) -> Result<Interval, ValueError> {
    let (mut months, mut days, mut micros) = (0, 0, 0);
    // How many of year, mon, day and time have had their turn.
    let mut stage = 0;
    loop {
        let sign_input = input;
        let negative = input.eat(b'-');
        if !negative {
            input.eat(b'+');
        }
        let number = input.number(1, 10)?;
        let signed = if negative { -number } else { number };
        let next = if input.eat_all(b" year") {
            months += signed * 12;
            1
        } else if input.eat_all(b" mon") {
            months += signed;
            2
        } else if input.eat_all(b" day") {
            days = signed;
            3
        } else {
            input.expect(b':', "year, mon, day or a colon")?;
            let time = time_after_hours(&mut input, number)?;
            micros = if negative { -time } else { time };
            4
        };
        if next <= stage {
            return Err(sign_input.malformed("years, months, days and time in this order"));
        }
        if next < 4 {
            input.eat(b's');
        }
        stage = next;
        if input.rest().is_empty() {
            break;
        }
        input.expect(b' ', "a space")?;
    }
    match (i32::try_from(months), i32::try_from(days), i64::try_from(micros)) {
        (Ok(months), Ok(days), Ok(micros)) => {
            let interval = Interval::new(months, days, micros);
            // The infinities are written in words.
            Ok(Interval { is_finite_extreme: !interval.is_finite(), ..interval })
        }
        _ => Err(ValueError::out_of_range("interval")),
    }
}

/// `MM:SS[.f]` behind `hours:`, all in microseconds.
fn time_after_hours(input: &mut Input<'_>, hours: i64) -> Result<i128, ValueError> {
    let start = *input;
    let minutes = input.number(2, 2)?;
    input.expect(b':', "a colon")?;
    let seconds = input.number(2, 2)?;
    let fraction = parts::fraction(input)?;
    if minutes > 59 || seconds > 59 {
        return Err(start.malformed("minutes and seconds below 60"));
    }
    let seconds = i128::from((hours * 60 + minutes) * 60 + seconds);
    Ok(seconds * 1_000_000 + i128::from(fraction))
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(infinite) = self.infinite() {
            return f.write_str(infinite);
        }
        let mut after = After::Nothing;
        for (value, unit) in
            [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")]
        {
            if value != 0 {
                // Behind a negative part the sign of the next is spelled out.
                let space = if after == After::Nothing { "" } else { " " };
                let plus = if after == After::Negative && value > 0 { "+" } else { "" };
                let plural = if value == 1 { "" } else { "s" };
                write!(f, "{space}{plus}{value} {unit}{plural}")?;
                after = if value < 0 { After::Negative } else { After::Positive };
            }
        }
        if after != After::Nothing && self.micros == 0 {
            return Ok(());
        }
        f.write_str(if after == After::Nothing { "" } else { " " })?;
        f.write_str(match (self.micros < 0, after) {
            (true, _) => "-",
            (false, After::Negative) => "+",
            (false, _) => "",
        })?;
        let micros = self.micros.unsigned_abs();
        write!(f, "{:02}:{:02}:", micros / HOUR, micros / MINUTE % 60)?;
        write_seconds(f, micros % MINUTE, true)
    }
}

/// What was written before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    Positive,
    Negative,
}

/// Seconds in at least `width` digits, and the fraction without its trailing zeros.
fn write_seconds(f: &mut fmt::Formatter<'_>, micros: u64, two_digits: bool) -> fmt::Result {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    if two_digits {
        write!(f, "{seconds:02}")?;
    } else {
        write!(f, "{seconds}")?;
    }
    write_fraction(f, fraction)
}

/// Displays an [`Interval`] as ISO 8601 does; made by [`Interval::iso_8601`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iso8601(Interval);

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interval { months, days, micros, .. } = self.0;
        if let Some(infinite) = self.0.infinite() {
            return f.write_str(infinite);
        }
        if self.0 == Interval::default() {
            return f.write_str("PT0S");
        }
        f.write_char('P')?;
        for (value, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
            if value != 0 {
                write!(f, "{value}{unit}")?;
            }
        }
        if micros == 0 {
            return Ok(());
        }
        f.write_char('T')?;
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        for (value, unit) in [(micros / HOUR, 'H'), (micros / MINUTE % 60, 'M')] {
            if value != 0 {
                write!(f, "{sign}{value}{unit}")?;
            }
        }
        if micros % MINUTE != 0 {
            f.write_str(sign)?;
            write_seconds(f, micros % MINUTE, false)?;
            f.write_char('S')?;
        }
        Ok(())
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Interval {
    fn write_json(&self, out: &mut dyn Write, _: JsonPlace<'_>) -> fmt::Result {
        quoted(out, &self.iso_8601())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Field, Format, JsonOptions, Value};
    use std::string::{String, ToString};

    fn read(format: Format, bytes: &[u8]) -> Interval {
        Field::new(type_oid::INTERVAL, format, bytes).get().unwrap()
    }

    #[test]
    fn what_is_infinite_since_17_was_finite_before_and_its_text_says_so() {
        let bytes = |interval: Interval| {
            let Interval { months, days, micros, .. } = interval;
            [&micros.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat()
        };
        for (infinite, word, text) in [
            (
                Interval::INFINITY,
                "infinity",
                "178956970 years 7 mons 2147483647 days 2562047788:00:54.775807",
            ),
            (
                Interval::NEG_INFINITY,
                "-infinity",
                "-178956970 years -8 mons -2147483648 days -2562047788:00:54.775808",
            ),
        ] {
            let finite = read(Format::Text, text.as_bytes());
            assert!(finite.is_finite() && finite != infinite);
            assert_eq!(finite.to_string(), text);
            let mut json = String::new();
            Value::Interval(finite).write_json(&mut json, JsonOptions::default()).unwrap();
            assert!(json.contains("M21474836") || json.contains("M-21474836"), "{json}");
            assert_eq!(read(Format::Text, word.as_bytes()), infinite);
            assert_eq!(read(Format::Binary, &bytes(infinite)), infinite);
            assert_eq!((infinite.to_string(), infinite.is_finite()), (word.into(), false));
        }
    }
}
