//! Errors of decoding: the reason, the message and the byte.

use core::fmt;

use crate::field_name::FieldName;
use crate::lsn::Lsn;
use crate::tag::Tag;

/// The error of a frame that could not be decoded: the reason, the message, the byte and the LSN.
///
/// It is small and `Copy`, and contains nothing of the frame's content, so you may log it.
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
    /// The bytes needed and available, a count, or the bits of a negative length.
    numbers: [usize; 2],
    offset: usize,
    lsn: Lsn,
    has_lsn: bool,
    problem: Problem,
    field: FieldName,
    tag: Option<Tag>,
    /// Whether a client sent the message, in which 'r' is not Rollback Prepared.
    from_client: bool,
}

/// An [`ErrorKind`] without its content, which is in a [`DecodeError`] with less padding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Problem {
    Truncated,
    MissingTerminator,
    InvalidUtf8,
    NegativeLength,
    TrailingBytes,
    UnknownTag(Tag),
    UnknownTupleKind(u8),
    UnknownColumnKind(u8),
    NestedStreamStart,
    StrayStreamStop,
    InsideStream,
}

/// The reason why a frame could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The frame ends inside a field.
    Truncated {
        /// The field.
        field: &'static str,
        /// The number of bytes that the field takes.
        needed: usize,
        /// The number of bytes left.
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
    /// A count or length is negative.
    NegativeLength {
        /// The field.
        field: &'static str,
        /// The count or length.
        length: i32,
    },
    /// Bytes remain after a complete message.
    TrailingBytes {
        /// The number of bytes.
        count: usize,
    },
    /// The first byte is not allowed here: an envelope in place of a message, a message in place of
    /// an envelope, or an unknown tag.
    UnknownTag(Tag),
    /// The byte before a tuple is not one that is allowed there.
    UnknownTupleKind(u8),
    /// The byte before a column's value is not `n`, `u`, `t` or `b`.
    UnknownColumnKind(u8),
    /// A Stream Start inside a chunk.
    NestedStreamStart,
    /// A Stream Stop outside a chunk.
    StrayStreamStop,
    /// A message that is not allowed between Stream Start and Stream Stop.
    InsideStream,
}

impl DecodeError {
    pub(crate) const NESTED_STREAM_START: Self = Self::new(Problem::NestedStreamStart);
    pub(crate) const STRAY_STREAM_STOP: Self = Self::new(Problem::StrayStreamStop);
    pub(crate) const INSIDE_STREAM: Self = Self::new(Problem::InsideStream);

    const fn new(problem: Problem) -> Self {
        Self::in_field(problem, FieldName::MessageTag, [0; 2])
    }

    const fn in_field(problem: Problem, field: FieldName, numbers: [usize; 2]) -> Self {
        Self {
            numbers,
            offset: 0,
            lsn: Lsn::ZERO,
            has_lsn: false,
            problem,
            field,
            tag: None,
            from_client: false,
        }
    }

    pub(crate) const fn truncated(field: FieldName, needed: usize, available: usize) -> Self {
        Self::in_field(Problem::Truncated, field, [needed, available])
    }

    pub(crate) const fn missing_terminator(field: FieldName) -> Self {
        Self::in_field(Problem::MissingTerminator, field, [0; 2])
    }

    pub(crate) const fn invalid_utf8(field: FieldName) -> Self {
        Self::in_field(Problem::InvalidUtf8, field, [0; 2])
    }

    pub(crate) const fn negative_length(field: FieldName, length: i32) -> Self {
        Self::in_field(Problem::NegativeLength, field, [length.cast_unsigned() as usize, 0])
    }

    pub(crate) const fn trailing_bytes(count: usize) -> Self {
        Self::in_field(Problem::TrailingBytes, FieldName::MessageTag, [count, 0])
    }

    pub(crate) const fn unknown_tag(tag: Tag) -> Self {
        Self::new(Problem::UnknownTag(tag))
    }

    pub(crate) const fn unknown_tuple_kind(byte: u8) -> Self {
        Self::new(Problem::UnknownTupleKind(byte))
    }

    pub(crate) const fn unknown_column_kind(byte: u8) -> Self {
        Self::new(Problem::UnknownColumnKind(byte))
    }

    /// Returns the same error, for this message and this byte of it.
    pub(crate) const fn at(mut self, tag: Option<Tag>, offset: usize) -> Self {
        self.tag = tag;
        self.offset = offset;
        self
    }

    /// Returns the same error, for a message that a client sends.
    pub(crate) const fn sent_by_client(mut self) -> Self {
        self.from_client = true;
        self
    }

    const fn named(&self, tag: Tag) -> Named {
        Named { tag, from_client: self.from_client }
    }

    /// Returns the reason.
    pub const fn kind(&self) -> ErrorKind {
        let field = self.field.as_str();
        let [first, second] = self.numbers;
        match self.problem {
            Problem::Truncated => ErrorKind::Truncated { field, needed: first, available: second },
            Problem::MissingTerminator => ErrorKind::MissingTerminator { field },
            Problem::InvalidUtf8 => ErrorKind::InvalidUtf8 { field },
            Problem::NegativeLength => {
                #[expect(clippy::cast_possible_truncation, reason = "it was made from an i32")]
                let length = (first as u32).cast_signed();
                ErrorKind::NegativeLength { field, length }
            }
            Problem::TrailingBytes => ErrorKind::TrailingBytes { count: first },
            Problem::UnknownTag(tag) => ErrorKind::UnknownTag(tag),
            Problem::UnknownTupleKind(byte) => ErrorKind::UnknownTupleKind(byte),
            Problem::UnknownColumnKind(byte) => ErrorKind::UnknownColumnKind(byte),
            Problem::NestedStreamStart => ErrorKind::NestedStreamStart,
            Problem::StrayStreamStop => ErrorKind::StrayStreamStop,
            Problem::InsideStream => ErrorKind::InsideStream,
        }
    }

    /// Returns the tag of the message; `None` for an empty frame.
    pub const fn tag(&self) -> Option<Tag> {
        self.tag
    }

    /// Returns the offset in the frame of the field that could not be read, from 0; at most the
    /// length of the frame.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the LSN of the frame, if [`at_lsn`](Self::at_lsn) added one.
    pub const fn lsn(&self) -> Option<Lsn> {
        if self.has_lsn { Some(self.lsn) } else { None }
    }

    /// Returns the same error, with the LSN of the frame.
    #[must_use]
    pub const fn at_lsn(mut self, lsn: Lsn) -> Self {
        self.lsn = lsn;
        self.has_lsn = true;
        self
    }

    /// Returns the same error, for a frame that starts `bytes` later in a larger one.
    #[must_use]
    pub const fn rebased(mut self, bytes: usize) -> Self {
        self.offset = self.offset.saturating_add(bytes);
        self
    }
}

/// A tag, displayed by its name. One letter has a different name in a client's message.
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
        let kind = self.kind();
        match kind {
            ErrorKind::Truncated { field, .. } => write!(f, "truncated {field}"),
            ErrorKind::MissingTerminator { field } => write!(f, "{field} without terminating zero"),
            ErrorKind::InvalidUtf8 { field } => write!(f, "{field} is not UTF-8"),
            ErrorKind::NegativeLength { field, length } => write!(f, "negative {field} {length}"),
            ErrorKind::TrailingBytes { count } => write!(f, "{count} trailing bytes"),
            // A known tag in the wrong place: an envelope that was not removed, or a message
            // without one.
            ErrorKind::UnknownTag(tag) if tag.name().is_some() => {
                write!(f, "unexpected {}", self.named(tag))
            }
            ErrorKind::UnknownTag(tag) => write!(f, "unknown {tag}"),
            ErrorKind::UnknownTupleKind(byte) => write!(f, "unknown tuple kind 0x{byte:02X}"),
            ErrorKind::UnknownColumnKind(byte) => write!(f, "unknown column kind 0x{byte:02X}"),
            ErrorKind::NestedStreamStart => f.write_str("Stream Start inside a chunk"),
            ErrorKind::StrayStreamStop => f.write_str("Stream Stop outside a chunk"),
            ErrorKind::InsideStream => f.write_str("message not allowed inside a chunk"),
        }?;
        write!(f, " at byte {} of ", self.offset)?;
        match self.tag {
            Some(tag) if kind != ErrorKind::UnknownTag(tag) => {
                write!(f, "{}", self.named(tag))
            }
            Some(_) => f.write_str("the frame"),
            None => f.write_str("an empty frame"),
        }?;
        if let Some(lsn) = self.lsn() {
            write!(f, ", WAL {lsn}")?;
        }
        if let ErrorKind::Truncated { needed, available, .. } = kind {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A `Result` is as large as its larger half: an error must not make decoding write more.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn errors_and_messages_are_small() {
        const { assert!(size_of::<DecodeError>() <= 40) };
        const { assert!(size_of::<crate::message::Message<'_>>() <= 88) };
        const { assert!(size_of::<Result<crate::message::Message<'_>, DecodeError>>() <= 88) };
    }

    #[test]
    fn every_number_is_kept_in_full() {
        let error = DecodeError::truncated(FieldName::RelationIds, usize::MAX, usize::MAX - 1)
            .at(Some(Tag::TRUNCATE), usize::MAX)
            .at_lsn(Lsn::new(u64::MAX));
        let (field, needed) = ("relation ids", usize::MAX);
        let kind = ErrorKind::Truncated { field, needed, available: needed - 1 };
        assert_eq!((error.kind(), error.offset()), (kind, usize::MAX));
        assert_eq!(error.lsn(), Some(Lsn::new(u64::MAX)));
        let zero = DecodeError::trailing_bytes(1).at_lsn(Lsn::new(0));
        assert_eq!((zero.lsn(), DecodeError::trailing_bytes(1).lsn()), (Some(Lsn::new(0)), None));
        let length = DecodeError::negative_length(FieldName::ContentLength, i32::MIN).kind();
        let field = "content length";
        assert_eq!(length, ErrorKind::NegativeLength { field, length: i32::MIN });
    }
}
