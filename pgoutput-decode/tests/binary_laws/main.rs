//! Laws of the binary form, tested on every built-in type. A model writes the bytes that a server
//! would send. The value read from them, or from its text, is written as the same bytes again.

mod forms;

use forms::form;
use pgoutput_decode::Oid;
use pgoutput_decode::encode::{EncodeBinary, EncodeError};
use pgoutput_decode::value::{Field, Format, PgType, Value, type_oid};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// The characters that are significant to readers of text.
const SPECIAL: &[u8] = b"0123456789-+:. ,;/eEBCNa\"\\'{}()[]<>tf";

/// Generates a type and a value of it in the form that a server sends.
fn any_form() -> impl Strategy<Value = (Oid, Vec<u8>)> {
    let types: Vec<_> = PgType::all().iter().map(PgType::oid).collect();
    let types: Vec<_> = types.into_iter().filter(|oid| form(*oid).is_some()).collect();
    select(types).prop_flat_map(|oid| (Just(oid), form(oid).unwrap()))
}

/// Checks that every type with a binary reader has a model of its binary form.
#[test]
fn only_types_without_a_reader_have_no_model() {
    for ty in PgType::all().iter().filter(|ty| form(ty.oid()).is_none()) {
        let element = ty.element().unwrap_or(ty.oid());
        let field = Field::new(element, Format::Binary, b"\0\0\0\x01");
        assert!(matches!(field.get(), Ok(Value::Opaque(_))), "{} has a reader", ty.sql_name());
    }
}

/// Checks that a number with more digits than the binary form allows is a value, but cannot be
/// written in binary.
#[test]
fn a_text_beyond_the_binary_form_is_read_but_not_written_in_binary() {
    let [fraction, integer] = [(1, 16_384), (131_073, 0)]
        .map(|(before, after)| format!("{}.{}", "1".repeat(before), "1".repeat(after)));
    for text in [fraction.as_str(), integer.trim_end_matches('.')] {
        let field = Field::new(type_oid::NUMERIC, Format::Text, text.as_bytes());
        assert!(matches!(field.get(), Ok(Value::Numeric(_))));
        let error = field.to_binary().unwrap_err();
        assert!(matches!(error, EncodeError::TooLong { .. }), "{error}");
        assert!(error.is_unrepresentable());
    }
}

fn text_of(field: Field<'_>) -> String {
    let mut text = String::new();
    field.write_text(&mut text).unwrap();
    text
}

fn holds(oid: Oid, kind: Oid) -> bool {
    oid == kind || PgType::from_oid(oid).and_then(PgType::element) == Some(kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn binary_to_value_to_binary((oid, bytes) in any_form()) {
        let field = Field::new(oid, Format::Binary, &bytes);
        prop_assert_eq!(field.to_binary(), Ok(bytes.clone()), "{:?}", oid);
    }

    /// Converts through both forms and back.
    #[test]
    fn value_to_text_to_value_to_binary((oid, bytes) in any_form()) {
        let binary = Field::new(oid, Format::Binary, &bytes);
        let text = text_of(binary);
        let from_text = Field::new(oid, Format::Text, text.as_bytes());
        prop_assert_eq!(from_text.get::<Value<'_>>(), binary.get::<Value<'_>>(), "{}", &text);
        prop_assert_eq!(&text_of(from_text), &text);
        let written = from_text.to_binary().unwrap();
        if holds(oid, type_oid::TSQUERY) {
            // The text does not show how `a & b & c` is grouped.
            let again = Field::new(oid, Format::Binary, &written);
            prop_assert_eq!(text_of(again), text);
            prop_assert_eq!(again.to_binary(), Ok(written.clone()));
        } else {
            prop_assert_eq!(written, bytes, "{:?} {}", oid, text);
        }
    }

    /// Checks that input which no server sends, but which is accepted, is written in the form of
    /// servers: as the same value, and from then on as the same bytes.
    #[test]
    fn changed_bytes_that_are_read_are_written_as_the_same_value(
        (oid, mut bytes) in any_form(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let field = Field::new(oid, Format::Binary, &bytes);
        match field.get::<Value<'_>>() {
            Err(error) => prop_assert_eq!(field.to_binary(), Err(error.into())),
            Ok(value) => {
                let written = field.to_binary().unwrap();
                let again = Field::new(oid, Format::Binary, &written);
                prop_assert_eq!(again.get::<Value<'_>>(), Ok(value));
                prop_assert_eq!(again.to_binary(), Ok(written.clone()));
            }
        }
    }

    /// Checks the same for text. The text of a tsvector or tsquery is not parsed before it is
    /// written in binary.
    #[test]
    fn changed_texts_that_are_read_are_written_as_the_same_value(
        (oid, bytes) in any_form(),
        changes in vec((any::<Index>(), select(SPECIAL.to_vec())), 1..4),
    ) {
        let mut text = text_of(Field::new(oid, Format::Binary, &bytes)).into_bytes();
        for (at, byte) in changes {
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = byte;
            }
        }
        let field = Field::new(oid, Format::Text, &text);
        let Ok(value) = field.get::<Value<'_>>() else {
            prop_assert!(field.to_binary().is_err());
            return Ok(());
        };
        let printed = text_of(field);
        let again = Field::new(oid, Format::Text, printed.as_bytes());
        prop_assert_eq!(again.get::<Value<'_>>(), Ok(value), "{}", &printed);
        prop_assert_eq!(&text_of(again), &printed);
        if ![type_oid::TSVECTOR, type_oid::TSQUERY].into_iter().any(|kind| holds(oid, kind)) {
            let written = match field.to_binary() {
                Ok(written) => written,
                Err(error) => {
                    prop_assert!(error.is_unrepresentable(), "{:?}: {}", oid, error);
                    // The name of an object in a `regclass`.
                    let is_name = matches!(value, Value::Text(_) | Value::Array(_));
                    prop_assert!(is_name || !matches!(error, EncodeError::NoBinaryForm(_)));
                    return Ok(());
                }
            };
            let binary = Field::new(oid, Format::Binary, &written);
            prop_assert_eq!(binary.get::<Value<'_>>(), Ok(value));
        }
    }
}
