//! The crate `serde_json` (feature `serde`): JSON columns read as its `Value`.

use alloc::borrow::Cow;
use alloc::string::String;

use serde_json::Value as JsonValue;

use super::{Field, FieldType, Format, FromField, Json, Jsonb, Text, ValueError, type_oid};

/// The document's text, in one piece.
fn document<'a>(field: &Field<'a>) -> Result<Cow<'a, str>, ValueError> {
    let text = if field.ty().oid() == type_oid::JSONB {
        field.get::<Jsonb<'a>>()?.0
    } else {
        field.get::<Json<'a>>()?.0
    };
    Ok(in_one_piece(&text))
}

/// Borrowed, unless it came with escapes.
pub(crate) fn in_one_piece<'a>(text: &Text<'a>) -> Cow<'a, str> {
    text.as_str().map_or_else(|| Cow::Owned(text.pieces().collect::<String>()), Cow::Borrowed)
}

/// `json` and `jsonb`, as `serde_json` holds them: without its feature `arbitrary_precision`, numbers that are no integer of
/// 64 bits become floats. [`Json`] and [`Jsonb`] keep every digit.
impl<'a> FromField<'a> for JsonValue {
    fn accepts(ty: FieldType<'_>) -> bool {
        matches!(ty.oid(), type_oid::JSON | type_oid::JSONB)
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let document = document(field)?;
        serde_json::from_str(&document).map_err(|error| {
            let line = error.line().saturating_sub(1);
            let lines_before: usize = document.split_inclusive('\n').take(line).map(str::len).sum();
            let at = lines_before.saturating_add(error.column()).min(document.len());
            ValueError::malformed("JSON that serde_json can hold", at)
        })
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
        assert_eq!(huge.unwrap_err().offset(), 9);
    }
}
