//! Connection settings: the server's address and how to connect to it.
//!
//! A [`Config`] comes from a connection string, from the environment, or from its setters, with the
//! names, the syntax and the precedence of libpq ([PostgreSQL manual,
//! 34.1](https://www.postgresql.org/docs/18/libpq-connect.html)):
//!
//! ```
//! use pgoutput_reader::Config;
//!
//! let uri: Config = "postgresql://alice@db.example.com:5433/shop?connect_timeout=10".parse()?;
//! let pairs: Config =
//!     "host=db.example.com port=5433 user=alice dbname=shop connect_timeout=10".parse()?;
//! assert_eq!(uri, pairs);
//!
//! let built = Config::new()
//!     .host("db.example.com")
//!     .port(5433)
//!     .user("alice")
//!     .dbname("shop")
//!     .connect_timeout(std::time::Duration::from_secs(10));
//! assert_eq!(uri, built);
//! # Ok::<(), pgoutput_reader::ConfigError>(())
//! ```
//!
//! # Supported parameters
//!
//! Every parameter of libpq 18 is known. These are honoured: `host`, `hostaddr`, `port` (also as
//! lists), `user`, `password`, `passfile`, `dbname`, `application_name`,
//! `fallback_application_name`, `options`, `service`, `connect_timeout`, `keepalives…`,
//! `tcp_user_timeout`, `target_session_attrs`, `load_balance_hosts`, `require_auth`,
//! `channel_binding`, `sslmode` and, with the feature `tls`, `sslnegotiation`, `sslrootcert`,
//! `sslcert`, `sslkey`, `sslcertmode`, `sslcrl`, `sslcrldir`, `sslsni`, `ssl_min_protocol_version`
//! and `ssl_max_protocol_version`. Any other parameter is accepted only with a value that matches
//! the behaviour of this crate, such as `gssencmode=disable`; otherwise it is an error that names
//! it. Nothing is ignored silently. An empty value means the default, for every parameter.
//!
//! Not supported: GSSAPI, OAuth, encrypted key files (`sslpassword`), `requirepeer`, and sockets in
//! Linux's abstract namespace.
//!
//! # Passwords over the network
//!
//! The default of `sslmode` is `prefer`, as in libpq. It gives no protection against an attacker on
//! the network. With the default, a password is therefore sent to a remote host (neither a Unix
//! socket nor a loopback address) only in two cases. Either the server's certificate was verified,
//! or the server proves with SCRAM-SHA-256-PLUS that it knows the password and is the other end of
//! this TLS connection. Set `sslmode=prefer` (or any other mode) to send it regardless.

mod accessors;
mod account;
#[cfg(feature = "reader")]
mod client;
mod conninfo;
mod dsn;
mod endpoint;
mod env;
mod error;
mod keyword;
mod parameters;
mod passfile;
#[cfg(feature = "postgres")]
mod postgres;
mod require_auth;
mod secret;
mod security;
mod service;
mod session;
mod ssl;
mod uri;
mod value;
mod variables;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

#[cfg(feature = "tls")]
pub(crate) fn home() -> Option<std::path::PathBuf> {
    account::home(&variables::process)
}

pub use endpoint::{DEFAULT_PORT, Endpoint, Host};
pub use error::{ConfigError, ConfigErrorKind};
pub use require_auth::{AuthMethod, RequireAuth};
pub use secret::Secret;
pub use session::TargetSessionAttrs;
pub use ssl::{ChannelBinding, SslCertMode, SslMode, SslNegotiation, TlsVersion};

use error::{ParameterOrigin, Problem};
use ssl::SslSettings;

/// The default limit of a frame from the server, in bytes: 1 GiB, the longest message that
/// PostgreSQL can build, plus its header of a tag and a length.
pub const DEFAULT_MAX_FRAME_SIZE: usize = (1 << 30) + 5;

/// The default of the longest delay before a read.
pub const DEFAULT_MAX_READ_DELAY: Duration = Duration::from_micros(800);

/// The default of the longest silence of the server while the program waits for it, the same as
/// PostgreSQL's.
pub const DEFAULT_WAL_RECEIVER_TIMEOUT: Duration = Duration::from_secs(60);

/// The default idle time before the first TCP keepalive of a replication connection.
pub const DEFAULT_KEEPALIVES_IDLE: Duration = Duration::from_secs(30);

/// The default time between TCP keepalives of a replication connection.
pub const DEFAULT_KEEPALIVES_INTERVAL: Duration = Duration::from_secs(10);

/// The default number of unanswered TCP keepalives of a replication connection.
pub const DEFAULT_KEEPALIVES_COUNT: u32 = 3;

/// The default time for which data sent on a replication connection may stay unacknowledged.
pub const DEFAULT_TCP_USER_TIMEOUT: Duration = Duration::from_secs(60);

/// The settings of a connection. See the [module](self).
///
/// Setters take and return the settings, and can be chained. Each getter has the name of its
/// parameter with the prefix `get_`. `Debug` shows everything but the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    hosts: Vec<Option<Host>>,
    hostaddrs: Vec<Option<IpAddr>>,
    ports: Vec<Option<u16>>,
    user: Option<String>,
    password: Option<Secret>,
    passfile: Option<String>,
    dbname: Option<String>,
    application_name: Option<String>,
    fallback_application_name: Option<String>,
    options: Option<String>,
    connect_timeout: Option<Duration>,
    keepalives: bool,
    keepalives_idle: Option<Duration>,
    keepalives_interval: Option<Duration>,
    keepalives_count: Option<u32>,
    tcp_user_timeout: Option<Duration>,
    ssl_mode: Option<SslMode>,
    ssl: SslSettings,
    channel_binding: ChannelBinding,
    require_auth: Option<RequireAuth>,
    target_session_attrs: TargetSessionAttrs,
    load_balance_hosts: bool,
    wal_sender_timeout: Option<Duration>,
    wal_receiver_timeout: Duration,
    max_frame_size: usize,
    max_read_delay: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            hostaddrs: Vec::new(),
            ports: Vec::new(),
            user: None,
            password: None,
            passfile: None,
            dbname: None,
            application_name: None,
            fallback_application_name: None,
            options: None,
            connect_timeout: None,
            keepalives: true,
            keepalives_idle: None,
            keepalives_interval: None,
            keepalives_count: None,
            tcp_user_timeout: None,
            ssl_mode: None,
            ssl: SslSettings::default(),
            channel_binding: ChannelBinding::default(),
            require_auth: None,
            target_session_attrs: TargetSessionAttrs::default(),
            load_balance_hosts: false,
            wal_sender_timeout: None,
            wal_receiver_timeout: DEFAULT_WAL_RECEIVER_TIMEOUT,
            max_frame_size: DEFAULT_MAX_FRAME_SIZE,
            max_read_delay: DEFAULT_MAX_READ_DELAY,
        }
    }
}

impl FromStr for Config {
    type Err = ConfigError;

    /// Parses a connection string of either form. The environment is not read, except to find the
    /// service file if the string names a service.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut parameters = dsn::parse(text, ParameterOrigin::ConnectionString)?;
        service::fill(&mut parameters, &variables::process)?;
        parameters.into_config()
    }
}

impl Config {
    /// Returns settings with nothing set: every default applies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the settings of the PG* environment variables ([manual,
    /// 34.15](https://www.postgresql.org/docs/18/libpq-envars.html)).
    ///
    /// # Errors
    /// A variable with an invalid or unsupported value, named by [`ConfigError::variable`].
    pub fn from_env() -> Result<Self, ConfigError> {
        env::from_env(&variables::process)
    }

    /// Reads the settings of `dsn`, or of the connection string in `DATABASE_URL` if `dsn` is
    /// `None`. PG* variables supply other parameters, as in any program that uses libpq.
    ///
    /// A parameter with an empty value counts as given: it has its default. Variables apply to each
    /// parameter separately, so `PGPORT`, `PGHOSTADDR` and `PGPASSWORD` apply to a host in `dsn`,
    /// as in libpq.
    ///
    /// # Errors
    /// A malformed connection string, or an invalid or unsupported value.
    pub fn from_dsn_or_env(dsn: Option<&str>) -> Result<Self, ConfigError> {
        env::from_dsn_or_env(dsn, &variables::process)
    }

    /// Checks the settings as a whole: that lists match, and that all settings are supported.
    /// Parsing includes this check.
    ///
    /// # Errors
    /// An error for the first parameter that cannot be honoured.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let fail = |parameter, problem| Err(ConfigError::of(parameter, problem));
        self.validate_ssl()?;
        for host in self.hosts.iter().flatten() {
            let text = host.text();
            if text.starts_with('@') {
                return fail(
                    "host",
                    Problem::unsupported("sockets in the abstract namespace are not supported"),
                );
            }
            if text.contains([',', '\0']) {
                return fail(
                    "host",
                    Problem::invalid("a host cannot contain a comma or a zero byte"),
                );
            }
        }
        let texts = [
            ("user", &self.user),
            ("dbname", &self.dbname),
            ("application_name", &self.application_name),
            ("fallback_application_name", &self.fallback_application_name),
            ("options", &self.options),
            ("passfile", &self.passfile),
        ];
        let password = self.password.as_ref().map(Secret::expose);
        for (parameter, text) in texts
            .map(|(name, text)| (name, text.as_deref()))
            .into_iter()
            .chain([("password", password)])
        {
            if text.is_some_and(|text| text.contains('\0')) {
                return fail(
                    parameter,
                    Problem::invalid("the value contains a zero byte, which is not allowed"),
                );
            }
        }
        if self.ports.contains(&Some(0)) {
            return fail("port", Problem::invalid("not a port number between 1 and 65535"));
        }
        // The server stores it as an int of milliseconds.
        if self
            .wal_sender_timeout
            .is_some_and(|timeout| i32::try_from(timeout.as_millis()).is_err())
        {
            return fail(
                "wal_sender_timeout",
                Problem::invalid("longer than the server's limit of 2147483647 ms"),
            );
        }
        self.validate_lists()
    }
}
