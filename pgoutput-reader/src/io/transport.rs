//! A connected non-blocking socket: TCP, Unix or TLS over TCP.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

#[cfg(feature = "tls")]
use super::tls::TlsStream;

/// Reads and writes take `&self`, and a clone is the same socket, so another thread may own the
/// writing side.
#[derive(Debug, Clone)]
pub(crate) enum Transport {
    Tcp(Arc<TcpStream>),
    Unix(Arc<UnixStream>),
    #[cfg(feature = "tls")]
    Tls(Arc<TlsStream>),
}

impl Transport {
    /// Returns the same socket with TLS, whose handshake has not started. TLS is for TCP; any other
    /// socket is unchanged.
    #[cfg(feature = "tls")]
    pub(super) fn secured(self, tls: rustls::ClientConnection) -> Self {
        match self {
            Self::Tcp(socket) => Self::Tls(Arc::new(TlsStream::new(socket, tls))),
            other => other,
        }
    }

    /// The TLS connection, if there is one.
    #[cfg(feature = "tls")]
    pub(super) fn tls(&self) -> Option<&TlsStream> {
        match self {
            Self::Tls(stream) => Some(stream),
            _ => None,
        }
    }

    /// Returns whether written bytes are kept here unsent.
    pub(super) fn unsent(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.unsent(),
            _ => false,
        }
    }

    /// Sends the bytes kept here.
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::unnecessary_wraps, reason = "the same with the feature")
    )]
    pub(super) fn push(&self) -> io::Result<()> {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.push(),
            _ => Ok(()),
        }
    }

    pub(super) fn read(&self, space: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => (&**socket).read(space),
            Self::Unix(socket) => (&**socket).read(space),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(space),
        }
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => (&**socket).write(bytes),
            Self::Unix(socket) => (&**socket).write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.as_fd(),
        }
    }
}
