//! Where `serde` reads columns into a buffer of its own first: what is told at `Row::deserialize`.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use serde::Deserialize;
use serde_json::json;

use super::tests::with;
use crate::id::Oid;
use crate::row::RowError;
use crate::row::tests::{Is, Sent};
use crate::value::{Toast, ValueErrorKind, type_oid};

#[derive(Deserialize, Debug, PartialEq)]
struct Flat<T> {
    #[serde(flatten)]
    inner: T,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Only<T> {
    c: T,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Untagged<T> {
    Only { c: T },
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(tag = "kind")]
enum Tagged<T> {
    #[serde(rename = "only")]
    Only { c: T },
}

/// Columns `kind`, always `only`, and `c`.
fn sent(oid: Oid, is: Is<'_>) -> Sent {
    Sent::insert(&[("kind", type_oid::TEXT), ("c", oid)], &[Is::Text("only"), is])
}

fn flat<T: for<'a> Deserialize<'a>>(oid: Oid, is: Is<'_>) -> Result<T, RowError> {
    let sent = sent(oid, is);
    let table = sent.table();
    with::<Flat<Only<T>>>(&sent, &table).map(|flat| flat.inner.c)
}

fn text<T: for<'a> Deserialize<'a>>(oid: Oid, text: &str) -> Result<T, RowError> {
    flat(oid, Is::Text(text))
}

fn fails<T: for<'a> Deserialize<'a> + std::fmt::Debug>(oid: Oid, value: &str) -> RowError {
    let error = text::<T>(oid, value).unwrap_err();
    assert_eq!(error.column(), Some("c"), "{error}");
    error
}

#[test]
fn toast_is_told_from_null_and_from_every_value() {
    type List = Toast<Option<Vec<i32>>>;
    assert_eq!(flat::<List>(type_oid::INT4_ARRAY, Is::Unchanged).unwrap(), Toast::Unchanged);
    assert_eq!(flat::<List>(type_oid::INT4_ARRAY, Is::Null).unwrap(), Toast::Present(None));
    let present = flat::<List>(type_oid::INT4_ARRAY, Is::Text("{1}")).unwrap();
    assert_eq!(present, Toast::Present(Some(vec![1])));
    let bytes = flat::<Toast<Vec<u8>>>(type_oid::BYTEA, Is::Text(r"\x00ff")).unwrap();
    assert_eq!(bytes, Toast::Present(vec![0, 0xFF]));

    let unchanged = sent(type_oid::TEXT, Is::Unchanged);
    let table = unchanged.table();
    let only = Untagged::Only { c: Toast::<String>::Unchanged };
    assert_eq!(with::<Untagged<Toast<String>>>(&unchanged, &table).unwrap(), only);
    let only = Tagged::Only { c: Toast::<String>::Unchanged };
    assert_eq!(with::<Tagged<Toast<String>>>(&unchanged, &table).unwrap(), only);
    assert!(with::<Untagged<String>>(&unchanged, &table).is_err());
    assert!(with::<Untagged<Option<String>>>(&unchanged, &table).is_err(), "it is not NULL");

    // From elsewhere null is no mark.
    assert_eq!(serde_json::from_str::<Toast<i32>>("7").unwrap(), Toast::Present(7));
    let null = serde_json::from_str::<Toast<Option<i32>>>("null").unwrap();
    assert_eq!(null, Toast::Present(None));
}

#[test]
fn an_unchanged_value_is_refused_by_everything_else_and_only_where_it_is_asked_for() {
    #[derive(Deserialize, Debug)]
    struct Inner(#[allow(dead_code, reason = "never made")] Option<String>);
    #[derive(Deserialize, Debug)]
    struct Outer(#[allow(dead_code, reason = "never made")] Inner);
    #[derive(Deserialize, Debug, PartialEq)]
    struct Kind {
        kind: String,
    }
    let unchanged = || Is::Unchanged;
    for error in [
        flat::<String>(type_oid::TEXT, unchanged()).unwrap_err(),
        flat::<Option<String>>(type_oid::TEXT, unchanged()).unwrap_err(),
        flat::<Outer>(type_oid::TEXT, unchanged()).unwrap_err(),
        flat::<Vec<u8>>(type_oid::BYTEA, unchanged()).unwrap_err(),
        flat::<()>(type_oid::TEXT, unchanged()).unwrap_err(),
        flat::<serde_json::Value>(type_oid::TEXT, unchanged()).unwrap_err(),
        flat::<BTreeMap<String, String>>(type_oid::TEXT, unchanged()).unwrap_err(),
    ] {
        assert_eq!(error.column(), Some("c"), "{error}");
        let kind = error.value_error().unwrap().kind();
        assert!(matches!(kind, ValueErrorKind::Unchanged { .. }), "{error}");
        assert!(error.to_string().contains("Toast<"), "{error}");
    }
    let sent = sent(type_oid::TEXT, Is::Unchanged);
    let table = sent.table();
    assert_eq!(with::<Flat<Kind>>(&sent, &table).unwrap().inner.kind, "only");
}

#[test]
fn what_a_buffer_cannot_say_is_an_error_that_names_the_column() {
    assert_eq!(text::<String>(type_oid::NUMERIC, "1.50").unwrap(), "1.50");
    fails::<i64>(type_oid::NUMERIC, "5");
    fails::<f64>(type_oid::NUMERIC, "5");
    assert_eq!(text::<f64>(type_oid::FLOAT8, "0.1").ok(), Some(0.1));
    fails::<f64>(type_oid::FLOAT8, "NaN");
    fails::<f64>(type_oid::FLOAT4, "-Infinity");
    assert_eq!(text::<Vec<u8>>(type_oid::BYTEA, r"\x00ff").unwrap(), [0, 0xFF]);
    assert_eq!(flat::<Vec<u8>>(type_oid::BYTEA, Is::Binary(&[0, 0xFF])).unwrap(), [0, 0xFF]);
    let error = fails::<String>(type_oid::BYTEA, r"\x6162");
    assert!(error.to_string().ends_with("it becomes bytes, or a sequence of u8"), "{error}");
    assert_eq!(text::<BTreeMap<String, i32>>(type_oid::JSONB, r#"{"a": 1}"#).unwrap()["a"], 1);
    fails::<String>(type_oid::JSONB, r#"{"a": 1}"#);
    fails::<u8>(type_oid::INT4, "300");
    fails::<Vec<u8>>(type_oid::INT4_ARRAY, "{1,300}");
    fails::<i32>(type_oid::TEXT, "x");
    fails::<bool>(type_oid::INT4, "1");
    let error = flat::<i32>(type_oid::INT4, Is::Null).unwrap_err();
    assert_eq!(error.column(), Some("c"), "{error}");
}

#[test]
fn json_values_in_a_buffer_are_as_told() {
    let value = |oid, value| text::<serde_json::Value>(oid, value).unwrap();
    assert_eq!(value(type_oid::NUMERIC, "1.50"), json!("1.50"));
    assert_eq!(value(type_oid::FLOAT8, "NaN"), json!("NaN"));
    assert_eq!(value(type_oid::BYTEA, r"\x00ff"), json!([0, 255]));
    assert_eq!(value(type_oid::FLOAT4, "0.1"), json!(f64::from(0.1_f32)));
    assert_eq!(value(type_oid::INT8, "9007199254740993"), json!(9_007_199_254_740_993_i64));
}

#[test]
fn integers_that_floats_would_round_are_refused_in_a_buffer() {
    const LARGE: &str = "9007199254740993";
    assert_eq!(text::<i64>(type_oid::INT8, LARGE).unwrap(), 9_007_199_254_740_993);
    assert_eq!(text::<u64>(type_oid::XID8, LARGE).unwrap(), 9_007_199_254_740_993);
    assert_eq!(
        text::<Toast<Option<i64>>>(type_oid::INT8, LARGE).unwrap().present().unwrap(),
        Some(9_007_199_254_740_993)
    );
    assert_eq!(text::<f64>(type_oid::INT8, "9007199254740992").ok(), Some(9_007_199_254_740_992.0));
    for error in [
        fails::<f64>(type_oid::INT8, LARGE),
        fails::<f32>(type_oid::INT8, LARGE),
        fails::<Option<f64>>(type_oid::XID8, LARGE),
        fails::<Toast<f64>>(type_oid::INT8, LARGE),
    ] {
        let kind = error.value_error().unwrap().kind();
        assert!(matches!(kind, ValueErrorKind::Inexact { .. }), "{error}");
    }
    let tagged = sent(type_oid::INT8, Is::Text(LARGE));
    let table = tagged.table();
    assert!(with::<Tagged<f64>>(&tagged, &table).is_err());
    assert!(with::<Tagged<i64>>(&tagged, &table).is_ok());
}

std::thread_local! {
    static READINGS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// Counts how often it is read.
#[derive(Debug)]
struct Counting;

impl<'de> Deserialize<'de> for Counting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READINGS.set(READINGS.get() + 1);
        i64::deserialize(deserializer).map(|_| Self)
    }
}

#[derive(Deserialize, Debug)]
struct Counted<T> {
    #[serde(rename = "counting")]
    _counting: Counting,
    #[serde(flatten)]
    rest: BTreeMap<String, T>,
}

fn readings<T>(read: impl FnOnce() -> T) -> (T, usize) {
    READINGS.set(0);
    let value = read();
    (value, READINGS.get())
}

#[test]
fn a_row_is_read_once_more_at_most_however_many_integers_are_large() {
    const LARGE: i64 = 9_007_199_254_740_993;
    let names: Vec<_> = (0..80).map(|number| std::format!("c{number:02}")).collect();
    let columns = names.iter().map(|name| (name.as_str(), type_oid::INT8));
    let columns: Vec<_> = [("counting", type_oid::INT8)].into_iter().chain(columns).collect();
    let large = LARGE.to_string();
    let row = |value| {
        let values: Vec<_> =
            [Is::Text("1")].into_iter().chain((0..80).map(|_| Is::Text(value))).collect();
        Sent::insert(&columns, &values)
    };

    let sent = row(&large);
    let table = sent.table();
    let (read, count) = readings(|| with::<Counted<i64>>(&sent, &table).unwrap());
    assert_eq!(read.rest.len(), 80);
    assert!(read.rest.values().all(|value| *value == LARGE));
    assert_eq!(count, 2);

    let (error, count) = readings(|| with::<Counted<f64>>(&sent, &table).unwrap_err());
    assert_eq!(error.column(), Some("c00"), "{error}");
    let kind = error.value_error().unwrap().kind();
    assert!(matches!(kind, ValueErrorKind::Inexact { .. }), "{error}");
    assert_eq!(count, 2);

    let sent = row("9007199254740992");
    let table = sent.table();
    assert_eq!(readings(|| with::<Counted<f64>>(&sent, &table).unwrap().rest.len()), (80, 1));
}

/// Nothing tells these from fields that hold the number.
#[test]
fn floats_of_serde_round_what_no_second_reading_finds() {
    let list = text::<Vec<f64>>(type_oid::INT8_ARRAY, "{9007199254740993}");
    assert_eq!(list.unwrap(), [9_007_199_254_740_992.0]);
    assert_eq!(text::<f32>(type_oid::INT4, "16777217").ok(), Some(16_777_216.0));
}

#[test]
fn columns_that_have_the_same_are_all_named() {
    #[derive(Deserialize, Debug)]
    struct Two {
        #[serde(rename = "a")]
        _a: u8,
        #[serde(rename = "b")]
        _b: i32,
    }
    let columns = [("a", type_oid::INT4), ("b", type_oid::INT4), ("c", type_oid::INT4)];
    let sent = Sent::insert(&columns, &[Is::Text("300"), Is::Text("300"), Is::Text("3")]);
    let table = sent.table();
    let error = with::<Flat<Two>>(&sent, &table).unwrap_err();
    assert_eq!(error.column(), None);
    assert!(error.to_string().contains(r#"of the columns "a", "b" one"#), "{error}");

    let sent = Sent::insert(&columns, &[Is::Unchanged, Is::Unchanged, Is::Text("3")]);
    let table = sent.table();
    let error = with::<Flat<Two>>(&sent, &table).unwrap_err().to_string();
    assert!(error.contains(r#"of the columns "a", "b", whose unchanged TOAST"#), "{error}");
    let missing = Sent::insert(&columns[..1], &[Is::Text("3")]);
    let table = missing.table();
    let error = with::<Flat<Two>>(&missing, &table).unwrap_err();
    assert_eq!(error.to_string(), "row of public.t: missing field `b`");
}

#[derive(Deserialize, Debug, PartialEq)]
struct Pair<A, B> {
    #[serde(flatten)]
    first: Option<Only<A>>,
    #[serde(flatten)]
    second: Option<Other<B>>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Other<T> {
    d: T,
}

#[test]
fn an_unchanged_value_does_not_make_a_flattened_option_none() {
    type Flattened<T> = Flat<Option<Only<T>>>;
    let sent = sent(type_oid::TEXT, Is::Unchanged);
    let table = sent.table();
    let taken = with::<Flattened<Toast<String>>>(&sent, &table).unwrap();
    assert_eq!(taken.inner, Some(Only { c: Toast::Unchanged }));
    assert!(with::<Flattened<serde::de::IgnoredAny>>(&sent, &table).is_ok());
    for error in [
        with::<Flattened<String>>(&sent, &table).unwrap_err(),
        with::<Flattened<Option<String>>>(&sent, &table).unwrap_err(),
        with::<Flattened<Vec<u8>>>(&sent, &table).unwrap_err(),
        with::<Option<Flattened<String>>>(&sent, &table).unwrap_err(),
    ] {
        assert_eq!(error.column(), Some("c"), "{error}");
        let kind = error.value_error().unwrap().kind();
        assert!(matches!(kind, ValueErrorKind::Unchanged { .. }), "{error}");
    }
    // Nobody asks for it.
    let other = with::<Flat<Option<Other<i32>>>>(&sent, &table).unwrap();
    assert_eq!(other.inner, None);
}

#[test]
fn unchanged_values_are_told_apart_by_who_takes_them() {
    type Taken = Toast<String>;
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(untagged)]
    enum Any {
        Text { c: String },
        Taken { c: Taken },
    }
    #[derive(Deserialize, Debug)]
    #[serde(untagged)]
    enum Less {
        #[allow(dead_code, reason = "never made")]
        Text {
            c: String,
        },
        Nothing {},
    }
    let columns = [("c", type_oid::TEXT), ("d", type_oid::TEXT), ("e", type_oid::TEXT)];
    let unchanged = Sent::insert(&columns, &[Is::Unchanged, Is::Unchanged, Is::Unchanged]);
    let table = unchanged.table();
    assert!(with::<Pair<Taken, Taken>>(&unchanged, &table).is_ok());
    assert!(with::<Pair<String, Taken>>(&unchanged, &table).is_err());
    assert!(with::<Pair<Taken, String>>(&unchanged, &table).is_err());
    let error = with::<Pair<String, String>>(&unchanged, &table).unwrap_err().to_string();
    assert!(error.contains(r#"of the columns "c", "d", "e", whose unchanged TOAST"#), "{error}");

    assert_eq!(with::<Any>(&unchanged, &table).unwrap(), Any::Taken { c: Toast::Unchanged });
    assert!(with::<Less>(&unchanged, &table).is_err());
    let null = Sent::insert(&columns, &[Is::Null, Is::Unchanged, Is::Unchanged]);
    assert!(matches!(with::<Less>(&null, &table), Ok(Less::Nothing {})));
}

/// Nothing tells these from types that try one after the other.
#[test]
fn what_else_a_flattened_option_refuses_makes_it_none() {
    let sent = sent(type_oid::INT4, Is::Text("300"));
    let table = sent.table();
    assert_eq!(with::<Flat<Option<Only<i8>>>>(&sent, &table).unwrap().inner, None);
    assert!(with::<Flat<Only<Option<i8>>>>(&sent, &table).is_err(), "as the documentation says");
}

#[test]
fn errors_that_serde_leaves_bare_say_more() {
    #[derive(Deserialize, Debug)]
    #[serde(untagged)]
    #[allow(dead_code, reason = "never made")]
    enum TextOrNumber {
        Text(String),
        Number(i64),
    }
    let sent = sent(type_oid::TEXT, Is::Unchanged);
    let table = sent.table();
    for error in [
        with::<Only<TextOrNumber>>(&sent, &table).unwrap_err(),
        with::<Only<Option<TextOrNumber>>>(&sent, &table).unwrap_err(),
    ] {
        assert_eq!(error.column(), Some("c"), "{error}");
        let kind = error.value_error().unwrap().kind();
        assert!(matches!(kind, ValueErrorKind::Unchanged { .. }), "{error}");
    }
    for error in [
        text::<u128>(type_oid::INT4, "1").unwrap_err(),
        text::<i128>(type_oid::NUMERIC, "1").unwrap_err(),
    ] {
        assert!(error.to_string().contains("128 is not supported by the buffer"), "{error}");
    }
}

#[test]
fn only_serde_jsons_own_value_gets_the_json_of_an_event() {
    #[derive(Debug)]
    struct Own(serde_json::Value);
    impl<'de> Deserialize<'de> for Own {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Own;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("anything")
                }

                fn visit_str<E>(self, text: &str) -> Result<Own, E> {
                    Ok(Own(text.into()))
                }
            }
            deserializer.deserialize_any(Visitor)
        }
    }
    #[derive(Deserialize)]
    struct Derived(serde_json::Value);
    let sent = sent(type_oid::NUMERIC, Is::Text("1.5"));
    let table = sent.table();
    assert_eq!(with::<Only<Derived>>(&sent, &table).unwrap().c.0, json!(1.5));
    assert_eq!(with::<Only<Own>>(&sent, &table).unwrap().c.0, json!("1.5"));
}
