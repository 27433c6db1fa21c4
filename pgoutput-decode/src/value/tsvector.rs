//! `tsvector`: text `'lexeme':1A,2`, binary lexemes and positions, JSON a string.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::text::utf8;
use super::{FieldType, FromField, ValueError, type_oid};

/// A `tsvector`: lexemes in order, each with its positions and their weights, kept in the form it came in.
///
/// `Display` is PostgreSQL's text, from either form; equality is that of the text.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, TsVector, type_oid};
///
/// let binary = b"\0\0\0\x01cat\0\0\x02\0\x01\xC0\x03";
/// let vector: TsVector = Field::new(type_oid::TSVECTOR, Format::Binary, binary).get()?;
/// assert_eq!(vector.to_string(), "'cat':1,3A");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct TsVector<'a>(Repr<'a>);

#[derive(Clone, Copy)]
enum Repr<'a> {
    Text(&'a str),
    /// What comes after the count of lexemes.
    Binary(&'a [u8]),
}

/// One lexeme of the binary form, and its positions, two bytes each.
fn lexeme<'a>(input: &mut Input<'a>) -> Result<(&'a str, &'a [u8]), ValueError> {
    let start = input.offset();
    let lexeme = utf8(input.take_while(|byte| byte != 0)).map_err(|error| error.rebased(start))?;
    input.expect(0, "a zero byte after the lexeme")?;
    let count = u16::from_be_bytes(input.array()?);
    Ok((lexeme, input.take(usize::from(count) * 2)?))
}

impl<'a> FromField<'a> for TsVector<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::TSVECTOR
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        utf8(text).map(|text| Self(Repr::Text(text)))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let count = u32::from_be_bytes(input.array()?);
        let lexemes = input.rest();
        for _ in 0..count {
            lexeme(&mut input)?;
        }
        input.finish()?;
        Ok(Self(Repr::Binary(lexemes)))
    }
}

impl fmt::Display for TsVector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lexemes = match self.0 {
            Repr::Text(text) => return f.write_str(text),
            Repr::Binary(lexemes) => lexemes,
        };
        let mut input = Input::new(lexemes);
        while !input.rest().is_empty() {
            let first = input.offset() == 0;
            // They were checked when the value was read.
            let (lexeme, positions) = lexeme(&mut input).map_err(|_| fmt::Error)?;
            f.write_str(if first { "'" } else { " '" })?;
            for run in lexeme.split_inclusive(['\'', '\\']) {
                f.write_str(run)?;
                // Both are written twice.
                f.write_str(run.rmatches(['\'', '\\']).next().unwrap_or_default())?;
            }
            f.write_char('\'')?;
            for (at, pair) in positions.as_chunks::<2>().0.iter().enumerate() {
                let position = u16::from_be_bytes(*pair);
                let weight = ["", "C", "B", "A"].get(usize::from(position >> 14));
                let separator = if at == 0 { ':' } else { ',' };
                write!(f, "{separator}{}{}", position & 0x3FFF, weight.unwrap_or(&""))?;
            }
        }
        Ok(())
    }
}

/// Compares what is written to it with a text.
struct Expect<'a>(&'a str);

impl Write for Expect<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text).ok_or(fmt::Error)?;
        Ok(())
    }
}

impl PartialEq for TsVector<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Repr::Binary(left), Repr::Binary(right)) => left == right,
            (Repr::Text(text), rest) | (rest, Repr::Text(text)) => {
                let mut expect = Expect(text);
                write!(expect, "{}", TsVector(rest)).is_ok() && expect.0.is_empty()
            }
        }
    }
}

impl Eq for TsVector<'_> {}

impl fmt::Debug for TsVector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for TsVector<'_> {}
