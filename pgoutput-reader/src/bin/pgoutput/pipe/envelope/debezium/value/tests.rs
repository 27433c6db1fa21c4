//! Values that real servers do not send in the integration tests.

use pgoutput_reader::Oid;
use pgoutput_reader::decode::value::TypeInfo;

use super::*;

fn settings() -> Settings {
    Settings {
        decimal: DecimalArg::Precise,
        time: TimeArg::Adaptive,
        unavailable: "__debezium_unavailable_value".into(),
    }
}

fn written(field: &Field<'_>) -> String {
    let mut out = String::from("x");
    write(field, -1, &settings(), &mut out).unwrap();
    out.split_off(1)
}

fn text(oid: Oid, text: &[u8]) -> String {
    written(&Field::new(oid, Format::Text, text))
}

#[test]
fn text_that_is_not_utf_8_is_written_as_its_bytes() {
    assert_eq!(text(type_oid::TEXT, b"caf\xe9"), "\"\\\\x636166e9\"");
    assert_eq!(text(type_oid::TEXT, "café".as_bytes()), "\"café\"");
}

#[test]
fn a_value_that_does_not_match_its_type_is_written_as_its_text() {
    let list = TypeInfo::new(
        Oid::new(16_400),
        "list",
        TypeKind::Array { element: FieldType::new(type_oid::INT4), delimiter: b',' },
    );
    assert_eq!(written(&Field::with_type(&list, Format::Text, b"{1,2}")), "[1,2]");
    assert_eq!(written(&Field::with_type(&list, Format::Text, b"(1,\"2\")")), "\"(1,\\\"2\\\")\"");
}

#[test]
fn a_built_in_value_in_another_form_is_an_error_and_nothing_is_written() {
    let field = Field::new(type_oid::INT4, Format::Text, b"x");
    let mut out = String::from("before");
    let error = write(&field, -1, &settings(), &mut out).unwrap_err();
    assert!(error.to_string().starts_with("cannot be read: "), "{error}");
    assert_eq!(out, "before");
}

#[test]
fn floats_are_written_as_json_numbers() {
    for (value, json) in [
        ("1", "1.0"),
        ("-0", "-0.0"),
        ("0.1", "0.1"),
        ("1e+100", "1e100"),
        ("5e-324", "5e-324"),
        ("NaN", "\"NaN\""),
        ("Infinity", "\"Infinity\""),
        ("-Infinity", "\"-Infinity\""),
    ] {
        assert_eq!(text(type_oid::FLOAT8, value.as_bytes()), json);
    }
    assert_eq!(text(type_oid::FLOAT4, b"3.3"), "3.3");
}

#[test]
fn the_text_of_hstore_is_json_inside_a_string() {
    let hstore = TypeInfo::new(Oid::new(16_400), "hstore", TypeKind::Hstore);
    let field =
        Field::with_type(&hstore, Format::Text, br#""a\"b"=>"c\\d", "n"=>NULL, "q"=>"NULL""#);
    let json = written(&field);
    let inner: String = serde_json::from_str(&json).unwrap();
    let value: serde_json::Value = serde_json::from_str(&inner).unwrap();
    assert_eq!(value, serde_json::json!({"a\"b": "c\\d", "n": null, "q": "NULL"}));
}

#[test]
fn types_of_extensions_are_known_by_name() {
    let of = |name, value: &[u8]| {
        written(&Field::with_type(
            &TypeInfo::new(Oid::new(16_400), name, TypeKind::Base),
            Format::Text,
            value,
        ))
    };
    assert_eq!(of("vector", b"[1,2.5]"), "[1.0,2.5]");
    assert_eq!(of("ltree", b"a.b"), "\"a.b\"");
    // Another type of this name.
    assert_eq!(of("vector", b"(1,2)"), "\"(1,2)\"");
    assert_eq!(
        of("geometry", b"0101000000000000000000F03F0000000000000440"),
        r#"{"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAARA","srid":null}"#
    );
}

#[test]
fn placeholders_have_the_form_of_the_type() {
    let placeholder = |ty| {
        let mut out = String::new();
        unavailable(ty, &settings(), &mut out);
        out
    };
    let built_in = |oid| placeholder(FieldType::new(oid));
    assert_eq!(built_in(type_oid::TEXT), "\"__debezium_unavailable_value\"");
    assert_eq!(built_in(type_oid::BYTEA), "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"");
    let info = TypeInfo::new(
        Oid::new(16_400),
        "names",
        TypeKind::Array { element: FieldType::new(type_oid::TEXT), delimiter: b',' },
    );
    assert_eq!(placeholder(FieldType::described(&info)), "[\"__debezium_unavailable_value\"]");
}
