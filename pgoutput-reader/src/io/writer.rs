//! The writing side of a connection: what waits to be sent, and the socket it goes to.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BytesMut};

use super::syscall::retry;
use super::transport::Transport;
use crate::Error;
use crate::error::LimitError;

/// Most bytes that wait to be sent while the server does not read. A status takes 39.
pub(super) const UNSENT_LIMIT: usize = 64 * 1024;

/// Shared by whoever has something to say. What each puts together under one lock is sent in one piece.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    transport: Transport,
    address: Arc<str>,
    // Held for as long as a call that cannot block takes.
    unsent: Arc<Mutex<BytesMut>>,
}

impl Writer {
    pub(super) fn new(transport: Transport, address: &str) -> Self {
        Self { transport, address: address.into(), unsent: Arc::default() }
    }

    /// What waits to be sent, for adding to it and sending; nobody else can meanwhile.
    pub(crate) fn outbox(&self) -> Outbox<'_> {
        // Bytes are only ever added or sent: a panic elsewhere cannot spoil them.
        let unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        Outbox { writer: self, unsent }
    }

    /// Whether something waits to be sent.
    pub(super) fn pending(&self) -> bool {
        !self.outbox().is_empty() || self.transport.unsent()
    }
}

/// The lock on what waits to be sent.
pub(crate) struct Outbox<'a> {
    writer: &'a Writer,
    unsent: MutexGuard<'a, BytesMut>,
}

impl Outbox<'_> {
    /// Sends what the socket takes now, and leaves the rest, as long as it is little.
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
                // The server has gone, and why may still be waiting to be read: reading tells, or finds the end.
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
