//! Server versions, as `postgres --version` prints them.

use std::fmt;

/// The majors that this harness can provide, oldest first: those with pgoutput.
pub const MAJORS: std::ops::RangeInclusive<u32> = 10..=18;

/// A PostgreSQL version of the two-part scheme used since version 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The major version, such as 15.
    pub major: u32,
    /// The minor version, such as 18; 0 for a development or beta version.
    pub minor: u32,
}

impl Version {
    /// Parses the output of `postgres --version`, such as `postgres (PostgreSQL) 15.18 (Debian …)`.
    ///
    /// Returns `None` for any other form.
    ///
    /// ```
    /// use pgoutput_harness::Version;
    /// assert_eq!(Version::parse("postgres (PostgreSQL) 15.18"), Some(Version { major: 15, minor:
    /// 18 }));
    /// ```
    pub fn parse(line: &str) -> Option<Self> {
        let number = line.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
        let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
        let (major, rest) = number.split_at(digits(number));
        let minor = rest.strip_prefix('.').map_or("", |m| &m[..digits(m)]);
        Some(Self { major: major.parse().ok()?, minor: minor.parse().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn version_lines_of_servers_are_parsed() {
        let parse = |s| Version::parse(s).map(|v| (v.major, v.minor));
        assert_eq!(parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some((15, 18)));
        assert_eq!(parse("postgres (PostgreSQL) 10.23"), Some((10, 23)));
        assert_eq!(parse("postgres (PostgreSQL) 19devel"), Some((19, 0)));
        assert_eq!(parse("postgres (PostgreSQL) 18beta2"), Some((18, 0)));
        assert_eq!(parse("postgres (PostgreSQL) 9.6.24"), Some((9, 6)));
        assert_eq!(parse("postgres (PostgreSQL)"), None);
        assert_eq!(parse("postgres (PostgreSQL) devel"), None);
        assert_eq!(parse("bash: postgres: command not found"), None);
    }
}
