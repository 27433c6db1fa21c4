//! The errors of encoding.

use core::fmt;

use crate::id::Oid;
use crate::tag::Tag;
use crate::value::{PgType, ValueError};

/// A message, a part of one, or a value that cannot be represented on the wire.
///
/// Nothing is truncated or omitted to make it fit, and the output is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A name contains a zero byte, which would end it on the wire.
    #[error("{field} has a zero byte at byte {offset}, which would end it on the wire: remove it")]
    InteriorZero {
        /// The field.
        field: &'static str,
        /// The index of the byte in the name.
        offset: usize,
    },
    /// A value or a count is greater than its field on the wire allows.
    #[error("{field} of {length} exceeds the limit of {limit} in the wire format")]
    TooLong {
        /// The field.
        field: &'static str,
        /// The length in bytes, or the count.
        length: usize,
        /// The greatest length or count allowed.
        limit: usize,
    },
    /// The field to write in binary cannot be read, or its text is not what PostgreSQL writes for
    /// the type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Only the text of the value is known, and its type has no writer for the binary form.
    #[error(
        "the text of {} cannot be converted to its binary form: send it as text",
        TypeName(*.0)
    )]
    NoBinaryForm(Oid),
    /// A message of a kind that carries a transaction id inside a chunk has none.
    #[error("{0} between Stream Start and Stream Stop needs a transaction id: set `xid`")]
    MissingXid(Tag),
    /// A message outside chunks has a transaction id.
    #[error("{0} outside Stream Start and Stream Stop has a transaction id: set `xid` to `None`")]
    UnexpectedXid(Tag),
    /// A Stream Start inside a chunk, which must be ended with Stream Stop first.
    #[error("Stream Start inside a chunk: send Stream Stop first")]
    NestedStreamStart,
    /// A Stream Stop without an open chunk.
    #[error("Stream Stop without a Stream Start: send Stream Start first")]
    StrayStreamStop,
    /// A message that is not allowed between Stream Start and Stream Stop.
    #[error("{0} between Stream Start and Stream Stop: send Stream Stop first")]
    InsideStream(Tag),
}

impl EncodeError {
    /// Returns true if the value is valid, but has no binary form. This applies to a `numeric` read
    /// from text with more digits than the binary form allows, and to types of which only the text
    /// is known.
    ///
    /// Send such a value as text.
    pub const fn is_unrepresentable(&self) -> bool {
        matches!(self, Self::TooLong { .. } | Self::NoBinaryForm(_))
    }
}

struct TypeName(Oid);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PgType::from_oid(self.0) {
            Some(known) => f.write_str(known.sql_name()),
            None => write!(f, "the type with oid {}", self.0),
        }
    }
}
