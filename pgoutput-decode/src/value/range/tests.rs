use super::*;
use crate::id::Oid;
use crate::value::{Format, JsonOptions, Multirange, TypeInfo};
use std::string::{String, ToString};

const TEXT: TypeInfo<'_> = TypeInfo::new(type_oid::TEXT, "text", TypeKind::Base);
const TEXTS: TypeInfo<'_> =
    TypeInfo::new(Oid::new(16_400), "textrange", TypeKind::Range(FieldType::described(&TEXT)));

fn text(oid: Oid, text: &str) -> Field<'_> {
    Field::new(oid, Format::Text, text.as_bytes())
}

#[test]
fn text_round_trips() {
    for (oid, range) in [
        (type_oid::INT4RANGE, "empty"),
        (type_oid::INT4RANGE, "(,)"),
        (type_oid::INT4RANGE, "[-5,7)"),
        (type_oid::INT8RANGE, "(,9223372036854775807)"),
        (type_oid::NUMRANGE, "(1.50,NaN]"),
        (type_oid::NUMRANGE, "[-Infinity,1]"),
        (type_oid::DATERANGE, "[2020-01-01,infinity)"),
        (type_oid::DATERANGE, r#"["0044-03-15 BC",)"#),
        (type_oid::TSRANGE, r#"["2020-01-01 00:00:00","2020-01-02 00:00:00.5"]"#),
        (type_oid::TSTZRANGE, r#"[-infinity,"2020-01-02 00:00:00+00")"#),
        (type_oid::INT4MULTIRANGE, "{}"),
        (type_oid::INT4MULTIRANGE, "{(,1),[3,5),[7,)}"),
        (type_oid::TSMULTIRANGE, r#"{["2020-01-01 00:00:00",infinity]}"#),
        (type_oid::INT4RANGE_ARRAY, r#"{empty,"[1,2)"}"#),
        (type_oid::INT4MULTIRANGE_ARRAY, r#"{"{}","{[1,2),[4,5)}"}"#),
        (type_oid::TSRANGE_ARRAY, r#"{"[\"2020-01-01 00:00:00\",)"}"#),
    ] {
        let field = text(oid, range);
        assert_eq!(field.get::<Value<'_>>().unwrap().to_string(), range);
    }
    let mut json = String::new();
    text(type_oid::DATERANGE, r#"["0044-03-15 BC",)"#)
        .write_json(&mut json, JsonOptions::default())
        .unwrap();
    assert_eq!(json, r#""[\"0044-03-15 BC\",)""#);
}

#[test]
fn the_binary_form_is_the_same_range() {
    for (bytes, same) in [
        (&b"\x01"[..], "empty"),
        (b"\x18", "(,)"),
        (b"\x0A\0\0\0\x04\0\0\0\x05", "(,5)"),
        (b"\x12\0\0\0\x04\0\0\0\x05", "[5,)"),
        (b"\x06\0\0\0\x04\0\0\0\x05\0\0\0\x04\0\0\0\x06", "[5,6]"),
    ] {
        let from_binary = Field::new(type_oid::INT4RANGE, Format::Binary, bytes);
        assert_eq!(from_binary.get::<Range<'_>>(), text(type_oid::INT4RANGE, same).get());
        assert_eq!(from_binary.get::<Range<'_>>().unwrap().to_string(), same);
        for end in 0..bytes.len() {
            assert!(
                Field::new(type_oid::INT4RANGE, Format::Binary, &bytes[..end])
                    .get::<Range<'_>>()
                    .is_err()
            );
        }
    }
    let two = b"\0\0\0\x02\0\0\0\x09\x0A\0\0\0\x04\0\0\0\x05\0\0\0\x09\x12\0\0\0\x04\0\0\0\x07";
    let multirange = Field::new(type_oid::INT4MULTIRANGE, Format::Binary, two);
    assert_eq!(
        multirange.get::<Multirange<'_>>(),
        text(type_oid::INT4MULTIRANGE, "{(,5),[7,)}").get()
    );
    let claim = Field::new(type_oid::INT4MULTIRANGE, Format::Binary, b"\xFF\xFF\xFF\xFF");
    assert!(claim.get::<Multirange<'_>>().is_err());
    for flags in [0x20, 0x40, 0x80] {
        assert!(
            Field::new(type_oid::INT4RANGE, Format::Binary, &[flags | 0x18])
                .get::<Range<'_>>()
                .is_err()
        );
    }
    let null = Field::new(type_oid::INT4RANGE, Format::Binary, b"\x10\xFF\xFF\xFF\xFF");
    assert!(null.get::<Range<'_>>().is_err());
}

#[test]
fn bounds_are_quoted_as_the_server_does() {
    let field = Field::with_type(&TEXTS, Format::Text, br#"["a""\\b","",)"#);
    assert!(field.get::<Range<'_>>().is_err());
    let field = Field::with_type(&TEXTS, Format::Text, br#"["a""\\b","")"#);
    let range: Range<'_> = field.get().unwrap();
    let Bound::Included(lower) = range.lower() else { panic!("{range}") };
    assert_eq!(lower.get::<crate::value::Text<'_>>().unwrap(), r#"a"\b"#);
    assert!(matches!(range.upper(), Bound::Excluded(upper) if upper.get::<&str>() == Ok("")));
    assert_eq!(range.to_string(), r#"["a""\\b","")"#);
}

#[test]
fn rejects_what_the_server_never_writes() {
    for range in [
        "",
        "Empty",
        "empty ",
        "[1,2",
        "1,2)",
        "[1]",
        "[1,2,3)",
        "[1;2)",
        "[1,x)",
        "[1,2)]",
        r#"["1,2)"#,
        "[1 ,2)",
        "emptyx",
    ] {
        assert!(text(type_oid::INT4RANGE, range).get::<Range<'_>>().is_err(), "{range}");
    }
    for multirange in [
        "",
        "{",
        "}",
        "{[1,2)",
        "{[1,2),}",
        "{,}",
        "{[1,2)[3,4)}",
        "{[1,2)}}",
        "{1}",
        "{[1,2),,[3,4)}",
    ] {
        assert!(
            text(type_oid::INT4MULTIRANGE, multirange).get::<Multirange<'_>>().is_err(),
            "{multirange}"
        );
    }
}
