//! The writing side of a connection: unsent bytes, and the socket to send them to.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BytesMut};

use super::syscall::retry;
use super::transport::Transport;
use crate::error::{Error, LimitError};

/// The most unsent bytes while the server does not read. A status update takes 39.
pub(super) const UNSENT_LIMIT: usize = 64 * 1024;

/// The writing side, which threads share. Messages appended under one lock are sent together.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    transport: Transport,
    address: Arc<str>,
    // Locked only for calls that cannot block.
    unsent: Arc<Mutex<BytesMut>>,
}

impl Writer {
    pub(super) fn new(transport: Transport, address: &str) -> Self {
        Self { transport, address: address.into(), unsent: Arc::default() }
    }

    /// Locks the unsent bytes, to append to them and send them.
    pub(crate) fn outbox(&self) -> Outbox<'_> {
        // Bytes are only appended or sent, so a panic elsewhere cannot leave them inconsistent.
        let unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        Outbox { writer: self, unsent }
    }

    /// Returns whether there are unsent bytes.
    pub(super) fn pending(&self) -> bool {
        !self.outbox().is_empty() || self.transport.unsent()
    }
}

/// The lock on the unsent bytes.
pub(crate) struct Outbox<'a> {
    writer: &'a Writer,
    unsent: MutexGuard<'a, BytesMut>,
}

impl Outbox<'_> {
    /// Sends what the socket accepts now. The rest stays unsent; too much of it is an error.
    pub(crate) fn try_flush(&mut self) -> Result<(), Error> {
        self.send()?;
        if self.len() > UNSENT_LIMIT {
            return Err(LimitError::Unsent { pending: self.len() }.into());
        }
        Ok(())
    }

    pub(super) fn send(&mut self) -> Result<(), Error> {
        let Writer { transport, address, .. } = self.writer;
        while !self.unsent.is_empty() || transport.unsent() {
            let sent = if self.unsent.is_empty() {
                transport.push().map(|()| 0)
            } else {
                retry(|| transport.write(&self.unsent))
            };
            match sent {
                Ok(len) => self.unsent.advance(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The server has closed the connection. The reason may still be readable: reading
                // reports it, or the end.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                    ) =>
                {
                    self.unsent.clear();
                }
                Err(error) => return Err(Error::io("writing to", address, error)),
            }
        }
        Ok(())
    }
}

impl Deref for Outbox<'_> {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.unsent
    }
}

impl DerefMut for Outbox<'_> {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.unsent
    }
}
