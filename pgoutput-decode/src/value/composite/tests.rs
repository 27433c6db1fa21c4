use super::*;
use crate::id::Oid;
use crate::value::{AttributeList, Format, JsonOptions, TypeInfo, ValueErrorKind, type_oid};
use std::string::{String, ToString};
use std::vec::Vec;

const TEXT: TypeInfo<'_> = TypeInfo::new(type_oid::TEXT, "text", TypeKind::Base);
const BYTEA: TypeInfo<'_> = TypeInfo::new(type_oid::BYTEA, "bytea", TypeKind::Base);
const TEXTS: TypeInfo<'_> = TypeInfo::new(type_oid::TEXT_ARRAY, "text[]", TypeKind::Base);
const INNER: TypeInfo<'_> = TypeInfo::new(
    Oid::new(16_400),
    "inner",
    TypeKind::Composite(AttributeList::new(&[
        Attribute::new("t", FieldType::described(&TEXT)),
        Attribute::new("list", FieldType::described(&TEXTS)),
    ])),
);
const INNER_ARRAY: TypeInfo<'_> = TypeInfo::new(
    Oid::new(16_401),
    "inner[]",
    TypeKind::Array { element: FieldType::described(&INNER), delimiter: b',' },
);
const OUTER: TypeInfo<'_> = TypeInfo::new(
    Oid::new(16_402),
    "outer",
    TypeKind::Composite(AttributeList::new(&[
        Attribute::new("one", FieldType::described(&INNER)),
        Attribute::new("many", FieldType::described(&INNER_ARRAY)),
        Attribute::new("b", FieldType::described(&BYTEA)),
    ])),
);
const NONE: TypeInfo<'_> =
    TypeInfo::new(Oid::new(16_403), "none", TypeKind::Composite(AttributeList::new(&[])));
const SINGLE: TypeInfo<'_> = TypeInfo::new(
    Oid::new(16_404),
    "single",
    TypeKind::Composite(AttributeList::new(&[Attribute::new("a\"b", FieldType::described(&TEXT))])),
);

fn json(field: Field<'_>) -> String {
    let mut out = String::new();
    field.write_json(&mut out, JsonOptions::default()).unwrap();
    out
}

fn binary(attributes: &[(Oid, Option<&[u8]>)]) -> Vec<u8> {
    let mut out = Vec::from(i32::try_from(attributes.len()).unwrap().to_be_bytes());
    for (oid, value) in attributes {
        out.extend(oid.as_u32().to_be_bytes());
        let len = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
        out.extend(len.to_be_bytes());
        out.extend(value.unwrap_or_default());
    }
    out
}

#[test]
fn composites_and_arrays_nest_in_each_other() {
    // PostgreSQL's text for
    // `row(row('a"', array['x\y', null]), array[row('', null)::inner_t], '\x00')::outer_t`.
    let text = r#"("(""a"""""",""{""""x\\\\\\\\y"""",NULL}"")","{""(\\""\\"",)""}","\\x00")"#;
    let from_text = Field::with_type(&OUTER, Format::Text, text.as_bytes());
    assert_eq!(from_text.get::<Composite<'_>>().unwrap().to_string(), text);
    let expected =
        r#"{"one":{"t":"a\"","list":["x\\y",null]},"many":[{"t":"","list":null}],"b":"\\x00"}"#;
    assert_eq!(json(from_text), expected);

    let list =
        [&b"\0\0\0\x01\0\0\0\x01\0\0\0\x19\0\0\0\x02\0\0\0\x01"[..], b"\0\0\0\x03x\\y", &[255; 4]]
            .concat();
    let one = binary(&[(TEXT.oid, Some(b"a\"")), (TEXTS.oid, Some(&list))]);
    let element = binary(&[(TEXT.oid, Some(b"")), (TEXTS.oid, None)]);
    let len = u8::try_from(element.len()).unwrap();
    let many = [&b"\0\0\0\x01\0\0\0\0\0\0\x40\x11\0\0\0\x01\0\0\0\x01\0\0\0"[..], &[len], &element]
        .concat();
    let many = [&many[..8], &INNER.oid.as_u32().to_be_bytes(), &many[12..]].concat();
    let bytes =
        binary(&[(INNER.oid, Some(&one)), (INNER_ARRAY.oid, Some(&many)), (BYTEA.oid, Some(&[0]))]);
    let from_binary = Field::with_type(&OUTER, Format::Binary, &bytes);
    assert_eq!(from_binary.get::<Composite<'_>>(), from_text.get());
    assert_eq!(from_binary.get::<Composite<'_>>().unwrap().to_string(), text);
    assert_eq!(json(from_binary), expected);
    for end in 0..bytes.len() {
        let cut = Field::with_type(&OUTER, Format::Binary, &bytes[..end]);
        assert!(cut.get::<Composite<'_>>().is_err(), "{end}");
    }
}

#[test]
fn an_empty_attribute_is_null_and_a_quoted_one_is_empty() {
    for (ty, text, expected) in [
        (&NONE, "()", "{}"),
        (&SINGLE, "()", r#"{"a\"b":null}"#),
        (&SINGLE, r#"("")"#, r#"{"a\"b":""}"#),
        (&SINGLE, "(NULL)", r#"{"a\"b":"NULL"}"#),
        (&SINGLE, r#"(" a")"#, r#"{"a\"b":" a"}"#),
        (&SINGLE, "({1;2})", r#"{"a\"b":"{1;2}"}"#),
        (&INNER, "(,{})", r#"{"t":null,"list":[]}"#),
    ] {
        let field = Field::with_type(ty, Format::Text, text.as_bytes());
        assert_eq!(json(field), expected);
        assert_eq!(field.get::<Value<'_>>().unwrap().to_string(), text);
    }
}

#[test]
fn rejects_what_is_not_of_the_type() {
    for text in [
        "",
        "(",
        ")",
        "()",
        "(,,)",
        "(a,{}",
        "(a,{})x",
        "(a;{})",
        r#"("a,{})"#,
        r#"(a"b",{})"#,
        "(a,{}})",
    ] {
        assert!(
            Field::with_type(&INNER, Format::Text, text.as_bytes()).get::<Value<'_>>().is_err(),
            "{text}"
        );
    }
    for bytes in [
        binary(&[]),
        binary(&[(TEXT.oid, None)]),
        binary(&[(TEXT.oid, None), (TEXT.oid, None)]),
        binary(&[(TEXT.oid, None), (TEXTS.oid, None), (TEXT.oid, None)]),
        [&b"\xFF\xFF\xFF\xFF"[..], &[0; 40]].concat(),
    ] {
        assert!(Field::with_type(&INNER, Format::Binary, &bytes).get::<Value<'_>>().is_err());
    }
    let error =
        Field::with_type(&INNER, Format::Text, b"(a,\"{\x80}\")").get::<Value<'_>>().unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ValueErrorKind::InvalidUtf8, 5));
}
