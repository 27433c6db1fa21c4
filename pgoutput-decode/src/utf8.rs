//! Text known to be UTF-8.

use core::fmt;
use core::iter::FusedIterator;
use core::str::{self, Utf8Error};

use crate::tuple::{Columns, TupleColumn, TupleData};

/// One column of a row, its text known to be UTF-8; see [`TupleColumn::utf8`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utf8Column<'a> {
    /// SQL NULL.
    Null,
    /// A stored-apart (TOASTed) value that the change did not touch and the log therefore does not hold.
    Unchanged,
    /// The value as its type's output function prints it.
    Text(&'a str),
    /// Text that is not UTF-8: the client encoding is another one, or the database's is SQL_ASCII.
    OtherText(&'a [u8]),
    /// The value as its type's send function gives it (option `binary`).
    Binary(&'a [u8]),
}

/// The bytes as text, if they are UTF-8.
///
/// Most values are short and in ASCII, which is told in a fraction of the time that looking for longer characters takes.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    #[cfg(feature = "ascii")]
    if let Ok(text) = ascii::AsciiStr::from_ascii(bytes) {
        return Ok(text.as_str());
    }
    str::from_utf8(bytes)
}

impl<'a> TupleColumn<'a> {
    /// The column with its text as `str`.
    ///
    /// ```
    /// use pgoutput_decode::{Decoder, Utf8Column};
    ///
    /// let frame = b"I\0\0\x40\x13N\0\x02t\0\0\0\x02\xC3\xA9t\0\0\0\x01\xE9";
    /// let mut columns = vec![];
    /// Decoder::new().decode_with(frame, |_, column| columns.push(column.utf8()))?;
    /// assert_eq!(columns, [Utf8Column::Text("é"), Utf8Column::OtherText(b"\xE9")]);
    /// # Ok::<(), pgoutput_decode::DecodeError>(())
    /// ```
    #[inline]
    pub fn utf8(self) -> Utf8Column<'a> {
        match self {
            Self::Null => Utf8Column::Null,
            Self::Unchanged => Utf8Column::Unchanged,
            Self::Text(value) => text(value).map_or(Utf8Column::OtherText(value), Utf8Column::Text),
            Self::Binary(value) => Utf8Column::Binary(value),
        }
    }
}

impl<'a> TupleData<'a> {
    /// The columns in order, text as `str`.
    ///
    /// ```
    /// use pgoutput_decode::{Decoder, Message, Utf8Column};
    ///
    /// let frame = b"I\0\0\x40\x13N\0\x02t\0\0\0\x02\xC3\xA9t\0\0\0\x01\xE9";
    /// let Message::Insert(insert) = Decoder::new().decode(frame)? else { panic!() };
    /// let columns: Vec<_> = insert.new.utf8_columns().collect();
    /// assert_eq!(columns, [Utf8Column::Text("é"), Utf8Column::OtherText(b"\xE9")]);
    /// # Ok::<(), pgoutput_decode::DecodeError>(())
    /// ```
    #[inline]
    pub const fn utf8_columns(&self) -> Utf8Columns<'a> {
        Utf8Columns { columns: self.columns() }
    }
}

/// Iterator over the columns of a [`TupleData`], text as `str`.
#[derive(Clone)]
pub struct Utf8Columns<'a> {
    columns: Columns<'a>,
}

impl<'a> Iterator for Utf8Columns<'a> {
    type Item = Utf8Column<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.columns.next().map(TupleColumn::utf8)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.columns.size_hint()
    }
}

impl ExactSizeIterator for Utf8Columns<'_> {}
impl FusedIterator for Utf8Columns<'_> {}

impl fmt::Debug for Utf8Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_is_where_the_first_bad_byte_is() {
        let error = text(b"plain, \xC3\xA9, \xFF, \xFE").unwrap_err();
        assert_eq!(error.valid_up_to(), 11);
    }

    proptest! {
        #[test]
        fn text_is_what_the_standard_library_says(
            bytes in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                "[ -~]{0,40}é?[ -~]{0,40}".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..300),
                proptest::collection::vec(0_u8..0x82, 0..100),
            ]
        ) {
            prop_assert_eq!(text(&bytes), str::from_utf8(&bytes));
            let column = match str::from_utf8(&bytes) {
                Ok(text) => Utf8Column::Text(text),
                Err(_) => Utf8Column::OtherText(&bytes),
            };
            prop_assert_eq!(TupleColumn::Text(&bytes).utf8(), column);
            prop_assert_eq!(TupleColumn::Binary(&bytes).utf8(), Utf8Column::Binary(&bytes));
        }
    }
}
