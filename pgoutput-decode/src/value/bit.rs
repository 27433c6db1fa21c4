//! `bit` and `varbit`. Text: zeros and ones. Binary: the number of bits and the bytes that hold
//! them. JSON: a string of zeros and ones.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

/// A `bit(n)` or `bit varying(n)`: any number of bits, borrowed in the format received.
///
/// `Display` prints PostgreSQL's text. Two values are equal if their bits are.
///
/// ```
/// use pgoutput_decode::value::{Bits, Field, Format, type_oid};
///
/// let text: Bits = Field::new(type_oid::VARBIT, Format::Text, b"101").get()?;
/// let binary: Bits = Field::new(type_oid::VARBIT, Format::Binary, b"\0\0\0\x03\xA0").get()?;
/// assert_eq!(text, binary);
/// assert!(binary.iter().eq([true, false, true]));
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Bits<'a>(BitsRepr<'a>);

#[derive(Clone, Copy)]
enum BitsRepr<'a> {
    /// The characters `0` and `1`.
    Text(&'a [u8]),
    /// Packed bits. The first bit is the highest bit of the first byte.
    Packed { len: usize, bytes: &'a [u8] },
}

impl<'a> Bits<'a> {
    /// Returns the number of bits.
    pub const fn len(&self) -> usize {
        match self.0 {
            BitsRepr::Text(text) => text.len(),
            BitsRepr::Packed { len, .. } => len,
        }
    }

    /// Returns true for the empty bit string.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bits, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = bool> + Clone + use<'a> {
        let (text, bytes, len): (&[u8], &[u8], usize) = match self.0 {
            BitsRepr::Text(text) => (text, &[], 0),
            BitsRepr::Packed { len, bytes } => (&[], bytes, len),
        };
        let packed = bytes.iter().flat_map(|byte| (0..8).map(move |at| byte & (0x80 >> at) != 0));
        text.iter().map(|character| *character == b'1').chain(packed.take(len))
    }
}

impl<'a> FromField<'a> for Bits<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        matches!(ty.oid(), type_oid::BIT | type_oid::VARBIT)
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Bits<'a> {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        match text.iter().position(|character| !matches!(character, b'0' | b'1')) {
            None => Ok(Self(BitsRepr::Text(text))),
            Some(at) => Err(ValueError::malformed("0 or 1", at)),
        }
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let len = i32::from_be_bytes(input.array()?);
        let Ok(len) = usize::try_from(len) else {
            return Err(ValueError::malformed("a number of bits of at least 0", 0));
        };
        let bytes = input.take(len.div_ceil(8))?;
        input.finish()?;
        Ok(Self(BitsRepr::Packed { len, bytes }))
    }
}

impl PartialEq for Bits<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Bits<'_> {}

impl fmt::Display for Bits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|bit| f.write_char(if bit { '1' } else { '0' }))
    }
}

impl fmt::Debug for Bits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Bits<'_> {}
