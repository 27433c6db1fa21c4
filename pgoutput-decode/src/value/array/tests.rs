use super::*;
use crate::id::Oid;
#[cfg(feature = "alloc")]
use crate::value::TypeSet;
use crate::value::{JsonOptions, TypeInfo, ValueErrorKind};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

fn text(oid: Oid, text: &str) -> Field<'_> {
    Field::new(oid, Format::Text, text.as_bytes())
}

fn json(field: Field<'_>) -> String {
    let mut out = String::new();
    field.write_json(&mut out, JsonOptions::default()).unwrap();
    out
}

/// The binary form: dimensions of length and lower bound, elements as they are.
fn binary(element: Oid, dimensions: &[(i32, i32)], elements: &[Option<&[u8]>]) -> Vec<u8> {
    let mut out = Vec::new();
    let int = |out: &mut Vec<u8>, number: i32| out.extend(number.to_be_bytes());
    int(&mut out, i32::try_from(dimensions.len()).unwrap());
    int(&mut out, i32::from(elements.contains(&None)));
    int(&mut out, element.as_u32().cast_signed());
    for (len, lower) in dimensions {
        int(&mut out, *len);
        int(&mut out, *lower);
    }
    for element in elements {
        int(&mut out, element.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap()));
        out.extend(element.unwrap_or_default());
    }
    out
}

#[test]
fn text_round_trips_and_json_is_nested() {
    for (oid, array, nested) in [
        (type_oid::INT4_ARRAY, "{}", "[]"),
        (type_oid::INT4_ARRAY, "{NULL}", "[null]"),
        (type_oid::INT4_ARRAY, "{1,-2,NULL}", "[1,-2,null]"),
        (type_oid::INT4_ARRAY, "[-3:-2]={1,2}", "[1,2]"),
        (type_oid::INT4_ARRAY, "[0:1][2:3]={{1,2},{3,4}}", "[[1,2],[3,4]]"),
        (type_oid::INT4_ARRAY, "{{{1,2},{3,4}},{{5,6},{7,8}}}", "[[[1,2],[3,4]],[[5,6],[7,8]]]"),
        (type_oid::INT4_ARRAY, "{{{{{{1}}}}}}", "[[[[[[1]]]]]]"),
        (
            type_oid::TEXT_ARRAY,
            r#"{"","null",NULL,"a b","{","\"\\"}"#,
            r#"["","null",null,"a b","{","\"\\"]"#,
        ),
        (type_oid::BYTEA_ARRAY, r#"{"\\x","\\x00ff"}"#, r#"["\\x","\\x00ff"]"#),
        (type_oid::CHAR_ARRAY, r#"{"\"","\\","\\377",a,""}"#, r#"["\"","\\","\\377","a",""]"#),
        (type_oid::JSONB_ARRAY, r#"{"{\"a\": \"\\\\\"}"}"#, r#"[{"a": "\\"}]"#),
        (type_oid::BOOL_ARRAY, "{t,f}", "[true,false]"),
        (
            type_oid::TIMESTAMP_ARRAY,
            r#"{"2020-01-01 00:00:00",infinity}"#,
            r#"["2020-01-01T00:00:00","infinity"]"#,
        ),
        (type_oid::INT2VECTOR, "1 -2 3", "[1,-2,3]"),
        (type_oid::OIDVECTOR, "", "[]"),
        (type_oid::INT2VECTOR_ARRAY, r#"{"1 2",3,""}"#, "[[1,2],[3],[]]"),
    ] {
        let field = text(oid, array);
        assert_eq!(field.get::<Value<'_>>().unwrap().to_string(), array);
        assert_eq!(json(field), nested);
    }
}

#[test]
fn the_binary_form_is_the_same_array() {
    let one = 1_i32.to_be_bytes();
    let two = 2_i32.to_be_bytes();
    let elements = [Some(&one[..]), None, Some(&two), Some(&one)];
    let bytes = binary(type_oid::INT4, &[(2, 0), (2, 1)], &elements);
    let from_binary = Field::new(type_oid::INT4_ARRAY, Format::Binary, &bytes);
    let from_text = text(type_oid::INT4_ARRAY, "[0:1][1:2]={{1,NULL},{2,1}}");
    assert_eq!(from_binary.get::<Array<'_>>(), from_text.get());
    assert_eq!(from_binary.get::<Array<'_>>().unwrap().to_string(), "[0:1][1:2]={{1,NULL},{2,1}}");
    assert_eq!(json(from_binary), json(from_text));
    assert_ne!(from_text.get::<Array<'_>>(), text(type_oid::INT4_ARRAY, "{{1,NULL},{2,1}}").get());

    // An empty vector has a dimension, an empty array has none.
    let empty = binary(type_oid::INT2, &[(0, 0)], &[]);
    let empty = Field::new(type_oid::INT2VECTOR, Format::Binary, &empty);
    assert_eq!(empty.get::<Array<'_>>(), text(type_oid::INT2VECTOR, "").get());
    assert!(empty.get::<Array<'_>>().unwrap().dimensions().is_empty());

    let quoted = binary(type_oid::TEXT, &[(3, 1)], &[Some(b"NuLL"), Some(br#"a"\"#), Some(b"")]);
    let quoted = Field::new(type_oid::TEXT_ARRAY, Format::Binary, &quoted);
    let same = text(type_oid::TEXT_ARRAY, r#"{"NuLL","a\"\\",""}"#);
    assert_eq!(quoted.get::<Array<'_>>(), same.get());
    assert_eq!(quoted.get::<Array<'_>>().unwrap().to_string(), r#"{"NuLL","a\"\\",""}"#);
}

#[test]
fn arrays_of_domains_over_arrays_nest_by_quoting() {
    let numbers = TypeInfo::new(type_oid::INT4_ARRAY, "integer[]", TypeKind::Base);
    let row =
        TypeInfo::new(Oid::new(16_400), "row", TypeKind::Domain(FieldType::described(&numbers)));
    let rows = TypeKind::Array { element: FieldType::described(&row), delimiter: b',' };
    let rows = TypeInfo::new(Oid::new(16_401), "row[]", rows);
    let field = Field::with_type(&rows, Format::Text, br#"{"{1,2}","{}",NULL}"#);
    assert_eq!(json(field), "[[1,2],[],null]");
    assert_eq!(field.get::<Array<'_>>().unwrap().to_string(), r#"{"{1,2}","{}",NULL}"#);
    let first = field.get::<Array<'_>>().unwrap().elements().next().flatten().unwrap();
    assert_eq!(first.get::<Array<'_>>().unwrap().len(), 2);
}

#[cfg(feature = "alloc")]
#[test]
fn borrowing_a_quoted_text_is_an_error() {
    let array: Array<'_> = text(type_oid::TEXT_ARRAY, r#"{a,"\"é"}"#).get().unwrap();
    let [plain, quoted] = array.elements().flatten().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(plain.get::<&str>(), Ok("a"));
    assert_eq!(quoted.get::<&str>().unwrap_err().kind(), ValueErrorKind::NotBorrowable);
    assert_eq!(quoted.get::<&[u8]>().unwrap_err().kind(), ValueErrorKind::NotBorrowable);
    assert_eq!(quoted.get::<crate::value::Text<'_>>().unwrap(), "\"é");
    assert_eq!(format!("{:?}", quoted.get::<crate::value::Text<'_>>().unwrap()), r#""\"é""#);
    assert_eq!(quoted.get::<String>().unwrap(), "\"é");
    assert_eq!(quoted.get::<Vec<u8>>().unwrap(), "\"é".as_bytes());
}

#[test]
fn rejects_what_the_server_never_writes() {
    for array in [
        "",
        "{",
        "}",
        "{}}",
        "{}{}",
        "{,}",
        "{1,}",
        "{,1}",
        "{1",
        "{1}}",
        "{1}x",
        "{{}}",
        "{{1},2}",
        "{1,{2}}",
        "{{1,2},{3}}",
        "{{1},{2,3}}",
        "{{1},{{2}}}",
        "{{{{{{{1}}}}}}}",
        "{1, 2}",
        "{ 1}",
        "[1:2]={1}",
        "[1:1]{1}",
        "[1:0]={}",
        "[2:1]={1}",
        "[1]={1}",
        "[0:2147483647]={1}",
        "[1:1][1:1]={1}",
        "={1}",
        r#"{"1}"#,
        r#"{1"2"}"#,
        r#"{"1"2}"#,
        r"{\1}",
        r#"{"\1"}"#,
        "{{1}{2}}",
        "{{1},}",
        "{1;2}",
        "{x}",
    ] {
        assert!(text(type_oid::INT4_ARRAY, array).get::<Array<'_>>().is_err(), "{array}");
    }
    for vector in [" ", "1  2", " 1", "1 ", "1,2", "x", "40000"] {
        assert!(text(type_oid::INT2VECTOR, vector).get::<Array<'_>>().is_err(), "{vector}");
    }
    let error = text(type_oid::INT4_ARRAY, r#"{1,"2x"}"#).get::<Array<'_>>().unwrap_err();
    assert_eq!((error.offset(), error.type_oid()), (5, Some(type_oid::INT4)));
}

#[test]
fn lengths_in_the_binary_form_are_checked_against_the_input() {
    let read = |bytes: &[u8]| {
        Field::new(type_oid::TEXT_ARRAY, Format::Binary, bytes).get::<Array<'_>>().map(|_| ())
    };
    let good = binary(type_oid::TEXT, &[(1, 1)], &[Some(b"ab")]);
    assert_eq!(read(&good), Ok(()));
    for end in 0..good.len() {
        assert!(read(&good[..end]).is_err(), "{end}");
    }
    assert!(read(&[&good[..], b"x"].concat()).is_err());
    let huge = i32::MAX - 1;
    for dimensions in
        [&[(huge, 1)][..], &[(huge, 1); 6], &[(-1, 1)], &[(1, i32::MAX)], &[(1, 1); 7], &[(2, 1)]]
    {
        assert!(
            read(&binary(type_oid::TEXT, dimensions, &[Some(b"ab")])).is_err(),
            "{dimensions:?}"
        );
    }
    assert!(read(&binary(type_oid::INT4, &[(1, 1)], &[Some(b"ab")])).is_err(), "another type");
    let mut long = good.clone();
    long[20..24].copy_from_slice(&0x3FFF_FFFF_i32.to_be_bytes());
    assert!(read(&long).is_err(), "an element of one gigabyte");
    long[20..24].copy_from_slice(&(-2_i32).to_be_bytes());
    assert!(read(&long).is_err(), "an element of length -2");
}

#[cfg(feature = "alloc")]
#[test]
fn a_type_that_contains_itself_ends_in_an_error() {
    let oid = Oid::new(16_400);
    let kind = TypeKind::Array { element: FieldType::new(oid), delimiter: b',' };
    let types = TypeSet::new(&[TypeInfo::new(oid, "ring", kind)]);
    let ring = types.get(oid).unwrap();
    let mut bytes = Vec::new();
    for _ in 0..1000 {
        bytes = binary(oid, &[(1, 1)], &[Some(&bytes)]);
    }
    let error = Field::of(ring, Format::Binary, &bytes).get::<Value<'_>>().unwrap_err();
    assert_eq!(error.kind(), ValueErrorKind::TooDeep);
    let mut nested = String::from("{}");
    for _ in 0..12 {
        nested = format!("{{\"{}\"}}", nested.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let field = Field::of(ring, Format::Text, nested.as_bytes());
    assert_eq!(field.get::<Value<'_>>().unwrap().to_string(), nested);
    assert_eq!(json(field), "[[[[[[[[[[[[[]]]]]]]]]]]]]");
}

#[cfg(feature = "alloc")]
#[test]
fn vec_takes_one_dimension_and_elements_that_fit() {
    let numbers = text(type_oid::INT2_ARRAY, "[0:1]={1,-2}");
    assert_eq!(numbers.get::<Vec<i64>>().unwrap(), [1, -2]);
    assert!(numbers.get::<Vec<u8>>().is_err(), "-2 is no u8");
    assert!(numbers.get::<Vec<String>>().is_err());
    assert_eq!(text(type_oid::INT2VECTOR, "7 8").get::<Vec<u8>>().unwrap(), [7, 8]);
    assert_eq!(text(type_oid::TEXT_ARRAY, "{}").get::<Vec<String>>().unwrap(), [""; 0]);

    let texts = text(type_oid::TEXT_ARRAY, r#"{a,NULL,"\""}"#);
    let null = texts.get::<Vec<String>>().unwrap_err();
    assert!(matches!(null.kind(), ValueErrorKind::Null { .. }));
    let options = texts.get::<Vec<Option<String>>>().unwrap();
    assert_eq!(options, [Some("a".to_string()), None, Some("\"".to_string())]);

    let square = text(type_oid::INT4_ARRAY, "{{1,2},{3,4}}").get::<Vec<i32>>().unwrap_err();
    assert_eq!(square.kind(), ValueErrorKind::Dimensions { count: 2 });
    assert_eq!(text(type_oid::BYTEA, r"\x0102").get::<Vec<u8>>().unwrap(), [1, 2]);
    assert_eq!(text(type_oid::INT4, "5").get::<Option<i32>>(), Ok(Some(5)));
}
