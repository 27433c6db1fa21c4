//! Hosts, and the addresses that are tried in turn.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Config;
use super::error::{ConfigError, ConfigErrorKind, Problem};

/// The port of a server when none is given.
pub const DEFAULT_PORT: u16 = 5432;

/// The directories in which packaged servers (`/var/run/postgresql`) and servers built from source (`/tmp`) put their
/// sockets.
#[cfg(unix)]
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];
#[cfg(not(unix))]
const SOCKET_DIRECTORIES: [&str; 0] = [];

const DEFAULT_NAME: &str = "localhost";

/// One value of the `host` parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// A host name, or an IPv4 or IPv6 address (without brackets).
    Tcp(String),
    /// The directory of a Unix socket.
    Unix(PathBuf),
}

impl Host {
    /// Reads a host as libpq does: what begins with a slash is a directory.
    pub(crate) fn new(text: &str) -> Self {
        if text.starts_with('/') { Self::Unix(text.into()) } else { Self::Tcp(text.to_owned()) }
    }

    /// The text of the `host` parameter. Directories come from strings, so nothing is lost.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Tcp(name) => name.as_str().into(),
            Self::Unix(directory) => directory.to_string_lossy(),
        }
    }
}

/// One place where a server may be reached: the settings of one host with every default filled in.
///
/// `Display` writes `name:port`, `[address]:port` or the socket's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: Host,
    hostaddr: Option<IpAddr>,
    port: u16,
}

impl Endpoint {
    /// The host, named or not: where only `hostaddr` was given it is that address.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The address to connect to without asking for the name's.
    pub fn hostaddr(&self) -> Option<IpAddr> {
        self.hostaddr
    }

    /// The same host at this address.
    #[cfg(feature = "reader")]
    pub(crate) fn at(&self, address: IpAddr) -> Self {
        Self { hostaddr: Some(address), ..self.clone() }
    }

    /// The port; for a Unix socket it is part of the file's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket's file, such as `/tmp/.s.PGSQL.5432`; none for TCP. `hostaddr` makes any host TCP, as in libpq.
    pub fn socket_path(&self) -> Option<PathBuf> {
        match &self.host {
            Host::Unix(directory) if self.hostaddr.is_none() => {
                Some(directory.join(format!(".s.PGSQL.{}", self.port)))
            }
            _ => None,
        }
    }

    /// The name under which the password file knows this server: default socket directories are `localhost`.
    pub(crate) fn passfile_host(&self) -> std::borrow::Cow<'_, str> {
        match &self.host {
            Host::Unix(directory)
                if SOCKET_DIRECTORIES.iter().any(|known| directory == Path::new(known)) =>
            {
                DEFAULT_NAME.into()
            }
            host => host.text(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.socket_path() {
            return write!(f, "{}", path.display());
        }
        let host = self.host.text();
        if host.contains(':') {
            write!(f, "[{host}]:{}", self.port)?;
        } else {
            write!(f, "{host}:{}", self.port)?;
        }
        match self.hostaddr {
            Some(address) if address.to_string() != host => write!(f, " ({address})"),
            _ => Ok(()),
        }
    }
}

impl Config {
    /// The places to try, in order, until one accepts a connection.
    ///
    /// There is one for each host. A host that is not given stands for three: the Unix sockets in `/var/run/postgresql` and
    /// `/tmp`, then `localhost`; a libpq has one of the three built in, and which one depends on who built it.
    ///
    /// ```
    /// let config: pgoutput_reader::Config = "postgresql://a,b:5433/".parse()?;
    /// let places: Vec<String> = config.endpoints()?.iter().map(ToString::to_string).collect();
    /// assert_eq!(places, ["a:5432", "b:5433"]);
    /// # Ok::<(), pgoutput_reader::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// What [`validate`](Config::validate) finds.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, ConfigError> {
        self.validate()?;
        let mut endpoints = Vec::new();
        for index in 0..self.host_count() {
            let hostaddr = self.hostaddrs.get(index).copied().flatten();
            let port = match self.ports.as_slice() {
                [only] => *only,
                ports => ports.get(index).copied().flatten(),
            };
            let port = port.unwrap_or(DEFAULT_PORT);
            match (self.hosts.get(index).cloned().flatten(), hostaddr) {
                (Some(host), _) => endpoints.push(Endpoint { host, hostaddr, port }),
                (None, Some(address)) => {
                    endpoints.push(Endpoint {
                        host: Host::Tcp(address.to_string()),
                        hostaddr,
                        port,
                    });
                }
                (None, None) => endpoints.extend(
                    SOCKET_DIRECTORIES.iter().chain(&[DEFAULT_NAME]).map(|host| Endpoint {
                        host: Host::new(host),
                        hostaddr: None,
                        port,
                    }),
                ),
            }
        }
        Ok(endpoints)
    }

    /// How many hosts there are, the default counted as one.
    fn host_count(&self) -> usize {
        self.hosts.len().max(self.hostaddrs.len()).max(1)
    }

    /// The lists of hosts, addresses and ports must have the same length; one port may serve all
    /// hosts, and no host has one in its name.
    pub(crate) fn validate_lists(&self) -> Result<(), ConfigError> {
        if let Some(place) =
            self.hosts.iter().position(|host| host.as_ref().is_some_and(names_port))
            && !self.hostaddrs.get(place).is_some_and(Option::is_some)
        {
            return Err(ConfigError::of(
                "host",
                Problem::invalid(
                    "a host with a port, which is a parameter of its own: write host=HOST port=NUMBER",
                ),
            ));
        }
        let (hosts, addresses, ports) = (self.hosts.len(), self.hostaddrs.len(), self.ports.len());
        let mismatch = |parameter, message: String| {
            Err(ConfigError::new(ConfigErrorKind::Mismatch, message).named(parameter))
        };
        if hosts != 0 && addresses != 0 && hosts != addresses {
            return mismatch(
                "hostaddr",
                format!(
                    "{addresses} addresses do not fit {hosts} hosts; give one for each, empty where the name is to be looked up"
                ),
            );
        }
        if ports > 1 && ports != self.host_count() {
            return mismatch(
                "port",
                format!(
                    "{ports} ports do not fit {} hosts; give one for all, or one for each",
                    self.host_count()
                ),
            );
        }
        Ok(())
    }
}

/// Whether this is `host:port`. IPv6 addresses have more than one colon.
fn names_port(host: &Host) -> bool {
    let Host::Tcp(name) = host else { return false };
    name.split_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}
