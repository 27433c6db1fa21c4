//! The copy: the server sends changes and the client status updates, independently of each other.

use std::fmt;
use std::time::Instant;

use postgres_protocol::message::frontend;

use super::Connection;
use crate::error::{Error, ProtocolError, ServerMessage};
#[cfg(feature = "reader")]
use crate::io::WakePipe;
use crate::io::{BodyRange, Fill, Waker, Writer};
use crate::proto::backend::{COPY_DATA, Message};
use crate::server_version::ServerVersion;

/// A connection on which START_REPLICATION has succeeded (manual, section "Streaming Replication
/// Protocol").
///
/// Dropping it closes the socket; [`finish`](Self::finish) ends the copy in an orderly way.
pub struct CopyBoth {
    connection: Connection,
    /// Whether the server has ended the copy.
    ended: bool,
}

/// The result of waiting for the next message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Advance {
    /// A CopyData message. [`CopyBoth::payload`] returns its payload until the next advance.
    Copy(BodyRange),
    /// A notice or warning, such as PostgreSQL 18's about a missing publication.
    Notice(Box<ServerMessage>),
    /// Another message that is not a change. It was handled.
    Handled,
    /// The deadline has passed. No data is lost.
    TimedOut,
    /// A [`Waker`] was used. No data is lost.
    Woken,
    /// The server ended the copy, for example because it shuts down. Every later advance returns
    /// this too. It is not an error yet, so that what was read can be acknowledged.
    Ended,
}

const DOING: &str = "reading changes from";

impl CopyBoth {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, ended: false }
    }

    /// Returns the server's version.
    pub fn server_version(&self) -> ServerVersion {
        self.connection.version
    }

    /// Returns a parameter that the server reports. It is kept up to date during the copy.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.connection.parameter(name)
    }

    /// Returns the address of the server.
    pub fn address(&self) -> &str {
        self.connection.address()
    }

    /// Returns a handle that wakes this connection when it waits for the server.
    pub fn waker(&self) -> Waker {
        self.connection.channel.waker()
    }

    /// The pipe that wakes this connection.
    #[cfg(feature = "reader")]
    pub(crate) fn wake_pipe(&self) -> WakePipe {
        self.connection.channel.wake_pipe()
    }

    /// Replaces the pipe that wakes this connection. Wakers of the previous pipe have no effect any
    /// more.
    #[cfg(feature = "reader")]
    pub(crate) fn set_wake_pipe(&mut self, wake: WakePipe) {
        self.connection.channel.set_wake_pipe(wake);
    }

    /// Returns the next message, and waits for it until `deadline`. The result borrows nothing, so
    /// that a lending reader and an iterator can share this. It is valid until the next call.
    ///
    /// # Errors
    /// Errors of the server and of the connection. The copy is then over.
    #[inline]
    pub(crate) fn advance(&mut self, deadline: Option<Instant>) -> Result<Advance, Error> {
        let mut filled = false;
        loop {
            if let Some(advance) = self.advance_buffered()? {
                return Ok(advance);
            }
            // A part of a message, which may never be completed.
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

    /// Returns the next message if all of it has arrived, without a system call.
    #[inline]
    pub(crate) fn advance_buffered(&mut self) -> Result<Option<Advance>, Error> {
        if self.ended {
            return Ok(Some(Advance::Ended));
        }
        let Some((tag, body)) = self.connection.channel.inbox.next()? else { return Ok(None) };
        if tag == COPY_DATA {
            return Ok(Some(Advance::Copy(body)));
        }
        self.handle(tag, body).map(Some)
    }

    /// Returns the payload at a range that the last advance returned.
    #[inline]
    pub(crate) fn payload(&self, position: BodyRange) -> &[u8] {
        self.connection.channel.inbox.body(position)
    }

    /// Frees the memory of a long message. Earlier ranges become invalid.
    #[cfg(feature = "reader")]
    pub(crate) fn release(&mut self) {
        self.connection.channel.inbox.release();
    }

    /// The time at which bytes were last received.
    pub(crate) fn received_at(&self) -> Instant {
        self.connection.channel.received_at()
    }

    /// The writing side.
    pub(crate) fn sender(&self) -> CopySender {
        CopySender(self.connection.channel.writer())
    }

    /// Ends the copy in an orderly way: sends CopyDone, then reads up to the server's end of the
    /// copy. Changes that still arrive are neither returned nor confirmed; the server sends them
    /// again next time.
    ///
    /// In the middle of a large transaction the server first sends the rest of it, which can take
    /// long. `deadline` bounds that; when it has passed, the socket is closed. Wake-ups are ignored
    /// meanwhile.
    ///
    /// # Errors
    /// Errors of the server and of the connection, [`Timeout`](crate::ErrorKind::Timeout), and
    /// [`CopyEnded`](crate::ErrorKind::CopyEnded) if the server had ended the copy and is gone.
    pub fn finish(mut self, deadline: Instant) -> Result<Connection, Error> {
        const DOING: &str = "ending the copy from";
        let deadline = Some(deadline);
        frontend::copy_done(&mut self.connection.channel.outbox());
        loop {
            let channel = &mut self.connection.channel;
            let Some((tag, body)) = channel.inbox.next()? else {
                // This wait also sends unsent bytes.
                match channel.fill_by(deadline) {
                    Ok(Fill::More | Fill::Woken) => continue,
                    Ok(Fill::TimedOut) => return Err(Error::timeout(DOING, channel.address())),
                    // A server that shuts down ends the copy and closes the connection.
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
                message => self.connection.async_messages.take(message, tag, DOING)?,
            }
        }
    }

    /// Handles messages that are not a change.
    #[cold]
    fn handle(&mut self, tag: u8, body: BodyRange) -> Result<Advance, Error> {
        let Connection { channel, async_messages, .. } = &mut self.connection;
        match Message::parse(tag, channel.inbox.body(body))? {
            Message::NoticeResponse(fields) => {
                Ok(Advance::Notice(Box::new(fields.to_message(true))))
            }
            // A server that shuts down sends CommandComplete without CopyDone.
            Message::CopyDone | Message::CommandComplete(_) => {
                self.ended = true;
                Ok(Advance::Ended)
            }
            Message::ReadyForQuery => {
                Err(ProtocolError::Unexpected { tag, during: "replicating" }.into())
            }
            message => async_messages.take(message, tag, "replicating").map(|()| Advance::Handled),
        }
    }
}

/// The writing side of a copy, which may be in another thread.
#[derive(Debug, Clone)]
pub(crate) struct CopySender(Writer);

impl CopySender {
    /// Sends a CopyData message without waiting. Bytes that the socket does not accept now are sent
    /// with the next wait for the server, or the next [`push`](Self::push).
    pub(crate) fn send_copy_data(&self, payload: &[u8]) -> Result<(), Error> {
        let message = frontend::CopyData::new(payload)
            .map_err(|_| Error::usage("a CopyData message cannot be longer than 2 GiB"))?;
        let mut outbox = self.0.outbox();
        message.write(&mut outbox);
        outbox.try_flush()
    }

    /// Sends the unsent bytes that the socket accepts now.
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
