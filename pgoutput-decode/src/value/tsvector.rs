//! `tsvector`: text lexemes in apostrophes with their places, binary their count, each with a count of places, JSON
//! a string.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::{Field, FieldType, Format, FromField, Text, ValueError, type_oid};

/// A `tsvector`: lexemes, each with the places it was found at (manual, section "Text Search Types").
///
/// `Display` is PostgreSQL's text, and it is what two of them are compared by. What came as text is that text.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, TsVector, type_oid};
///
/// // One lexeme at one place: weight A (3) in the two highest bits, place 2 below.
/// let binary = Field::new(type_oid::TSVECTOR, Format::Binary, b"\0\0\0\x01it's\0\0\x01\xC0\x02");
/// assert_eq!(binary.get::<TsVector>()?.to_string(), "'it''s':2A");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct TsVector<'a>(TsVectorRepr<'a>);

#[derive(Clone, Copy)]
enum TsVectorRepr<'a> {
    Text(Text<'a>),
    /// Behind the count.
    Binary(Input<'a>),
}

/// What a `tsvector` or `tsquery` was read from.
#[cfg(feature = "encode")]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lexemes<'a> {
    /// PostgreSQL's text, not looked at yet.
    Text(Text<'a>),
    /// The checked binary form behind its count.
    Binary {
        /// How many lexemes, with a `tsquery` operators as well.
        count: u32,
        /// What follows.
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

/// A text up to the zero byte behind it.
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

/// A lexeme and the places it was found at, two bytes each.
fn take_entry<'a>(input: &mut Input<'a>) -> Result<(&'a str, &'a [u8]), ValueError> {
    let lexeme = take_lexeme(input)?;
    let places = u16::from_be_bytes(input.array()?);
    Ok((lexeme, input.take(usize::from(places) * 2)?))
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

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Text, text))
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Binary, bytes))
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
            let (lexeme, places) = take_entry(&mut input).map_err(|_| fmt::Error)?;
            if !is_first {
                f.write_char(' ')?;
            }
            is_first = false;
            write_lexeme(f, lexeme)?;
            for (at, place) in places.as_chunks::<2>().0.iter().enumerate() {
                let place = u16::from_be_bytes(*place);
                let weight = match place >> 14 {
                    0 => "",
                    1 => "C",
                    2 => "B",
                    _ => "A",
                };
                let before = if at == 0 { ':' } else { ',' };
                write!(f, "{before}{}{weight}", place & 0x3FFF)?;
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
    use std::string::ToString;

    fn binary(bytes: &[u8]) -> Result<TsVector<'_>, ValueError> {
        Field::new(type_oid::TSVECTOR, Format::Binary, bytes).get()
    }

    #[test]
    fn the_binary_form_is_written_as_the_text_is() {
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
