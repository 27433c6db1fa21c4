//! Positions in the write-ahead log.

use core::fmt;
use core::str::FromStr;

/// A position in the write-ahead log (WAL): a byte offset of any `u64` value.
///
/// `Display` prints it as PostgreSQL prints `pg_lsn`: the two halves in hexadecimal, `16/B374D848`
/// (manual, section "pg_lsn Type").
///
/// ```
/// use pgoutput_decode::Lsn;
///
/// let lsn: Lsn = "16/B374D848".parse()?;
/// assert_eq!(u64::from(lsn), 0x16_B374_D848);
/// assert_eq!(lsn.to_string(), "16/B374D848");
/// # Ok::<(), pgoutput_decode::ParseLsnError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(u64);

impl Lsn {
    /// `0/0`, PostgreSQL's invalid LSN: no WAL record starts there.
    pub const ZERO: Self = Self(0);
    /// The greatest position, `FFFFFFFF/FFFFFFFF`.
    pub const MAX: Self = Self(u64::MAX);

    /// Returns the position at this byte offset.
    pub const fn new(position: u64) -> Self {
        Self(position)
    }

    /// Returns the byte offset.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns true for `0/0`.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the number of WAL bytes from `earlier` to this position, or `None` if `earlier` is
    /// the later one.
    ///
    /// ```
    /// use pgoutput_decode::Lsn;
    ///
    /// assert_eq!(Lsn::new(30).bytes_since(Lsn::new(10)), Some(20));
    /// assert_eq!(Lsn::new(10).bytes_since(Lsn::new(30)), None);
    /// ```
    pub const fn bytes_since(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<u64> for Lsn {
    fn from(position: u64) -> Self {
        Self(position)
    }
}

impl From<Lsn> for u64 {
    fn from(lsn: Lsn) -> Self {
        lsn.0
    }
}

/// The error for text that is not an LSN such as `16/B374D848`: two halves of one to eight
/// hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid LSN: expected two hexadecimal numbers of at most 8 digits, such as 16/B374D848")]
pub struct ParseLsnError(());

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (high, low) = text.split_once('/').ok_or(ParseLsnError(()))?;
        Ok(Self((half(high)? << 32) | half(low)?))
    }
}

fn half(digits: &str) -> Result<u64, ParseLsnError> {
    // `from_str_radix` accepts a sign, PostgreSQL does not.
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ParseLsnError(()));
    }
    u64::from_str_radix(digits, 16).map_err(|_| ParseLsnError(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn prints_and_reads_the_whole_range() {
        for (value, text) in [
            (0, "0/0"),
            (0x158_FAC8, "0/158FAC8"),
            (1 << 32, "1/0"),
            (1 << 63, "80000000/0"),
            (u64::MAX, "FFFFFFFF/FFFFFFFF"),
        ] {
            assert_eq!(Lsn::new(value).to_string(), text);
            assert_eq!(text.parse(), Ok(Lsn::new(value)));
        }
        assert_eq!("ff/aB".parse(), Ok(Lsn::new(0xFF_0000_00AB)));
    }

    #[test]
    fn rejects_what_pg_lsn_rejects() {
        for text in [
            "",
            "/",
            "1",
            "1/",
            "/1",
            "+1/1",
            "1/-1",
            "1/1/1",
            "123456789/0",
            "0/123456789",
            " 1/1",
            "G/0",
        ] {
            assert!(text.parse::<Lsn>().is_err(), "{text:?}");
        }
    }
}
