//! The server's version, from its `server_version` parameter.

use std::fmt;

use crate::error::ProtocolError;

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

impl std::str::FromStr for ServerVersion {
    type Err = crate::Error;

    /// Parses `15.18 (Debian …)`, `18beta1`, `17devel`, `9.6.24`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| {
            let shown = crate::error::printable(text.as_bytes(), 64).into();
            ProtocolError::ServerVersion(shown).into()
        })
    }
}

fn parse(text: &str) -> Option<ServerVersion> {
    // "18beta1" and "17devel" have no minor version yet. The number ends with the digits.
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mut parts = text.get(..end)?.split('.');
    let major: u32 = parts.next()?.parse().ok().filter(|major| (1..1000).contains(major))?;
    let mut rest = || match parts.next() {
        None | Some("") => Some(0),
        Some(digits) => digits.parse().ok().filter(|part: &u32| *part < 10_000),
    };
    let second = rest()?;
    let number = if major >= 10 { second } else { (second % 100) * 100 + rest()? % 100 };
    Some(ServerVersion(major * 10_000 + number))
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
    fn reads_what_servers_send() {
        for (text, number, proto) in [
            ("15.18 (Debian 15.18-0+deb12u1)", 150_018, 3),
            ("18beta1", 180_000, 4),
            ("17devel", 170_000, 4),
            ("16rc1", 160_000, 4),
            ("14.0", 140_000, 2),
            ("13.23", 130_023, 1),
            ("10.1", 100_001, 1),
            ("9.6.24", 90_624, 1),
        ] {
            let version: ServerVersion = text.parse().unwrap();
            assert_eq!((version.number(), version.proto_version()), (number, proto), "{text}");
        }
    }

    #[test]
    fn refuses_invalid_versions() {
        for text in ["", "beta", ".1", "99999999999", "15.123456789", "0", "-3"] {
            assert!(text.parse::<ServerVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_as_people_write_it() {
        assert_eq!(ServerVersion::new(150_018).to_string(), "15.18");
        assert_eq!(ServerVersion::new(90_624).to_string(), "9.6.24");
    }
}
