use std::borrow::ToOwned;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::sync::LazyLock;
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::id::Oid;
use crate::row::tests::{ITEM, Is, MOOD, Sent};
use crate::row::{RowError, RowErrorKind};
use crate::value::{
    Bytea, FieldType, Timestamp, Toast, TypeInfo, TypeKind, TypeSet, ValueErrorKind, type_oid,
};

const ITEMS: TypeInfo<'static> = TypeInfo::new(
    Oid::new(16_402),
    "item[]",
    TypeKind::Array { element: FieldType::described(&ITEM), delimiter: b',' },
);
const HSTORE: TypeInfo<'static> = TypeInfo::new(Oid::new(16_403), "hstore", TypeKind::Hstore);
pub(super) static TYPES: LazyLock<TypeSet> =
    LazyLock::new(|| TypeSet::new(&[MOOD, ITEM, ITEMS, HSTORE]));

pub(super) fn with<'a, T: Deserialize<'a>>(
    sent: &'a Sent,
    table: &'a crate::relation::Relation,
) -> Result<T, RowError> {
    sent.row(table).with_types(&TYPES).deserialize()
}

/// Reads a column of this type and value as `T`.
pub(super) fn read<T: for<'a> Deserialize<'a>>(oid: Oid, is: Is<'_>) -> Result<T, String> {
    let sent = Sent::insert(&[("c", oid)], &[is]);
    let table = sent.table();
    with::<(T,)>(&sent, &table).map(|(value,)| value).map_err(|error| {
        assert_eq!(error.column(), Some("c"), "{error}");
        error.to_string()
    })
}

pub(super) fn text<T: for<'a> Deserialize<'a>>(oid: Oid, text: &str) -> Result<T, String> {
    read(oid, Is::Text(text))
}

/// Reads a column of this type and value as in the JSON of an event.
fn get_json(oid: Oid, is: Is<'_>) -> Result<serde_json::Value, String> {
    let sent = Sent::insert(&[("c", oid)], &[is]);
    let table = sent.table();
    sent.row(&table).with_types(&TYPES).get("c").map_err(|error| error.to_string())
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mood {
    Happy,
    Sad,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Item {
    label: Option<String>,
    mood: Mood,
}

#[test]
fn structs_borrow_rename_nest_and_flatten() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Order<'a> {
        id: i64,
        #[serde(rename = "the name")]
        name: &'a str,
        note: Option<&'a str>,
        mood: Mood,
        items: Vec<Option<Item>>,
        scan: Toast<Vec<u8>>,
        tags: BTreeMap<String, Option<String>>,
        #[serde(default)]
        missing: i32,
        #[serde(flatten)]
        more: More,
        #[serde(flatten)]
        rest: BTreeMap<String, serde_json::Value>,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    struct More {
        ok: bool,
        ratio: f64,
    }
    let columns = [
        ("id", type_oid::INT4),
        ("the name", type_oid::VARCHAR),
        ("note", type_oid::TEXT),
        ("mood", MOOD.oid),
        ("items", ITEMS.oid),
        ("scan", type_oid::BYTEA),
        ("tags", HSTORE.oid),
        ("ok", type_oid::BOOL),
        ("ratio", type_oid::FLOAT4),
        ("price", type_oid::NUMERIC),
        ("at", type_oid::TIMESTAMPTZ),
        ("doc", type_oid::JSONB),
        ("none", type_oid::INT4),
    ];
    let sent = Sent::insert(
        &columns,
        &[
            Is::Text("7"),
            Is::Text("Zoë"),
            Is::Null,
            Is::Text("sad"),
            Is::Text(r#"{"(\"a \"\"b\"\"\",happy)",NULL,"(,sad)"}"#),
            Is::Unchanged,
            Is::Text(r#""a"=>"1", "b"=>NULL"#),
            Is::Text("t"),
            Is::Text("0.5"),
            Is::Text("1.50"),
            Is::Text("2020-01-01 00:00:00.5+00"),
            Is::Text(r#"{"a": [1, null]}"#),
            Is::Null,
        ],
    );
    let table = sent.table();
    let order: Order<'_> = with(&sent, &table).unwrap();
    let item = |label: Option<&str>, mood| Some(Item { label: label.map(Into::into), mood });
    let expected = Order {
        id: 7,
        name: "Zoë",
        note: None,
        mood: Mood::Sad,
        items: vec![item(Some("a \"b\""), Mood::Happy), None, item(None, Mood::Sad)],
        scan: Toast::Unchanged,
        tags: [("a".into(), Some("1".into())), ("b".into(), None)].into(),
        missing: 0,
        more: More { ok: true, ratio: 0.5 },
        rest: [
            ("price".into(), json!("1.50")),
            ("at".into(), json!("2020-01-01T00:00:00.500000+00:00")),
            ("doc".into(), json!({"a": [1, null]})),
            ("none".into(), json!(null)),
        ]
        .into(),
    };
    assert_eq!(order, expected);
}

#[test]
fn numbers_fit_or_are_errors() {
    assert_eq!(text::<u8>(type_oid::INT8, "255"), Ok(255));
    assert!(text::<u8>(type_oid::INT8, "256").unwrap_err().contains("256"));
    assert!(text::<u64>(type_oid::INT4, "-1").is_err());
    assert_eq!(text::<i128>(type_oid::INT4, "-1"), Ok(-1));
    assert_eq!(text::<f64>(type_oid::INT4, "3"), Ok(3.0));
    assert!(text::<f64>(type_oid::INT8, "9007199254740993").is_err());
    assert!(text::<i32>(type_oid::FLOAT8, "3").is_err(), "a float is no integer");
    assert!(text::<String>(type_oid::INT4, "3").is_err(), "an integer is no string");
    assert!(text::<i32>(type_oid::TEXT, "3").is_err(), "a string is no integer");
    assert!(text::<f32>(type_oid::FLOAT8, "0.1").is_err());
    assert_eq!(text::<f32>(type_oid::FLOAT8, "0.5"), Ok(0.5));
    assert!(text::<f64>(type_oid::FLOAT8, "NaN").unwrap().is_nan());
    assert_eq!(text::<serde_json::Value>(type_oid::FLOAT8, "NaN"), Ok(json!("NaN")));

    assert_eq!(text::<String>(type_oid::NUMERIC, "1.50").as_deref(), Ok("1.50"));
    assert_eq!(text::<u64>(type_oid::NUMERIC, "18446744073709551615.00"), Ok(u64::MAX));
    assert_eq!(text::<i128>(type_oid::NUMERIC, "-5"), Ok(-5));
    assert_eq!(text::<f64>(type_oid::NUMERIC, "1.50"), Ok(1.5));
    assert_eq!(
        text::<f64>(type_oid::NUMERIC, "0.1").unwrap_err(),
        "column \"c\" of public.t: text value of type numeric: the number at byte 0 cannot be \
         represented exactly as f64; read it as a string, or an exact integer or float"
    );
    for number in ["1.5", "NaN", "1e", "18446744073709551616"] {
        assert!(text::<u64>(type_oid::NUMERIC, number).is_err(), "{number}");
    }
}

#[test]
fn floats_hold_numbers_exactly_or_are_errors() {
    for oid in [type_oid::OID, type_oid::XID, type_oid::CID, type_oid::XID8] {
        assert_eq!(text::<f64>(oid, "4294967295"), Ok(4_294_967_295.0));
        assert!(text::<f32>(oid, "4294967295").unwrap_err().contains("exactly as f32"));
        assert_eq!(text::<f32>(oid, "16777216"), Ok(16_777_216.0));
    }
    assert!(text::<f64>(type_oid::XID8, "9007199254740993").is_err());
    assert_eq!(text::<f64>(type_oid::XID8, "9223372036854775808"), Ok(2_f64.powi(63)));
    assert_eq!(text::<u64>(type_oid::XID8, "18446744073709551615"), Ok(u64::MAX));
}

#[test]
fn documents_are_read_as_serde_json_reads_them() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Inside {
        x: f64,
        ys: Vec<f32>,
    }
    assert_eq!(text::<f64>(type_oid::JSONB, "0.1"), Ok(0.1));
    assert_eq!(text::<f32>(type_oid::JSONB, "0.1"), Ok(0.1));
    assert_eq!(text::<f64>(type_oid::JSON, "9007199254740993"), Ok(9_007_199_254_740_992.0));
    let inside = text::<Inside>(type_oid::JSONB, r#"{"x": 2.5, "ys": [1, 0.1]}"#);
    assert_eq!(inside, Ok(Inside { x: 2.5, ys: vec![1.0, 0.1] }));
    // A type that accepts anything does not say that a float suffices.
    let many = text::<serde_json::Value>(type_oid::JSON, "[1, 12345678901234567890.5]");
    let error = many.unwrap_err();
    assert!(error.contains("arbitrary_precision") && error.contains("at byte 4"), "{error}");
}

#[test]
fn bytes_are_raw_whatever_the_encoding() {
    #[derive(Debug, PartialEq)]
    struct Raw(Vec<u8>);
    impl<'de> Deserialize<'de> for Raw {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Bytes;
            impl serde::de::Visitor<'_> for Bytes {
                type Value = Raw;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                    Ok(Raw(bytes.to_vec()))
                }
            }
            deserializer.deserialize_bytes(Bytes)
        }
    }
    let latin1 = b"caf\xE9";
    for oid in [type_oid::TEXT, type_oid::JSON, type_oid::JSONB, MOOD.oid, Oid::new(20_000)] {
        assert_eq!(read(oid, Is::Bytes(latin1)), Ok(Raw(latin1.to_vec())), "{oid}");
    }
    assert_eq!(read(type_oid::JSONB, Is::Binary(b"\x01[]")), Ok(Raw(b"[]".to_vec())));
    assert_eq!(read(Oid::new(20_000), Is::Binary(b"\0\xFF")), Ok(Raw(b"\0\xFF".to_vec())));
    assert_eq!(read(type_oid::TEXT, Is::Bytes(latin1)), Ok(latin1.to_vec()));
    assert_eq!(read(Oid::new(20_000), Is::Binary(b"\0\xFF")), Ok(b"\0\xFF".to_vec()));
    let array = Is::Bytes(b"{caf\xE9,\"\\\"\"}");
    assert_eq!(read(type_oid::TEXT_ARRAY, array), Ok(vec![latin1.to_vec(), b"\"".to_vec()]));
    assert!(read::<Vec<String>>(type_oid::TEXT_ARRAY, Is::Bytes(b"{\xE9}")).is_err());
    // Of a text, only a list of bytes can be read.
    assert!(text::<Vec<i32>>(type_oid::TEXT, "ab").unwrap_err().contains("expected i32"));
    assert!(text::<Vec<String>>(type_oid::TEXT, "ab").is_err());
    assert!(text::<Vec<i32>>(type_oid::BYTEA, r"\x00").is_err());
}

#[test]
fn names_of_objects_are_strings_or_numbers_as_the_format_has_it() {
    let binary = || Is::Binary(&[0, 0, 4, 0xEB]);
    assert_eq!(read::<u32>(type_oid::REGCLASS, binary()), Ok(1259));
    assert_eq!(text::<String>(type_oid::REGCLASS, "pg_class").as_deref(), Ok("pg_class"));
    assert_eq!(text::<u32>(type_oid::REGCLASS, "-"), Ok(0));
    assert_eq!(text::<serde_json::Value>(type_oid::REGCLASS, "pg_class"), Ok(json!("pg_class")));
    assert_eq!(read::<serde_json::Value>(type_oid::REGCLASS, binary()), Ok(json!(1259)));
    let error = text::<u32>(type_oid::REGCLASS, "pg_class").unwrap_err();
    assert!(error.contains("option `binary`"), "{error}");
    let error = read::<String>(type_oid::REGCLASS, binary()).unwrap_err();
    assert!(error.contains("read it as `Oid`"), "{error}");
}

#[test]
fn json_values_equal_those_in_the_json_of_the_event() {
    fn text(oid: Oid, text: &str) -> Result<serde_json::Value, String> {
        get_json(oid, Is::Text(text))
    }
    assert_eq!(text(type_oid::FLOAT4, "0.1"), Ok(json!(0.1)));
    assert_eq!(text(type_oid::FLOAT4, "1e+10"), Ok(json!(1e10)));
    assert_eq!(text(type_oid::NUMERIC, "0.10"), Ok(json!(0.1)));
    assert_eq!(text(type_oid::NUMERIC, "-5"), Ok(json!(-5)));
    let digits = "12345678901234567890.5";
    assert_eq!(text(type_oid::NUMERIC, digits), Ok(json!(digits)));
    let huge = "9".repeat(400);
    assert_eq!(text(type_oid::NUMERIC, &huge), Ok(json!(huge)));
    assert_eq!(text(type_oid::BYTEA, r"\x00ff"), Ok(json!(r"\x00ff")));
    assert_eq!(get_json(type_oid::BYTEA, Is::Binary(&[0, 0xFF])), Ok(json!(r"\x00ff")));
    assert_eq!(get_json(Oid::new(20_000), Is::Binary(&[0, 0xFF])), Ok(json!(r"\x00ff")));
    assert_eq!(text(type_oid::JSON, r#"{"a": 1, "a": 2}"#), Ok(json!({"a": 2})));
    let error = text(type_oid::JSON, &format!("[1, {digits}]")).unwrap_err();
    assert!(error.contains("arbitrary_precision") && error.contains("at byte 4"), "{error}");
    assert_eq!(text(ITEM.oid, "(a,sad)"), Ok(json!({"label": "a", "mood": "sad"})));
    assert_eq!(text(HSTORE.oid, r#""a"=>"1", "b"=>NULL"#), Ok(json!({"a": "1", "b": null})));
    assert_eq!(text(type_oid::INT4_ARRAY, "{{1},{NULL}}"), Ok(json!([[1], [null]])));
    assert_eq!(text(type_oid::INT4_ARRAY, "{}"), Ok(json!([])));
    let list = text(type_oid::NUMERIC_ARRAY, "{0.10,NULL,NaN}");
    assert_eq!(list, Ok(json!([0.1, null, "NaN"])));
}

#[test]
fn null_and_unchanged_are_distinguished() {
    #[derive(Deserialize)]
    struct Nothing {}
    #[derive(Deserialize, Debug)]
    struct Flat {
        #[serde(flatten)]
        _rest: BTreeMap<String, Option<i32>>,
    }
    assert_eq!(read::<Option<i32>>(type_oid::INT4, Is::Null), Ok(None));
    assert_eq!(read::<()>(type_oid::INT4, Is::Null), Ok(()));
    assert_eq!(read::<Toast<Option<i32>>>(type_oid::INT4, Is::Null), Ok(Toast::Present(None)));
    assert_eq!(read::<Toast<i32>>(type_oid::INT4, Is::Text("1")), Ok(Toast::Present(1)));
    assert_eq!(read::<Toast<i32>>(type_oid::INT4, Is::Unchanged), Ok(Toast::Unchanged));
    assert_eq!(
        read::<i32>(type_oid::INT4, Is::Null).unwrap_err(),
        "column \"c\" of public.t: NULL cannot be read as i32; use `Option<i32>`"
    );
    assert!(read::<String>(type_oid::TEXT, Is::Null).is_err());
    assert!(read::<Vec<i32>>(type_oid::INT4_ARRAY, Is::Null).is_err());
    assert!(read::<Item>(ITEM.oid, Is::Null).is_err());
    assert!(read::<Mood>(MOOD.oid, Is::Null).is_err());
    for refused in [
        read::<Option<i32>>(type_oid::INT4, Is::Unchanged).map(drop),
        read::<serde_json::Value>(type_oid::INT4, Is::Unchanged).map(drop),
        read::<()>(type_oid::INT4, Is::Unchanged),
        read::<Option<Item>>(ITEM.oid, Is::Unchanged).map(drop),
    ] {
        assert!(refused.unwrap_err().contains("unchanged TOAST value"));
    }
    // A column that is not requested may have any value.
    let sent = Sent::insert(&[("c", type_oid::INT4)], &[Is::Unchanged]);
    let table = sent.table();
    with::<Nothing>(&sent, &table).unwrap();
    assert!(with::<Flat>(&sent, &table).unwrap_err().to_string().contains("unchanged TOAST value"));
}

#[test]
fn arrays_composites_bytes_and_documents_inside() {
    let cube = text::<Vec<Vec<Option<i32>>>>(type_oid::INT4_ARRAY, "{{1,NULL},{3,4}}");
    assert_eq!(cube, Ok(vec![vec![Some(1), None], vec![Some(3), Some(4)]]));
    assert_eq!(text::<(i32, i32)>(type_oid::INT4_ARRAY, "{1,2}"), Ok((1, 2)));
    assert!(text::<(i32, i32)>(type_oid::INT4_ARRAY, "{1,2,3}").is_err(), "one is left");
    assert!(text::<Vec<i32>>(type_oid::INT4_ARRAY, "{1,NULL}").is_err());
    assert!(text::<Vec<i32>>(type_oid::INT4_ARRAY, "{{1}}").is_err());
    assert_eq!(text::<Vec<u8>>(type_oid::BYTEA, r"\x00ff"), Ok(vec![0, 255]));
    assert_eq!(text::<String>(type_oid::BYTEA, r"\x00ff").as_deref(), Ok(r"\x00ff"));
    assert_eq!(text::<(Option<String>, Mood)>(ITEM.oid, "(,sad)"), Ok((None, Mood::Sad)));
    assert!(text::<(Option<String>,)>(ITEM.oid, "(,sad)").is_err(), "one is left");
    assert!(text::<Item>(ITEM.oid, "(,angry)").unwrap_err().contains("unknown variant"));
    assert_eq!(text::<char>(type_oid::TEXT, "é"), Ok('é'));

    let document = r#"{"label": "x", "mood": "sad"}"#;
    let item = || Item { label: Some("x".into()), mood: Mood::Sad };
    assert_eq!(text::<Item>(type_oid::JSON, document), Ok(item()));
    assert_eq!(text::<String>(type_oid::JSONB, document).as_deref(), Ok(document));
    assert_eq!(text::<Mood>(type_oid::JSONB, r#""happy""#), Ok(Mood::Happy));
    let raw = text::<Box<serde_json::value::RawValue>>(type_oid::JSON, "[1.10]").unwrap();
    assert_eq!(raw.get(), "[1.10]");
    let escaped = format!("{{{document:?}}}");
    assert_eq!(text::<Vec<Item>>(type_oid::JSON_ARRAY, &escaped), Ok(vec![item()]));
    assert!(text::<Item>(type_oid::JSON, "[").unwrap_err().contains("EOF"));
    assert!(text::<Vec<i32>>(type_oid::JSON, "[1] 2").unwrap_err().contains("trailing"));
}

#[test]
fn errors_name_column_and_offset() {
    #[derive(Deserialize, Debug)]
    struct Other {
        #[serde(rename = "id")]
        _id: i32,
    }
    let error = text::<Vec<f64>>(type_oid::FLOAT8_ARRAY, "{1,2,x}").unwrap_err();
    assert!(error.starts_with("column \"c\" of public.t: text value of type double precision: "));
    assert!(error.ends_with("at byte 5"), "{error}");
    let error = text::<i32>(type_oid::BOOL, "t").unwrap_err();
    let end = "text value of type boolean: invalid type: boolean `true`, expected i32, at byte 0; \
               it becomes a bool";
    assert!(error.ends_with(end), "{error}");
    let sent = Sent::insert(&[("c", type_oid::TEXT)], &[Is::Bytes(b"a\xFF")]);
    let table = sent.table();
    let error = with::<(String,)>(&sent, &table).unwrap_err();
    assert_eq!(error.value_error().unwrap().kind(), ValueErrorKind::InvalidUtf8);
    assert_eq!(error.offset(), Some(1));
    let error = with::<Other>(&sent, &table).unwrap_err();
    assert_eq!(error.to_string(), "row of public.t: missing field `id`");
    assert!(matches!(error.kind(), RowErrorKind::Deserialize(_)) && error.column().is_none());
    let opaque = read::<String>(Oid::new(20_000), Is::Binary(b"x")).unwrap_err();
    assert!(opaque.contains("TypeInfo"), "{opaque}");
}

/// The text and the binary form of a server's values become the same, which is also the JSON.
#[test]
fn text_and_binary_of_the_server_become_the_same() {
    use crate::value::{Field, Format, JsonOptions, PgType};
    let lines = include_str!("../../../tests/data/values.tsv").lines();
    let mut compared = 0;
    for line in lines {
        let [name, text, binary] = line.split('\t').collect::<Vec<_>>()[..] else { panic!() };
        let full = format!("{name} without time zone");
        let is_it = |known: &&PgType| [name, &full].contains(&known.sql_name());
        let Some(known) = PgType::all().iter().find(is_it) else {
            continue;
        };
        if text.contains('\\') || known.oid() == type_oid::BYTEA {
            continue;
        }
        let bytes: Vec<u8> = (0..binary.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&binary[at..at + 2], 16).unwrap())
            .collect();
        let from_text = get_json(known.oid(), Is::Text(text));
        let from_binary = get_json(known.oid(), Is::Binary(&bytes));
        if let (Err(of_text), Err(of_binary)) = (&from_text, &from_binary) {
            // A document with a number that has too many digits for a float.
            assert!(matches!(known.oid(), type_oid::JSON | type_oid::JSONB), "{of_text}");
            for error in [of_text, of_binary] {
                assert!(error.contains("`arbitrary_precision`"), "{error}");
            }
            continue;
        }
        assert!(from_text.is_ok(), "{name} {text}: {from_text:?}");
        assert_eq!(from_text, from_binary, "{name} {text}");
        let field = Field::new(known.oid(), Format::Text, text.as_bytes());
        assert_eq!(field.get(), Ok(from_text.clone().unwrap()), "{name} {text}");
        let mut json = String::new();
        field.write_json(&mut json, JsonOptions::default()).unwrap();
        match (from_text.unwrap(), serde_json::from_str::<serde_json::Value>(&json)) {
            // Too many digits for a float: the number is a string, with each of them.
            (serde_json::Value::String(digits), Ok(serde_json::Value::Number(_)) | Err(_)) => {
                assert_eq!((known.oid(), &*digits), (type_oid::NUMERIC, &*json));
            }
            // The float parser of `serde_json` may be off by one in the last place.
            (serde_json::Value::Number(number), _) if number.is_f64() => {
                assert_eq!(number.as_f64(), json.parse().ok(), "{name} {text}");
            }
            (value, expected) => assert_eq!(value, expected.unwrap(), "{name} {text}"),
        }
        compared += 1;
    }
    assert!(compared > 1000, "{compared}");
}

#[derive(Deserialize, Debug, PartialEq)]
struct Mixed {
    int: i64,
    float: f64,
    ok: Option<bool>,
    words: Vec<Option<String>>,
    at: String,
    bytes: Vec<u8>,
}

fn array_text(words: &[Option<String>]) -> String {
    let quoted = |word: &Option<String>| match word {
        Some(word) => format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"")),
        None => "NULL".to_owned(),
    };
    format!("{{{}}}", words.iter().map(quoted).collect::<Vec<_>>().join(","))
}

fn array_binary(words: &[Option<String>]) -> Vec<u8> {
    let length = |len: usize| u32::try_from(len).unwrap().to_be_bytes();
    let mut out = length(usize::from(!words.is_empty())).to_vec();
    out.extend(length(usize::from(words.iter().any(Option::is_none))));
    out.extend(type_oid::TEXT.as_u32().to_be_bytes());
    if !words.is_empty() {
        out.extend(length(words.len()));
        out.extend(length(1));
    }
    for word in words {
        match word {
            Some(word) => out.extend([&length(word.len())[..], word.as_bytes()].concat()),
            None => out.extend((-1_i32).to_be_bytes()),
        }
    }
    out
}

proptest! {
    /// The same values, sent as text and as binary, are the same struct.
    #[test]
    fn both_formats_are_the_same_struct(
        int: i64,
        float in prop::num::f64::NORMAL | prop::num::f64::ZERO,
        ok: Option<bool>,
        words in prop::collection::vec(prop::option::of("[a-z\"\\\\{}, é]{0,6}"), 0..5),
        micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000,
        bytes: Vec<u8>,
    ) {
        let columns = [
            ("int", type_oid::INT8),
            ("float", type_oid::FLOAT8),
            ("ok", type_oid::BOOL),
            ("words", type_oid::TEXT_ARRAY),
            ("at", type_oid::TIMESTAMP),
            ("bytes", type_oid::BYTEA),
        ];
        let hex = Bytea::new(&bytes).to_string();
        let words_binary = array_binary(&words);
        let binary = Sent::insert(&columns, &[
            Is::Binary(&int.to_be_bytes()),
            Is::Binary(&float.to_be_bytes()),
            ok.map_or(Is::Null, |ok| Is::Binary(if ok { &[1] } else { &[0] })),
            Is::Binary(&words_binary),
            Is::Binary(&micros.to_be_bytes()),
            Is::Binary(&bytes),
        ]);
        let text = Sent::insert(&columns, &[
            Is::Text(&int.to_string()),
            Is::Text(&format!("{float:e}")),
            ok.map_or(Is::Null, |ok| Is::Text(if ok { "t" } else { "f" })),
            Is::Text(&array_text(&words)),
            Is::Text(&Timestamp::from_micros(micros).to_string()),
            Is::Text(&hex),
        ]);
        let (binary_table, text_table) = (binary.table(), text.table());
        let from_binary: Mixed = with(&binary, &binary_table).unwrap();
        let from_text: Mixed = with(&text, &text_table).unwrap();
        prop_assert_eq!(&from_binary, &from_text);
        let at = from_binary.at.clone();
        prop_assert_eq!(from_binary, Mixed { int, float, ok, words, at, bytes });
    }
}
