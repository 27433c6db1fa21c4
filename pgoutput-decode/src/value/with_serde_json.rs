//! The crate `serde_json` (feature `serde`): columns read as its `Value`.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value as JsonValue;

use super::json_numbers::{JsonNumber, first_inexact, json_number};
use super::{
    Dimension, Elements, Field, FieldType, FromField, Json, JsonOptions, Jsonb, Text, Value,
    ValueError, ValueErrorKind,
};

/// The error of a number in a document that `serde_json` would round.
pub(crate) const INEXACT_JSON: ValueErrorKind = ValueErrorKind::Inexact {
    target: "serde_json::Value (without its feature `arbitrary_precision`)",
};

/// Returns the text in one piece: borrowed, unless it contains escapes.
pub(crate) fn in_one_piece<'a>(text: &Text<'a>) -> Cow<'a, str> {
    text.as_str().map_or_else(|| Cow::Owned(text.pieces().collect::<String>()), Cow::Borrowed)
}

/// Returns the offset in a document at which `serde_json` reported an error.
pub(crate) fn json_error_offset(document: &str, error: &serde_json::Error) -> usize {
    let line = error.line().saturating_sub(1);
    let lines_before: usize = document.split_inclusive('\n').take(line).map(str::len).sum();
    lines_before.saturating_add(error.column()).min(document.len())
}

/// Reads a value of any type, in the JSON form of events, the same from either format.
///
/// Without its feature `arbitrary_precision`, `serde_json` stores numbers other than 64-bit
/// integers as floats. A `numeric` whose digits a float does not reproduce (apart from trailing
/// zeros) is therefore a string. In a `json` or `jsonb` document such a number is an error, and of
/// duplicate keys the last one is kept. [`Numeric`], [`Json`] and [`Jsonb`] keep everything.
///
/// [`Numeric`]: super::Numeric
/// [`Json`]: super::Json
/// [`Jsonb`]: super::Jsonb
impl<'a> FromField<'a> for JsonValue {
    fn accepts(_: FieldType<'_>) -> bool {
        true
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let value = field.get::<Value<'a>>()?;
        match &value {
            Value::Float4(float) if float.0.is_finite() => from_float(&value.to_string()),
            Value::Float8(float) if float.0.is_finite() => from_float(&value.to_string()),
            Value::Numeric(numeric) if numeric.is_finite() => from_number(&value.to_string()),
            Value::Json(Json(text)) | Value::Jsonb(Jsonb(text)) => {
                from_document(&in_one_piece(text))
            }
            Value::Array(array) => from_array(field, array.dimensions(), &mut array.elements()),
            Value::Composite(composite) => {
                let attributes = composite.attributes().map(|(attribute, value)| {
                    Ok((attribute.name.to_string(), from_inner(field, value)?))
                });
                attributes.collect::<Result<_, _>>().map(Self::Object)
            }
            _ => {
                let mut json = String::new();
                value.write_json(&mut json, JsonOptions::default())?;
                read(&json)
            }
        }
    }
}

/// An element of an array or an attribute of a composite.
fn from_inner<'a>(outer: &Field<'a>, value: Option<Field<'a>>) -> Result<JsonValue, ValueError> {
    value.map_or(Ok(JsonValue::Null), |value| {
        value.get().map_err(|error| value.rebase(error, outer))
    })
}

fn from_array<'a>(
    array: &Field<'a>,
    dimensions: &[Dimension],
    elements: &mut Elements<'a>,
) -> Result<JsonValue, ValueError> {
    match dimensions {
        [] => Ok(JsonValue::Array(Vec::new())),
        [dimension] => {
            (0..dimension.len).map(|_| from_inner(array, elements.next().flatten())).collect()
        }
        [dimension, inner @ ..] => {
            (0..dimension.len).map(|_| from_array(array, inner, elements)).collect()
        }
    }
}

fn from_document(document: &str) -> Result<JsonValue, ValueError> {
    match first_inexact(document) {
        None => read(document),
        Some(at) => Err(ValueError::new(INEXACT_JSON, at)),
    }
}

/// A finite float. `serde_json` may keep its characters.
fn from_float(text: &str) -> Result<JsonValue, ValueError> {
    match (json_number(text), text.parse::<f64>()) {
        (Some(JsonNumber::Whole), _) | (_, Err(_)) => read(text),
        // Two shortest forms of one float may differ in their digits.
        (_, Ok(float)) => Ok(float.into()),
    }
}

/// A finite `numeric`: the number with all its digits, a float that is the same number, or a
/// string.
fn from_number(text: &str) -> Result<JsonValue, ValueError> {
    match json_number(text) {
        Some(JsonNumber::Whole) => read(text),
        Some(JsonNumber::Float(float)) => Ok(float.into()),
        None => Ok(text.into()),
    }
}

fn read(json: &str) -> Result<JsonValue, ValueError> {
    serde_json::from_str(json).map_err(|error| {
        ValueError::malformed("JSON that serde_json can hold", json_error_offset(json, &error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Format;
    use crate::value::type_oid;
    use serde_json::json;

    #[test]
    fn documents_are_read_from_both_formats() {
        let text = br#"{"a": [1, null, "\u00e9"]}"#;
        let expected = Ok(json!({"a": [1, null, "\u{e9}"]}));
        assert_eq!(Field::new(type_oid::JSON, Format::Text, text).get(), expected);
        assert_eq!(Field::new(type_oid::JSON, Format::Binary, text).get(), expected);
        assert_eq!(Field::new(type_oid::JSONB, Format::Text, text).get(), expected);
        let binary = [b"\x01", &text[..]].concat();
        assert_eq!(Field::new(type_oid::JSONB, Format::Binary, &binary).get(), expected);
        let array = Field::new(type_oid::JSONB_ARRAY, Format::Text, br#"{"{\"a\": 1}",NULL}"#);
        assert_eq!(
            array.get::<std::vec::Vec<Option<JsonValue>>>(),
            Ok(std::vec![Some(json!({"a": 1})), None])
        );
        let huge = Field::new(type_oid::JSON, Format::Text, b"[1,\n1e999]").get::<JsonValue>();
        assert_eq!(huge.unwrap_err().offset(), 4);
        let incomplete = Field::new(type_oid::JSON, Format::Text, b"[1,\n").get::<JsonValue>();
        assert_eq!(incomplete.unwrap_err().offset(), 4);
    }
}
