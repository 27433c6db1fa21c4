//! SQL connections over the `postgres` crate, protected in the same way as replication connections.

use std::time::Duration;

use postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use postgres::{Client, NoTls};

use super::Connection;
use super::open::SessionKind;
use super::protection::Protection;
use crate::config::{
    Config, ConfigError, ConfigErrorKind, Endpoint, SslMode as Mode, SslNegotiation as Negotiation,
};
use crate::error::{AuthError, Error, ErrorKind, TlsError};
use crate::proto::pinned_settings;

/// Opens SQL connections to one server.
pub(crate) struct SqlConnector {
    client: postgres::Config,
    mode: Mode,
    address: String,
    /// SQL that applies the settings of the library's own queries.
    pins: String,
    /// Whether there may be a pooler: each query then is a transaction of its own, with settings
    /// that end with it.
    pooled: bool,
    /// The longest time for which the server may be silent; `None` is no limit.
    limit: Option<Duration>,
    /// Set if the password is withheld; the value is whether the connection would use TLS.
    withheld: Option<bool>,
    #[cfg(feature = "tls")]
    tls: Option<crate::io::MakeTls>,
}

impl Connection {
    /// Returns a connector to the server of this connection, with TLS exactly if this one uses it.
    ///
    /// # Errors
    /// Those of [`SqlConnector::new`].
    pub(crate) fn sql_connector(&self, config: &Config) -> Result<SqlConnector, Error> {
        let pooled = self.kind == SessionKind::Pooled;
        let pins = if pooled {
            pinned_settings::local(self.version)
        } else {
            pinned_settings::all(self.version)
        };
        Ok(SqlConnector {
            pins,
            pooled,
            ..SqlConnector::new(config, &self.endpoint, &self.protection)?
        })
    }
}

impl SqlConnector {
    /// # Errors
    /// [`ConfigErrorKind::Unsupported`] for `require_auth`, unless something else ensures that it
    /// is the right server: the `postgres` crate has no setting for allowed methods.
    pub(super) fn new(
        config: &Config,
        endpoint: &Endpoint,
        protection: &Protection,
    ) -> Result<Self, Error> {
        let &Protection { known, bound, exposed, address, .. } = protection;
        if config.get_require_auth().is_some() && !known && !bound {
            let message = "cannot be enforced on the SQL connection for the catalogue: verify \
                           the server (sslmode=verify-full) or remove it";
            let error = ConfigError::new(ConfigErrorKind::Unsupported, message);
            return Err(error.named("require_auth").into());
        }
        // If the password file is unusable and a password was needed, the replication connection
        // has already reported it.
        let password = config.password_for(endpoint).ok().flatten();
        let tls = protection.is_tls();
        // An exposed password is sent only to a server that proves by channel binding that it knows
        // it.
        let withheld = (exposed && !tls && password.is_some()).then_some(tls);
        let password = password.filter(|_| withheld.is_none());
        let at = address.map(|address| endpoint.at(address));
        let mut client =
            config.to_postgres_at(at.as_ref().unwrap_or(endpoint), password.as_ref())?;
        if bound || (exposed && tls && password.is_some()) {
            client.channel_binding(ChannelBinding::Require);
        }
        client.ssl_mode(if tls { SslMode::Require } else { SslMode::Disable });
        client.ssl_negotiation(match config.get_ssl_negotiation() {
            Negotiation::Direct if tls => SslNegotiation::Direct,
            _ => SslNegotiation::Postgres,
        });
        Ok(Self {
            client,
            mode: config.get_ssl_mode(),
            address: endpoint.to_string(),
            pins: String::new(),
            pooled: false,
            limit: Some(config.get_wal_receiver_timeout()).filter(|limit| !limit.is_zero()),
            withheld,
            #[cfg(feature = "tls")]
            tls: protection.tls.clone().map(crate::io::MakeTls),
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// SQL to be run first in each session for the library's own queries, or first in each
    /// transaction if the connection [is pooled](Self::is_pooled).
    pub(crate) fn pins(&self) -> &str {
        &self.pins
    }

    /// Returns whether the next transaction may run in another session of the server.
    pub(crate) fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// The longest time for which the server may be silent; `None` is no limit.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    pub(crate) fn connect(&self) -> Result<Client, Error> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return self.client.connect(tls.clone()).map_err(|error| self.convert_error(error));
        }
        self.client.connect(NoTls).map_err(|error| self.convert_error(error))
    }

    /// Converts that crate's errors of TLS and passwords to this one's.
    fn convert_error(&self, error: postgres::Error) -> Error {
        let cause = std::error::Error::source(&error);
        let ours = cause.and_then(|cause| cause.downcast_ref::<Error>()).map(Error::kind);
        let contains = |words: &str| cause.is_some_and(|cause| cause.to_string().contains(words));
        match (ours, self.withheld) {
            (Some(ErrorKind::Tls(error)), _) => error.clone().into(),
            _ if contains("server does not support TLS") => {
                TlsError::NotOffered { mode: self.mode }.into()
            }
            (_, Some(tls)) if contains("password missing") => {
                AuthError::PasswordUnprotected { method: "password", tls }.into()
            }
            _ => Error::sql(error),
        }
    }
}
