//! The errors of reading a value.

use core::fmt;

use super::{Format, PgType};
use crate::id::Oid;

/// The error of reading a value: the reason, the type, the format, and the byte of the value at
/// which it was found.
///
/// It is small, `Copy`, and contains nothing of the value, so you may log it. The code that reads
/// the row adds the relation and the column.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, type_oid};
///
/// let error = Field::new(type_oid::INT4, Format::Text, b"12x").get::<i32>().unwrap_err();
/// assert_eq!(error.offset(), 2);
/// assert_eq!(error.to_string(), "text value of type integer: expected a digit at byte 2");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ValueError {
    kind: ValueErrorKind,
    offset: usize,
    type_and_format: Option<(Oid, Format)>,
}

/// The reason why a value could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// The bytes are not what PostgreSQL writes for this type.
    Malformed {
        /// The expected syntax or content.
        expected: &'static str,
    },
    /// A binary value ends inside a field.
    Truncated {
        /// The number of bytes needed.
        needed: usize,
        /// The number of bytes left.
        available: usize,
    },
    /// Bytes remain after a complete value.
    TrailingBytes {
        /// The number of bytes.
        count: usize,
    },
    /// The value is outside the range of the named type.
    OutOfRange {
        /// The type of PostgreSQL or of Rust.
        target: &'static str,
    },
    /// The number has no exact counterpart in the Rust type: it has a fraction and an integer was
    /// requested, or it has too many digits for a float.
    Inexact {
        /// The Rust type.
        target: &'static str,
    },
    /// The text is not valid UTF-8. [`Field::bytes`](super::Field::bytes) returns the raw bytes.
    /// `&[u8]` and `Vec<u8>` read the bytes of texts and JSON documents, but not those of
    /// composites, ranges and other types with several parts.
    InvalidUtf8,
    /// A binary `hstore` contains text that is not ASCII, and its lengths do not match its texts.
    /// `hstore_send` computes the lengths before the server converts the text to UTF-8, so this
    /// happens in databases with another encoding. The text format is not affected.
    HstoreLengths,
    /// The requested Rust type cannot be read from this PostgreSQL type.
    WrongType {
        /// The Rust type.
        target: &'static str,
    },
    /// Borrowed bytes were requested, but the value must be decoded first: it is the text of a
    /// `bytea`, or a text with escapes inside an array, composite or range. Request
    /// [`Bytea`](super::Bytea) or `Vec<u8>`, or [`Text`](super::Text) or `String`.
    NotBorrowable,
    /// A `Vec` was requested for an array of several dimensions. Request an
    /// [`Array`](super::Array), or one nested `Vec` for each dimension.
    Dimensions {
        /// The number of dimensions.
        count: usize,
    },
    /// Arrays, composites and ranges are nested more than [`MAX_DEPTH`](super::MAX_DEPTH) deep.
    TooDeep,
    /// The value is in binary format and its type has neither a reader nor a description, so its
    /// meaning is unknown.
    Undescribed,
    /// The value is a `regclass` or of a similar type, whose text is a name and whose binary form
    /// is an oid, and the form of the other format was requested.
    OtherFormat {
        /// The content of the other format, `name` or `oid`.
        target: &'static str,
    },
    /// A span of time was requested for an interval that is infinite or has months, which have no
    /// fixed length.
    NoFixedLength {
        /// The Rust type.
        target: &'static str,
    },
    /// The value is NULL and the requested type cannot represent it.
    Null {
        /// The Rust type.
        target: &'static str,
    },
    /// The value is an unchanged TOAST value, which the message omits, and a type other than
    /// [`Toast`](super::Toast) was requested.
    Unchanged {
        /// The Rust type.
        target: &'static str,
    },
    /// The output returned an error.
    Write,
}

impl ValueError {
    /// Creates an error at a byte of the value. [`Field::get`](super::Field::get) adds the type and
    /// the format.
    pub const fn new(kind: ValueErrorKind, offset: usize) -> Self {
        Self { kind, offset, type_and_format: None }
    }

    /// Returns the reason.
    pub const fn kind(&self) -> ValueErrorKind {
        self.kind
    }

    /// Returns the index of the byte at which the error was found; at most the length of the value.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the type of the value, or of the element inside it that is invalid.
    pub const fn type_oid(&self) -> Option<Oid> {
        match self.type_and_format {
            Some((oid, _)) => Some(oid),
            None => None,
        }
    }

    /// Returns the format of the value.
    pub const fn format(&self) -> Option<Format> {
        match self.type_and_format {
            Some((_, format)) => Some(format),
            None => None,
        }
    }

    /// Returns the same error for a value that starts at byte `bytes` of a larger one.
    #[must_use]
    pub const fn rebased(mut self, bytes: usize) -> Self {
        self.offset = self.offset.saturating_add(bytes);
        self
    }

    /// Adds the type and the format, unless a value further inside has added its own.
    #[must_use]
    #[cold]
    pub(crate) fn within(mut self, oid: Oid, format: Format) -> Self {
        self.type_and_format = self.type_and_format.or(Some((oid, format)));
        self
    }

    pub(crate) const fn malformed(expected: &'static str, offset: usize) -> Self {
        Self::new(ValueErrorKind::Malformed { expected }, offset)
    }

    pub(super) const fn wrong_type(target: &'static str) -> Self {
        Self::new(ValueErrorKind::WrongType { target }, 0)
    }

    pub(crate) const fn out_of_range(target: &'static str) -> Self {
        Self::new(ValueErrorKind::OutOfRange { target }, 0)
    }
}

impl From<fmt::Error> for ValueError {
    fn from(_: fmt::Error) -> Self {
        Self::new(ValueErrorKind::Write, 0)
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_named(f, None)
    }
}

impl ValueError {
    /// Writes the error, with `name` for a type that is not built in.
    pub(crate) fn write_named(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: Option<&str>,
    ) -> fmt::Result {
        if let Some((oid, format)) = self.type_and_format {
            write!(f, "{format} value of type ")?;
            match PgType::from_oid(oid).map(PgType::sql_name).or(name) {
                Some(name) => f.write_str(name)?,
                None => write!(f, "with oid {oid}")?,
            }
            f.write_str(": ")?;
        }
        self.write_reason(f)?;
        match self.kind {
            ValueErrorKind::WrongType { .. } => {
                f.write_str("; use `Value` or the type's own Rust type")
            }
            _ => Ok(()),
        }
    }

    /// Writes the reason and the offset, without type and format.
    pub(crate) fn write_reason(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.kind {
            ValueErrorKind::Malformed { expected } => {
                write!(f, "expected {expected} at byte {offset}")
            }
            ValueErrorKind::Truncated { needed, available } => {
                write!(f, "expected {needed} bytes at byte {offset}, but only {available} are left")
            }
            ValueErrorKind::TrailingBytes { count } => {
                write!(f, "{count} trailing bytes at byte {offset}")
            }
            ValueErrorKind::OutOfRange { target } => {
                write!(f, "out of range for {target} at byte {offset}")
            }
            ValueErrorKind::Inexact { target } => {
                write!(f, "the number at byte {offset} cannot be represented exactly as {target}")
            }
            ValueErrorKind::InvalidUtf8 => write!(
                f,
                "invalid UTF-8 at byte {offset}: read the raw bytes from the column of the row \
                 (`row.column(…)`), or those of text, JSON and arrays of them as `Vec<u8>`"
            ),
            ValueErrorKind::HstoreLengths => write!(
                f,
                "the lengths in this binary hstore do not match its texts at byte {offset}, as in \
                 every database whose encoding is not UTF8: read without the option `binary`"
            ),
            ValueErrorKind::WrongType { target } => {
                write!(f, "the value at byte {offset} cannot be read as {target}")
            }
            ValueErrorKind::NotBorrowable => write!(
                f,
                "escapes at byte {offset} must be decoded: read the value as `Text` or `String`, \
                 or as `Bytea` or `Vec<u8>`"
            ),
            ValueErrorKind::Dimensions { count } => write!(
                f,
                "the array at byte {offset} has {count} dimensions: read it as `Array`, or as one \
                 nested `Vec` for each dimension"
            ),
            ValueErrorKind::TooDeep => write!(
                f,
                "more than {} nested arrays, composites and ranges at byte {offset}",
                super::MAX_DEPTH
            ),
            ValueErrorKind::Undescribed => write!(
                f,
                "no reader for the binary format of the type at byte {offset}: read it as \
                 `Bytea` or `Vec<u8>`, or describe the type with a `TypeInfo`"
            ),
            ValueErrorKind::OtherFormat { target } => match self.format() {
                Some(Format::Binary) => write!(
                    f,
                    "the binary format contains an oid instead of a {target} at byte {offset}: \
                     read it as `Oid`, or do not set the option `binary`"
                ),
                _ => write!(
                    f,
                    "the text format contains a name instead of an {target} at byte {offset}: \
                     read it as `&str` or `String`, or set the option `binary`"
                ),
            },
            ValueErrorKind::NoFixedLength { target } => write!(
                f,
                "the interval at byte {offset} has months or is infinite, which {target} cannot \
                 represent: read it as `Interval`"
            ),
            ValueErrorKind::Null { target } => {
                write!(f, "NULL cannot be read as {target}; use `Option<{target}>`")
            }
            ValueErrorKind::Unchanged { target } => write!(
                f,
                "the change omits this unchanged TOAST value: read it as `Toast<{target}>`, or set \
                 REPLICA IDENTITY FULL"
            ),
            ValueErrorKind::Write => f.write_str("writing to the output failed"),
        }
    }
}

impl fmt::Debug for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueError({self})")
    }
}

impl core::error::Error for ValueError {}
