//! `jsonpath`. Text: the path. Binary: the path after a version byte. JSON: a string.

use core::fmt;

use super::json_out::WriteJson;
use super::{Field, FieldType, FromField, Text, ValueError, type_oid};

/// A `jsonpath` in PostgreSQL's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JsonPath<'a>(pub Text<'a>);

impl<'a> FromField<'a> for JsonPath<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSONPATH
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        field.after_version("version 1 of jsonpath's binary form").map(Self)
    }
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl WriteJson for JsonPath<'_> {}
