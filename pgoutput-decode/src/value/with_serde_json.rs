//! The crate `serde_json` (feature `serde`): columns read as its `Value`.

use alloc::borrow::Cow;
use alloc::string::String;

use serde_json::Value as JsonValue;

use super::{Field, FieldType, Format, FromField, Text, ValueError};

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
        crate::row::json_value(field)
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Text, text))
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::from_field(&Field::of(ty, Format::Binary, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let torn = Field::new(type_oid::JSON, Format::Text, b"[1,\n").get::<JsonValue>();
        assert_eq!(torn.unwrap_err().offset(), 4);
    }
}
