//! What protects a connection, and the ordinary connection beside it in the same way.

use crate::io::TlsSettings;

/// How a connection came to be: the ordinary one beside it must be as well protected.
#[derive(Debug, Default)]
#[cfg_attr(
    not(feature = "catalog"),
    expect(dead_code, reason = "only the ordinary connection asks for the rest")
)]
pub(super) struct Protection {
    pub(super) tls: Option<TlsSettings>,
    /// The server is the one that is meant: on this machine, or with a certificate that was verified.
    pub(super) known: bool,
    /// The server has proved by channel binding that it knows the password.
    pub(super) bound: bool,
    /// Nobody has chosen to send a password over it, and somebody between could get it.
    pub(super) exposed: bool,
}

impl Protection {
    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether a trusted authority vouches for the server's certificate.
    pub(super) fn is_verified(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsSettings::verified)
    }
}

#[cfg(feature = "catalog")]
mod ordinary {
    use postgres::config::{ChannelBinding, SslMode, SslNegotiation};
    use postgres::{Client, NoTls};

    use super::super::Connection;
    use super::Protection;
    use crate::config::{Config, ConfigError, ConfigErrorKind};
    use crate::{Error, ErrorKind};

    /// Makes ordinary connections to the server that a replication connection has reached, by TLS exactly if that one is.
    pub(crate) struct Ordinary {
        config: postgres::Config,
        #[cfg(feature = "tls")]
        tls: Option<crate::io::MakeTls>,
    }

    impl Connection {
        /// # Errors
        /// [`ConfigErrorKind::Unsupported`] for `require_auth` where nothing else assures that it is the same server: the
        /// `postgres` crate cannot be told which methods to refuse.
        pub(crate) fn ordinary(&self, config: &Config) -> Result<Ordinary, Error> {
            let Protection { known, bound, exposed, .. } = &self.protection;
            if config.get_require_auth().is_some() && !*known && !*bound {
                let message = "cannot be enforced on the ordinary connection that looks tables up: verify the server (sslmode=verify-full) or remove it";
                let error = ConfigError::new(ConfigErrorKind::Unsupported, message);
                return Err(ErrorKind::Config(error.named("require_auth")).into());
            }
            // A password file that cannot be used was an error already, if the server asked for a password.
            let password = config.password_for(&self.endpoint).ok().flatten();
            let password = password.filter(|_| *bound || !*exposed);
            let mut client = config.to_postgres_at(&self.endpoint, password.as_ref())?;
            let tls = self.protection.is_tls();
            client.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
            client.ssl_negotiation(match config.get_ssl_negotiation() {
                crate::config::SslNegotiation::Direct if tls => SslNegotiation::Direct,
                _ => SslNegotiation::Postgres,
            });
            // What was proved to this connection, the other must see too.
            if *bound {
                client.channel_binding(ChannelBinding::Require);
            }
            Ok(Ordinary {
                config: client,
                #[cfg(feature = "tls")]
                tls: self.protection.tls.clone().map(crate::io::MakeTls),
            })
        }
    }

    impl Ordinary {
        pub(crate) fn connect(&self) -> Result<Client, postgres::Error> {
            #[cfg(feature = "tls")]
            if let Some(tls) = &self.tls {
                return self.config.connect(tls.clone());
            }
            self.config.connect(NoTls)
        }
    }
}

#[cfg(feature = "catalog")]
pub(crate) use ordinary::Ordinary;
