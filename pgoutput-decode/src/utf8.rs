//! Columns whose text is known to be UTF-8.

use core::fmt;
use core::iter::FusedIterator;
use core::str;

use crate::tuple::{Columns, TupleColumn, TupleData};

/// One column of a row, its text known to be UTF-8; see [`TupleData::utf8_columns`].
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

impl<'a> TupleData<'a> {
    /// The columns in order, text as `str`.
    ///
    /// One look at the whole row costs less than one at each of its values, which it makes unnecessary for most rows.
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
    pub fn utf8_columns(&self) -> Utf8Columns<'a> {
        Utf8Columns { columns: self.columns(), unseen: Some(self.as_bytes()), text: None }
    }
}

/// Iterator over the columns of a [`TupleData`], text as `str`.
#[derive(Clone)]
pub struct Utf8Columns<'a> {
    columns: Columns<'a>,
    /// All columns, until the first text: a row in binary needs no look.
    unseen: Option<&'a [u8]>,
    /// All columns with their kinds and lengths, when all that is UTF-8. A length may make it fail, and never makes bad text good:
    /// what does not start and end with a character is looked at by itself.
    text: Option<&'a str>,
}

impl<'a> Iterator for Utf8Columns<'a> {
    type Item = Utf8Column<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.columns.next()? {
            TupleColumn::Null => Utf8Column::Null,
            TupleColumn::Unchanged => Utf8Column::Unchanged,
            TupleColumn::Binary(value) => Utf8Column::Binary(value),
            TupleColumn::Text(value) => {
                if let Some(all) = self.unseen.take() {
                    self.text = str::from_utf8(all).ok();
                }
                let end = self
                    .text
                    .map_or(0, |text| text.len().saturating_sub(self.columns.left_bytes()));
                let known = self.text.and_then(|text| text.get(end.checked_sub(value.len())?..end));
                match known {
                    Some(text) => Utf8Column::Text(text),
                    None => {
                        str::from_utf8(value).map_or(Utf8Column::OtherText(value), Utf8Column::Text)
                    }
                }
            }
        })
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

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::{Decoder, Message};

    /// Each value by itself.
    fn one_by_one<'a>(tuple: &TupleData<'a>) -> Vec<Utf8Column<'a>> {
        let column = |column| match column {
            TupleColumn::Null => Utf8Column::Null,
            TupleColumn::Unchanged => Utf8Column::Unchanged,
            TupleColumn::Binary(value) => Utf8Column::Binary(value),
            TupleColumn::Text(value) => {
                str::from_utf8(value).map_or(Utf8Column::OtherText(value), Utf8Column::Text)
            }
        };
        tuple.columns().map(column).collect()
    }

    fn frame(values: &[Option<(bool, Vec<u8>)>]) -> Vec<u8> {
        let mut frame = b"I\0\0\x40\x13N".to_vec();
        frame.extend_from_slice(&u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            let Some((text, bytes)) = value else {
                frame.push(b'n');
                continue;
            };
            frame.push(if *text { b't' } else { b'b' });
            frame.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
            frame.extend_from_slice(bytes);
        }
        frame
    }

    fn check(frame: &[u8]) {
        let message = Decoder::new().decode(frame).unwrap();
        let Message::Insert(body) = message else { panic!("{message:?}") };
        assert_eq!(body.new.utf8_columns().collect::<Vec<_>>(), one_by_one(&body.new));
    }

    #[test]
    fn a_length_and_a_value_that_make_a_character_are_not_taken_for_one() {
        // A value of 0xC3 bytes that starts in the middle of a character, which the length begins.
        let mut value = std::vec![b'x'; 0xC3];
        value[0] = 0xA9;
        check(&frame(&[Some((true, value))]));
    }

    proptest! {
        #[test]
        fn the_row_at_once_is_as_each_value_by_itself(
            values in proptest::collection::vec(
                proptest::option::of((any::<bool>(), prop_oneof![
                    any::<std::string::String>().prop_map(std::string::String::into_bytes),
                    "[ -~é]{0,20}".prop_map(std::string::String::into_bytes),
                    proptest::collection::vec(any::<u8>(), 0..300),
                ])),
                0..8,
            )
        ) {
            check(&frame(&values));
        }
    }
}
