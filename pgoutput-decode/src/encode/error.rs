//! What cannot be written.

use core::fmt;

use crate::value::{PgType, ValueError};
use crate::{Oid, Tag};

/// A message, a part of one, or a value that has no form on the wire.
///
/// Nothing is cut short or left out to make it fit; what it was to be appended to is as it was
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A name holds a zero byte, which on the wire would end it there.
    #[error(
        "{field} has a zero byte at {offset}, where the wire would end it: names cannot hold one"
    )]
    InteriorZero {
        /// The field.
        field: &'static str,
        /// Where in the name, from 0.
        offset: usize,
    },
    /// A value or a count is larger than its field on the wire can say.
    #[error("{field} of {length} is over the limit of {limit} that the wire format has")]
    TooLong {
        /// The field.
        field: &'static str,
        /// How long it is, in bytes, or how many there are.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The field to be written in binary cannot be read, or its text is not what PostgreSQL writes for the type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A value of this type, of which only the text is known: no binary form can be made of it.
    #[error("no binary form can be made of the text of {}: send it as text", TypeName(*.0))]
    NoBinaryForm(Oid),
    /// Inside a streamed chunk this kind of message carries a transaction id, and it had none.
    #[error("{0} inside a streamed chunk needs a transaction id: set `xid`")]
    MissingXid(Tag),
    /// Outside streamed chunks no message of this kind carries a transaction id, and it had one.
    #[error("{0} outside a streamed chunk carries no transaction id: leave `xid` out")]
    UnexpectedXid(Tag),
    /// A Stream Start inside a streamed chunk: a Stream Stop has to come first.
    #[error("Stream Start inside a streamed chunk: send Stream Stop first")]
    NestedStreamStart,
    /// A Stream Stop outside a streamed chunk.
    #[error("Stream Stop outside a streamed chunk: there is none to end")]
    StrayStreamStop,
    /// A message that cannot stand between Stream Start and Stream Stop.
    #[error("{0} inside a streamed chunk: send Stream Stop first")]
    InsideStream(Tag),
}

impl EncodeError {
    /// Returns true for a value that is right and that the binary form cannot express: a `numeric` read from text
    /// with more digits than the binary form holds, a value of a type of which only the text is known.
    ///
    /// Such a value can be sent as text.
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
