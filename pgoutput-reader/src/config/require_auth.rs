//! `require_auth`: the methods by which the client may be authenticated.

use std::fmt;
use std::str::FromStr;

use super::error::{ConfigError, Problem};

/// An authentication method, by its name in `require_auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// The password in clear text.
    Password,
    /// An MD5 hash of the password.
    Md5,
    /// Kerberos with GSSAPI, not supported by this crate.
    Gss,
    /// Kerberos with SSPI, not supported by this crate.
    Sspi,
    /// SCRAM-SHA-256, with or without channel binding.
    ScramSha256,
    /// OAuth, not supported by this crate.
    OAuth,
    /// No authentication request: trust, or a client certificate.
    None,
}

const NAMES: [(AuthMethod, &str); 7] = [
    (AuthMethod::Password, "password"),
    (AuthMethod::Md5, "md5"),
    (AuthMethod::Gss, "gss"),
    (AuthMethod::Sspi, "sspi"),
    (AuthMethod::ScramSha256, "scram-sha-256"),
    (AuthMethod::OAuth, "oauth"),
    (AuthMethod::None, "none"),
];

impl AuthMethod {
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The name, such as `scram-sha-256`.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }
}

/// The value of `require_auth` ([PostgreSQL manual,
/// 34.1.2](https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNECT-REQUIRE-AUTH)):
/// methods that are allowed or, each with a `!` before it, methods that are not.
///
/// ```
/// use pgoutput_reader::config::{AuthMethod, RequireAuth};
///
/// let only: RequireAuth = "scram-sha-256".parse()?;
/// assert!(only.allows(AuthMethod::ScramSha256) && !only.allows(AuthMethod::None));
/// let all_but: RequireAuth = "!password,!md5".parse()?;
/// assert!(all_but.allows(AuthMethod::ScramSha256) && !all_but.allows(AuthMethod::Md5));
/// # Ok::<(), pgoutput_reader::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequireAuth {
    named: u8,
    negated: bool,
}

impl RequireAuth {
    /// Returns whether the server may use this authentication method.
    pub fn allows(self, method: AuthMethod) -> bool {
        (self.named & method.bit() != 0) != self.negated
    }

    pub(crate) fn read(value: &str) -> Result<Self, Problem> {
        let negated = value.starts_with('!');
        let mut named = 0;
        for word in value.split(',') {
            let plain = word.strip_prefix('!');
            if plain.is_some() != negated {
                return Err(Problem::invalid(
                    "either every method has an exclamation mark before it, or none",
                ));
            }
            let name = plain.unwrap_or(word);
            let Some((method, _)) = NAMES.iter().find(|(_, known)| *known == name) else {
                return Err(Problem::invalid(
                    "not a method; the methods are password, md5, gss, sspi, scram-sha-256, oauth \
                     and none",
                ));
            };
            if named & method.bit() != 0 {
                return Err(Problem::invalid("a method is given twice"));
            }
            named |= method.bit();
        }
        Ok(Self { named, negated })
    }
}

impl FromStr for RequireAuth {
    type Err = ConfigError;

    fn from_str(value: &str) -> Result<Self, ConfigError> {
        Self::read(value).map_err(|problem| ConfigError::of("require_auth", problem))
    }
}

impl fmt::Display for RequireAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in NAMES.iter().filter(|(method, _)| self.named & method.bit() != 0) {
            write!(f, "{separator}{}{name}", if self.negated { "!" } else { "" })?;
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_and_their_negation() {
        for good in ["none", "scram-sha-256", "md5,scram-sha-256", "!none", "!password,!md5"] {
            assert_eq!(good.parse::<RequireAuth>().unwrap().to_string(), good);
        }
        for bad in ["", "scram", "md5,!none", "!md5,none", "md5,md5", "md5,", " md5"] {
            let error = bad.parse::<RequireAuth>().unwrap_err();
            assert_eq!(error.parameter(), Some("require_auth"), "{bad}");
        }
    }

    #[test]
    fn unnamed_methods_are_refused_and_with_negation_allowed() {
        for (_, name) in NAMES {
            let (only, but): (RequireAuth, RequireAuth) =
                (name.parse().unwrap(), format!("!{name}").parse().unwrap());
            for (method, other) in NAMES {
                assert_eq!(only.allows(method), name == other);
                assert_eq!(but.allows(method), name != other);
            }
        }
    }
}
