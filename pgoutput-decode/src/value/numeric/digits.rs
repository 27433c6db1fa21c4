//! The decimal digits of a `numeric`.

/// Iterator over decimal digits of a [`Numeric`](super::Numeric), each 0 to 9, the most significant
/// first.
#[derive(Debug, Clone)]
pub struct Digits<'a> {
    source: &'a [u8],
    from: DigitFormat,
    /// An index in decimal digits from the first digit of `source`; negative before it.
    at: i64,
    end: i64,
}

#[derive(Debug, Clone, Copy)]
enum DigitFormat {
    Ascii,
    Base10000,
}

impl<'a> Digits<'a> {
    /// Returns the digits of ASCII text.
    #[inline]
    pub(super) fn ascii(digits: &'a [u8]) -> Self {
        // A slice never has more than isize::MAX bytes.
        let end = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        Self { source: digits, from: DigitFormat::Ascii, at: 0, end }
    }

    /// Returns the decimal digits from `at` to `end` of digits in base 10000, of two bytes each.
    #[inline]
    pub(super) fn base_10000(digits: &'a [u8], at: i64, end: i64) -> Self {
        Self { source: digits, from: DigitFormat::Base10000, at, end }
    }

    #[inline]
    fn digit(&self, at: i64) -> u8 {
        // Digits outside the stored ones are zero.
        let Ok(at) = usize::try_from(at) else { return 0 };
        match self.from {
            DigitFormat::Ascii => self.source.get(at).map_or(0, |digit| digit - b'0'),
            DigitFormat::Base10000 => {
                let Some((pairs, _)) = self.source.get(at / 4 * 2..).map(|s| s.as_chunks::<2>())
                else {
                    return 0;
                };
                let group = pairs.first().map_or(0, |pair| u16::from_be_bytes(*pair));
                let digit = match at % 4 {
                    0 => group / 1000,
                    1 => group / 100 % 10,
                    2 => group / 10 % 10,
                    _ => group % 10,
                };
                u8::try_from(digit).unwrap_or_default()
            }
        }
    }
}

impl Iterator for Digits<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if self.at >= self.end {
            return None;
        }
        let digit = self.digit(self.at);
        self.at += 1;
        Some(digit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.end - self.at).unwrap_or(0);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Digits<'_> {}
impl core::iter::FusedIterator for Digits<'_> {}
