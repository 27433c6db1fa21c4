//! Where a server listens, and getting a socket connected to it in time.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use super::transport::Transport;
use crate::Error;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp {
        host: String,
        /// Connect here without asking for the address of `host`.
        hostaddr: Option<IpAddr>,
        port: u16,
    },
    /// The socket itself, as in `/run/postgresql/.s.PGSQL.5432`.
    Unix(PathBuf),
}

/// A server to connect to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    /// For each address, from the first packet until the connection is ready.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Keepalive>,
    /// How long sent data may stay unacknowledged; Linux only.
    pub(crate) tcp_user_timeout: Option<Duration>,
}

/// TCP keepalive; a value of `None` is the system's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Keepalive {
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) count: Option<u32>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One place to try: a host name may stand for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

const CONNECTING: &str = "connecting to";

impl Endpoint {
    /// The addresses to try. Asking a name server has no bound but the resolver's own.
    pub(crate) fn targets(&self) -> Result<Vec<Target>, Error> {
        match &self.address {
            Address::Unix(path) => Ok(vec![Target::Unix(path.clone())]),
            Address::Tcp { hostaddr: Some(ip), port, .. } => {
                Ok(vec![Target::Tcp(SocketAddr::new(*ip, *port))])
            }
            Address::Tcp { host, port, .. } => (host.as_str(), *port)
                .to_socket_addrs()
                .map(|found| found.map(Target::Tcp).collect())
                .map_err(|error| {
                    Error::io("looking up the address of", &self.address.to_string(), error)
                }),
        }
    }

    /// A connected, non-blocking socket.
    pub(crate) fn connect(
        &self,
        target: &Target,
        deadline: Option<Instant>,
    ) -> Result<Transport, Error> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(Error::timeout(CONNECTING, &self.address.to_string()));
        }
        let connected = match target {
            Target::Tcp(address) => self.connect_tcp(address, left),
            Target::Unix(path) => connect_unix(path, left),
        };
        connected.map_err(|error| {
            let address = self.address.to_string();
            match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock if left.is_some() => {
                    Error::timeout(CONNECTING, &address)
                }
                _ => Error::io(CONNECTING, &address, error),
            }
        })
    }

    fn connect_tcp(&self, address: &SocketAddr, left: Option<Duration>) -> io::Result<Transport> {
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
        if let Some(keepalive) = self.keepalive {
            socket.set_tcp_keepalive(&keepalive.into())?;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(self.tcp_user_timeout)?;
        match left {
            Some(left) => socket.connect_timeout(&(*address).into(), left)?,
            None => socket.connect(&(*address).into())?,
        }
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Transport::Tcp(socket.into()))
    }
}

fn connect_unix(path: &PathBuf, left: Option<Duration>) -> io::Result<Transport> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Connecting waits while the server's queue is full, for as long as a write may.
    SockRef::from(&socket).set_write_timeout(left)?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_nonblocking(true)?;
    Ok(Transport::Unix(socket.into()))
}

impl From<Keepalive> for TcpKeepalive {
    fn from(keepalive: Keepalive) -> Self {
        let mut made = Self::new();
        if let Some(idle) = keepalive.idle {
            made = made.with_time(idle);
        }
        if let Some(interval) = keepalive.interval {
            made = made.with_interval(interval);
        }
        if let Some(count) = keepalive.count {
            made = made.with_retries(count);
        }
        made
    }
}
