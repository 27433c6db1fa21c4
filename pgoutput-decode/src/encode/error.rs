//! What cannot be written.

use crate::Tag;

/// A message or part of one that has no form on the wire.
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
