//! The error of deserialisation, before it becomes a [`RowError`](crate::row::RowError).

use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;

use serde::de;

use crate::value::ValueError;

/// One word wide, because every value that is read is returned in a `Result` with it.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Box<FailureDetails>);

#[derive(Debug)]
pub(super) struct FailureDetails {
    pub(super) reason: FailureReason,
    /// The index of the column in the table.
    pub(super) column: Option<usize>,
    /// The offset in the column's value, if the reason does not contain it.
    pub(super) offset: usize,
}

#[derive(Debug)]
pub(super) enum FailureReason {
    Value(ValueError),
    Message(Box<str>),
}

impl Failure {
    #[cold]
    fn new(reason: FailureReason) -> Self {
        Self(Box::new(FailureDetails { reason, column: None, offset: 0 }))
    }

    /// Returns the same error, for this column unless it names one.
    #[cold]
    pub(super) fn in_column(mut self, index: usize) -> Self {
        self.0.column = self.0.column.or(Some(index));
        self
    }

    /// Returns the same error, for a value that starts `bytes` later.
    pub(super) fn rebased(mut self, bytes: usize) -> Self {
        self.0.offset = self.0.offset.saturating_add(bytes);
        if let FailureReason::Value(error) = self.0.reason {
            self.0.reason = FailureReason::Value(error.rebased(bytes));
        }
        self
    }

    /// Returns the error of a visitor that reads a value of a map before its key.
    pub(super) fn value_before_key() -> Self {
        de::Error::custom("a value was requested before its key")
    }
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        Self::new(FailureReason::Value(error))
    }
}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(FailureReason::Message(message.to_string().into()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.reason {
            FailureReason::Value(error) => error.fmt(f),
            FailureReason::Message(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for Failure {}
