//! `boolean`. Text: `t` and `f`. Binary: one byte. JSON: `true` and `false`.

use core::fmt;

use super::input::exactly;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

impl<'a> FromField<'a> for bool {
    #[inline]
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::BOOL
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for bool {
    #[inline]
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        match text {
            // No branch on which of the two it is: the processor could not predict it.
            [letter @ (b't' | b'f')] => Ok(*letter == b't'),
            _ => Err(ValueError::malformed("t or f", 0)),
        }
    }

    #[inline]
    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        match exactly(bytes)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(ValueError::malformed("byte 0 or 1", 0)),
        }
    }
}

/// Writes PostgreSQL's text, which differs from Rust's.
pub(super) fn display(value: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(if value { "t" } else { "f" })
}

pub(super) fn write_json(value: bool, out: &mut dyn fmt::Write) -> fmt::Result {
    out.write_str(if value { "true" } else { "false" })
}

#[cfg(test)]
mod tests {
    use crate::value::{Field, Format, type_oid};

    #[test]
    fn one_letter_or_one_byte_and_no_other() {
        let read = |format, bytes: &[u8]| Field::new(type_oid::BOOL, format, bytes).get().ok();
        for first in 0..=u8::MAX {
            let (text, binary) = (matches!(first, b't' | b'f'), first < 2);
            assert_eq!(read(Format::Text, &[first]), text.then_some(first == b't'));
            assert_eq!(read(Format::Binary, &[first]), binary.then_some(first == 1));
            for second in [0, b' ', b'r', b't'] {
                assert_eq!(read(Format::Text, &[first, second]), None);
                assert_eq!(read(Format::Binary, &[first, second]), None);
            }
        }
        assert_eq!((read(Format::Text, b""), read(Format::Binary, b"")), (None, None));
    }
}
