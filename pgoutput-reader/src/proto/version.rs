//! Reads the server's version from its `server_version` parameter.

use std::str::FromStr;

use crate::error::{Error, ProtocolError, printable};
use crate::server_version::ServerVersion;

impl FromStr for ServerVersion {
    type Err = Error;

    /// Parses `15.18 (Debian …)`, `18beta1`, `17devel`, `9.6.24`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| {
            let shown = printable(text.as_bytes(), 64).into();
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
    Some(ServerVersion::new(major * 10_000 + number))
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
}
