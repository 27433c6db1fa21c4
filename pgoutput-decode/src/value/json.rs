//! `json` and `jsonb`. Text: the document. Binary: the document, after a version byte for `jsonb`.
//! JSON: the document.

use core::fmt::{self, Write};

use super::json_out::{JsonContext, WriteJson, document, quoted};
use super::json_scan::{Document, scan};
use super::{Field, FieldType, FromField, Text, ValueError, type_oid};

/// The description of the byte before a `jsonb` document in the binary format, for errors.
pub(super) const JSONB_VERSION: &str = "version 1 of jsonb's binary form";

/// Rejects an empty document. The server has checked the syntax and never stores one.
fn not_empty(document: Text<'_>) -> Result<Text<'_>, ValueError> {
    if document.chars().all(|c| c.is_ascii_whitespace()) {
        return Err(ValueError::malformed("a JSON document", 0));
    }
    Ok(document)
}

/// A `json` document as stored, with its digits, white space, and the order and duplicates of its
/// keys.
///
/// `write_json` nests the document unchanged, with two exceptions. Line breaks between tokens
/// become spaces, so that the output stays on one line. Characters of its strings that are not
/// [printable](crate::is_printable) are escaped.
///
/// The server accepts documents that other parsers reject: with half of a surrogate pair
/// (`"\ud800"`), nested deeper than [`MAX_JSON_NESTING`](super::MAX_JSON_NESTING), or with a number
/// of 10^308 or greater in magnitude. Such a document is written as a string that contains its text
/// ([`JsonNotes::as_text`](super::JsonNotes::as_text)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Json<'a>(pub Text<'a>);

/// A `jsonb` document in PostgreSQL's text, with all digits of its numbers. Its JSON form is that
/// of [`Json`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Jsonb<'a>(pub Text<'a>);

impl<'a> FromField<'a> for Json<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSON
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        not_empty(Text::read(field)?).map(Self)
    }
}

impl<'a> FromField<'a> for Jsonb<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::JSONB
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        not_empty(field.after_version(JSONB_VERSION)?).map(Self)
    }
}

/// Writes the document on one line of printable characters, or as a string if some parser would
/// reject it.
fn write(out: &mut dyn Write, text: &Text<'_>, context: JsonContext<'_>) -> fmt::Result {
    match scan(text, context.remaining_nesting()) {
        Document::Strict => {}
        Document::Null => context.note(|notes| notes.json_null = true),
        Document::Other => {
            context.note(|notes| notes.as_text = true);
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
    fn write_json(&self, out: &mut dyn Write, context: JsonContext<'_>) -> fmt::Result {
        write(out, &self.0, context)
    }
}

impl WriteJson for Jsonb<'_> {
    fn write_json(&self, out: &mut dyn Write, context: JsonContext<'_>) -> fmt::Result {
        write(out, &self.0, context)
    }
}
