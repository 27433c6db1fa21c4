//! The values of columns, and notes of how they were written.

use pgoutput_decode::value::{
    Array, Field, Format, JsonNotes, JsonOptions, TypeKind, Value, ValueError, ValueErrorKind,
    type_oid,
};

/// The form in which a value was written, and the facts that its JSON does not show.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) how: WrittenAs,
    pub(super) notes: JsonNotes,
    /// PostgreSQL's text of a value that contains a document written as a string, or JSON's `null`.
    pub(super) text: Option<String>,
    /// The bounds of an array that does not count from 1; for one inside of another value,
    /// PostgreSQL's text of that whole value.
    pub(super) bounds: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenAs {
    /// As a value of its type.
    Itself,
    /// As its bytes, since its text is not UTF-8.
    Bytes,
    /// As a value of an unknown type, since it does not fit the description of its type, or the
    /// description is incomplete.
    Undescribed,
}

impl Written {
    /// Returns a value without notes.
    pub(super) fn plainly(how: WrittenAs) -> Self {
        Self { how, notes: JsonNotes::default(), text: None, bounds: None }
    }

    /// Returns the same for a type that is known or not.
    pub(super) fn of_type(self, is_known: bool) -> Self {
        match self.how {
            WrittenAs::Itself if !is_known => Self { how: WrittenAs::Undescribed, ..self },
            _ => self,
        }
    }
}

/// The number of objects around a value: the row, and the event.
const NESTING: u8 = 2;

/// Writes a value.
pub(super) fn write(
    field: &Field<'_>,
    out: &mut String,
    options: JsonOptions,
) -> Result<Written, ValueError> {
    let (start, options) = (out.len(), options.nested_in(NESTING));
    let error = match field.write_json_noted(out, options) {
        Ok(notes) if notes == JsonNotes::default() => {
            return Ok(Written::plainly(WrittenAs::Itself));
        }
        Ok(notes) => return noted(field, notes),
        Err(error) => error,
    };
    out.truncate(start);
    if matches!(error.kind(), ValueErrorKind::InvalidUtf8 | ValueErrorKind::HstoreLengths) {
        return write_bytes(field, out, options);
    }
    if field.ty().info().is_none() {
        return Err(error);
    }
    // The catalogue describes a user's type as it is now. The value may be older.
    let undescribed = Field::new(field.ty().oid(), field.format(), field.bytes());
    match undescribed.write_json(out, options) {
        Err(error) if error.kind() == ValueErrorKind::InvalidUtf8 => {
            out.truncate(start);
            write_bytes(field, out, options)
        }
        written => written.map(|()| Written::plainly(WrittenAs::Undescribed)),
    }
}

/// Returns the notes of a value whose JSON does not show everything.
#[cold]
fn noted(field: &Field<'_>, notes: JsonNotes) -> Result<Written, ValueError> {
    let value = field.get::<Value<'_>>()?;
    let is_inside = !matches!(value, Value::Json(_) | Value::Jsonb(_) | Value::Numeric(_));
    let has_text = is_inside && (notes.json_null || notes.as_text);
    let text = has_text.then(|| text(field)).transpose()?;
    let bounds = notes.array_bounds.then(|| bounds(field, &value)).transpose()?;
    Ok(Written { how: WrittenAs::Itself, notes, text, bounds })
}

/// Returns the bounds of all arrays in the value that do not count from 1.
fn bounds(field: &Field<'_>, value: &Value<'_>) -> Result<String, ValueError> {
    if let Value::Array(array) = value
        && let Some(own) = array.bounds()
        && !has_bounds_inside(array)?
    {
        return Ok(own.to_string());
    }
    text(field)
}

/// Returns whether an array inside an element has bounds that the JSON does not show.
fn has_bounds_inside(array: &Array<'_>) -> Result<bool, ValueError> {
    // Only described types can contain arrays. Arrays of base types may be very long.
    if matches!(array.element_type().kind(), TypeKind::Base) {
        return Ok(false);
    }
    let mut json = String::new();
    for element in array.elements().flatten() {
        json.clear();
        if element.write_json_noted(&mut json, JsonOptions::default())?.array_bounds {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns PostgreSQL's text, the same from either format.
fn text(field: &Field<'_>) -> Result<String, ValueError> {
    let mut text = String::new();
    field.write_text(&mut text)?;
    Ok(text)
}

/// Writes the bytes of a text that is not UTF-8. For `jsonb` and `jsonpath` these are the bytes of
/// the text in either format, without the version before it.
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
