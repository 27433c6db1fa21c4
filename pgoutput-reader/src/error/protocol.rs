//! Protocol violations and exceeded limits.

use pgoutput_decode::Printable;

use super::{Error, ErrorKind};

/// A violation of the protocol by the server (manual, chapter "Frontend/Backend Protocol").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// No message of a server begins with this byte.
    #[error(
        "the server sent an unknown message '{}': is this a PostgreSQL server?",
        .0.escape_ascii()
    )]
    UnknownTag(u8),
    /// A known message that is not allowed at this point.
    #[error("the server sent a message '{}' while {during}", .tag.escape_ascii())]
    Unexpected {
        /// The message's first byte.
        tag: u8,
        /// The activity of the client.
        during: &'static str,
    },
    /// A length below the four bytes of the length field itself.
    #[error("the server's message '{}' has length {length}", .tag.escape_ascii())]
    Length {
        /// The message's first byte.
        tag: u8,
        /// The length in the message.
        length: i32,
    },
    /// A message that ends too early or too late, or has invalid content.
    #[error("the server's {message} message is malformed at {field}")]
    Malformed {
        /// The message's name in the manual.
        message: &'static str,
        /// The part that could not be read.
        field: &'static str,
    },
    /// A value in the result of a command is not UTF-8, as in a session with another encoding.
    #[error(
        "a value of column \"{column}\" is not UTF-8: select its bytes, with \
         pg_catalog.encode(pg_catalog.textsend(…), 'hex')",
        column = Printable(.column)
    )]
    ValueNotUtf8 {
        /// The column. Bytes of its name that are not UTF-8 are escaped, as in `caf\xe9`.
        column: String,
    },
    /// An authentication request of a kind that no version of PostgreSQL sends.
    #[error("the server asks for unknown authentication method {0}")]
    UnknownAuthentication(u32),
    /// A version number that cannot be read.
    #[error("the server's version cannot be read: {0:?}")]
    ServerVersion(String),
    /// The server negotiates a protocol version or options that were not requested.
    #[error("the server negotiates protocol version {major}.{minor}, and 3.0 was requested")]
    Negotiation {
        /// Major protocol version.
        major: u32,
        /// Minor protocol version.
        minor: u32,
    },
    /// The result of a replication command lacks a column or has an invalid value.
    #[error("the server's result of {command} has no valid {field}")]
    Answer {
        /// The command.
        command: &'static str,
        /// The column.
        field: &'static str,
    },
}

/// An exceeded limit. Limits bound the client's memory and time, whatever the server sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A message longer than the limit.
    #[error(
        "the server's message '{}' announces {length} bytes and the limit is {limit}",
        .tag.escape_ascii()
    )]
    Message {
        /// The message's first byte.
        tag: u8,
        /// The message's length, in bytes, without the first one.
        length: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Too many or too long messages before the connection was ready.
    #[error("the server sent more than {limit} {unit} before the connection was ready")]
    Handshake {
        /// The limit.
        limit: usize,
        /// The limited items.
        unit: &'static str,
    },
    /// Too many different parameters, notices or rows to keep.
    #[error("the server sent more than {limit} {unit}")]
    Kept {
        /// The limit.
        limit: usize,
        /// The limited items.
        unit: &'static str,
    },
    /// The server does not read, and too much data is waiting to be sent.
    #[error("the server does not read: {pending} bytes are waiting to be sent")]
    Unsent {
        /// The number of bytes waiting.
        pending: usize,
    },
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        ErrorKind::Protocol(error).into()
    }
}

impl From<LimitError> for Error {
    fn from(error: LimitError) -> Self {
        ErrorKind::Limit(error).into()
    }
}
