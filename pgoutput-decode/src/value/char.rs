//! `"char"`. Text: one byte, nothing for zero, `\ooo` for bytes from 128. Binary: one byte. JSON: a
//! string.

use core::fmt::{self, Write};

use super::input::exactly;
use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, ValueError, type_oid};

/// PostgreSQL's internal type `"char"`, with the quotes: one byte, 0 to 255 (not `char(n)`, which
/// is text).
///
/// `Display` prints PostgreSQL's text: nothing for zero, and an octal escape from 128, as
/// PostgreSQL 16 and later write it. Older servers write the bare byte, which is not valid UTF-8;
/// it can be read as well.
///
/// ```
/// use pgoutput_decode::value::Char;
///
/// assert_eq!(Char(b'r').to_string(), "r");
/// assert_eq!(Char(255).to_string(), "\\377");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Char(pub u8);

impl<'a> FromField<'a> for Char {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::CHAR
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        if field.is_binary() {
            return exactly(field.bytes()).map(|[byte]| Self(byte));
        }
        let mut text = field.symbols();
        match [text.take(), text.take(), text.take(), text.take(), text.take()] {
            [None, ..] => Ok(Self(0)),
            [Some(byte), None, ..] => Ok(Self(byte)),
            [
                Some(b'\\'),
                Some(a @ b'0'..=b'3'),
                Some(b @ b'0'..=b'7'),
                Some(c @ b'0'..=b'7'),
                None,
            ] => Ok(Self((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))),
            _ => Err(ValueError::malformed("one byte, or a backslash and three octal digits", 0)),
        }
    }
}

impl fmt::Display for Char {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1..=127 => f.write_char(self.0.into()),
            _ => write!(f, "\\{:03o}", self.0),
        }
    }
}

impl WriteJson for Char {}
