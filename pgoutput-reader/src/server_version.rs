//! Versions of PostgreSQL.

use std::fmt;

/// A PostgreSQL version, ordered like `server_version_num`.
///
/// ```
/// use pgoutput_reader::ServerVersion;
///
/// let version: ServerVersion = "15.18 (Debian 15.18-0+deb12u1)".parse().unwrap();
/// assert_eq!((version.major(), version.number()), (15, 150_018));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion(u32);

impl ServerVersion {
    /// Creates it from the number in `server_version_num`, such as 150018.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number, as in `server_version_num`: 150018 for 15.18, 90624 for 9.6.24.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the major version; 9 for all of 9.x.
    pub const fn major(self) -> u32 {
        self.0 / 10_000
    }

    /// Returns the newest version of the pgoutput protocol that this server supports: 4 from 16 on,
    /// 3 for 15, 2 for 14, otherwise 1.
    pub const fn proto_version(self) -> u32 {
        match self.major() {
            16.. => 4,
            15 => 3,
            14 => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minor = self.0 % 10_000;
        if self.major() >= 10 {
            write!(f, "{}.{minor}", self.major())
        } else {
            write!(f, "{}.{}.{}", self.major(), minor / 100, minor % 100)
        }
    }
}

impl fmt::Debug for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_major_and_minor_version() {
        assert_eq!(ServerVersion::new(150_018).to_string(), "15.18");
        assert_eq!(ServerVersion::new(90_624).to_string(), "9.6.24");
    }
}
