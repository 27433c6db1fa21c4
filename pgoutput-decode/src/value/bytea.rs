//! `bytea`. Text: `\x` and hexadecimal digits, or the older escape form. Binary: the bytes. JSON: a
//! string `\x…`.

use core::fmt;

use super::input::hex_digit;
use super::json_out::WriteJson;
use super::unescape::Symbols;
use super::{Field, FieldType, FromField, ValueError, type_oid};

/// A `bytea`: any bytes, up to 1 GB, borrowed in the format received.
///
/// `Display` prints PostgreSQL's text with `bytea_output = hex`, even if the value arrived in
/// another form.
///
/// ```
/// use pgoutput_decode::value::{Bytea, Field, Format, type_oid};
///
/// let bytea: Bytea = Field::new(type_oid::BYTEA, Format::Text, br"\x00ff").get()?;
/// assert!(bytea.bytes().eq([0x00, 0xFF]));
/// assert_eq!(bytea, Bytea::new(&[0x00, 0xFF]));
/// assert_eq!(bytea.to_string(), r"\x00ff");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Bytea<'a>(ByteaRepr<'a>);

#[derive(Debug, Clone, Copy)]
enum ByteaRepr<'a> {
    Raw(&'a [u8]),
    /// An even number of hexadecimal digits.
    Hex(&'a [u8]),
    /// The escape form: `\\` for a backslash, `\ooo` for bytes that are not printable, and bytes as
    /// they are.
    Escape(Symbols<'a>),
    /// The text of a type without a reader.
    Text(Symbols<'a>),
}

impl<'a> Bytea<'a> {
    /// Creates a `bytea` of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(ByteaRepr::Raw(bytes))
    }

    /// Returns an iterator that decodes the bytes one by one.
    pub const fn bytes(&self) -> ByteaBytes<'a> {
        ByteaBytes(self.0)
    }

    /// Returns all bytes at once if they are not encoded, as in the binary format.
    pub const fn as_slice(&self) -> Option<&'a [u8]> {
        match self.0 {
            ByteaRepr::Raw(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Iterator over the bytes of a [`Bytea`].
#[derive(Debug, Clone)]
pub struct ByteaBytes<'a>(ByteaRepr<'a>);

impl Iterator for ByteaBytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        match &mut self.0 {
            ByteaRepr::Raw(bytes) => {
                let (byte, rest) = bytes.split_first()?;
                *bytes = rest;
                Some(*byte)
            }
            ByteaRepr::Hex(digits) => {
                let ([high, low], rest) = digits.split_first_chunk()?;
                *digits = rest;
                Some(hex_digit(*high)? << 4 | hex_digit(*low)?)
            }
            ByteaRepr::Escape(text) => {
                let (byte, rest) = unescape(*text)?;
                *text = rest;
                Some(byte)
            }
            ByteaRepr::Text(text) => text.take(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.0 {
            ByteaRepr::Raw(bytes) => (bytes.len(), Some(bytes.len())),
            ByteaRepr::Hex(digits) => (digits.len() / 2, Some(digits.len() / 2)),
            ByteaRepr::Escape(text) | ByteaRepr::Text(text) => (0, Some(text.rest().len())),
        }
    }
}

impl core::iter::FusedIterator for ByteaBytes<'_> {}

/// Decodes one byte of the escape form; `None` at its end and at an invalid backslash.
fn unescape(mut text: Symbols<'_>) -> Option<(u8, Symbols<'_>)> {
    let byte = match text.take()? {
        b'\\' => match (text.take()?, text.peek()) {
            (b'\\', _) => b'\\',
            (a @ b'0'..=b'3', Some(b @ b'0'..=b'7')) => {
                text.take();
                let c = text.take().filter(|c| matches!(c, b'0'..=b'7'))?;
                (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')
            }
            _ => return None,
        },
        byte => byte,
    };
    Some((byte, text))
}

/// Reads a `bytea`, and the bytes of a type without a reader as received in either format.
impl<'a> FromField<'a> for Bytea<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::BYTEA || ty.is_opaque()
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        if field.is_binary() {
            return Ok(Self::new(field.bytes()));
        }
        let text = field.symbols();
        if field.ty().is_opaque() {
            return Ok(field.plain().map_or(Self(ByteaRepr::Text(text)), Self::new));
        }
        let mut digits = text;
        if digits.eat(b'\\') && digits.eat(b'x') {
            let start = digits.offset();
            let digits = digits.rest();
            if let Some(at) = digits.iter().position(|digit| !digit.is_ascii_hexdigit()) {
                return Err(ValueError::malformed("a hexadecimal digit", at + start));
            }
            if !digits.len().is_multiple_of(2) {
                let end = start + digits.len();
                return Err(ValueError::malformed("an even number of digits", end));
            }
            return Ok(Self(ByteaRepr::Hex(digits)));
        }
        let mut rest = text;
        while let Some((_, next)) = unescape(rest) {
            rest = next;
        }
        rest.end("a backslash or three octal digits after a backslash")?;
        Ok(Self(ByteaRepr::Escape(text)))
    }
}

impl PartialEq for Bytea<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl Eq for Bytea<'_> {}

impl fmt::Display for Bytea<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r"\x")?;
        self.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Bytea<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Bytea<'_> {}
