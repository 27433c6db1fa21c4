//! Rows that are in no frame yet.

use alloc::vec::Vec;
use core::fmt;

use super::EncodeError;
use super::value::EncodeBinary;
use super::writer::{Writer, one_more};
use crate::{KeyTuple, TupleColumn, TupleData};

/// A row built column by column, in one buffer; lends itself to a message as [`TupleData`].
///
/// ```
/// use pgoutput_decode::TupleColumn;
/// use pgoutput_decode::encode::TupleColumnsBuf;
///
/// let mut row = TupleColumnsBuf::new();
/// row.text("42")?.null()?.unchanged()?.binary(7_i32.to_be_bytes())?;
/// assert_eq!(row.as_tuple().len(), 4);
/// assert_eq!(row.as_tuple().get(0), Some(TupleColumn::Text(b"42")));
///
/// // The next row in the same buffer.
/// row.clear();
/// row.text("43")?;
/// # Ok::<(), pgoutput_decode::encode::EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TupleColumnsBuf {
    columns: u16,
    bytes: Vec<u8>,
}

impl TupleColumnsBuf {
    /// A row without columns.
    pub const fn new() -> Self {
        Self { columns: 0, bytes: Vec::new() }
    }

    /// A row of these columns.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn from_columns<'c>(
        columns: impl IntoIterator<Item = TupleColumn<'c>>,
    ) -> Result<Self, EncodeError> {
        let mut row = Self::new();
        for column in columns {
            row.push(column)?;
        }
        Ok(row)
    }

    /// Adds a column.
    ///
    /// # Errors
    /// A value over `i32::MAX` bytes, a column over `u16::MAX`; the row is unchanged then.
    pub fn push(&mut self, column: TupleColumn<'_>) -> Result<&mut Self, EncodeError> {
        let columns = one_more(self.columns)?;
        Writer::append(&mut self.bytes, |writer| {
            let (kind, value) = match column {
                TupleColumn::Null => (b'n', None),
                TupleColumn::Unchanged => (b'u', None),
                TupleColumn::Text(value) => (b't', Some(value)),
                TupleColumn::Binary(value) => (b'b', Some(value)),
            };
            writer.u8(kind);
            if let Some(value) = value {
                writer.length("column value", value.len())?;
                writer.bytes(value);
            }
            Ok(())
        })?;
        self.columns = columns;
        Ok(self)
    }

    /// Adds an SQL NULL.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn null(&mut self) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Null)
    }

    /// Adds a TOASTed value that the change did not touch.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn unchanged(&mut self) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Unchanged)
    }

    /// Adds a value as its type's output function prints it.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn text(&mut self, value: impl AsRef<[u8]>) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Text(value.as_ref()))
    }

    /// Adds a value as its type's send function gives it.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn binary(&mut self, value: impl AsRef<[u8]>) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Binary(value.as_ref()))
    }

    /// Adds a value in its type's binary form.
    ///
    /// # Errors
    /// Those of [`EncodeBinary::encode_binary`] and of [`push`](Self::push).
    pub fn value(&mut self, value: &impl EncodeBinary) -> Result<&mut Self, EncodeError> {
        self.binary(value.to_binary()?)
    }

    /// Takes all columns out; the buffer stays.
    pub fn clear(&mut self) {
        self.columns = 0;
        self.bytes.clear();
    }

    /// The row, for Insert, Update, and the full old row of Update and Delete.
    pub fn as_tuple(&self) -> TupleData<'_> {
        TupleData::from_checked(self.columns, &self.bytes)
    }

    /// The row as the key of an old row: as wide as the table, NULL in the place of what is no key.
    pub fn as_key(&self) -> KeyTuple<'_> {
        KeyTuple(self.as_tuple())
    }
}

impl fmt::Debug for TupleColumnsBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_tuple(), f)
    }
}

impl From<TupleData<'_>> for TupleColumnsBuf {
    fn from(tuple: TupleData<'_>) -> Self {
        Self { columns: tuple.count(), bytes: tuple.as_bytes().into() }
    }
}
