//! What can be wrong with a frame, and where.

use core::fmt;

use crate::{Lsn, Tag};

/// A frame that could not be decoded: what was wrong, in which message, at which byte, at which LSN.
///
/// Small and `Copy`; nothing of the frame's content is kept, so it may go to any log.
///
/// ```
/// use pgoutput_decode::{Decoder, ErrorKind, Lsn};
///
/// // A Begin message that ends in the middle of its commit timestamp.
/// let frame = b"B\0\0\0\0\x01\x58\xFA\xC8\0\0";
/// let error = Decoder::new().decode(frame).unwrap_err().at_lsn(Lsn::new(0x158_FAC8));
/// assert_eq!(error.offset(), 9);
/// assert!(matches!(error.kind(), ErrorKind::Truncated { needed: 8, available: 2, .. }));
/// assert_eq!(
///     error.to_string(),
///     "truncated commit timestamp at byte 9 of Begin ('B'), WAL 0/158FAC8: needed 8 bytes, had 2"
/// );
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    kind: ErrorKind,
    tag: Option<Tag>,
    offset: usize,
    lsn: Option<Lsn>,
    /// Sent by a client, where 'r' is not Rollback Prepared.
    from_client: bool,
}

/// What was wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The frame ends inside a field.
    Truncated {
        /// The field.
        field: &'static str,
        /// How many bytes it takes.
        needed: usize,
        /// How many were left.
        available: usize,
    },
    /// A string has no terminating zero byte before the frame ends.
    MissingTerminator {
        /// The field.
        field: &'static str,
    },
    /// A name is not UTF-8.
    InvalidUtf8 {
        /// The field.
        field: &'static str,
    },
    /// A count or length is below zero.
    NegativeLength {
        /// The field.
        field: &'static str,
        /// What it said.
        length: i32,
    },
    /// The message was whole, and bytes were left after it.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// Nothing that may stand here starts with this byte: an envelope where a message is expected, a message
    /// where an envelope is, or a letter of no known meaning.
    UnknownTag(Tag),
    /// The byte before a tuple is none of those that may stand there.
    UnknownTupleKind(u8),
    /// The byte before a column's value is none of `n`, `u`, `t`, `b`.
    UnknownColumnKind(u8),
    /// A Stream Start inside a streamed chunk.
    NestedStreamStart,
    /// A Stream Stop outside a streamed chunk.
    StrayStreamStop,
    /// A message that cannot stand between Stream Start and Stream Stop stood there.
    InsideStream,
}

impl DecodeError {
    pub(crate) const fn new(kind: ErrorKind, tag: Option<Tag>, offset: usize) -> Self {
        Self { kind, tag, offset, lsn: None, from_client: false }
    }

    const fn named(&self, tag: Tag) -> Named {
        Named { tag, from_client: self.from_client }
    }

    /// The same error, in something that a client sends.
    pub(crate) const fn sent_by_client(mut self) -> Self {
        self.from_client = true;
        self
    }

    /// What was wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message it happened in; `None` when the frame was empty.
    pub const fn tag(&self) -> Option<Tag> {
        self.tag
    }

    /// The byte of the frame, from 0, at which the field starts that could not be read; at most the frame's length.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The WAL position of the frame, where whoever decoded it knew.
    pub const fn lsn(&self) -> Option<Lsn> {
        self.lsn
    }

    /// The same error, with the WAL position of the frame.
    #[must_use]
    pub const fn at_lsn(mut self, lsn: Lsn) -> Self {
        self.lsn = Some(lsn);
        self
    }

    /// The same error, for a frame that starts `bytes` later in a larger one.
    #[must_use]
    pub const fn rebased(mut self, bytes: usize) -> Self {
        self.offset = self.offset.saturating_add(bytes);
        self
    }
}

/// A tag by its name, which for one letter depends on who sent it.
struct Named {
    tag: Tag,
    from_client: bool,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag {
            Tag::ROLLBACK_PREPARED if self.from_client => {
                f.write_str("Standby status update ('r')")
            }
            tag => write!(f, "{tag}"),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Truncated { field, .. } => write!(f, "truncated {field}"),
            ErrorKind::MissingTerminator { field } => write!(f, "{field} without terminating zero"),
            ErrorKind::InvalidUtf8 { field } => write!(f, "{field} is not UTF-8"),
            ErrorKind::NegativeLength { field, length } => write!(f, "negative {field} {length}"),
            ErrorKind::TrailingBytes { count } => write!(f, "{count} trailing bytes"),
            // A known name in the wrong place: an envelope not opened, a message without its envelope.
            ErrorKind::UnknownTag(tag) if tag.name().is_some() => {
                write!(f, "unexpected {}", self.named(tag))
            }
            ErrorKind::UnknownTag(tag) => write!(f, "unknown {tag}"),
            ErrorKind::UnknownTupleKind(byte) => write!(f, "unknown tuple kind 0x{byte:02X}"),
            ErrorKind::UnknownColumnKind(byte) => write!(f, "unknown column kind 0x{byte:02X}"),
            ErrorKind::NestedStreamStart => f.write_str("Stream Start inside a streamed chunk"),
            ErrorKind::StrayStreamStop => f.write_str("Stream Stop outside a streamed chunk"),
            ErrorKind::InsideStream => f.write_str("message not allowed inside a streamed chunk"),
        }?;
        write!(f, " at byte {} of ", self.offset)?;
        match self.tag {
            Some(tag) if self.kind != ErrorKind::UnknownTag(tag) => {
                write!(f, "{}", self.named(tag))
            }
            Some(_) => f.write_str("the frame"),
            None => f.write_str("an empty frame"),
        }?;
        if let Some(lsn) = self.lsn {
            write!(f, ", WAL {lsn}")?;
        }
        if let ErrorKind::Truncated { needed, available, .. } = self.kind {
            write!(f, ": needed {needed} bytes, had {available}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self})")
    }
}

impl core::error::Error for DecodeError {}
