//! `tsvector`. Text: lexemes in apostrophes with their positions. Binary: the number of lexemes,
//! and for each one its text, the number of its positions, and the positions. JSON: a string.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, Text, ValueError, type_oid};

/// A `tsvector`: lexemes with the positions at which they occur (manual, section "Text Search
/// Types").
///
/// `Display` prints PostgreSQL's text, and vectors are compared by that text. A vector in text
/// format is not parsed.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, TsVector, type_oid};
///
/// // One lexeme at one position: weight A (3) in the two highest bits, position 2 below.
/// let binary = Field::new(type_oid::TSVECTOR, Format::Binary, b"\0\0\0\x01it's\0\0\x01\xC0\x02");
/// assert_eq!(binary.get::<TsVector>()?.to_string(), "'it''s':2A");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct TsVector<'a>(TsVectorRepr<'a>);

#[derive(Clone, Copy)]
enum TsVectorRepr<'a> {
    Text(Text<'a>),
    /// The checked binary form after its count.
    Binary(Input<'a>),
}

/// The source of a `tsvector` or `tsquery`.
#[cfg(feature = "encode")]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lexemes<'a> {
    /// PostgreSQL's text, not parsed yet.
    Text(Text<'a>),
    /// The checked binary form after its count.
    Binary {
        /// The number of lexemes; for a `tsquery`, of lexemes and operators.
        count: u32,
        /// The bytes after the count.
        items: &'a [u8],
    },
}

#[cfg(feature = "encode")]
impl<'a> TsVector<'a> {
    pub(crate) fn source(&self) -> Lexemes<'a> {
        let mut input = match self.0 {
            TsVectorRepr::Text(text) => return Lexemes::Text(text),
            TsVectorRepr::Binary(input) => input,
        };
        let (mut count, items) = (0, input.rest());
        while take_entry(&mut input).is_ok() {
            count += 1;
        }
        Lexemes::Binary { count, items }
    }
}

/// Reads a text and the zero byte after it.
pub(super) fn take_lexeme<'a>(input: &mut Input<'a>) -> Result<&'a str, ValueError> {
    let start = input.offset();
    let lexeme = input.take_while(|byte| byte != 0);
    let lexeme = super::text::utf8(lexeme).map_err(|error| error.rebased(start))?;
    input.expect(0, "a zero byte after the lexeme")?;
    Ok(lexeme)
}

/// Writes a lexeme in apostrophes.
pub(super) fn write_lexeme(f: &mut fmt::Formatter<'_>, lexeme: &str) -> fmt::Result {
    f.write_char('\'')?;
    for run in lexeme.split_inclusive(['\'', '\\']) {
        f.write_str(run)?;
        if let Some(last @ ('\'' | '\\')) = run.chars().next_back() {
            f.write_char(last)?;
        }
    }
    f.write_char('\'')
}

/// Reads a lexeme and its positions, two bytes each.
fn take_entry<'a>(input: &mut Input<'a>) -> Result<(&'a str, &'a [u8]), ValueError> {
    let lexeme = take_lexeme(input)?;
    let positions = u16::from_be_bytes(input.array()?);
    Ok((lexeme, input.take(usize::from(positions) * 2)?))
}

impl<'a> FromField<'a> for TsVector<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TSVECTOR
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        if !field.is_binary() {
            return Text::read(field).map(TsVectorRepr::Text).map(Self);
        }
        let mut input = Input::new(field.bytes());
        let mut left = u32::from_be_bytes(input.array()?);
        let entries = input;
        while left > 0 {
            take_entry(&mut input)?;
            left -= 1;
        }
        input.finish()?;
        Ok(Self(TsVectorRepr::Binary(entries)))
    }
}

impl PartialEq for TsVector<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (TsVectorRepr::Text(text), _) => text.is_displayed_by(other),
            (_, TsVectorRepr::Text(text)) => text.is_displayed_by(self),
            (TsVectorRepr::Binary(left), TsVectorRepr::Binary(right)) => {
                left.rest() == right.rest()
            }
        }
    }
}

impl Eq for TsVector<'_> {}

impl fmt::Display for TsVector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut input = match self.0 {
            TsVectorRepr::Text(text) => return text.fmt(f),
            TsVectorRepr::Binary(input) => input,
        };
        let mut is_first = true;
        while !input.rest().is_empty() {
            let (lexeme, positions) = take_entry(&mut input).map_err(|_| fmt::Error)?;
            if !is_first {
                f.write_char(' ')?;
            }
            is_first = false;
            write_lexeme(f, lexeme)?;
            for (at, position) in positions.as_chunks::<2>().0.iter().enumerate() {
                let position = u16::from_be_bytes(*position);
                let weight = match position >> 14 {
                    0 => "",
                    1 => "C",
                    2 => "B",
                    _ => "A",
                };
                let before = if at == 0 { ':' } else { ',' };
                write!(f, "{before}{}{weight}", position & 0x3FFF)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TsVector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for TsVector<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Format;
    use std::string::ToString;

    fn binary(bytes: &[u8]) -> Result<TsVector<'_>, ValueError> {
        Field::new(type_oid::TSVECTOR, Format::Binary, bytes).get()
    }

    #[test]
    fn the_binary_form_is_written_like_the_text() {
        let text = r"'a\\b' 'cat':1,2C,3B,16383A";
        let bytes = b"\0\0\0\x02a\\b\0\0\0cat\0\0\x04\0\x01\x40\x02\x80\x03\xFF\xFF";
        let from_binary = binary(bytes).unwrap();
        assert_eq!(from_binary.to_string(), text);
        let from_text: TsVector<'_> =
            Field::new(type_oid::TSVECTOR, Format::Text, text.as_bytes()).get().unwrap();
        assert_eq!(from_text, from_binary);
        assert_eq!(from_binary, from_text);
        let longer: TsVector<'_> =
            Field::new(type_oid::TSVECTOR, Format::Text, br"'a\\b'").get().unwrap();
        assert_ne!(longer, from_binary);
        for end in 0..bytes.len() {
            assert!(binary(&bytes[..end]).is_err());
        }
        assert!(binary(b"\xFF\xFF\xFF\xFF").is_err());
        assert_eq!(binary(b"\0\0\0\0").unwrap().to_string(), "");
        assert_eq!(binary(b"\0\0\0\x01a\xFF\0\0\0").unwrap_err().offset(), 5);
    }
}
