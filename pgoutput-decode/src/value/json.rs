//! `json` and `jsonb`: text the document, binary the same (`jsonb` behind a version byte), JSON the document.

use core::fmt::{self, Write};

use super::json_out::{WriteJson, document};
use super::{Field, FieldType, Format, FromField, JsonOptions, Text, ValueError, type_oid};

/// What stands in front of `jsonb` in the binary format.
pub(super) const JSONB_VERSION: &str = "version 1 of jsonb's binary form";

/// The syntax was checked by the server, which stores no empty document.
fn not_empty(document: Text<'_>) -> Result<Text<'_>, ValueError> {
    if document.chars().all(|c| c.is_ascii_whitespace()) {
        return Err(ValueError::malformed("a JSON document", 0));
    }
    Ok(document)
}

/// A `json` document as it was stored: digits, white space, order and duplicates of keys kept.
///
/// Written as JSON it is nested as it is, except that line breaks between its tokens become spaces, so that
/// what it is nested in stays on one line, and that characters of its strings that are not [printable](crate::is_printable) are
/// escaped. The server has checked its syntax; it is not checked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Json<'a>(pub Text<'a>);

/// A `jsonb` document in PostgreSQL's text: all digits of its numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Jsonb<'a>(pub Text<'a>);

impl<'a> FromField<'a> for Json<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSON
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        not_empty(Text::read(field)?).map(Self)
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Text, text))
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Binary, bytes))
    }
}

impl<'a> FromField<'a> for Jsonb<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSONB
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        not_empty(field.behind_version(JSONB_VERSION)?).map(Self)
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Text, text))
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Binary, bytes))
    }
}

/// The document on one line of printable characters.
fn one_line(out: &mut dyn Write, text: &Text<'_>) -> fmt::Result {
    text.pieces().try_for_each(|piece| document(out, piece))
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Jsonb<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl WriteJson for Json<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonOptions) -> fmt::Result {
        one_line(out, &self.0)
    }
}

impl WriteJson for Jsonb<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonOptions) -> fmt::Result {
        one_line(out, &self.0)
    }
}
