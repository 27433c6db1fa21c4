//! Hosts and the endpoints that are tried in order.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Config;
use super::error::{ConfigError, ConfigErrorKind, Problem};

/// The default port of a server.
pub const DEFAULT_PORT: u16 = 5432;

/// The directories in which packaged servers (`/var/run/postgresql`) and servers built from source
/// (`/tmp`) create their sockets.
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
    /// Reads a host as libpq does: text that begins with a slash is a directory.
    pub(crate) fn new(text: &str) -> Self {
        if text.starts_with('/') { Self::Unix(text.into()) } else { Self::Tcp(text.to_owned()) }
    }

    /// The text of the `host` parameter. Directories come from strings, so the conversion is
    /// lossless.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Tcp(name) => name.as_str().into(),
            Self::Unix(directory) => directory.to_string_lossy(),
        }
    }
}

/// An endpoint of a server: the settings of one host with every default filled in.
///
/// `Display` writes `name:port`, `[address]:port` or the socket's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: Host,
    hostaddr: Option<IpAddr>,
    port: u16,
}

impl Endpoint {
    /// The host; the address in `hostaddr` if only that was given.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The address to connect to without looking up the name.
    pub fn hostaddr(&self) -> Option<IpAddr> {
        self.hostaddr
    }

    /// Returns the same host at this address.
    #[cfg(feature = "reader")]
    pub(crate) fn at(&self, address: IpAddr) -> Self {
        Self { hostaddr: Some(address), ..self.clone() }
    }

    /// The port. For a Unix socket it is part of the file's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the socket, such as `/tmp/.s.PGSQL.5432`; `None` for TCP. With `hostaddr` any
    /// host is TCP, as in libpq.
    pub fn socket_path(&self) -> Option<PathBuf> {
        match &self.host {
            Host::Unix(directory) if self.hostaddr.is_none() => {
                Some(directory.join(format!(".s.PGSQL.{}", self.port)))
            }
            _ => None,
        }
    }

    /// The name of this server in the password file: `localhost` for default socket directories.
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
    /// The endpoints to try, in order, until one accepts a connection.
    ///
    /// Each host is one endpoint. A host that is not given stands for three: the Unix sockets in
    /// `/var/run/postgresql` and `/tmp`, then `localhost`. A libpq has one of the three built in,
    /// chosen when it was built.
    ///
    /// ```
    /// let config: pgoutput_reader::Config = "postgresql://a,b:5433/".parse()?;
    /// let endpoints: Vec<String> = config.endpoints()?.iter().map(ToString::to_string).collect();
    /// assert_eq!(endpoints, ["a:5432", "b:5433"]);
    /// # Ok::<(), pgoutput_reader::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`validate`](Config::validate).
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

    /// The number of hosts, with the default counted as one.
    fn host_count(&self) -> usize {
        self.hosts.len().max(self.hostaddrs.len()).max(1)
    }

    /// Checks the lists of hosts, addresses and ports: they have the same length, except that one
    /// port may serve all hosts, and no host contains a port.
    pub(crate) fn validate_lists(&self) -> Result<(), ConfigError> {
        if let Some(index) =
            self.hosts.iter().position(|host| host.as_ref().is_some_and(names_port))
            && !self.hostaddrs.get(index).is_some_and(Option::is_some)
        {
            return Err(ConfigError::of(
                "host",
                Problem::invalid("the port is a parameter of its own: write host=HOST port=NUMBER"),
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
                    "{addresses} addresses do not match {hosts} hosts; give one for each, or an \
                     empty one to look up the name"
                ),
            );
        }
        if ports > 1 && ports != self.host_count() {
            return mismatch(
                "port",
                format!(
                    "{ports} ports do not match {} hosts; give one for all, or one for each",
                    self.host_count()
                ),
            );
        }
        Ok(())
    }
}

/// Returns whether this is `host:port`. An IPv6 address has more than one colon.
fn names_port(host: &Host) -> bool {
    let Host::Tcp(name) = host else { return false };
    name.split_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}
