//! During the copy: the server sends changes, we send how far we are, each whenever it likes.

use std::fmt;
use std::time::Instant;

use postgres_protocol::message::frontend;

use super::Connection;
use crate::Error;
use crate::error::{ProtocolError, ServerMessage};
#[cfg(feature = "reader")]
use crate::io::WakePipe;
use crate::io::{BodyRange, Fill, Waker, Writer};
use crate::proto::ServerVersion;
use crate::proto::backend::{COPY_DATA, Message};

/// A connection on which START_REPLICATION has succeeded (manual, section "Streaming Replication Protocol").
///
/// Dropping it closes the socket; [`finish`](Self::finish) ends the copy in order.
pub struct CopyBoth {
    connection: Connection,
    /// The server has ended the copy from its side.
    ended: bool,
}

/// What came of waiting for the next message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Advance {
    /// CopyData: its payload is [`CopyBoth::payload`] of this position, until the next advance.
    Copy(BodyRange),
    /// A notice or warning, such as PostgreSQL 18's about a missing publication.
    Notice(Box<ServerMessage>),
    /// Something else that is no change; it was dealt with.
    Aside,
    /// The deadline passed; nothing is lost.
    TimedOut,
    /// A [`Waker`] was used; nothing is lost.
    Woken,
    /// The server ended the copy, as when it shuts down; this stays so. No error yet, so that what was read
    /// can be acknowledged.
    Ended,
}

const DOING: &str = "reading changes from";

impl CopyBoth {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, ended: false }
    }

    /// The server's version.
    pub fn server_version(&self) -> ServerVersion {
        self.connection.version
    }

    /// A parameter the server reports; kept up to date during the copy.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.connection.parameter(name)
    }

    /// The address connected to.
    pub fn address(&self) -> &str {
        self.connection.address()
    }

    /// Wakes this connection when it waits for the server.
    pub fn waker(&self) -> Waker {
        self.connection.channel.waker()
    }

    /// What wakes this connection.
    #[cfg(feature = "reader")]
    pub(crate) fn wake_pipe(&self) -> WakePipe {
        self.connection.channel.wake_pipe()
    }

    /// Is woken by this from now on; wakers given out before wake it no more.
    #[cfg(feature = "reader")]
    pub(crate) fn set_wake_pipe(&mut self, wake: WakePipe) {
        self.connection.channel.set_wake_pipe(wake);
    }

    /// The next message, waiting for it until `deadline`. Gives a position that borrows nothing, so that a lending reader
    /// and an iterator can share it; good until the next call.
    ///
    /// # Errors
    /// The server's, or the connection's; then the copy is over.
    #[inline]
    pub(crate) fn advance(&mut self, deadline: Option<Instant>) -> Result<Advance, Error> {
        let mut filled = false;
        loop {
            if let Some(advance) = self.advance_buffered()? {
                return Ok(advance);
            }
            // A part of a message, which may never become whole.
            if filled && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(Advance::TimedOut);
            }
            match self.connection.channel.fill(deadline)? {
                Fill::More => filled = true,
                Fill::TimedOut => return Ok(Advance::TimedOut),
                Fill::Woken => return Ok(Advance::Woken),
                Fill::Closed => return Err(self.connection.channel.closed(DOING)),
            }
        }
    }

    /// The next message if all of it has arrived; no system call is made.
    #[inline]
    pub(crate) fn advance_buffered(&mut self) -> Result<Option<Advance>, Error> {
        if self.ended {
            return Ok(Some(Advance::Ended));
        }
        let Some((tag, body)) = self.connection.channel.inbox.next()? else { return Ok(None) };
        if tag == COPY_DATA {
            return Ok(Some(Advance::Copy(body)));
        }
        self.take_aside(tag, body).map(Some)
    }

    /// The payload at a position that the last advance gave.
    #[inline]
    pub(crate) fn payload(&self, position: BodyRange) -> &[u8] {
        self.connection.channel.inbox.body(position)
    }

    /// Gives back the memory of a long message; positions given before are void.
    #[cfg(feature = "reader")]
    pub(crate) fn release(&mut self) {
        self.connection.channel.inbox.release();
    }

    /// When bytes came last.
    pub(crate) fn heard_at(&self) -> Instant {
        self.connection.channel.heard_at()
    }

    /// The writing side.
    pub(crate) fn sender(&self) -> CopySender {
        CopySender(self.connection.channel.writer())
    }

    /// Ends the copy in order: CopyDone to the server, then everything up to its own end of the copy. Changes
    /// that still come are not handed over and not confirmed; the server sends them again next time.
    ///
    /// In the middle of a large transaction the server first sends the rest of it, which can take as long as the
    /// transaction is large; `deadline` bounds that, and when it has passed the socket is closed. Wake-ups are
    /// ignored meanwhile.
    ///
    /// # Errors
    /// The server's, the connection's, [`Timeout`](crate::ErrorKind::Timeout),
    /// [`CopyEnded`](crate::ErrorKind::CopyEnded) when the server had ended the copy and is gone.
    pub fn finish(mut self, deadline: Instant) -> Result<Connection, Error> {
        const DOING: &str = "ending the copy from";
        let deadline = Some(deadline);
        frontend::copy_done(&mut self.connection.channel.outbox());
        loop {
            let channel = &mut self.connection.channel;
            let Some((tag, body)) = channel.inbox.next()? else {
                // What waits to be sent goes out with this wait.
                match channel.fill_by(deadline) {
                    Ok(Fill::More | Fill::Woken) => continue,
                    Ok(Fill::TimedOut) => return Err(Error::timeout(DOING, channel.address())),
                    // A server that shuts down ends the copy and is gone.
                    _ if self.ended => return Err(Error::copy_ended(channel.address())),
                    Ok(Fill::Closed) => return Err(channel.closed(DOING)),
                    Err(error) => return Err(error),
                }
            };
            if tag == COPY_DATA {
                continue;
            }
            match Message::parse(tag, channel.inbox.body(body))? {
                Message::CopyDone | Message::CommandComplete(_) => {}
                Message::ReadyForQuery => {
                    self.connection.busy = false;
                    return Ok(self.connection);
                }
                message => self.connection.aside.take(message, tag, DOING)?,
            }
        }
    }

    /// Everything that is not a change.
    #[cold]
    fn take_aside(&mut self, tag: u8, body: BodyRange) -> Result<Advance, Error> {
        let Connection { channel, aside, .. } = &mut self.connection;
        match Message::parse(tag, channel.inbox.body(body))? {
            Message::NoticeResponse(fields) => {
                Ok(Advance::Notice(Box::new(fields.to_message(true))))
            }
            // A server that shuts down says CommandComplete without CopyDone.
            Message::CopyDone | Message::CommandComplete(_) => {
                self.ended = true;
                Ok(Advance::Ended)
            }
            Message::ReadyForQuery => {
                Err(ProtocolError::Unexpected { tag, during: "replicating" }.into())
            }
            message => aside.take(message, tag, "replicating").map(|()| Advance::Aside),
        }
    }
}

/// The writing side of a copy, which another thread may have.
#[derive(Debug, Clone)]
pub(crate) struct CopySender(Writer);

impl CopySender {
    /// Sends a CopyData message. Does not wait: what the socket does not take now goes with the next wait for the server, or the
    /// next [`push`](Self::push).
    pub(crate) fn send_copy_data(&self, payload: &[u8]) -> Result<(), Error> {
        let message = frontend::CopyData::new(payload)
            .map_err(|_| Error::usage("a CopyData message cannot be longer than 2 GiB"))?;
        let mut outbox = self.0.outbox();
        message.write(&mut outbox);
        outbox.try_flush()
    }

    /// Sends what the socket takes now of what waits.
    pub(crate) fn push(&self) -> Result<(), Error> {
        self.0.outbox().try_flush()
    }
}

impl fmt::Debug for CopyBoth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyBoth")
            .field("connection", &self.connection)
            .field("ended", &self.ended)
            .finish()
    }
}
