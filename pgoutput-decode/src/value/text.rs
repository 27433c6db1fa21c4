//! `text`, `varchar`, `bpchar`, `name`, `xml`, enums, and every type of which only the text is
//! known.
//!
//! JSON: a string. Text that is not valid UTF-8 is an error; replacement characters are never used.

use core::fmt::{self, Write};
use core::hash::{Hash, Hasher};

use super::json_out::{JsonContext, WriteJson, quoted};
use super::unescape::{Symbols, is_escaped, width};
use super::{
    Bytea, Field, FieldType, FromField, Json, Jsonb, ValueError, ValueErrorKind, json, type_oid,
};

/// Checks that a text is UTF-8. The offset of the error is that of the first invalid byte.
#[inline]
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, ValueError> {
    crate::utf8::text(bytes)
        .map_err(|error| ValueError::new(ValueErrorKind::InvalidUtf8, error.valid_up_to()))
}

impl<'a> Field<'a> {
    /// Returns a value of a type that [is text](FieldType::is_text) in one piece, which applies to
    /// nearly every value. `None` leaves it to the code that handles escapes.
    #[inline]
    pub(crate) fn plain_text(&self) -> Option<&'a str> {
        if self.escapes() == 0 { crate::utf8::text(self.bytes()).ok() } else { None }
    }

    /// Reads a value whose binary form is the byte 1 followed by its text.
    pub(super) fn after_version(&self, expected: &'static str) -> Result<Text<'a>, ValueError> {
        if !self.is_binary() {
            return Text::read(self);
        }
        let text = self.bytes().strip_prefix(&[1]).ok_or(ValueError::malformed(expected, 0))?;
        utf8(text).map(Text::new).map_err(|error| error.rebased(1))
    }

    /// Returns the bytes of the characters in any encoding, with their escapes; all bytes for a
    /// type without a reader.
    fn raw(&self) -> Result<&'a [u8], ValueError> {
        if self.is_binary() && self.ty().oid() == type_oid::JSONB && self.ty().is_json() {
            let malformed = ValueError::malformed(json::JSONB_VERSION, 0);
            return self.bytes().strip_prefix(&[1]).ok_or(malformed);
        }
        Ok(self.bytes())
    }
}

/// A text, borrowed as received.
///
/// Inside an array, composite or range the borrowed bytes contain escapes, which are skipped when
/// the text is read. Two texts are equal if their characters are equal.
///
/// ```
/// use pgoutput_decode::value::{Array, Field, Format, Text, type_oid};
///
/// let field = Field::new(type_oid::TEXT_ARRAY, Format::Text, br#"{plain,"a \"b\""}"#);
/// let mut texts = field.get::<Array>()?.elements().flatten().map(|element| element.get::<Text>());
/// assert_eq!(texts.next().unwrap()?.as_str(), Some("plain"));
/// let quoted = texts.next().unwrap()?;
/// assert_eq!(quoted.as_str(), None);
/// assert_eq!(quoted.to_string(), r#"a "b""#);
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Text<'a> {
    raw: &'a str,
    depth: u8,
}

impl<'a> Text<'a> {
    /// Creates a text without escapes.
    pub const fn new(text: &'a str) -> Self {
        Self { raw: text, depth: 0 }
    }

    pub(super) fn read(field: &Field<'a>) -> Result<Self, ValueError> {
        Ok(Self { raw: utf8(field.bytes())?, depth: field.escapes() })
    }

    /// Returns the text in one piece, unless it contains escapes.
    pub fn as_str(&self) -> Option<&'a str> {
        let is_plain = self.depth == 0 || !self.raw.bytes().any(is_escaped);
        is_plain.then_some(self.raw)
    }

    /// Returns the text in as few pieces as its escapes allow.
    pub fn pieces(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let (mut rest, depth) = (self.raw, self.depth);
        core::iter::from_fn(move || {
            let first = rest.bytes().next()?;
            let (end, start) = if depth == 0 {
                (rest.len(), 0)
            } else if is_escaped(first) {
                // The last of the bytes for a quote or backslash is the character itself.
                (width(depth).min(rest.len()), width(depth) - 1)
            } else {
                (rest.bytes().position(is_escaped).unwrap_or(rest.len()), 0)
            };
            let (head, tail) = rest.split_at_checked(end)?;
            rest = tail;
            head.get(start..)
        })
    }

    /// Returns the characters.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + use<'a> {
        self.pieces().flat_map(str::chars)
    }

    fn bytes(&self) -> Symbols<'a> {
        Symbols::new(self.raw.as_bytes(), self.depth)
    }

    /// Returns whether `value` displays this text.
    pub(super) fn is_displayed_by(&self, value: &impl fmt::Display) -> bool {
        let mut expected = Expected(self.bytes());
        write!(expected, "{value}").is_ok() && expected.0.take().is_none()
    }
}

/// Compares what is written with the expected text, and fails at the first difference.
struct Expected<'a>(Symbols<'a>);

impl Write for Expected<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| self.0.take() == Some(byte)) { Ok(()) } else { Err(fmt::Error) }
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(text)
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.as_str(), other.as_str()) {
            (Some(left), Some(right)) => left == right,
            _ => self.bytes().iter().eq(other.bytes().iter()),
        }
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        *self == Text::new(other)
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == Text::new(other)
    }
}

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Byte by byte, because equal texts may be split into different pieces.
        self.bytes().iter().for_each(|byte| state.write_u8(byte));
        state.write_u8(u8::MAX);
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().try_for_each(|piece| f.write_str(piece))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.pieces().try_for_each(|piece| write!(f, "{}", piece.escape_debug()))?;
        f.write_char('"')
    }
}

impl WriteJson for Text<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        quoted(out, self)
    }
}

/// Reads text types, `json` and `jsonb` documents, and the text form of every type without a
/// reader.
impl<'a> FromField<'a> for Text<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.has_characters()
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let ty = field.ty();
        if ty.is_json() {
            return match ty.oid() {
                type_oid::JSONB => field.get::<Jsonb<'a>>().map(|document| document.0),
                _ => field.get::<Json<'a>>().map(|document| document.0),
            };
        }
        if field.is_binary() && ty.is_reg() {
            return Err(ValueError::new(ValueErrorKind::OtherFormat { target: "name" }, 0));
        }
        if field.is_binary() && ty.is_opaque() {
            return Err(ValueError::new(ValueErrorKind::Undescribed, 0));
        }
        Self::read(field)
    }
}

impl<'a> FromField<'a> for &'a str {
    #[inline]
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.is_text() || Text::accepts(ty)
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        if field.ty().is_text()
            && let Some(text) = field.plain_text()
        {
            return Ok(text);
        }
        in_one_piece(field)
    }
}

fn in_one_piece<'a>(field: &Field<'a>) -> Result<&'a str, ValueError> {
    Text::from_field(field)?.as_str().ok_or(ValueError::new(ValueErrorKind::NotBorrowable, 0))
}

/// Reads a text of one character.
impl<'a> FromField<'a> for char {
    fn accepts(ty: FieldType<'_>) -> bool {
        Text::accepts(ty)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let text = Text::from_field(field)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(ValueError::out_of_range("char")),
        }
    }
}

/// Reads the bytes of a `bytea`, a text in any encoding, a JSON document, and a type without a
/// reader, as received. The text form of `bytea` cannot be borrowed: see
/// [`ValueErrorKind::NotBorrowable`].
impl<'a> FromField<'a> for &'a [u8] {
    fn accepts(ty: FieldType<'_>) -> bool {
        Bytea::accepts(ty) || ty.has_characters()
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let is_coded = !field.is_binary() && field.ty().oid() == type_oid::BYTEA;
        if is_coded || field.plain().is_none() {
            return Err(ValueError::new(ValueErrorKind::NotBorrowable, 0));
        }
        field.raw()
    }
}

#[cfg(feature = "alloc")]
impl<'a> FromField<'a> for alloc::string::String {
    #[inline]
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.is_text() || Text::accepts(ty)
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        if field.ty().is_text()
            && let Some(text) = field.plain_text()
        {
            return Ok(text.into());
        }
        Ok(Text::from_field(field)?.pieces().collect())
    }
}

/// Reads the same values as `String`.
#[cfg(feature = "alloc")]
impl<'a> FromField<'a> for alloc::boxed::Box<str> {
    fn accepts(ty: FieldType<'_>) -> bool {
        Text::accepts(ty)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        alloc::string::String::from_field(field).map(Into::into)
    }
}

/// Reads a text, which is borrowed unless it contains escapes.
#[cfg(feature = "alloc")]
impl<'a> FromField<'a> for alloc::borrow::Cow<'a, str> {
    #[inline]
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.is_text() || Text::accepts(ty)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let text = Text::from_field(field)?;
        Ok(text.as_str().map_or_else(|| Self::Owned(text.pieces().collect()), Self::Borrowed))
    }
}

/// Copies the bytes that [`&[u8]`](slice) reads, without escapes.
#[cfg(feature = "alloc")]
pub(super) fn read_bytes(field: &Field<'_>) -> Result<alloc::vec::Vec<u8>, ValueError> {
    if Bytea::accepts(field.ty()) {
        return Bytea::from_field(field).map(|bytea| bytea.bytes().collect());
    }
    Ok(Symbols::new(field.raw()?, field.escapes()).iter().collect())
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
