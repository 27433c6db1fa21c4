//! `hstore`. Text: `"key"=>"value"` separated by commas. Binary: the number of pairs, then keys and
//! values with their lengths. JSON: an object of strings.
//!
//! `hstore_send` writes lengths in the encoding of the database, and the server converts the texts
//! afterwards. The binary form of text that is not ASCII is therefore broken, except in databases
//! in UTF8 (and SQL_ASCII, where nothing is converted).

use core::fmt::{self, Write};

use super::array_elements::take_binary;
use super::input::Input;
use super::json_out::{JsonContext, WriteJson, quoted};
use super::quote::write_quoted;
use super::unescape::{QuoteEscape, Symbols};
use super::{Field, FieldType, FromField, Text, TypeKind, ValueError, ValueErrorKind, type_oid};

/// An `hstore`: texts or NULLs, each under a unique key (manual, section "hstore").
///
/// `Display` prints PostgreSQL's text. The pairs are in the server's order: by the length of the
/// key, then by its bytes.
///
/// ```
/// use pgoutput_decode::Oid;
/// use pgoutput_decode::value::{Field, Format, Hstore, TypeInfo, TypeKind};
///
/// let hstore = TypeInfo::new(Oid::new(16_400), "hstore", TypeKind::Hstore);
/// let field = Field::with_type(&hstore, Format::Text, br#""a"=>"1", "b"=>NULL"#);
/// let pairs: Hstore = field.get()?;
/// let (key, value) = pairs.pairs().next().unwrap();
/// assert_eq!((key.as_str(), value.unwrap().as_str()), (Some("a"), Some("1")));
///
/// let mut json = String::new();
/// field.write_json(&mut json, Default::default())?;
/// assert_eq!(json, r#"{"a":"1","b":null}"#);
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Hstore<'a>(PairCursor<'a>);

/// Iterator over the pairs of an [`Hstore`]: a key, and a text or `None` for NULL.
#[derive(Debug, Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Pairs<'a>(PairCursor<'a>);

/// Cursor over the pairs.
#[derive(Debug, Clone, Copy)]
struct PairCursor<'a> {
    hstore: Field<'a>,
    source: PairInput<'a>,
}

type Pair<'a> = (Text<'a>, Option<Text<'a>>);

#[derive(Debug, Clone, Copy)]
enum PairInput<'a> {
    Text { text: Symbols<'a>, is_first: bool },
    Binary { input: Input<'a>, left: u32 },
}

impl<'a> Hstore<'a> {
    /// Returns the pairs, in the server's order.
    pub const fn pairs(&self) -> Pairs<'a> {
        Pairs(self.0)
    }

    /// Returns the value of this key: `None` if the key is missing, `Some(None)` if its value is
    /// NULL.
    #[allow(clippy::option_option, reason = "a missing key is not NULL")]
    pub fn get(&self, key: &str) -> Option<Option<Text<'a>>> {
        self.pairs().find(|(found, _)| found == key).map(|(_, value)| value)
    }
}

impl<'a> PairCursor<'a> {
    fn check(mut self) -> Result<(), ValueError> {
        while self.advance()?.is_some() {}
        match self.source {
            PairInput::Binary { input, .. } => input.finish(),
            PairInput::Text { .. } => Ok(()),
        }
    }

    /// Returns [`ValueErrorKind::HstoreLengths`] instead of `error` if the lengths are those of
    /// another encoding.
    fn or_length_error(&self, error: ValueError) -> ValueError {
        let PairInput::Binary { input, left } = self.source else { return error };
        if has_lengths_in_another_encoding(input, left) {
            return ValueError::new(ValueErrorKind::HstoreLengths, error.offset());
        }
        error
    }

    /// Reads a text inside this value.
    fn text(&self, bytes: &'a [u8]) -> Result<Text<'a>, ValueError> {
        let text = self.hstore.child(FieldType::new(type_oid::TEXT), bytes)?;
        Text::read(&text).map_err(|error| text.rebase(error, &self.hstore))
    }

    fn advance(&mut self) -> Result<Option<Pair<'a>>, ValueError> {
        let hstore = *self;
        match &mut self.source {
            PairInput::Binary { left: 0, .. } => Ok(None),
            PairInput::Binary { input, left } => {
                *left -= 1;
                let start = *input;
                let key = take_binary(input)?.ok_or(start.malformed("a key, not NULL"))?;
                let value = take_binary(input)?;
                let value = value.map(|value| hstore.text(value)).transpose()?;
                Ok(Some((hstore.text(key)?, value)))
            }
            PairInput::Text { text, .. } if text.rest().is_empty() => Ok(None),
            PairInput::Text { text, is_first } => {
                if !*is_first {
                    text.expect(b',', "a comma between pairs")?;
                    text.expect(b' ', "a space after the comma")?;
                }
                *is_first = false;
                text.expect(b'"', "a key in quotes")?;
                let key = text.quoted(QuoteEscape::Backslash)?;
                text.expect(b'=', "=> after the key")?;
                text.expect(b'>', "=> after the key")?;
                let value = if text.eat(b'"') {
                    Some(hstore.text(text.quoted(QuoteEscape::Backslash)?)?)
                } else {
                    let start = *text;
                    if text.unquoted(|byte| byte == b',')? != b"NULL" {
                        return Err(start.malformed("a value in quotes, or NULL"));
                    }
                    None
                };
                Ok(Some((hstore.text(key)?, value)))
            }
        }
    }
}

/// Returns whether the lengths stop matching after a text that is not ASCII: the first such text is
/// cut inside or after a character that the conversion made longer.
fn has_lengths_in_another_encoding(mut input: Input<'_>, pairs: u32) -> bool {
    let mut is_ascii = true;
    for _ in 0..pairs {
        for _ in 0..2 {
            match take_binary(&mut input) {
                Ok(text) => is_ascii &= text.is_none_or(<[u8]>::is_ascii),
                Err(_) => return !is_ascii,
            }
        }
    }
    !is_ascii && input.finish().is_err()
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // All pairs were read without an error when the hstore was read.
        self.0.advance().ok()?
    }
}

impl core::iter::FusedIterator for Pairs<'_> {}

impl<'a> FromField<'a> for Hstore<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        matches!(ty.kind(), TypeKind::Hstore)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let source = if field.is_binary() {
            let mut input = Input::new(field.bytes());
            let left = u32::from_be_bytes(input.array()?);
            PairInput::Binary { input, left }
        } else {
            PairInput::Text { text: field.symbols(), is_first: true }
        };
        let pairs = PairCursor { hstore: *field, source };
        if !field.is_checked() {
            pairs.check().map_err(|error| pairs.or_length_error(error))?;
        }
        Ok(Self(pairs))
    }
}

impl PartialEq for Hstore<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Eq for Hstore<'_> {}

impl fmt::Display for Hstore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.pairs().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write_quoted(f, &key, QuoteEscape::Backslash)?;
            f.write_str("=>")?;
            match value {
                None => f.write_str("NULL")?,
                Some(value) => write_quoted(f, &value, QuoteEscape::Backslash)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Hstore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Hstore<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        out.write_char('{')?;
        for (at, (key, value)) in self.pairs().enumerate() {
            if at > 0 {
                out.write_char(',')?;
            }
            quoted(out, &key)?;
            out.write_char(':')?;
            match value {
                None => out.write_str("null")?,
                Some(value) => quoted(out, &value)?,
            }
        }
        out.write_char('}')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Oid;
    use crate::value::{Format, TypeInfo};
    use std::string::ToString;
    use std::vec::Vec;

    const HSTORE: TypeInfo<'_> = TypeInfo::new(Oid::new(16_400), "hstore", TypeKind::Hstore);

    /// Reads one pair whose key and value have the given lengths.
    fn read(key: (u8, &[u8]), value: (u8, &[u8])) -> Result<(), ValueErrorKind> {
        let mut bytes = Vec::from([0, 0, 0, 1]);
        for (len, text) in [key, value] {
            bytes.extend([0, 0, 0, len]);
            bytes.extend(text);
        }
        let field = Field::with_type(&HSTORE, Format::Binary, &bytes);
        field.get::<Hstore<'_>>().map(|_| ()).map_err(|error| error.kind())
    }

    #[test]
    fn lengths_in_another_encoding_have_their_own_error() {
        assert_eq!(read((1, b"k"), (3, "v\u{e9}".as_bytes())), Ok(()));
        let lengths = Err(ValueErrorKind::HstoreLengths);
        assert_eq!(read((1, b"k"), (2, "v\u{e9}".as_bytes())), lengths, "inside a character");
        assert_eq!(read((1, b"k"), (2, "\u{e9}v".as_bytes())), lengths, "after a character");
        assert_eq!(read((2, "\u{e9}v".as_bytes()), (1, b"v")), lengths, "before another text");
        assert_eq!(read((1, b"k"), (2, b"v\xE9")), Err(ValueErrorKind::InvalidUtf8), "SQL_ASCII");
        let other = read((1, b"k"), (1, b"vx"));
        assert_eq!(other, Err(ValueErrorKind::TrailingBytes { count: 1 }));
        let field =
            Field::with_type(&HSTORE, Format::Binary, b"\0\0\0\x01\0\0\0\x01\xC3\xA9\xFF\xFF");
        let error = field.get::<Hstore<'_>>().unwrap_err().to_string();
        assert!(error.contains("read without the option `binary`"), "{error}");
    }
}
