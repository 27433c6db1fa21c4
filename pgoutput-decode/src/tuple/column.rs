//! One column of a tuple.

use core::fmt;
use core::str::{self, Utf8Error};

use crate::utf8;

/// A column of a tuple.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TupleColumn<'a> {
    /// SQL NULL.
    Null,
    /// An unchanged TOAST value: the change did not touch it, so the message omits it.
    ///
    /// It is not NULL: the row has a value here, which this message does not contain.
    Unchanged,
    /// The output of the type's output function, in the client encoding, without a terminating
    /// zero.
    Text(&'a [u8]),
    /// The output of the type's send function (option `binary`).
    Binary(&'a [u8]),
}

impl<'a> TupleColumn<'a> {
    /// Returns the text, if the column was sent as text.
    ///
    /// A server sends text that is not UTF-8 with another client encoding, or from a database in
    /// SQL_ASCII.
    ///
    /// ```
    /// use pgoutput_decode::{Message, TupleColumn};
    ///
    /// let frame = b"I\0\0\x40\x13N\0\x03t\0\0\0\x02\xC3\xA9t\0\0\0\x01\xE9n";
    /// let Message::Insert(insert) = Message::decode(frame, false)? else { panic!() };
    /// let texts: Vec<_> = insert.new.columns().map(TupleColumn::utf8).collect();
    /// assert!(matches!(texts[..], [Some(Ok("é")), Some(Err(_)), None]));
    /// # Ok::<(), pgoutput_decode::DecodeError>(())
    /// ```
    #[inline]
    pub fn utf8(self) -> Option<Result<&'a str, Utf8Error>> {
        match self {
            Self::Text(value) => Some(utf8::text(value)),
            Self::Null | Self::Unchanged | Self::Binary(_) => None,
        }
    }
}

impl fmt::Debug for TupleColumn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Unchanged => f.write_str("Unchanged"),
            Self::Text(value) => match core::str::from_utf8(value) {
                Ok(text) => write!(f, "Text({text:?})"),
                Err(_) => write!(f, "Text(b\"{}\")", value.escape_ascii()),
            },
            Self::Binary(value) => {
                f.write_str("Binary(")?;
                value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    }
}
