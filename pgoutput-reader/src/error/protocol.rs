//! A server that departs from the protocol, or sends more than is taken.

use pgoutput_decode::Printable;

use super::{Error, ErrorKind};

/// How the server departed from the protocol (manual, chapter "Frontend/Backend Protocol").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// No message of a server begins with this byte.
    #[error("the server sent an unknown message '{}': is this a PostgreSQL server?", .0.escape_ascii())]
    UnknownTag(u8),
    /// A known message that cannot come here.
    #[error("the server sent a message '{}' while {during}", .tag.escape_ascii())]
    Unexpected {
        /// Its first byte.
        tag: u8,
        /// What was going on.
        during: &'static str,
    },
    /// A length below the four bytes it takes itself.
    #[error("the server's message '{}' has length {length}", .tag.escape_ascii())]
    Length {
        /// The message's first byte.
        tag: u8,
        /// What its length said.
        length: i32,
    },
    /// A message that ends too early, too late, or holds what it must not.
    #[error("the server's {message} message is malformed at {field}")]
    Malformed {
        /// The message's name in the manual.
        message: &'static str,
        /// The part that could not be read.
        field: &'static str,
    },
    /// A value in the answer to a command is not UTF-8, as in a session that asked for another encoding.
    #[error(
        "a value of column \"{column}\" is not UTF-8: select its bytes, with pg_catalog.encode(pg_catalog.textsend(…), 'hex')",
        column = Printable(.column)
    )]
    ValueNotUtf8 {
        /// The column; bytes of its name that are not UTF-8 are escaped, as in `caf\xe9`.
        column: String,
    },
    /// Authentication request of a kind that no version of PostgreSQL sends.
    #[error("the server asks for unknown authentication method {0}")]
    UnknownAuthentication(u32),
    /// A version number that cannot be read.
    #[error("the server's version cannot be read: {0:?}")]
    ServerVersion(String),
    /// The server wants a protocol version or options that were never asked for.
    #[error("the server negotiates protocol version {major}.{minor}, and 3.0 was asked for")]
    Negotiation {
        /// Major protocol version.
        major: u32,
        /// Minor protocol version.
        minor: u32,
    },
    /// The answer to a replication command lacks a column or has a value that cannot be read.
    #[error("the server's answer to {command} has no usable {field}")]
    Answer {
        /// The command.
        command: &'static str,
        /// The column.
        field: &'static str,
    },
}

/// A bound that keeps this side's memory and time finite, whatever the server sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A message longer than the limit.
    #[error("the server's message '{}' announces {length} bytes and the limit is {limit}", .tag.escape_ascii())]
    Message {
        /// Its first byte.
        tag: u8,
        /// Its length, in bytes, without the first one.
        length: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Too many or too long messages before the connection was ready.
    #[error("the server sent more than {limit} {unit} before the connection was ready")]
    Handshake {
        /// The limit.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// Too many different parameters, notices, or rows to keep.
    #[error("the server sent more than {limit} {unit}")]
    Kept {
        /// The limit.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// The server takes nothing in: more waits to be sent than is kept.
    #[error("the server does not read: {pending} bytes wait to be sent")]
    Unsent {
        /// Bytes waiting.
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
