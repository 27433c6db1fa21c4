//! `interval`. Text: `1 year 2 mons -3 days +04:05:06.5`. Binary: microseconds, days and months.
//! JSON: a string in ISO 8601 form.

use core::fmt::{self, Write};

use super::datetime_text as parts;
use super::input::Input;
use super::json_out::{JsonContext, WriteJson, quoted};
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};
use crate::timestamp::write_fraction;

/// An `interval`: months, days and microseconds. They are separate because months differ in length,
/// and so do days. Each covers the whole range of its integer.
///
/// Two intervals are equal if all three parts are: `1 mon` differs from `30 days`, although
/// PostgreSQL's `=` considers them equal. `Display` prints PostgreSQL's text with
/// `IntervalStyle = postgres`. JSON uses the ISO 8601 form, as PostgreSQL does with
/// `IntervalStyle = iso_8601`.
///
/// The maximum of all three parts together is PostgreSQL 17's `infinity`, and the minimum is
/// `-infinity`. On older servers these two values are finite. Text distinguishes the two cases and
/// is read accordingly. The binary format uses the same bytes for both and is always read as the
/// infinities.
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
    /// Months, twelve to a year.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
    /// Whether the parts are those of an infinity, read from the text of a server on which they are
    /// finite.
    is_finite_extreme: bool,
}

impl Interval {
    /// PostgreSQL 17's `infinity`.
    pub const INFINITY: Self = Self::new(i32::MAX, i32::MAX, i64::MAX);
    /// PostgreSQL 17's `-infinity`.
    pub const NEG_INFINITY: Self = Self::new(i32::MIN, i32::MIN, i64::MIN);

    /// Creates an interval. The maximum of all three parts, and the minimum, are the infinities.
    pub const fn new(months: i32, days: i32, micros: i64) -> Self {
        Self { months, days, micros, is_finite_extreme: false }
    }

    /// Returns false for the infinities.
    pub fn is_finite(self) -> bool {
        self.infinite().is_none()
    }

    /// Returns a value that displays the ISO 8601 form, or `infinity` and `-infinity`, which ISO
    /// 8601 cannot express.
    pub const fn iso_8601(self) -> Iso8601 {
        Iso8601(self)
    }

    fn infinite(self) -> Option<&'static str> {
        // A finite interval with the same parts differs in `is_finite_extreme`.
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

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Interval {
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

/// Reads years, months, days and the time, each optional, in this order.
fn read(mut input: Input<'_>) -> Result<Interval, ValueError> {
    let (mut months, mut days, mut micros) = (0, 0, 0);
    // The last part that was read: 1 for years to 4 for the time.
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
            // The infinities are written as words, so parts with their values are finite.
            Ok(Interval { is_finite_extreme: !interval.is_finite(), ..interval })
        }
        _ => Err(ValueError::out_of_range("interval")),
    }
}

/// Reads `MM:SS[.f]` after `hours:` and returns everything in microseconds.
fn time_after_hours(input: &mut Input<'_>, hours: i64) -> Result<i128, ValueError> {
    let start = *input;
    let minutes = input.number(2, 2)?;
    input.expect(b':', "a colon")?;
    let seconds = input.number(2, 2)?;
    let fraction = parts::fraction(input)?;
    if minutes > 59 || seconds > 59 {
        return Err(start.malformed("minutes and seconds less than 60"));
    }
    let seconds = i128::from((hours * 60 + minutes) * 60 + seconds);
    Ok(seconds * 1_000_000 + i128::from(fraction))
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(infinite) = self.infinite() {
            return f.write_str(infinite);
        }
        let mut previous = PreviousSign::Nothing;
        for (value, unit) in
            [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")]
        {
            if value != 0 {
                // After a negative part, a positive one is written with its sign.
                let space = if previous == PreviousSign::Nothing { "" } else { " " };
                let plus = if previous == PreviousSign::Negative && value > 0 { "+" } else { "" };
                let plural = if value == 1 { "" } else { "s" };
                write!(f, "{space}{plus}{value} {unit}{plural}")?;
                previous = if value < 0 { PreviousSign::Negative } else { PreviousSign::Positive };
            }
        }
        if previous != PreviousSign::Nothing && self.micros == 0 {
            return Ok(());
        }
        f.write_str(if previous == PreviousSign::Nothing { "" } else { " " })?;
        f.write_str(match (self.micros < 0, previous) {
            (true, _) => "-",
            (false, PreviousSign::Negative) => "+",
            (false, _) => "",
        })?;
        let micros = self.micros.unsigned_abs();
        write!(f, "{:02}:{:02}:", micros / HOUR, micros / MINUTE % 60)?;
        write_seconds(f, micros % MINUTE, true)
    }
}

/// The sign of the part that was written last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PreviousSign {
    Nothing,
    Positive,
    Negative,
}

/// Writes seconds, with at least two digits if `two_digits` is set, and the fraction without
/// trailing zeros.
fn write_seconds(f: &mut fmt::Formatter<'_>, micros: u64, two_digits: bool) -> fmt::Result {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    if two_digits {
        write!(f, "{seconds:02}")?;
    } else {
        write!(f, "{seconds}")?;
    }
    write_fraction(f, fraction)
}

/// Displays an [`Interval`] in ISO 8601 form; created by [`Interval::iso_8601`].
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
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
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
    fn text_with_the_parts_of_an_infinity_is_finite() {
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
