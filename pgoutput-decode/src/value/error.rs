//! What can be wrong with a value.

use core::fmt;

use super::{Format, PgType};
use crate::Oid;

/// A value that could not be read: what was wrong, for which type, in which format, at which byte of the value.
///
/// Small and `Copy`; nothing of the value is kept, so it may go to any log. Relation and column are known
/// to whoever read the row, who adds them.
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
    place: Option<(Oid, Format)>,
}

/// What was wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// The bytes are not what PostgreSQL writes for this type.
    Malformed {
        /// What had to stand there.
        expected: &'static str,
    },
    /// A binary value ends inside a field.
    Truncated {
        /// How many bytes were needed from there.
        needed: usize,
        /// How many were left.
        available: usize,
    },
    /// The value was whole, and bytes were left after it.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The value lies outside of what the named type can hold.
    OutOfRange {
        /// The type, PostgreSQL's or Rust's.
        target: &'static str,
    },
    /// The number has no exact counterpart of the Rust type: a fraction asked for as an integer, too many digits for a
    /// float.
    Inexact {
        /// The Rust type.
        target: &'static str,
    },
    /// Text that is not UTF-8. The raw bytes are still to be had from [`Field::bytes`](super::Field::bytes); `&[u8]` and
    /// `Vec<u8>` read those of texts and JSON documents, not of composites, ranges and other types that consist of several.
    InvalidUtf8,
    /// A binary `hstore` whose lengths do not fit its texts, of which some are not ASCII. `hstore_send` counts before the
    /// server converts text to UTF-8, so that this is what comes of a database in another encoding; its text format is
    /// as it should be.
    HstoreLengths,
    /// The Rust type that was asked for does not read this PostgreSQL type.
    WrongType {
        /// The Rust type.
        target: &'static str,
    },
    /// Asked for borrowed bytes, but they must be decoded first, being the text form of a `bytea` or a text with
    /// escapes in it (inside of an array, composite or range): ask for [`Bytea`](super::Bytea) or `Vec<u8>`, for
    /// [`Text`](super::Text) or `String`.
    NotBorrowable,
    /// An array of several dimensions, read as a `Vec`: ask for an [`Array`](super::Array), or for one `Vec` for each.
    Dimensions {
        /// How many.
        count: usize,
    },
    /// More than [`MAX_DEPTH`](super::MAX_DEPTH) arrays, composites and ranges in each other.
    TooDeep,
    /// The binary form of a type that has no reader and was not described: it has no known meaning.
    Undescribed,
    /// A `regclass` or one of its like, whose text is a name and whose binary form is an oid, asked for as what the other
    /// format has.
    OtherFormat {
        /// What the value has in the other format.
        target: &'static str,
    },
    /// An interval with months, which have no fixed length, or an infinite one, asked for as a span of time.
    NoFixedLength {
        /// The Rust type.
        target: &'static str,
    },
    /// NULL, asked for as a type that cannot say so.
    Null {
        /// The Rust type.
        target: &'static str,
    },
    /// A stored-apart (TOASTed) value that the change did not touch and therefore does not carry, asked for as something
    /// else than [`Toast`](super::Toast).
    Unchanged {
        /// The Rust type.
        target: &'static str,
    },
    /// The output that was written to refused it.
    Write,
}

impl ValueError {
    /// An error at a byte of the value. Type and format are added by [`Field::get`](super::Field::get).
    pub const fn new(kind: ValueErrorKind, offset: usize) -> Self {
        Self { kind, offset, place: None }
    }

    /// What was wrong.
    pub const fn kind(&self) -> ValueErrorKind {
        self.kind
    }

    /// The byte of the value, from 0, at which it was noticed; at most the value's length.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The type of the value, or of the element inside it that was wrong.
    pub const fn type_oid(&self) -> Option<Oid> {
        match self.place {
            Some((oid, _)) => Some(oid),
            None => None,
        }
    }

    /// The format the value was in.
    pub const fn format(&self) -> Option<Format> {
        match self.place {
            Some((_, format)) => Some(format),
            None => None,
        }
    }

    /// The same error, for a value that starts `bytes` later in a larger one.
    #[must_use]
    pub const fn rebased(mut self, bytes: usize) -> Self {
        self.offset = self.offset.saturating_add(bytes);
        self
    }

    /// Names type and format, unless something further inside has done so.
    #[must_use]
    #[cold]
    pub(crate) fn within(mut self, oid: Oid, format: Format) -> Self {
        self.place = self.place.or(Some((oid, format)));
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
    /// With the name of its type, for who knows one that is not built in.
    pub(crate) fn write_named(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: Option<&str>,
    ) -> fmt::Result {
        if let Some((oid, format)) = self.place {
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

    /// What was wrong and where, without type and format.
    pub(crate) fn write_reason(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.kind {
            ValueErrorKind::Malformed { expected } => {
                write!(f, "expected {expected} at byte {offset}")
            }
            ValueErrorKind::Truncated { needed, available } => {
                write!(f, "needed {needed} bytes, had {available} at byte {offset}")
            }
            ValueErrorKind::TrailingBytes { count } => {
                write!(f, "{count} trailing bytes at byte {offset}")
            }
            ValueErrorKind::OutOfRange { target } => {
                write!(f, "out of range for {target} at byte {offset}")
            }
            ValueErrorKind::Inexact { target } => {
                write!(f, "no {target} is exactly the number at byte {offset}")
            }
            ValueErrorKind::InvalidUtf8 => write!(
                f,
                "not UTF-8 at byte {offset}: the column of the row (`row.column(…)`) has the bytes, which of a text, a JSON \
                 document and arrays of them `Vec<u8>` reads as well"
            ),
            ValueErrorKind::HstoreLengths => write!(
                f,
                "the lengths in this binary hstore do not fit at byte {offset}, as from every database whose encoding \
                 is not UTF8: read without the option `binary`"
            ),
            ValueErrorKind::WrongType { target } => {
                write!(f, "what stands at byte {offset} cannot be read as {target}")
            }
            ValueErrorKind::NotBorrowable => write!(
                f,
                "escapes must be decoded first, at byte {offset}: read it as `Bytea` or `Vec<u8>`, as `Text` or \
                 `String`"
            ),
            ValueErrorKind::Dimensions { count } => write!(
                f,
                "{count} dimensions at byte {offset} need a `Vec` for each: read it as `Array`, or `Vec`s in each \
                 other"
            ),
            ValueErrorKind::TooDeep => {
                write!(
                    f,
                    "more than {} containers in each other at byte {offset}",
                    super::MAX_DEPTH
                )
            }
            ValueErrorKind::Undescribed => write!(
                f,
                "the binary form at byte {offset} is of a type without a reader: read it as `Bytea` or `Vec<u8>`, or \
                 describe it with a `TypeInfo`"
            ),
            ValueErrorKind::OtherFormat { target } => match self.format() {
                Some(Format::Binary) => write!(
                    f,
                    "the binary format has an oid and no {target} at byte {offset}: read it as `Oid`, or ask the \
                     server for the text format"
                ),
                _ => write!(
                    f,
                    "the text format has a name and no {target} at byte {offset}: read it as `&str` or `String`, or \
                     ask the server for the option `binary`"
                ),
            },
            ValueErrorKind::NoFixedLength { target } => write!(
                f,
                "the interval at byte {offset} has months, or is infinite, and so no length that {target} can be: \
                 read it as `Interval`"
            ),
            ValueErrorKind::Null { target } => {
                write!(f, "NULL cannot be read as {target}; use `Option<{target}>`")
            }
            ValueErrorKind::Unchanged { target } => write!(
                f,
                "the change does not carry this unchanged TOAST value: read it as `Toast<{target}>`, or set \
                 REPLICA IDENTITY FULL"
            ),
            ValueErrorKind::Write => f.write_str("the output refused to be written to"),
        }
    }
}

impl fmt::Debug for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueError({self})")
    }
}

impl core::error::Error for ValueError {}
