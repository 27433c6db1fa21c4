//! `COPY … TO STDOUT`: rows of a table, one CopyData message each.

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use super::Connection;
use super::open::SessionKind;
use crate::error::{Error, ProtocolError};
use crate::io::{BodyRange, Fill, WakePipe};
use crate::proto::backend::{COPY_DATA, Message};

fn doing(kind: SessionKind) -> &'static str {
    if kind == SessionKind::Pooled { "polling" } else { "copying a table from" }
}

/// The longest wait for the end of a command that failed.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The error of a copy whose rows or end come before its start.
pub(crate) const NOT_STARTED: ProtocolError =
    ProtocolError::Unexpected { tag: b'C', during: "copying a table" };

/// The result of waiting for the next part of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyOutAdvance {
    /// The server has started the copy.
    Started,
    /// Bytes of the copy. [`Connection::copied`] returns them until the next advance. Every server
    /// sends one row at a time, but the protocol allows other divisions.
    Data(BodyRange),
    /// The copy is complete, and the connection accepts the next command.
    Complete,
    /// The deadline has passed. No data is lost.
    TimedOut,
    /// A [`Waker`](crate::Waker) was used. No data is lost.
    Woken,
}

impl Connection {
    /// The pipe that wakes this connection.
    pub(crate) fn wake_pipe(&self) -> WakePipe {
        self.channel.wake_pipe()
    }

    /// Replaces the pipe that wakes this connection.
    pub(crate) fn set_wake_pipe(&mut self, wake: WakePipe) {
        self.channel.set_wake_pipe(wake);
    }

    /// Sends a `COPY … TO STDOUT`. The server may wait for a lock before it starts.
    ///
    /// # Errors
    /// Those of the connection.
    pub(crate) fn send_copy_out(&mut self, sql: &str) -> Result<(), Error> {
        self.send_query(sql, self.deadline(), self.copy_doing())
    }

    /// Returns the next part of the copy, and waits for it until `deadline`, which is called only
    /// if a wait is necessary.
    ///
    /// # Errors
    /// Those of the server, after which the connection is usable, and of the connection.
    #[inline]
    pub(crate) fn advance_copy_out(
        &mut self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<CopyOutAdvance, Error> {
        let deadline = LazyCell::new(deadline);
        let mut filled = false;
        loop {
            if let Some(advance) = self.advance_copy_out_buffered()? {
                return Ok(advance);
            }
            // A part of a message, which may never be completed.
            if filled && (*deadline).is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(CopyOutAdvance::TimedOut);
            }
            match self.channel.fill(*deadline)? {
                Fill::More => filled = true,
                Fill::TimedOut => return Ok(CopyOutAdvance::TimedOut),
                Fill::Woken => return Ok(CopyOutAdvance::Woken),
                Fill::Closed => return Err(self.channel.closed(self.copy_doing())),
            }
        }
    }

    /// Returns the next part of the copy if it has arrived, without a system call.
    #[inline]
    pub(crate) fn advance_copy_out_buffered(&mut self) -> Result<Option<CopyOutAdvance>, Error> {
        while let Some((tag, body)) = self.channel.inbox.next()? {
            if tag == COPY_DATA {
                return Ok(Some(CopyOutAdvance::Data(body)));
            }
            if let Some(advance) = self.copy_out_message(tag, body)? {
                return Ok(Some(advance));
            }
        }
        Ok(None)
    }

    /// Frees the memory of a long part. Earlier ranges become invalid.
    pub(crate) fn release_copied(&mut self) {
        self.channel.inbox.release();
    }

    /// The time at which bytes were last received.
    pub(crate) fn received_at(&self) -> Instant {
        self.channel.received_at()
    }

    fn copy_doing(&self) -> &'static str {
        doing(self.kind)
    }

    /// Returns the bytes of the last advance.
    #[inline]
    pub(crate) fn copied(&self, body: BodyRange) -> &[u8] {
        self.channel.inbox.body(body)
    }

    /// Processes a message that is not data.
    #[cold]
    fn copy_out_message(
        &mut self,
        tag: u8,
        body: BodyRange,
    ) -> Result<Option<CopyOutAdvance>, Error> {
        match Message::parse(tag, self.channel.inbox.body(body))? {
            Message::CopyOutResponse => Ok(Some(CopyOutAdvance::Started)),
            Message::CopyDone | Message::CommandComplete(_) => Ok(None),
            Message::ReadyForQuery => {
                self.busy = false;
                Ok(Some(CopyOutAdvance::Complete))
            }
            Message::ErrorResponse(fields) => {
                let error = fields.to_message(true).into();
                Err(self.after_error(error))
            }
            message => {
                let doing = doing(self.kind);
                self.async_messages.take(message, tag, doing).map(|()| None)
            }
        }
    }

    /// Reads up to the end of a command that failed. No ReadyForQuery follows a fatal error.
    fn after_error(&mut self, error: Error) -> Error {
        let doing = self.copy_doing();
        // The server sends it at once.
        let deadline = self.deadline().or_else(|| Instant::now().checked_add(END_TIMEOUT));
        while let Ok((tag, body)) = self.receive(deadline, doing) {
            match Message::parse(tag, self.channel.inbox.body(body)) {
                Ok(Message::ReadyForQuery) => {
                    self.busy = false;
                    break;
                }
                Ok(message) if self.async_messages.take(message, tag, doing).is_ok() => {}
                _ => break,
            }
        }
        error
    }
}

#[cfg(test)]
mod tests;
