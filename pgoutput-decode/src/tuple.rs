//! Tuples, the rows of a message: TupleData, its columns, and old rows.
//!
//! Manual, section "Logical Replication Message Formats", part TupleData. Decoding reads the length
//! of each value and never its bytes.

mod column;
mod old;
#[cfg(feature = "alloc")]
mod owned;

use core::fmt;
use core::iter::FusedIterator;

use byteorder::{BigEndian, ByteOrder};

use crate::cursor::{Cursor, split_u16};
use crate::error::DecodeError;
use crate::field_name::FieldName;
#[cfg(feature = "serde")]
use crate::format::Format;

pub use self::column::TupleColumn;
pub use self::old::{KeyTuple, OldTuple, TupleKind};
#[cfg(feature = "alloc")]
pub use self::owned::{OldTupleBuf, TupleBuf};

/// The columns of one row, in the order of its Relation message; borrowed from the frame.
///
/// ```
/// use pgoutput_decode::{Decoder, Message, TupleColumn};
///
/// let frame = b"I\0\0\x40\x13N\0\x03t\0\0\0\x011nu";
/// let Message::Insert(insert) = Decoder::new().decode(frame)? else { panic!() };
/// let columns: Vec<_> = insert.new.columns().collect();
/// assert_eq!(columns, [TupleColumn::Text(b"1"), TupleColumn::Null, TupleColumn::Unchanged]);
/// # Ok::<(), pgoutput_decode::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TupleData<'a> {
    columns: u16,
    bytes: &'a [u8],
}

impl<'a> TupleData<'a> {
    /// Checks a tuple at the front of the cursor, in one walk over its lengths.
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let columns = cursor.u16(FieldName::ColumnCount)?;
        let bytes = cursor.rest();
        let rest = match split_columns::<Silent>(bytes, columns, |_| ()) {
            Ok(rest) => rest,
            // The same walk again, for the error.
            Err(Silent) => split_columns::<RefusalReason>(bytes, columns, |_| ())
                .map_err(|reason| reason.at(*cursor))?,
        };
        cursor.advance_to(rest);
        let (tuple, _) =
            bytes.split_at_checked(bytes.len().saturating_sub(rest.len())).unwrap_or_default();
        Ok(Self { columns, bytes: tuple })
    }

    /// Splits off the tuple at the front, and passes its columns to `each`.
    #[inline]
    pub(crate) fn split(
        bytes: &'a [u8],
        each: impl FnMut(TupleColumn<'a>),
    ) -> Option<(Self, &'a [u8])> {
        let (columns, bytes) = split_u16(bytes)?;
        let rest = split_columns::<Silent>(bytes, columns, each).ok()?;
        let (tuple, rest) = bytes.split_at_checked(bytes.len().checked_sub(rest.len())?)?;
        Some((Self { columns, bytes: tuple }, rest))
    }

    /// Reads a tuple that takes up all bytes, and passes its columns to `each`.
    #[inline]
    pub(crate) fn whole(bytes: &'a [u8], each: impl FnMut(TupleColumn<'a>)) -> Option<Self> {
        let (columns, bytes) = split_u16(bytes)?;
        let rest = split_columns::<Silent>(bytes, columns, each).ok()?;
        rest.is_empty().then_some(Self { columns, bytes })
    }

    /// Returns the column count as it is on the wire.
    #[cfg(feature = "encode")]
    pub(crate) const fn count(&self) -> u16 {
        self.columns
    }

    /// Returns the number of columns, at most 65535 (PostgreSQL's own limit is 1600).
    pub const fn len(&self) -> usize {
        self.columns as usize
    }

    /// Returns true for a row without columns, which PostgreSQL allows.
    pub const fn is_empty(&self) -> bool {
        self.columns == 0
    }

    /// Returns the columns in order.
    #[inline]
    pub const fn columns(&self) -> Columns<'a> {
        Columns { left: self.columns, rest: self.bytes }
    }

    /// Returns the column at this index, from 0, by a walk over those before it.
    pub fn get(&self, index: usize) -> Option<TupleColumn<'a>> {
        self.columns().nth(index)
    }

    /// Returns the bytes of the columns, without the count.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The reason why a column was refused: [`Silent`] or a [`RefusalReason`]. One function reads
/// columns for both, so that they refuse the same.
trait Refusal {
    /// Creates the reason for the column at the front of `bytes`, which is incomplete or of an
    /// unknown kind.
    fn of(bytes: &[u8]) -> Self;
}

/// No reason, which takes no time to create.
struct Silent;

impl Refusal for Silent {
    #[inline]
    fn of(_: &[u8]) -> Self {
        Self
    }
}

/// The error, and the number of bytes left at its place.
struct RefusalReason {
    error: DecodeError,
    left: usize,
}

impl Refusal for RefusalReason {
    #[cold]
    fn of(bytes: &[u8]) -> Self {
        let truncated = |field, needed, rest: &[u8]| Self {
            error: DecodeError::truncated(field, needed, rest.len()),
            left: rest.len(),
        };
        let (length, value) = match bytes.split_first() {
            None => return truncated(FieldName::ColumnKind, 1, bytes),
            Some((kind, _)) if !is_value(*kind) => {
                let error = DecodeError::unknown_column_kind(*kind);
                return Self { error, left: bytes.len() };
            }
            Some((_, rest)) => (rest, rest.split_first_chunk::<4>()),
        };
        let Some((of, value)) = value else {
            return truncated(FieldName::ColumnValueLength, 4, length);
        };
        let bytes_left = length.len();
        let length = BigEndian::read_i32(of);
        match usize::try_from(length) {
            Ok(needed) => truncated(FieldName::ColumnValue, needed, value),
            Err(_) => Self {
                error: DecodeError::negative_length(FieldName::ColumnValueLength, length),
                left: bytes_left,
            },
        }
    }
}

impl RefusalReason {
    /// Returns the error, for the frame that this cursor reads.
    #[cold]
    fn at(self, mut cursor: Cursor<'_>) -> DecodeError {
        let rest = cursor.rest();
        cursor.advance_to(rest.get(rest.len().saturating_sub(self.left)..).unwrap_or_default());
        cursor.error(self.error)
    }
}

/// Returns the bytes after this many columns, or refuses one that is incomplete or of an unknown
/// kind.
#[inline]
fn split_columns<'a, R: Refusal>(
    mut bytes: &'a [u8],
    columns: u16,
    mut each: impl FnMut(TupleColumn<'a>),
) -> Result<&'a [u8], R> {
    for _ in 0..columns {
        let (column, rest) = split_column_or(bytes)?;
        each(column);
        bytes = rest;
    }
    Ok(bytes)
}

/// Returns whether a length and a value follow. Text is tested first, because most values are text:
/// the compiler would sort the letters.
#[inline]
fn is_value(kind: u8) -> bool {
    if kind == b't' {
        return true;
    }
    unlikely();
    kind == b'b'
}

/// Marks a branch as unlikely for the compiler.
#[cold]
#[inline]
const fn unlikely() {}

/// Splits a value of this length off the front.
#[inline]
fn skip_value(length: [u8; 4], bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // Read as unsigned, a negative length is greater than the length of any frame.
    bytes.split_at_checked(usize::try_from(BigEndian::read_u32(&length)).ok()?)
}

/// Splits one column off the front; `None` if it is incomplete or of an unknown kind.
#[inline]
pub(crate) fn split_column(bytes: &[u8]) -> Option<(TupleColumn<'_>, &[u8])> {
    split_column_or::<Silent>(bytes).ok()
}

/// Splits one column off the front.
#[inline]
fn split_column_or<R: Refusal>(bytes: &[u8]) -> Result<(TupleColumn<'_>, &[u8]), R> {
    if let Some((&[kind, a, b, c, d], rest)) = bytes.split_first_chunk()
        && is_value(kind)
    {
        let (value, rest) = skip_value([a, b, c, d], rest).ok_or_else(|| R::of(bytes))?;
        let column =
            if kind == b't' { TupleColumn::Text(value) } else { TupleColumn::Binary(value) };
        return Ok((column, rest));
    }
    match bytes.split_first() {
        Some((b'n', rest)) => Ok((TupleColumn::Null, rest)),
        Some((b'u', rest)) => Ok((TupleColumn::Unchanged, rest)),
        _ => Err(R::of(bytes)),
    }
}

/// Splits one column off the front if it has a value, and returns it with its format.
/// [`split_column`] does not call it, because that would slow down reading columns without a type.
#[cfg(feature = "serde")]
#[inline]
pub(crate) fn split_value(bytes: &[u8]) -> Option<(Format, &[u8], &[u8])> {
    let (&[kind, a, b, c, d], rest) = bytes.split_first_chunk()?;
    if !is_value(kind) {
        return None;
    }
    let (value, rest) = skip_value([a, b, c, d], rest)?;
    Some((if kind == b't' { Format::Text } else { Format::Binary }, value, rest))
}

/// Iterator over the columns of a [`TupleData`].
#[derive(Clone)]
pub struct Columns<'a> {
    left: u16,
    rest: &'a [u8],
}

impl<'a> Iterator for Columns<'a> {
    type Item = TupleColumn<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // The bytes end with the last column, so the count need not be checked.
        let (column, rest) = split_column(self.rest)?;
        self.rest = rest;
        self.left = self.left.saturating_sub(1);
        Some(column)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl ExactSizeIterator for Columns<'_> {}
impl FusedIterator for Columns<'_> {}

impl fmt::Debug for TupleData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.columns()).finish()
    }
}

impl fmt::Debug for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
