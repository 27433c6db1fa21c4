//! `macaddr` and `macaddr8`. Text: hexadecimal pairs separated by colons. Binary: the bytes. JSON:
//! a string.

use core::fmt;

use super::input::{Input, exactly};
use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

/// A `macaddr`: the 6 bytes of an EUI-48 address. `Display` prints PostgreSQL's text,
/// `08:00:2b:01:02:03`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

/// A `macaddr8`: the 8 bytes of an EUI-64 address. `Display` prints PostgreSQL's text,
/// `08:00:2b:01:02:03:04:05`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr8(pub [u8; 8]);

macro_rules! mac {
    ($name:ident $oid:ident) => {
        impl<'a> FromField<'a> for $name {
            fn accepts(ty: FieldType<'_>) -> bool {
                ty.oid() == type_oid::$oid
            }

            #[inline]
            fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
                from_formats(field)
            }
        }

        impl<'a> FromFormats<'a> for $name {
            fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
                let mut input = Input::new(text);
                let mut address = Self::default();
                for (at, byte) in address.0.iter_mut().enumerate() {
                    if at > 0 {
                        input.expect(b':', "a colon")?;
                    }
                    *byte = input.hex_byte()?;
                }
                input.end("the end of the address")?;
                Ok(address)
            }

            fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
                exactly(bytes).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (at, byte) in self.0.iter().enumerate() {
                    write!(f, "{}{byte:02x}", if at > 0 { ":" } else { "" })?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl WriteJson for $name {}
    };
}

mac!(MacAddr MACADDR);
mac!(MacAddr8 MACADDR8);
