//! `json` and `jsonb`: text the document, binary the same (`jsonb` behind a version byte), JSON the document.

use core::fmt::{self, Write};

use super::json_out::{JsonPlace, WriteJson, document, quoted};
use super::json_scan::{Document, scan};
use super::{Field, FieldType, Format, FromField, Text, ValueError, type_oid};

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
/// escaped. The server takes documents that other parsers refuse: one with half of a surrogate pair (`"\ud800"`), nested
/// deeper than [`MAX_JSON_NESTING`](super::MAX_JSON_NESTING), or with a number of 10^308 or beyond. Such a document becomes a
/// string that holds its text ([`JsonNotes::as_text`](super::JsonNotes::as_text)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Json<'a>(pub Text<'a>);

/// A `jsonb` document in PostgreSQL's text: all digits of its numbers are kept. In JSON as [`Json`].
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

/// The document if every parser reads it, on one line of printable characters, else its text as a string.
fn write(out: &mut dyn Write, text: &Text<'_>, place: JsonPlace<'_>) -> fmt::Result {
    match scan(text, place.room()) {
        Document::Strict => {}
        Document::Null => place.note(|notes| notes.json_null = true),
        Document::Other => {
            place.note(|notes| notes.as_text = true);
            return quoted(out, text);
        }
    }
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
    fn write_json(&self, out: &mut dyn Write, place: JsonPlace<'_>) -> fmt::Result {
        write(out, &self.0, place)
    }
}

impl WriteJson for Jsonb<'_> {
    fn write_json(&self, out: &mut dyn Write, place: JsonPlace<'_>) -> fmt::Result {
        write(out, &self.0, place)
    }
}
