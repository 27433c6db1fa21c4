//! Setters and getters, and the defaults.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::account::Account;
use super::error::{ConfigError, ConfigErrorKind};
use super::{Config, Host, Secret, conninfo, variables};

/// An empty text means the default, as in a connection string.
fn text(value: impl Into<String>) -> Option<String> {
    Some(value.into()).filter(|value| !value.is_empty())
}

/// Zero means the default, or no limit.
fn time(value: Duration) -> Option<Duration> {
    Some(value).filter(|value| !value.is_zero())
}

/// # Setters
impl Config {
    /// Adds a host to try: a name, an address, or the directory of a Unix socket (which begins with
    /// a slash). Several can be given at once, separated by commas; an empty one among them, or no
    /// host at all, means the [default](Config::endpoints).
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        if !host.is_empty() {
            self.hosts.extend(
                host.split(',')
                    .map(|host| Some(host).filter(|host| !host.is_empty()).map(Host::new)),
            );
        }
        self
    }

    /// Adds the address of a host, so that its name is not looked up. Give none, or one for each
    /// host.
    #[must_use]
    pub fn hostaddr(mut self, address: IpAddr) -> Self {
        self.hostaddrs.push(Some(address));
        self
    }

    /// Adds a port. Give none for 5432, one for all hosts, or one for each.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.ports.push(Some(port));
        self
    }

    /// Sets the user. The default is the name of this process's account.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = text(user);
        self
    }

    /// Sets the password. An empty one is no password, and the password file is searched instead.
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into()).filter(|password| !password.expose().is_empty());
        self
    }

    /// Sets the password file. The default is `~/.pgpass`.
    #[must_use]
    pub fn passfile(mut self, path: impl Into<String>) -> Self {
        self.passfile = text(path);
        self
    }

    /// Sets the database. The default is the one with the user's name.
    #[must_use]
    pub fn dbname(mut self, dbname: impl Into<String>) -> Self {
        self.dbname = text(dbname);
        self
    }

    /// Sets the name that `pg_stat_replication` shows.
    #[must_use]
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.application_name = text(name);
        self
    }

    /// Sets the application name to use if neither the connection string nor `PGAPPNAME` has one. A
    /// program that sets this leaves the choice to its user. The default is `pgoutput`.
    #[must_use]
    pub fn fallback_application_name(mut self, name: impl Into<String>) -> Self {
        self.fallback_application_name = text(name);
        self
    }

    /// Sets command-line options for the server process, such as `-c work_mem=64MB`.
    ///
    /// The library's own settings take precedence: those that the text of values depends on,
    /// `search_path` (empty), `quote_all_identifiers`, `client_min_messages`, and the timeouts that
    /// could end a session.
    #[must_use]
    pub fn options(mut self, options: impl Into<String>) -> Self {
        self.options = text(options);
        self
    }

    /// Sets how long to try each host. Zero, the default, is no limit.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = time(timeout);
        self
    }

    /// Turns TCP keepalives on (the default) or off.
    #[must_use]
    pub fn keepalives(mut self, on: bool) -> Self {
        self.keepalives = on;
        self
    }

    /// Sets the idle time before the first TCP keepalive, in whole seconds. Zero is the default,
    /// [`DEFAULT_KEEPALIVES_IDLE`](super::DEFAULT_KEEPALIVES_IDLE).
    #[must_use]
    pub fn keepalives_idle(mut self, idle: Duration) -> Self {
        self.keepalives_idle = time(idle);
        self
    }

    /// Sets the time after which an unanswered TCP keepalive is repeated, in whole seconds. Zero is
    /// the default, [`DEFAULT_KEEPALIVES_INTERVAL`](super::DEFAULT_KEEPALIVES_INTERVAL).
    #[must_use]
    pub fn keepalives_interval(mut self, interval: Duration) -> Self {
        self.keepalives_interval = time(interval);
        self
    }

    /// Sets the number of unanswered TCP keepalives after which the connection counts as dead. Zero
    /// is the default, [`DEFAULT_KEEPALIVES_COUNT`](super::DEFAULT_KEEPALIVES_COUNT).
    #[must_use]
    pub fn keepalives_count(mut self, count: u32) -> Self {
        self.keepalives_count = Some(count).filter(|count| *count != 0);
        self
    }

    /// Sets how long the system waits for sent data to be acknowledged, in whole milliseconds. Zero
    /// is the default: [`DEFAULT_TCP_USER_TIMEOUT`](super::DEFAULT_TCP_USER_TIMEOUT) if keepalives
    /// are on, otherwise the system's.
    #[must_use]
    pub fn tcp_user_timeout(mut self, timeout: Duration) -> Self {
        self.tcp_user_timeout = time(timeout);
        self
    }

    /// Sets the server's `wal_sender_timeout` for this connection alone, in whole milliseconds.
    /// `Some` of zero turns it off; `None` leaves the server's own value.
    #[must_use]
    pub fn wal_sender_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.wal_sender_timeout = timeout;
        self
    }

    /// Sets how long the server may be silent, without even a keepalive, while the program waits
    /// for it. Zero is no limit. The default is
    /// [`DEFAULT_WAL_RECEIVER_TIMEOUT`](super::DEFAULT_WAL_RECEIVER_TIMEOUT).
    ///
    /// After half of this time the reader asks the server for a reply. If none has arrived after
    /// the other half, the connection counts as dead, and reading ends with
    /// [`ServerSilent`](crate::ErrorKind::ServerSilent). A pause of the program is not a silence of
    /// the server, which is always asked first. PostgreSQL's own receiver has a setting of the same
    /// name (manual, section "Replication"). A server before 16 can be silent for long while it
    /// decodes a large transaction of which nothing is published; set a longer time for it.
    #[must_use]
    pub fn wal_receiver_timeout(mut self, timeout: Duration) -> Self {
        self.wal_receiver_timeout = timeout;
        self
    }

    /// Sets the largest frame to accept from the server, in bytes, including its header. A longer
    /// frame is an error. Memory is allocated only as its bytes arrive.
    #[must_use]
    pub fn max_frame_size(mut self, bytes: usize) -> Self {
        self.max_frame_size = bytes;
        self
    }

    /// Sets the longest delay before a read, up to a second. Zero reads every change as it arrives.
    /// The default is [`DEFAULT_MAX_READ_DELAY`](super::DEFAULT_MAX_READ_DELAY).
    ///
    /// Reads are delayed only while the stream is busy, that is after a number of reads that
    /// followed each other within 100 microseconds. A delay before each read then lets data
    /// accumulate, which takes most of the work off this program and much off the server. Delays
    /// end with the first one that brings little data. Time that the program spends between reads
    /// counts as part of the delay.
    ///
    /// A stop ends a delay at once, and a call whose deadline comes first reads at its deadline. On
    /// a Unix socket, which buffers little, a delay is at most 300 microseconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pgoutput_reader::Config;
    ///
    /// // Every change at once, whatever it costs both sides.
    /// let config: Config = "host=db dbname=shop user=cdc".parse()?;
    /// let config = config.max_read_delay(Duration::ZERO);
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn max_read_delay(mut self, delay: Duration) -> Self {
        self.max_read_delay = delay;
        self
    }
}

/// # Getters
///
/// Getters. `None` means that the default applies.
impl Config {
    /// The hosts as given; `None` for an empty one.
    pub fn get_hosts(&self) -> &[Option<Host>] {
        &self.hosts
    }

    /// The addresses as given; `None` for an empty one.
    pub fn get_hostaddrs(&self) -> &[Option<IpAddr>] {
        &self.hostaddrs
    }

    /// The ports as given; `None` for an empty one.
    pub fn get_ports(&self) -> &[Option<u16>] {
        &self.ports
    }

    /// The user, if one was given; see [`user_or_default`](Config::user_or_default).
    pub fn get_user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, if one was given; see [`password_for`](Config::password_for).
    pub fn get_password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The password file, if one was given.
    pub fn get_passfile(&self) -> Option<&Path> {
        self.passfile.as_deref().map(Path::new)
    }

    /// The database, if one was given; see [`dbname_or_default`](Config::dbname_or_default).
    pub fn get_dbname(&self) -> Option<&str> {
        self.dbname.as_deref()
    }

    /// The application name that is sent to the server.
    pub(crate) fn application_name_or_default(&self) -> &str {
        self.get_application_name().unwrap_or("pgoutput")
    }

    /// The application name, or the fallback if none is set; see
    /// [`fallback_application_name`](Self::fallback_application_name).
    pub fn get_application_name(&self) -> Option<&str> {
        self.application_name.as_deref().or(self.fallback_application_name.as_deref())
    }

    /// The command-line options for the server process.
    pub fn get_options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    /// The time for which each host is tried.
    pub fn get_connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Returns whether TCP keepalives are on.
    pub fn get_keepalives(&self) -> bool {
        self.keepalives
    }

    /// The idle time before the first TCP keepalive.
    pub fn get_keepalives_idle(&self) -> Option<Duration> {
        self.keepalives_idle
    }

    /// The time between TCP keepalives.
    pub fn get_keepalives_interval(&self) -> Option<Duration> {
        self.keepalives_interval
    }

    /// The number of unanswered TCP keepalives.
    pub fn get_keepalives_count(&self) -> Option<u32> {
        self.keepalives_count
    }

    /// The longest time for which sent data may stay unacknowledged.
    pub fn get_tcp_user_timeout(&self) -> Option<Duration> {
        self.tcp_user_timeout
    }

    /// The `wal_sender_timeout` to set for this connection.
    pub fn get_wal_sender_timeout(&self) -> Option<Duration> {
        self.wal_sender_timeout
    }

    /// The longest silence of the server while the program waits for it; zero is no limit.
    pub fn get_wal_receiver_timeout(&self) -> Duration {
        self.wal_receiver_timeout
    }

    /// The largest frame to accept, in bytes, including its header.
    pub fn get_max_frame_size(&self) -> usize {
        self.max_frame_size
    }

    /// The longest delay before a read, which is the most it can add to the latency of a change.
    pub fn get_max_read_delay(&self) -> Duration {
        self.max_read_delay
    }
}

/// # What is sent
impl Config {
    /// The user to connect as: the one given, or the name of this process's account, from
    /// `/etc/passwd`, `LOGNAME` or `USER`.
    ///
    /// # Errors
    /// [`ConfigErrorKind::NoUser`] if there is none.
    pub fn user_or_default(&self) -> Result<Cow<'_, str>, ConfigError> {
        self.user_or(&variables::process, Account::current)
    }

    pub(crate) fn user_or(
        &self,
        lookup: variables::Lookup<'_>,
        account: impl FnOnce() -> Option<Account>,
    ) -> Result<Cow<'_, str>, ConfigError> {
        if let Some(user) = &self.user {
            return Ok(user.into());
        }
        let variable = |name| lookup(name)?.into_string().ok().filter(|name| !name.is_empty());
        account()
            .map(|account| account.name)
            .or_else(|| variable("LOGNAME"))
            .or_else(|| variable("USER"))
            .map(Cow::Owned)
            .ok_or_else(|| {
                ConfigError::new(
                    ConfigErrorKind::NoUser,
                    "no user is given and this process's account has no name; set user or PGUSER",
                )
                .named("user")
            })
    }

    /// The database to connect to: the one given, or the one with the user's name.
    ///
    /// # Errors
    /// Those of [`user_or_default`](Config::user_or_default).
    pub fn dbname_or_default(&self) -> Result<Cow<'_, str>, ConfigError> {
        match &self.dbname {
            Some(dbname) => Ok(dbname.into()),
            None => self.user_or_default(),
        }
    }

    /// These settings as a connection string of `keyword=value` pairs, **with the password in clear
    /// text**. Parsing it gives an equal `Config`, with two exceptions.
    /// [`wal_sender_timeout`](Config::wal_sender_timeout),
    /// [`wal_receiver_timeout`](Config::wal_receiver_timeout),
    /// [`max_frame_size`](Config::max_frame_size) and [`max_read_delay`](Config::max_read_delay)
    /// are left out, as libpq has no keywords for them. Durations are rounded up to whole seconds
    /// (milliseconds for `tcp_user_timeout`).
    ///
    /// ```
    /// let config: pgoutput_reader::Config = "postgresql://alice@db/my%20shop".parse()?;
    /// assert_eq!(config.to_conninfo(), "host=db user=alice dbname='my shop'");
    /// # Ok::<(), pgoutput_reader::ConfigError>(())
    /// ```
    pub fn to_conninfo(&self) -> String {
        fn list<T>(items: &[Option<T>], show: impl Fn(&T) -> String) -> Option<String> {
            let shown: Vec<String> =
                items.iter().map(|item| item.as_ref().map(&show).unwrap_or_default()).collect();
            (!items.is_empty()).then(|| shown.join(","))
        }
        fn seconds(time: Option<Duration>) -> Option<String> {
            time.map(|time| time.as_nanos().div_ceil(1_000_000_000).to_string())
        }
        fn unless_default<T: Default + PartialEq + ToString>(value: &T) -> Option<String> {
            (*value != T::default()).then(|| value.to_string())
        }
        let ssl = &self.ssl;
        let pairs = [
            ("host", list(&self.hosts, |host| host.text().into_owned())),
            ("hostaddr", list(&self.hostaddrs, ToString::to_string)),
            ("port", list(&self.ports, ToString::to_string)),
            ("user", self.user.clone()),
            ("password", self.password.as_ref().map(|password| password.expose().to_owned())),
            ("passfile", self.passfile.clone()),
            ("dbname", self.dbname.clone()),
            ("application_name", self.application_name.clone()),
            ("fallback_application_name", self.fallback_application_name.clone()),
            ("options", self.options.clone()),
            ("connect_timeout", seconds(self.connect_timeout)),
            ("keepalives", (!self.keepalives).then(|| "0".to_owned())),
            ("keepalives_idle", seconds(self.keepalives_idle)),
            ("keepalives_interval", seconds(self.keepalives_interval)),
            ("keepalives_count", self.keepalives_count.map(|count| count.to_string())),
            (
                "tcp_user_timeout",
                self.tcp_user_timeout.map(|time| time.as_nanos().div_ceil(1_000_000).to_string()),
            ),
            ("sslmode", self.ssl_mode.map(|mode| mode.to_string())),
            ("sslnegotiation", unless_default(&ssl.negotiation)),
            ("sslrootcert", ssl.root_cert.clone()),
            ("sslcert", ssl.cert.clone()),
            ("sslkey", ssl.key.clone()),
            ("sslcertmode", unless_default(&ssl.cert_mode)),
            ("sslcrl", ssl.crl.clone()),
            ("sslcrldir", ssl.crl_dir.clone()),
            ("sslsni", (!ssl.sni).then(|| "0".to_owned())),
            ("ssl_min_protocol_version", ssl.min_version.map(|version| version.to_string())),
            ("ssl_max_protocol_version", ssl.max_version.map(|version| version.to_string())),
            ("channel_binding", unless_default(&self.channel_binding)),
            ("require_auth", self.require_auth.map(|methods| methods.to_string())),
            ("target_session_attrs", unless_default(&self.target_session_attrs)),
            ("load_balance_hosts", self.load_balance_hosts.then(|| "random".to_owned())),
        ];
        let mut out = String::new();
        for (keyword, value) in pairs {
            if let Some(value) = value {
                conninfo::write(&mut out, keyword, &value);
            }
        }
        out
    }
}
