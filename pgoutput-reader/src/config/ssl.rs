//! The values of the TLS parameters, and which of them can be combined.

use std::fmt;

use super::Config;
use super::error::{ConfigError, Problem};

/// The TLS mode of a connection: the values of `sslmode`, from the weakest to the strictest
/// ([PostgreSQL manual,
/// 34.19.3](https://www.postgresql.org/docs/18/libpq-ssl.html#LIBPQ-SSL-PROTECTION)).
///
/// TLS is for TCP. On a Unix socket the mode has no effect, as in libpq. If the file of trusted
/// authorities (`sslrootcert`, `~/.postgresql/root.crt`) exists, every mode that uses TLS verifies
/// the server's certificate against it, so `require` is then the same as `verify-ca`.
///
/// Without the feature `tls` the first three modes are accepted, since they allow a connection
/// without TLS. A [`Config`] with one of the other three is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SslMode {
    /// Never use TLS.
    Disable,
    /// Use TLS only if the server refuses a connection without it.
    Allow,
    /// Use TLS if the server offers it. The default, as in libpq.
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

    /// The value in a connection string, such as `verify-full`.
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

    /// Returns whether a connection without TLS must be refused.
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

/// The start of TLS: the values of `sslnegotiation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SslNegotiation {
    /// With a request in PostgreSQL's protocol, which the server accepts or declines.
    #[default]
    Postgres,
    /// Directly with the TLS handshake, which saves a round trip. Needs PostgreSQL 17 or later, and
    /// a mode from [`Require`](SslMode::Require) on.
    Direct,
}

/// The use of a client certificate: the values of `sslcertmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SslCertMode {
    /// Never.
    Disable,
    /// If the server asks for one and there is one.
    #[default]
    Allow,
    /// Always: the server must ask for a certificate, and there must be one.
    Require,
}

/// A version of TLS: the values of `ssl_min_protocol_version` and `ssl_max_protocol_version` that
/// are not obsolete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Channel binding, which binds SCRAM authentication to the TLS connection: the values of
/// `channel_binding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// If the server offers it.
    #[default]
    Prefer,
    /// Always: a server that authenticates in any other way is refused.
    Require,
}

/// The TLS settings without the mode. Empty texts mean the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SslSettings {
    pub(crate) negotiation: SslNegotiation,
    pub(crate) root_cert: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) cert_mode: SslCertMode,
    pub(crate) crl: Option<String>,
    pub(crate) crl_dir: Option<String>,
    pub(crate) sni: bool,
    pub(crate) min_version: Option<TlsVersion>,
    pub(crate) max_version: Option<TlsVersion>,
}

impl Default for SslSettings {
    fn default() -> Self {
        Self {
            negotiation: SslNegotiation::default(),
            root_cert: None,
            cert: None,
            key: None,
            cert_mode: SslCertMode::default(),
            crl: None,
            crl_dir: None,
            sni: true,
            min_version: None,
            max_version: None,
        }
    }
}

/// The value of `sslrootcert` for the certificates that the system trusts.
pub(crate) const SYSTEM: &str = "system";

macro_rules! words {
    ($type:ident: $($variant:ident $word:literal),+) => {
        impl $type {
            /// The value in a connection string.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(crate) fn parse(word: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|value| value.as_str() == word)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(SslNegotiation: Postgres "postgres", Direct "direct");
words!(SslCertMode: Disable "disable", Allow "allow", Require "require");
words!(TlsVersion: Tls12 "TLSv1.2", Tls13 "TLSv1.3");
words!(ChannelBinding: Disable "disable", Prefer "prefer", Require "require");

#[cfg(not(feature = "tls"))]
const TLS_MISSING: &str = "this build has no TLS: build pgoutput-reader with its feature tls, or \
                           use sslmode=disable, allow or prefer on a network you trust";

impl Config {
    /// Checks that the TLS parameters are supported and can be combined.
    pub(crate) fn validate_ssl(&self) -> Result<(), ConfigError> {
        let fail = |parameter, problem| Err(ConfigError::of(parameter, problem));
        let mode = self.get_ssl_mode();
        let texts = [
            ("sslrootcert", &self.ssl.root_cert),
            ("sslcert", &self.ssl.cert),
            ("sslkey", &self.ssl.key),
            ("sslcrl", &self.ssl.crl),
            ("sslcrldir", &self.ssl.crl_dir),
        ];
        for (parameter, text) in texts {
            if text.as_ref().is_some_and(|text| text.contains('\0')) {
                return fail(parameter, Problem::invalid("a path cannot contain a zero byte"));
            }
        }
        #[cfg(not(feature = "tls"))]
        self.refuse_tls()?;
        // Both as in libpq: any public authority can issue certificates, and a direct start cannot
        // fall back.
        if self.ssl.root_cert.as_deref() == Some(SYSTEM)
            && !matches!(mode, SslMode::VerifyFull | SslMode::Disable)
        {
            return fail(
                "sslmode",
                Problem::invalid("sslrootcert=system needs sslmode=verify-full, its default"),
            );
        }
        if self.ssl.negotiation == SslNegotiation::Direct
            && !mode.requires_tls()
            && mode != SslMode::Disable
        {
            return fail(
                "sslnegotiation",
                Problem::invalid("direct needs sslmode=require, verify-ca or verify-full"),
            );
        }
        if let (Some(min), Some(max)) = (self.ssl.min_version, self.ssl.max_version)
            && min > max
        {
            return fail(
                "ssl_max_protocol_version",
                Problem::invalid("below ssl_min_protocol_version"),
            );
        }
        if self.channel_binding == ChannelBinding::Require && mode == SslMode::Disable {
            return fail(
                "channel_binding",
                Problem::invalid("require needs TLS, which sslmode=disable rules out"),
            );
        }
        Ok(())
    }

    #[cfg(not(feature = "tls"))]
    fn refuse_tls(&self) -> Result<(), ConfigError> {
        let fail = |parameter| Err(ConfigError::of(parameter, Problem::unsupported(TLS_MISSING)));
        if self.get_ssl_mode().requires_tls() {
            return fail("sslmode");
        }
        if self.channel_binding == ChannelBinding::Require {
            return fail("channel_binding");
        }
        if self.ssl_mode == Some(SslMode::Disable) {
            return Ok(());
        }
        let ssl = &self.ssl;
        let requirements = [
            ("sslnegotiation", ssl.negotiation != SslNegotiation::Postgres),
            ("sslrootcert", ssl.root_cert.is_some()),
            ("sslcert", ssl.cert.is_some()),
            ("sslkey", ssl.key.is_some()),
            ("sslcrl", ssl.crl.is_some()),
            ("sslcrldir", ssl.crl_dir.is_some()),
            ("sslcertmode", ssl.cert_mode == SslCertMode::Require),
            ("ssl_min_protocol_version", ssl.min_version > Some(TlsVersion::Tls12)),
            ("ssl_max_protocol_version", ssl.max_version.is_some()),
        ];
        match requirements.into_iter().find(|(_, is_set)| *is_set) {
            Some((parameter, _)) => fail(parameter),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
