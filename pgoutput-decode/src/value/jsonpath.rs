//! `jsonpath`: text the path, binary the same behind a version byte, JSON a string.

use core::fmt;

use super::input::Input;
use super::json_out::WriteJson;
use super::text::utf8;
use super::{FieldType, FromField, ValueError, type_oid};

/// A `jsonpath` in PostgreSQL's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JsonPath<'a>(pub &'a str);

impl<'a> FromField<'a> for JsonPath<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSONPATH
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        utf8(text).map(Self)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        input.expect(1, "version 1 of jsonpath's binary form")?;
        utf8(input.rest()).map(Self).map_err(|error| error.rebased(1))
    }
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl WriteJson for JsonPath<'_> {}
