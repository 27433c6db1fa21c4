//! Builder of tuples.

use alloc::vec::Vec;

use super::EncodeError;
use super::value::EncodeBinary;
use super::writer::{Writer, one_more};
use crate::tuple::{KeyTuple, TupleBuf, TupleColumn};

impl TupleBuf {
    /// Creates a tuple without columns.
    ///
    /// ```
    /// use pgoutput_decode::{TupleBuf, TupleColumn};
    ///
    /// let mut row = TupleBuf::new();
    /// row.text("42")?.null()?.unchanged()?.binary(7_i32.to_be_bytes())?;
    /// assert_eq!(row.as_tuple().len(), 4);
    /// assert_eq!(row.as_tuple().get(0), Some(TupleColumn::Text(b"42")));
    ///
    /// // The next row in the same buffer.
    /// row.clear();
    /// row.text("43")?;
    /// # Ok::<(), pgoutput_decode::encode::EncodeError>(())
    /// ```
    pub const fn new() -> Self {
        Self { columns: 0, bytes: Vec::new() }
    }

    /// Creates a tuple of these columns.
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
    /// Fails on a value of more than `i32::MAX` bytes and on more than `u16::MAX` columns; the
    /// tuple is then unchanged.
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

    /// Adds a NULL.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn null(&mut self) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Null)
    }

    /// Adds an unchanged TOAST value.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn unchanged(&mut self) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Unchanged)
    }

    /// Adds a value in text format, as the type's output function writes it.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn text(&mut self, value: impl AsRef<[u8]>) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Text(value.as_ref()))
    }

    /// Adds a value in binary format, as the type's send function writes it.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn binary(&mut self, value: impl AsRef<[u8]>) -> Result<&mut Self, EncodeError> {
        self.push(TupleColumn::Binary(value.as_ref()))
    }

    /// Adds a value in the binary form of its type.
    ///
    /// # Errors
    /// Those of [`EncodeBinary::encode_binary`] and of [`push`](Self::push).
    pub fn value(&mut self, value: &impl EncodeBinary) -> Result<&mut Self, EncodeError> {
        self.binary(value.to_binary()?)
    }

    /// Removes all columns and keeps the buffer.
    pub fn clear(&mut self) {
        self.columns = 0;
        self.bytes.clear();
    }

    /// Returns the tuple as the key of an old row: as wide as the table, with NULL in columns
    /// outside the replica identity.
    pub fn as_key(&self) -> KeyTuple<'_> {
        KeyTuple(self.as_tuple())
    }
}
