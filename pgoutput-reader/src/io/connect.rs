//! Connecting a socket to a server.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use super::transport::Transport;
use crate::config::{self, Config, Endpoint, Host};
use crate::error::{Error, ErrorKind};

/// An address to try. A host name may have several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Target {
    /// The IP address; `None` for a Unix socket.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }
}

const CONNECTING: &str = "connecting to";

/// The addresses of an endpoint. Name resolution has no timeout but the resolver's own.
pub(crate) fn targets(endpoint: &Endpoint) -> Result<Vec<Target>, Error> {
    if let Some(path) = endpoint.socket_path() {
        return Ok(vec![Target::Unix(path)]);
    }
    if let Some(ip) = endpoint.hostaddr() {
        return Ok(vec![Target::Tcp(SocketAddr::new(ip, endpoint.port()))]);
    }
    let Host::Tcp(name) = endpoint.host() else { return Ok(Vec::new()) };
    match (name.as_str(), endpoint.port()).to_socket_addrs() {
        Ok(found) => Ok(found.map(Target::Tcp).collect()),
        Err(error) => Err(Error::io("looking up the address of", &endpoint.to_string(), error)),
    }
}

/// Connects a socket and makes it non-blocking.
pub(crate) fn connect(
    target: &Target,
    config: &Config,
    deadline: Option<Instant>,
    address: &str,
) -> Result<Transport, Error> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Err(Error::timeout(CONNECTING, address));
    }
    let connected = match target {
        Target::Tcp(address) => connect_tcp(*address, config, left),
        Target::Unix(path) => connect_unix(path, left),
    };
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock if left.is_some() => {
            Error::timeout(CONNECTING, address)
        }
        _ => Error::io(CONNECTING, address, error),
    })
}

fn connect_tcp(
    address: SocketAddr,
    config: &Config,
    left: Option<Duration>,
) -> io::Result<Transport> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if config.get_keepalives() {
        socket.set_tcp_keepalive(&keepalive(config))?;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let default = config.get_keepalives().then_some(config::DEFAULT_TCP_USER_TIMEOUT);
        let timeout = config.get_tcp_user_timeout().or(default);
        socket.set_tcp_user_timeout(timeout.map(|time| up_to(time, 1000)))?;
    }
    match left {
        Some(left) => socket.connect_timeout(&address.into(), left)?,
        None => socket.connect(&address.into())?,
    }
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(Transport::Tcp(Arc::new(socket.into())))
}

fn connect_unix(path: &Path, left: Option<Duration>) -> io::Result<Transport> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On a Unix socket, connecting waits while the server's queue is full, for at most the write
    // timeout.
    socket.set_write_timeout(left)?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_nonblocking(true)?;
    Ok(Transport::Unix(Arc::new(socket.into())))
}

fn keepalive(config: &Config) -> TcpKeepalive {
    let idle = config.get_keepalives_idle().unwrap_or(config::DEFAULT_KEEPALIVES_IDLE);
    let interval = config.get_keepalives_interval().unwrap_or(config::DEFAULT_KEEPALIVES_INTERVAL);
    TcpKeepalive::new()
        .with_time(up_to(idle, 1))
        .with_interval(up_to(interval, 1))
        .with_retries(config.get_keepalives_count().unwrap_or(config::DEFAULT_KEEPALIVES_COUNT))
}

/// Rounds up to the system's unit, of which there are `units` in a second. Rounded down it could
/// become zero, which has another meaning.
fn up_to(time: Duration, units: u32) -> Duration {
    let unit = Duration::from_secs(1) / units;
    let whole = time.as_nanos().div_ceil(unit.as_nanos());
    unit.saturating_mul(u32::try_from(whole).unwrap_or(u32::MAX))
}

/// Returns whether another address may succeed: this one could not be reached, or its server is not
/// ready.
pub(crate) fn may_try_next(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Io { .. } | ErrorKind::Timeout { .. } => true,
        // Starting up, or too many connections.
        ErrorKind::Server(message) => matches!(message.sqlstate(), Some("57P03" | "53300")),
        #[cfg(feature = "reader")]
        ErrorKind::Catalog(error) => {
            let unreachable = error.io_error().is_some();
            error.sqlstate().map_or(unreachable, |code| matches!(code, "57P03" | "53300"))
        }
        // The errors of one address without and with TLS; the last one decides.
        ErrorKind::AllHosts(errors) => errors.last().is_some_and(may_try_next),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_the_systems_unit() {
        for (micros, units, expected) in [
            (1, 1, 1_000_000),
            (1_000_000, 1, 1_000_000),
            (1_000_001, 1, 2_000_000),
            (1, 1000, 1000),
            (1500, 1000, 2000),
        ] {
            let rounded = up_to(Duration::from_micros(micros), units);
            assert_eq!(rounded, Duration::from_micros(expected));
        }
    }
}
