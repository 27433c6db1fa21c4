//! `uuid`. Text: 8-4-4-4-12 hexadecimal digits. Binary: 16 bytes. JSON: a string.

use core::fmt;

use super::input::{Input, exactly};
use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

/// A `uuid`: 16 bytes in the order of RFC 9562. `Display` prints PostgreSQL's text, in lower case.
///
/// ```
/// use pgoutput_decode::value::Uuid;
///
/// let uuid = Uuid([0x11; 16]);
/// assert_eq!(uuid.to_string(), "11111111-1111-1111-1111-111111111111");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// The indexes of the bytes that have a hyphen before them.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

impl<'a> FromField<'a> for Uuid {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::UUID
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Uuid {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let mut uuid = [0; 16];
        for (at, byte) in uuid.iter_mut().enumerate() {
            if HYPHENS.contains(&at) {
                input.expect(b'-', "a hyphen")?;
            }
            *byte = input.hex_byte()?;
        }
        input.end("the end after 36 characters")?;
        Ok(Self(uuid))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        exactly(bytes).map(Self)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if HYPHENS.contains(&at) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Uuid {}
