//! The error inside of deserialisation; [`RowError`](crate::row::RowError) outside.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;

use serde::de;

use crate::value::ValueError;

#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// The place of the column in the table.
    pub(super) column: Option<usize>,
}

#[derive(Debug)]
pub(super) enum Reason {
    Value(ValueError),
    Message(Box<str>),
}

impl Failure {
    /// Names the column, unless that was done.
    pub(super) fn in_column(mut self, index: usize) -> Self {
        self.column = self.column.or(Some(index));
        self
    }

    /// A visitor that does not keep to the order of a map.
    pub(super) fn value_before_key() -> Self {
        de::Error::custom("a value was asked for before its key")
    }
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        Self { reason: Reason::Value(error), column: None }
    }
}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { reason: Reason::Message(message.to_string().into()), column: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Value(error) => error.fmt(f),
            Reason::Message(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for Failure {}
