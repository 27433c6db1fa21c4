//! `sslmode`.

use std::fmt;

/// How much TLS a connection asks for: the values of `sslmode`, from the weakest to the strictest
/// ([PostgreSQL manual, 34.19.3](https://www.postgresql.org/docs/18/libpq-ssl.html#LIBPQ-SSL-PROTECTION)).
///
/// TLS is not supported yet. The first three modes allow a connection without it and are accepted; a [`Config`] with one
/// of the other three is refused.
///
/// [`Config`]: super::Config
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SslMode {
    /// Never use TLS.
    Disable,
    /// Use TLS only where the server refuses a connection without it.
    Allow,
    /// Use TLS where the server offers it. The default, as in libpq.
    #[default]
    Prefer,
    /// Refuse a connection without TLS.
    Require,
    /// Refuse a server whose certificate is not signed by a trusted authority.
    VerifyCa,
    /// Refuse, in addition, a server whose certificate names another host.
    VerifyFull,
}

impl SslMode {
    /// The six modes in order of strictness.
    pub(crate) const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// The word of the connection string, such as `verify-full`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// True if a connection without TLS must be refused.
    pub const fn requires_tls(self) -> bool {
        matches!(self, Self::Require | Self::VerifyCa | Self::VerifyFull)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
