//! The operations that a server sends, without I/O.

use std::{fmt, str};

/// The most bytes of a line. Lines of messages are bounded by the server, at 4 KiB by default.
const LINE: usize = 16 * 1024;

/// The most bytes of the line `INFO`, which lists the servers of a cluster.
const INFO_LINE: usize = 256 * 1024;

/// The most bytes of a message with its headers. A server accepts at most 64 MiB, and answers a
/// request for a stored message in Base64.
const MESSAGE: usize = 96 * 1024 * 1024;

/// An operation of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation<'b> {
    /// The description of the server, as JSON.
    Info(&'b [u8]),
    Message(Message<'b>),
    Ping,
    Pong,
    Ok,
    /// An error, without its quotes.
    Error(&'b str),
}

/// A message to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'b> {
    pub(super) subject: &'b str,
    /// The header block with its first line; empty without headers.
    pub(super) headers: &'b [u8],
    pub(super) payload: &'b [u8],
}

/// Bytes that no server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProtocolError {
    Line(usize),
    Size(usize),
    Message,
    End,
    Unknown,
    Text,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(limit) => write!(f, "a line of more than {limit} bytes"),
            Self::Size(size) => write!(f, "a message of {size} bytes"),
            Self::Message => f.write_str("a malformed line of a message"),
            Self::End => f.write_str("a message without its end"),
            Self::Unknown => f.write_str("an unknown operation"),
            Self::Text => f.write_str("a text that is not UTF-8"),
        }
    }
}

/// Reads the first operation in `bytes`, and returns it with its length; `None` if it is
/// incomplete.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Operation<'_>, usize)>, ProtocolError> {
    let limit = if has_name(bytes, b"INFO") { INFO_LINE } else { LINE };
    let searched = bytes.get(..limit).unwrap_or(bytes);
    let Some(end) = searched.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() >= limit { Err(ProtocolError::Line(limit)) } else { Ok(None) };
    };
    let (line, rest) = bytes.split_at(end);
    let rest = rest.get(2..).unwrap_or_default();
    let (name, arguments) = match line.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
        Some(space) => line.split_at(space),
        None => (line, &[][..]),
    };
    let arguments = arguments.trim_ascii();
    let operation = match name.to_ascii_uppercase().as_slice() {
        b"INFO" => Operation::Info(arguments),
        b"PING" => Operation::Ping,
        b"PONG" => Operation::Pong,
        b"+OK" => Operation::Ok,
        b"-ERR" => {
            let text = str::from_utf8(arguments).map_err(|_| ProtocolError::Text)?;
            Operation::Error(text.trim_matches('\''))
        }
        b"MSG" => return message(arguments, rest, false, end + 2),
        b"HMSG" => return message(arguments, rest, true, end + 2),
        _ => return Err(ProtocolError::Unknown),
    };
    Ok(Some((operation, end + 2)))
}

fn has_name(bytes: &[u8], name: &[u8]) -> bool {
    bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Reads a message whose line is complete: `subject sid [reply] [length of headers] length`.
fn message<'b>(
    arguments: &'b [u8],
    rest: &'b [u8],
    has_headers: bool,
    line: usize,
) -> Result<Option<(Operation<'b>, usize)>, ProtocolError> {
    let text = str::from_utf8(arguments).map_err(|_| ProtocolError::Text)?;
    let mut words = text.split_ascii_whitespace();
    let subject = words.next().ok_or(ProtocolError::Message)?;
    let mut length = || words.next_back().and_then(decimal).ok_or(ProtocolError::Message);
    let total = length()?;
    let headers = if has_headers { length()? } else { 0 };
    // The number of the subscription, and the subject for an answer.
    if !matches!(words.count(), 1 | 2) {
        return Err(ProtocolError::Message);
    }
    if total > MESSAGE {
        return Err(ProtocolError::Size(total));
    }
    if headers > total {
        return Err(ProtocolError::Message);
    }
    let Some((content, end)) = rest.get(..total + 2).map(|message| message.split_at(total)) else {
        return Ok(None);
    };
    if end != b"\r\n" {
        return Err(ProtocolError::End);
    }
    let (headers, payload) = content.split_at(headers);
    Ok(Some((Operation::Message(Message { subject, headers, payload }), line + total + 2)))
}

fn decimal(digits: &str) -> Option<usize> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests;
