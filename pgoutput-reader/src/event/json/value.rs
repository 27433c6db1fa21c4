//! Values, and how they were written where that is not as what they are.

use pgoutput_decode::value::{
    Field, Format, JsonNotes, JsonOptions, Value, ValueError, ValueErrorKind, type_oid,
};

/// How a value was written, and what its JSON does not say.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) how: WrittenAs,
    pub(super) notes: JsonNotes,
    /// Where an array does not count from 1: its bounds, or of one that stands in another value the text of all of that.
    pub(super) bounds: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenAs {
    /// As what it is.
    Itself,
    /// As the bytes it came in, since its text is not UTF-8.
    Bytes,
    /// As if nothing was known of its type, since it does not fit the type's description, or since
    /// nothing or not everything is known of it.
    Undescribed,
}

impl Written {
    /// Of which there is nothing more to say.
    pub(super) fn plainly(how: WrittenAs) -> Self {
        Self { how, notes: JsonNotes::default(), bounds: None }
    }

    /// The same, of a value whose type is known or not.
    pub(super) fn of_type(self, is_known: bool) -> Self {
        match self.how {
            WrittenAs::Itself if !is_known => Self { how: WrittenAs::Undescribed, ..self },
            _ => self,
        }
    }
}

/// The arrays and objects that a value stands in: the row, and the event.
const NESTING: u8 = 2;

/// Writes a value.
pub(super) fn write(
    field: &Field<'_>,
    out: &mut String,
    options: JsonOptions,
) -> Result<Written, ValueError> {
    let (start, options) = (out.len(), options.nested_in(NESTING));
    let error = match field.write_json_noted(out, options) {
        Ok(notes) => {
            let bounds = if notes.array_bounds { Some(bounds(field)?) } else { None };
            return Ok(Written { how: WrittenAs::Itself, notes, bounds });
        }
        Err(error) => error,
    };
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
        written => written.map(|()| Written::plainly(WrittenAs::Undescribed)),
    }
}

/// What tells the bounds of an array that does not count from 1, wherever it stands in the value.
#[cold]
fn bounds(field: &Field<'_>) -> Result<String, ValueError> {
    let value = field.get::<Value<'_>>()?;
    let own = match &value {
        Value::Array(array) => array.bounds().map(|bounds| bounds.to_string()),
        _ => None,
    };
    Ok(own.unwrap_or_else(|| value.to_string()))
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
    bytes.write_json(out, options).map(|()| Written::plainly(WrittenAs::Bytes))
}
