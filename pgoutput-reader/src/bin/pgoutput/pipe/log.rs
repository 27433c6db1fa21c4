//! A destination: records in order, and the position of the last event with them.

use std::fmt;

use pgoutput_reader::Position;

use super::batch::Batch;
use crate::Failure;

/// An engine that keeps a log.
///
/// An engine is used by one thread. Every call ends in bounded time, with a transient error if the
/// engine did not answer.
pub(crate) trait Log: Send {
    /// Connects, or connects again after a transient error, and reads what is stored.
    ///
    /// # Errors
    /// The engine cannot be reached or refuses the connection, the destination does not exist, or
    /// its content is not what this program has stored: it lost records, or others wrote to it.
    fn open(&mut self) -> Result<Stored, LogError>;

    /// Stores the records of the batch that are not [done](Batch::skip), and its position.
    ///
    /// # Errors
    /// After a transient error it is not known what was stored; [`open`](Self::open) reads it.
    fn store(&mut self, batch: &Batch) -> Result<(), LogError>;

    /// Returns whether the batch of the last call of [`store`](Self::store), which failed, is
    /// stored, as the last call of [`open`](Self::open) found. `None` if only the position can tell,
    /// which it cannot in a copy: all rows of a table have the same position.
    fn has_last_batch(&self) -> Option<bool> {
        None
    }

    /// Returns the name of the destination in messages, without passwords.
    fn name(&self) -> String;
}

/// What a log has stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stored {
    /// The position of the last event all of whose records are stored; `None` before the first.
    pub(crate) position: Option<Position>,
    /// The number of records of the next event that are stored. Only a log that cannot store a
    /// batch in one step has such records.
    pub(crate) records: usize,
}

impl Stored {
    /// Everything up to this position is stored.
    pub(crate) fn at(position: Position) -> Self {
        Self { position: Some(position), records: 0 }
    }
}

/// An error of a log. The message names the destination, without passwords.
#[derive(Debug)]
pub(crate) struct LogError {
    kind: LogErrorKind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogErrorKind {
    /// It may pass: worth another attempt.
    Transient,
    Final,
    /// The program was asked to end meanwhile.
    Stopped,
    /// Nobody reads standard output any more.
    Closed,
}

impl LogError {
    /// An error that may pass by itself.
    pub(crate) fn transient(message: impl Into<String>) -> Self {
        Self { kind: LogErrorKind::Transient, message: message.into() }
    }

    /// Names the destination first.
    #[cfg(feature = "redis")]
    pub(crate) fn at(mut self, name: &str) -> Self {
        self.message = format!("{name}: {}", self.message);
        self
    }

    /// An error that remains until somebody does something; the message says what.
    pub(crate) fn lasting(message: impl Into<String>) -> Self {
        Self { kind: LogErrorKind::Final, message: message.into() }
    }

    /// The error of an attempt that ended because the program is asked to end.
    pub(crate) fn stopped(message: impl Into<String>) -> Self {
        Self { kind: LogErrorKind::Stopped, message: message.into() }
    }

    /// The error of a standard output that was closed.
    pub(crate) fn closed() -> Self {
        Self { kind: LogErrorKind::Closed, message: "standard output was closed".into() }
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.kind == LogErrorKind::Transient
    }

    /// Returns whether the program was asked to end meanwhile.
    pub(crate) fn is_stopped(&self) -> bool {
        self.kind == LogErrorKind::Stopped
    }

    /// Returns whether it is an orderly end.
    pub(crate) fn is_closed(&self) -> bool {
        self.kind == LogErrorKind::Closed
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LogError {}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::Run(error.message)
    }
}
