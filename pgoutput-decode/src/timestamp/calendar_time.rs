//! Times in the years 1 to 9999, which nearly all times are, read and written with few branches.
//!
//! Callers handle every other form with the general code.

use super::{DAYS_FROM_MARCH_OF_YEAR_0, MICROS_PER_DAY, split};

/// A time with microseconds in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CalendarTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
}

impl CalendarTime {
    /// Reads `YYYY-MM-DD HH:MM:SS[.f]` with one to six digits of fraction, and returns the bytes
    /// after it. Returns `None` for every other form and for an invalid time.
    #[inline]
    pub(crate) fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = text.split_first_chunk::<19>()?;
        // Eight bytes at a time. The second eight overlap the first: only the day is new.
        let [century, _, year, _, _, month, ..] = pairs(*head.first_chunk()?, *b"0000-00-")?;
        let [day, ..] = pairs(*head.get(8..)?.first_chunk()?, *b"00 00:00")?;
        let [hour, _, _, minute, _, _, second, _] = pairs(*head.last_chunk()?, *b"00:00:00")?;
        let (micros, rest) = match (six_digits(text), rest) {
            (Some(micros), _) => micros,
            (None, [b'.', rest @ ..]) => fraction(rest)?,
            (None, rest) => (0, rest),
        };
        let year = u16::from(century) * 100 + u16::from(year);
        let moment = Self { year, month, day, hour, minute, second, micros };
        moment.is_valid().then_some((moment, rest))
    }

    fn is_valid(&self) -> bool {
        let days = match self.month {
            2 if self.is_in_leap_year() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        self.year > 0
            && (1..=days).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }

    const fn is_in_leap_year(&self) -> bool {
        let year = self.year;
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    }

    /// Returns the microseconds since 2000-01-01 00:00:00. Years begin on March 1, so that the leap
    /// day is the last day of its year.
    pub(crate) fn micros(&self) -> i64 {
        let (year, month) = (u32::from(self.year), u32::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = year * 365 + year / 4 - year / 100 + year / 400;
        let days = days + (153 * month + 2) / 5 + u32::from(self.day);
        let minutes = u32::from(self.hour) * 60 + u32::from(self.minute);
        let seconds = minutes * 60 + u32::from(self.second);
        (i64::from(days) - 1 - DAYS_FROM_MARCH_OF_YEAR_0) * MICROS_PER_DAY
            + i64::from(seconds) * 1_000_000
            + i64::from(self.micros)
    }

    /// Returns the time this many microseconds after 2000-01-01 00:00:00; `None` in other years and
    /// for the infinities.
    pub(crate) fn of(micros: i64) -> Option<Self> {
        let (date, in_day) = split(micros);
        let year = u16::try_from(date.year).ok().filter(|year| (1..=9999).contains(year))?;
        let seconds = u32::try_from(in_day / 1_000_000).ok()?;
        Some(Self {
            year,
            month: u8::try_from(date.month).ok()?,
            day: u8::try_from(date.day).ok()?,
            hour: u8::try_from(seconds / 3600).ok()?,
            minute: u8::try_from(seconds / 60 % 60).ok()?,
            second: u8::try_from(seconds % 60).ok()?,
            micros: u32::try_from(in_day % 1_000_000).ok()?,
        })
    }

    /// Returns [`rfc3339`](Self::rfc3339), given the text this was read from. If the text has six
    /// digits of fraction, they are copied.
    #[cfg(feature = "serde")]
    pub(crate) fn rfc3339_of<'b>(
        &self,
        text: &[u8],
        with_offset: bool,
        buffer: &'b mut ShortText,
    ) -> &'b str {
        let Some(digits) = text.try_into().ok().filter(|_: &[u8; 26]| self.micros != 0) else {
            return self.rfc3339(with_offset, buffer);
        };
        buffer.0 = *b"0000-00-00T00:00:00.000000+00:00";
        let [head @ .., _, _, _, _, _, _] = &mut buffer.0;
        *head = digits;
        let [_, _, _, _, _, _, _, _, _, _, between, ..] = head;
        *between = b'T';
        let text = buffer.0.get(..if with_offset { 32 } else { 26 });
        text.and_then(|text| crate::utf8::text(text).ok()).unwrap_or_default()
    }

    /// Returns the RFC 3339 form: six digits of fraction, or none if it is zero; with the offset of
    /// UTC if `with_offset` is set.
    pub(crate) fn rfc3339<'b>(&self, with_offset: bool, text: &'b mut ShortText) -> &'b str {
        text.0 = *b"0000-00-00T00:00:00.000000+00:00";
        let [y1, y2, y3, y4, _, m1, m2, _, d1, d2, _, h1, h2, _, n1, n2, _, s1, s2, rest @ ..] =
            &mut text.0;
        let (year, micros) = (u32::from(self.year), self.micros);
        let date = [year / 100, year % 100, self.month.into(), self.day.into()];
        [[*y1, *y2], [*y3, *y4], [*m1, *m2], [*d1, *d2]] = digits(date);
        let clock = [self.hour.into(), self.minute.into(), self.second.into(), micros / 10_000];
        let fraction;
        [[*h1, *h2], [*n1, *n2], [*s1, *s2], fraction] = digits(clock);
        let len = if micros == 0 {
            if let Some(offset) = rest.first_chunk_mut() {
                *offset = *b"+00:00";
            }
            19
        } else {
            let [_, f1, f2, f3, f4, f5, f6, ..] = rest;
            [*f1, *f2] = fraction;
            [[*f3, *f4], [*f5, *f6], ..] = digits([micros / 100 % 100, micros % 100, 0, 0]);
            26
        };
        let text = text.0.get(..if with_offset { len + 6 } else { len });
        text.and_then(|text| crate::utf8::text(text).ok()).unwrap_or_default()
    }
}

/// Reads eight bytes that have digits where `form` has zeros and otherwise equal `form`. For each
/// byte, returns ten times its digit plus the digit after it.
#[inline]
fn pairs(text: [u8; 8], form: [u8; 8]) -> Option<[u8; 8]> {
    const LOW_BITS: u64 = u64::from_le_bytes([0x7F; 8]);
    // Adding this carries into the eighth bit if a digit is greater than 9 or another byte differs
    // from `form`.
    let carry = form.map(|byte| if byte == b'0' { 0x7F - 9 } else { 0x7F });
    let digits = u64::from_le_bytes(text) ^ u64::from_le_bytes(form);
    let high = (digits & LOW_BITS).wrapping_add(u64::from_le_bytes(carry)) | digits;
    // Digits are below 10 from here on, so no byte carries into the next.
    (high & !LOW_BITS == 0)
        .then(|| (digits.wrapping_mul(10).wrapping_add(digits >> 8)).to_le_bytes())
}

/// Reads the most common form of the fraction, with six digits.
#[inline]
fn six_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_first_chunk::<26>()?;
    if let [b'0'..=b'9', ..] = rest {
        return None;
    }
    let [_, _, first, _, second, _, third, _] = pairs(*head.last_chunk()?, *b"0.000000")?;
    Some((u32::from(first) * 10_000 + u32::from(second) * 100 + u32::from(third), rest))
}

/// Reads one to six digits as millionths.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let (mut micros, mut unit, mut rest) = (0, 1_000_000, text);
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        unit /= 10;
        if unit == 0 {
            return None;
        }
        micros += u32::from(digit - b'0') * unit;
        rest = after;
    }
    (unit < 1_000_000).then_some((micros, rest))
}

/// Returns the two decimal digits of each of four numbers less than 100.
#[inline]
fn digits(numbers: [u32; 4]) -> [[u8; 2]; 4] {
    // Sixteen bits for each. For a number less than 100, a tenth is (number * 103) / 1024.
    let [first, second, third, fourth] = numbers.map(u64::from);
    let numbers = first | second << 16 | third << 32 | fourth << 48;
    let tens = numbers.wrapping_mul(103) >> 10 & 0x000F_000F_000F_000F;
    let ones = numbers.wrapping_sub(tens.wrapping_mul(10));
    let digits = (tens | ones << 8 | 0x3030_3030_3030_3030).to_le_bytes();
    let (pairs, _) = digits.as_chunks();
    pairs.try_into().unwrap_or_default()
}

/// A buffer for the text of a time, or any other text of at most 32 bytes.
#[derive(Debug, Default)]
// Aligned bytes are checked for UTF-8 faster.
#[repr(align(16))]
pub(crate) struct ShortText(pub(crate) [u8; 32]);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_counted_and_written(micros: i64) {
        let moment = CalendarTime::of(micros).unwrap();
        assert_eq!(moment.micros(), micros);
        let (date, in_day) = split(micros);
        let seconds = in_day / 1_000_000;
        let clock =
            std::format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let date = std::format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
        let fraction = match in_day % 1_000_000 {
            0 => std::string::String::new(),
            micros => std::format!(".{micros:06}"),
        };
        let mut text = ShortText::default();
        assert_eq!(moment.rfc3339(false, &mut text), std::format!("{date}T{clock}{fraction}"));
        assert_eq!(moment.rfc3339(true, &mut text), std::format!("{date}T{clock}{fraction}+00:00"));
        #[cfg(feature = "serde")]
        for with_offset in [false, true] {
            let text = std::format!("{date} {clock}{fraction}");
            let mut copied = ShortText::default();
            let copied = moment.rfc3339_of(text.as_bytes(), with_offset, &mut copied);
            assert_eq!(copied, moment.rfc3339(with_offset, &mut ShortText::default()));
        }
        let text = std::format!("{date} {clock}{fraction}!");
        assert_eq!(CalendarTime::parse(text.as_bytes()), Some((moment, &b"!"[..])));
    }

    /// The microseconds of 0001-01-01.
    const FIRST: i64 = -63_082_281_600_000_000;
    const DAYS: i64 = 9999 * 365 + 9999 / 4 - 9999 / 100 + 9999 / 400;

    #[test]
    fn days_of_the_calendar_and_seconds_of_a_day() {
        // The calendar repeats after 400 years.
        for day in (0..400 * 365 + 97).chain(DAYS - 366..DAYS) {
            is_counted_and_written(FIRST + day * MICROS_PER_DAY + day);
        }
        for second in 0..86_400 {
            is_counted_and_written(second * 1_000_000);
        }
        for micros in [FIRST - 1, FIRST + DAYS * MICROS_PER_DAY, i64::MIN, i64::MAX] {
            assert_eq!(CalendarTime::of(micros), None);
        }
    }

    proptest! {
        #[test]
        fn every_microsecond(micros in FIRST..FIRST + DAYS * MICROS_PER_DAY) {
            is_counted_and_written(micros);
        }
    }

    #[test]
    fn other_forms_are_not_parsed() {
        for text in [
            "",
            "2024-02-30 00:00:00",
            "2023-02-29 00:00:00",
            "1900-02-29 00:00:00",
            "2024-04-31 00:00:00",
            "2024-00-01 00:00:00",
            "2024-13-01 00:00:00",
            "2024-01-00 00:00:00",
            "0000-01-01 00:00:00",
            "2024-01-01 24:00:00",
            "2024-01-01 00:60:00",
            "2024-01-01 00:00:60",
            "2024-01-01T00:00:00",
            "2024-01-01 00:00:00.",
            "2024-01-01 00:00:00.1234567",
            "2024-01-0: 00:00:00",
            "2024-01-0\u{7F} 00:00:0",
            "12024-01-01 00:00:00",
            "infinity",
        ] {
            assert_eq!(CalendarTime::parse(text.as_bytes()), None, "{text}");
        }
    }
}
