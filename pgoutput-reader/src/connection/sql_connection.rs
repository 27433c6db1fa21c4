//! Ordinary connections by the `postgres` crate, protected in the same way as replication connections.

use std::time::Duration;

use postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use postgres::{Client, NoTls};

use super::Connection;
use super::hosts::first;
use super::open::{ConnectFailure, Start, in_turn, is_local};
use super::protection::Protection;
use crate::config::{
    Config, ConfigError, ConfigErrorKind, Endpoint, SslMode as Mode, SslNegotiation as Negotiation,
    TargetSessionAttrs,
};
use crate::error::{AuthError, TlsError};
use crate::io::Target;
use crate::proto::pinned_settings;
use crate::{Error, ErrorKind};

/// Everything that ordinary connections to one server need.
pub(crate) struct Ordinary {
    client: postgres::Config,
    mode: Mode,
    address: String,
    /// SQL that gives a session the settings of the library's own queries.
    pins: String,
    /// How long the server may say nothing; none is without limit.
    limit: Option<Duration>,
    /// A password is kept back, and the connection would have TLS or not.
    kept_back: Option<bool>,
    #[cfg(feature = "tls")]
    tls: Option<crate::io::MakeTls>,
}

impl Connection {
    /// To the server that this connection has reached, by TLS exactly if this one is.
    ///
    /// # Errors
    /// As [`Ordinary::new`].
    pub(crate) fn ordinary(&self, config: &Config) -> Result<Ordinary, Error> {
        let pins = pinned_settings::all(self.version);
        Ok(Ordinary { pins, ..Ordinary::new(config, &self.endpoint, &self.protection)? })
    }
}

impl Ordinary {
    /// # Errors
    /// [`ConfigErrorKind::Unsupported`] for `require_auth` where nothing else assures that it is the right server: the
    /// `postgres` crate cannot be told which methods to refuse.
    fn new(config: &Config, endpoint: &Endpoint, protection: &Protection) -> Result<Self, Error> {
        let &Protection { known, bound, exposed, address, .. } = protection;
        if config.get_require_auth().is_some() && !known && !bound {
            let message = "cannot be enforced on the ordinary connection, which looks tables up: verify the server (sslmode=verify-full) or remove it";
            let error = ConfigError::new(ConfigErrorKind::Unsupported, message);
            return Err(error.named("require_auth").into());
        }
        // Found unusable, a password file was an error already if the server asked the replication connection for a password.
        let password = config.password_for(endpoint).ok().flatten();
        let tls = protection.is_tls();
        // Exposed it goes only to a server that proves by channel binding that it knows it.
        let kept_back = (exposed && !tls && password.is_some()).then_some(tls);
        let password = password.filter(|_| kept_back.is_none());
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
            limit: Some(config.get_wal_receiver_timeout()).filter(|limit| !limit.is_zero()),
            kept_back,
            #[cfg(feature = "tls")]
            tls: protection.tls.clone().map(crate::io::MakeTls),
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// SQL to be run first in each session that the library asks.
    pub(crate) fn pins(&self) -> &str {
        &self.pins
    }

    /// How long the server may say nothing; none is without limit.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.limit
    }

    pub(crate) fn connect(&self) -> Result<Client, Error> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return self.client.connect(tls.clone()).map_err(|error| self.explain(error));
        }
        self.client.connect(NoTls).map_err(|error| self.explain(error))
    }

    /// What that crate says of TLS and passwords, in the terms of this one.
    fn explain(&self, error: postgres::Error) -> Error {
        let cause = std::error::Error::source(&error);
        let ours = cause.and_then(|cause| cause.downcast_ref::<Error>()).map(Error::kind);
        let says = |words: &str| cause.is_some_and(|cause| cause.to_string().contains(words));
        match (ours, self.kept_back) {
            (Some(ErrorKind::Tls(error)), _) => error.clone().into(),
            _ if says("server does not support TLS") => {
                TlsError::NotOffered { mode: self.mode }.into()
            }
            (_, Some(tls)) if says("password missing") => {
                AuthError::PasswordUnprotected { method: "password", tls }.into()
            }
            _ => error.into(),
        }
    }

    /// The same, if the server is what is wanted.
    fn connect_wanted(&self, wanted: TargetSessionAttrs) -> Result<Client, Error> {
        use TargetSessionAttrs as Wanted;
        let mut client = self.connect()?;
        if wanted == Wanted::Any {
            return Ok(client);
        }
        let row = client.query_one(
            "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only'::pg_catalog.text) \
                    OPERATOR(pg_catalog.=) 'on'::pg_catalog.text",
            &[],
        )?;
        let (standby, read_only): (bool, bool) = (row.get(0), row.get(1));
        let fits = match wanted {
            Wanted::Any | Wanted::PreferStandby => true,
            Wanted::Primary => !standby,
            Wanted::Standby => standby,
            Wanted::ReadWrite => !read_only,
            Wanted::ReadOnly => read_only,
        };
        if fits {
            return Ok(client);
        }
        Err(ErrorKind::SessionAttrs { wanted, address: self.address.clone() }.into())
    }
}

impl Config {
    /// Opens an ordinary connection, by the `postgres` crate, with all that these settings say of hosts, TLS and passwords:
    /// [`Connection::connect`] for SQL.
    ///
    /// ```no_run
    /// let config: pgoutput_reader::Config = "host=db.example.com sslmode=verify-full".parse()?;
    /// let mut client = config.connect_postgres()?;
    /// client.batch_execute("CREATE PUBLICATION my_publication FOR TABLE public.my_table")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The session is yours: it has the `search_path` and the timeouts that the server, the role and
    /// [`options`](Config::options) give it, as in psql. What this runs itself is qualified. For SQL of your own where
    /// other users may create objects, qualify names too, or begin with `SET search_path = ''`.
    ///
    /// # Errors
    /// Those of [`Connection::connect`]; [`ConfigErrorKind::Unsupported`] for `require_auth` unless the server is on this machine or its certificate
    /// verified, since the `postgres` crate cannot be told which methods to refuse.
    pub fn connect_postgres(&self) -> Result<Client, Error> {
        first(self, |endpoint, target, wanted| {
            in_turn(self, target, |start| {
                Ok(self.ordinary_by(endpoint, target, start)?.connect_wanted(wanted)?)
            })
        })
    }

    fn ordinary_by(
        &self,
        endpoint: &Endpoint,
        target: &Target,
        start: Start,
    ) -> Result<Ordinary, ConnectFailure> {
        let protection = match start {
            Start::Plain => Protection::default(),
            #[cfg(feature = "tls")]
            Start::Tls => {
                let tls = crate::io::TlsSettings::new(self, endpoint).map_err(Error::from)?;
                Protection { tls: Some(tls), ..Protection::default() }
            }
        };
        let known = is_local(target) || protection.is_verified();
        let exposed = !known && !self.ssl_mode_is_chosen();
        let address = target.ip();
        let protection = Protection { address, known, exposed, ..protection };
        Ok(Ordinary::new(self, endpoint, &protection)?)
    }
}
