//! The error inside of deserialisation; [`RowError`](crate::row::RowError) outside.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

use serde::de::{self, Expected, Unexpected};

use super::error_column::Seen;
use crate::value::{ValueError, placeholder_counts};

/// One word wide: every value that is read could come back as one.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Box<FailureDetails>);

#[derive(Debug)]
pub(super) struct FailureDetails {
    pub(super) reason: FailureReason,
    /// The place of the column in the table.
    pub(super) column: Option<usize>,
    /// Where in the column's value, if the reason does not say so itself.
    pub(super) offset: usize,
    /// What was refused.
    pub(super) seen: Option<Seen>,
}

#[derive(Debug)]
pub(super) enum FailureReason {
    Value(ValueError),
    Message(Box<str>),
}

impl Failure {
    #[cold]
    fn new(reason: FailureReason) -> Self {
        Self(Box::new(FailureDetails { reason, column: None, offset: 0, seen: None }))
    }

    /// Names the column, unless that was done.
    #[cold]
    pub(super) fn in_column(mut self, index: usize) -> Self {
        self.0.column = self.0.column.or(Some(index));
        self
    }

    /// The same error, in a value that starts `bytes` later.
    pub(super) fn rebased(mut self, bytes: usize) -> Self {
        self.0.offset = self.0.offset.saturating_add(bytes);
        if let FailureReason::Value(error) = self.0.reason {
            self.0.reason = FailureReason::Value(error.rebased(bytes));
        }
        self
    }

    /// A visitor that does not keep to the order of a map.
    pub(super) fn value_before_key() -> Self {
        de::Error::custom("a value was asked for before its key")
    }

    /// The refusal of an unchanged value, in whichever column.
    pub(super) fn mark() -> Self {
        let mut failure: Self = de::Error::custom("an unchanged TOAST value was refused");
        failure.0.seen = Some(Seen::Newtype);
        failure
    }

    fn refused(what: &str, unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mut refused: Self =
            de::Error::custom(format_args!("invalid {what}: {unexpected}, expected {expected}"));
        refused.0.seen = Seen::of(unexpected);
        // No value of a column is one.
        if refused.0.seen == Some(Seen::Newtype) {
            placeholder_counts::refused();
        }
        refused
    }

    /// What `serde` says of integers that its buffers do not hold.
    pub(super) fn is_no_128_bits(&self) -> bool {
        let is = |text: &str| matches!(text, "i128 is not supported" | "u128 is not supported");
        matches!(&self.0.reason, FailureReason::Message(message) if is(message))
    }

    pub(super) fn add(&mut self, more: &str) {
        if let FailureReason::Message(message) = &mut self.0.reason {
            let mut all = String::from(&**message);
            all.push_str(more);
            *message = all.into();
        }
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

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::refused("type", unexpected, expected)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::refused("value", unexpected, expected)
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
