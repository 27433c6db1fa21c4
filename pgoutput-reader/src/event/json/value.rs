//! Values that cannot be shown as what they are, and the columns that are named for it.

use pgoutput_decode::value::{Field, Format, JsonOptions, ValueError, ValueErrorKind, type_oid};
use serde::Serialize;

use super::text::texts;

/// How a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// As what it is.
    Whole,
    /// As the bytes it came in, since its text is not UTF-8.
    Bytes,
    /// As if nothing was known of its type, since it does not fit the type's description, or since
    /// nothing or not everything is known of it.
    Undescribed,
}

impl Written {
    /// The same, of a value whose type is known or not.
    pub(super) fn of_type(self, is_known: bool) -> Self {
        if self == Self::Whole && !is_known { Self::Undescribed } else { self }
    }
}

/// Columns of a row whose values were not written whole.
#[derive(Debug, Default)]
pub(super) struct Marks<'a> {
    pub(super) invalid_utf8: Vec<&'a str>,
    pub(super) type_mismatch: Vec<&'a str>,
}

impl<'a> Marks<'a> {
    pub(super) fn add(&mut self, column: &'a str, written: Written) {
        match written {
            Written::Whole => {}
            Written::Bytes => self.invalid_utf8.push(column),
            Written::Undescribed => self.type_mismatch.push(column),
        }
    }
}

/// Columns of an event's rows, by name.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "texts")]
    before: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "texts")]
    after: Vec<&'a str>,
}

impl<'a> Named<'a> {
    /// What is named under `invalid_utf8` and under `type_mismatch`, where there is something.
    pub(super) fn of(before: Marks<'a>, after: Marks<'a>) -> [(&'static str, Option<Self>); 2] {
        let named = |before: Vec<_>, after: Vec<_>| {
            (!before.is_empty() || !after.is_empty()).then_some(Self { before, after })
        };
        [
            ("invalid_utf8", named(before.invalid_utf8, after.invalid_utf8)),
            ("type_mismatch", named(before.type_mismatch, after.type_mismatch)),
        ]
    }
}

/// Writes a value.
pub(super) fn write(
    field: &Field<'_>,
    out: &mut String,
    options: JsonOptions,
) -> Result<Written, ValueError> {
    let start = out.len();
    let Err(error) = field.write_json(out, options) else { return Ok(Written::Whole) };
    out.truncate(start);
    if matches!(error.kind(), ValueErrorKind::InvalidUtf8 | ValueErrorKind::HstoreLengths) {
        return write_bytes(field, out, options);
    }
    if field.ty().info().is_none() {
        return Err(error);
    }
    // The catalogue describes a user's type as it is now, and the value is of then.
    let undescribed = Field::new(field.ty().oid(), field.format(), field.bytes());
    match undescribed.write_json(out, options) {
        Err(error) if error.kind() == ValueErrorKind::InvalidUtf8 => {
            out.truncate(start);
            write_bytes(field, out, options)
        }
        written => written.map(|()| Written::Undescribed),
    }
}

/// The bytes of a text that is not UTF-8: of `jsonb` and `jsonpath` those of the text in either format, without the version in front of it.
fn write_bytes(
    field: &Field<'_>,
    out: &mut String,
    options: JsonOptions,
) -> Result<Written, ValueError> {
    let is_versioned =
        matches!(field.ty().without_domains().oid(), type_oid::JSONB | type_oid::JSONPATH);
    let bytes = match (field.format(), field.bytes()) {
        (Format::Binary, [_, text @ ..]) if is_versioned => text,
        (_, bytes) => bytes,
    };
    let bytes = Field::new(type_oid::BYTEA, Format::Binary, bytes);
    bytes.write_json(out, options).map(|()| Written::Bytes)
}
