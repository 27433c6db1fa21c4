//! TLS with rustls on a non-blocking socket.
//!
//! rustls does no input or output of its own. [`TlsStream`] moves bytes between it and the socket;
//! `settings` converts connection settings to its own, with the files that `files` reads and the
//! certificate verifiers in `verify`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConnection;

mod binding;
mod files;
#[cfg(feature = "reader")]
mod postgres_tls;
mod settings;
mod verify;

pub(crate) use binding::end_point;
#[cfg(feature = "reader")]
pub(crate) use postgres_tls::MakeTls;
pub(crate) use settings::TlsSettings;

/// The space for one read from the socket: two records of the greatest length.
const INCOMING: usize = 32 * 1024;

/// The most bytes given to rustls before the socket has accepted the result: one record.
const RECORD: usize = 16 * 1024;

/// A TLS connection whose reads and writes take `&self`, so that another thread may own the writing
/// side.
pub(crate) struct TlsStream {
    socket: Arc<TcpStream>,
    // Locked only for calls that cannot block.
    state: Mutex<TlsState>,
}

struct TlsState {
    tls: ClientConnection,
    /// Bytes from the socket that rustls has not processed: `incoming[start..end]`.
    incoming: Box<[u8]>,
    start: usize,
    end: usize,
    /// The error that ended TLS, while earlier bytes are still to be read.
    failed: Option<rustls::Error>,
    /// Whether the socket accepts no more bytes.
    gone: bool,
}

impl TlsStream {
    pub(crate) fn new(socket: Arc<TcpStream>, tls: ClientConnection) -> Self {
        let incoming = vec![0; INCOMING].into();
        let state = TlsState { tls, incoming, start: 0, end: 0, failed: None, gone: false };
        Self { socket, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, TlsState> {
        // Nothing in here panics midway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Continues the handshake as far as bytes have arrived. True once it is complete.
    pub(super) fn handshake(&self) -> io::Result<bool> {
        let mut state = self.state();
        loop {
            state.push(&self.socket)?;
            if !state.tls.is_handshaking() {
                return Ok(true);
            }
            if let Some(error) = &state.failed {
                return Err(wrap(error.clone()));
            }
            if state.start == state.end {
                match state.pull(&self.socket) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            state.process(&self.socket)?;
        }
    }

    /// Reads like [`Read::read`]. If `buffer` is not filled, nothing is left except what the socket
    /// may hold.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        let mut filled = 0;
        loop {
            while filled < buffer.len() {
                match state.tls.reader().read(&mut buffer[filled..]) {
                    Ok(0) => return Ok(filled),
                    Ok(len) => filled += len,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // Closed without an alert, as by a server that crashed. Messages have lengths,
                    // so truncation is noticed.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(filled),
                    Err(error) => return Err(error),
                }
            }
            if filled == buffer.len() {
                return Ok(filled);
            }
            if let Some(error) = &state.failed {
                return if filled > 0 { Ok(filled) } else { Err(wrap(error.clone())) };
            }
            if state.start == state.end {
                if filled > 0 {
                    return Ok(filled);
                }
                if state.pull(&self.socket)? == 0 {
                    // Reports the end to rustls.
                    state.tls.read_tls(&mut io::empty())?;
                    continue;
                }
            }
            state.process(&self.socket)?;
        }
    }

    /// Writes like [`Write::write`]. Accepted bytes may be unsent; see [`unsent`](Self::unsent).
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.push(&self.socket)?;
        let taken = state.tls.writer().write(&bytes[..bytes.len().min(RECORD)])?;
        match state.push(&self.socket) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(taken),
            result => result.map(|()| taken),
        }
    }

    /// Returns whether accepted bytes, or a response of TLS itself, are unsent.
    pub(super) fn unsent(&self) -> bool {
        let state = self.state();
        !state.gone && state.tls.wants_write()
    }

    /// Sends unsent bytes.
    pub(super) fn push(&self) -> io::Result<()> {
        self.state().push(&self.socket)
    }

    /// The hash of the server's certificate for channel binding, once the handshake is complete.
    pub(crate) fn end_point(&self) -> Option<Vec<u8>> {
        let state = self.state();
        end_point(state.tls.peer_certificates()?.first()?)
    }

    /// Returns whether the server has chosen PostgreSQL's protocol (ALPN).
    pub(crate) fn is_postgresql(&self) -> bool {
        self.state().tls.alpn_protocol() == Some(settings::ALPN)
    }
}

impl TlsState {
    /// Reads once from the socket.
    fn pull(&mut self, mut socket: &TcpStream) -> io::Result<usize> {
        let len = socket.read(&mut self.incoming)?;
        (self.start, self.end) = (0, len);
        Ok(len)
    }

    /// Passes received bytes to rustls. Its error is kept in `failed`, since there may be valid
    /// bytes before it.
    fn process(&mut self, socket: &TcpStream) -> io::Result<()> {
        self.start += self.tls.read_tls(&mut &self.incoming[self.start..self.end])?;
        if let Err(error) = self.tls.process_new_packets() {
            // Reports the error to the server, if it still reads.
            let _ = self.push(socket);
            self.failed = Some(error);
        }
        Ok(())
    }

    fn push(&mut self, mut socket: &TcpStream) -> io::Result<()> {
        while self.tls.wants_write() && !self.gone {
            match self.tls.write_tls(&mut socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.gone = error.kind() != ErrorKind::WouldBlock;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// Wraps the error so that it can be distinguished from one of the socket: see `Error::of_io`.
fn wrap(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        let mut state = self.state();
        state.tls.send_close_notify();
        // A best effort: one attempt.
        let _ = state.push(&self.socket);
    }
}

impl AsFd for TlsStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
