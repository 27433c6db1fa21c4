//! Laws that hold for each value.

use pgoutput_decode::encode::EncodeBinary;
use pgoutput_decode::value::{Field, FieldType, Format, JsonOptions, Value};
use serde::de::IgnoredAny;

use crate::cases::{BinaryForm, Case};
use crate::samples::Sample;

pub(crate) fn text_of(field: Field<'_>) -> String {
    let mut text = String::new();
    field.write_text(&mut text).unwrap();
    text
}

pub(crate) fn json_of(field: Field<'_>) -> String {
    let mut json = String::new();
    field.write_json(&mut json, JsonOptions::default()).unwrap();
    json
}

/// Checks that both forms of the sample are the same value and are written as the server wrote it:
/// as text, as JSON and in binary.
///
/// Before PostgreSQL 12 the text of a float has all digits that may be needed, not the fewest that
/// are: then `has_canonical_text` is false. The value is the same nevertheless, and both forms must
/// be written as the same text. Other tests check that it reads back.
pub(crate) fn check(ty: FieldType<'_>, case: &Case, sample: &Sample, has_canonical_text: bool) {
    let Sample { text, binary, .. } = sample;
    let name = ty.name().unwrap();
    let from_text = Field::of(ty, Format::Text, text.as_bytes());
    let value: Value<'_> = from_text.get().unwrap_or_else(|e| panic!("{name} {text:?}: {e}"));
    if has_canonical_text {
        assert_eq!(text_of(from_text), *text, "{name} from text");
    }
    let document = json_of(from_text);
    assert!(!document.contains(['\n', '\r']), "{name} {text:?}: {document:?}");
    serde_json::from_str::<IgnoredAny>(&document)
        .unwrap_or_else(|e| panic!("{name} {document}: {e}"));
    if let Some(server_json) = sample.json.as_ref().filter(|_| has_canonical_text) {
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document, *server_json, "{name} {text:?}");
    }
    let Some(binary) = binary else { return };
    let from_binary = Field::of(ty, Format::Binary, binary);
    let same: Value<'_> =
        from_binary.get().unwrap_or_else(|e| panic!("{name} {text:?} {binary:02x?}: {e}"));
    assert!(!matches!(same, Value::Opaque(_)), "{name} has no reader");
    assert_eq!(value, same, "{name} {text:?}");
    assert_eq!(same, value, "{name} {text:?}");
    assert_eq!(text_of(from_binary), text_of(from_text), "{name}");
    assert_eq!(json_of(from_binary), document, "{name}");
    // The binary form from either format is what the server sent.
    assert_eq!(from_binary.to_binary().as_ref(), Ok(binary), "{name} {text:?}");
    let of_text = from_text.to_binary();
    assert_eq!(
        of_text.as_ref().ok(),
        sample.binary_of_text.as_ref(),
        "{name} {text:?} {of_text:?}"
    );
    if case.binary == BinaryForm::LikeText {
        assert_eq!(sample.binary_of_text.as_ref(), Some(binary), "{name} {text:?}");
    }
    // All prefixes of long values would take too long.
    for end in 0..binary.len().min(500) {
        // A part may be a value too, but must not be this one.
        let part = Field::of(ty, Format::Binary, &binary[..end]);
        assert_ne!(part.get().ok(), Some(value), "{name} {text:?}: {end} of {}", binary.len());
    }
}
