//! The limits of `serde`'s buffers, as documented at `Row::deserialize`.

use std::collections::BTreeMap;
use std::string::{String, ToString};
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

fn is_unchanged(error: &RowError) -> bool {
    let kind = error.value_error().map(crate::value::ValueError::kind);
    matches!(kind, Some(ValueErrorKind::Unchanged { .. })) && error.column() == Some("c")
}

#[test]
fn a_buffered_unchanged_value_is_an_error_that_names_its_column() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Kind {
        kind: String,
    }
    type Text = Toast<String>;
    let sent = sent(type_oid::TEXT, Is::Unchanged);
    let table = sent.table();
    for error in [
        with::<Flat<Only<Text>>>(&sent, &table).map(drop).unwrap_err(),
        with::<Flat<Only<Option<String>>>>(&sent, &table).map(drop).unwrap_err(),
        with::<Flat<Option<Only<String>>>>(&sent, &table).map(drop).unwrap_err(),
        with::<Flat<Kind>>(&sent, &table).map(drop).unwrap_err(),
        with::<Untagged<Text>>(&sent, &table).map(drop).unwrap_err(),
        with::<Tagged<Text>>(&sent, &table).map(drop).unwrap_err(),
        with::<Only<Option<Untagged<i32>>>>(&sent, &table).map(drop).unwrap_err(),
    ] {
        assert!(is_unchanged(&error), "{error}");
    }
}

#[test]
fn an_unchanged_value_that_the_outer_struct_names_is_no_error() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Named {
        c: Toast<String>,
        #[serde(flatten)]
        rest: BTreeMap<String, String>,
    }
    let sent = sent(type_oid::TEXT, Is::Unchanged);
    let table = sent.table();
    let rest = [("kind".into(), "only".into())].into();
    assert_eq!(with::<Named>(&sent, &table).unwrap(), Named { c: Toast::Unchanged, rest });
}

#[test]
fn toast_takes_values_and_null_from_a_buffer() {
    type List = Toast<Option<Vec<i32>>>;
    assert_eq!(flat::<List>(type_oid::INT4_ARRAY, Is::Null).unwrap(), Toast::Present(None));
    let present = flat::<List>(type_oid::INT4_ARRAY, Is::Text("{1}")).unwrap();
    assert_eq!(present, Toast::Present(Some([1].into())));
    // From another format.
    assert_eq!(serde_json::from_str::<Toast<i32>>("7").unwrap(), Toast::Present(7));
    let null = serde_json::from_str::<Toast<Option<i32>>>("null").unwrap();
    assert_eq!(null, Toast::Present(None));
}

#[test]
fn buffered_values_have_the_first_form_of_the_table() {
    assert_eq!(text::<String>(type_oid::NUMERIC, "1.50").unwrap(), "1.50");
    assert_eq!(text::<f64>(type_oid::FLOAT8, "0.1").ok(), Some(0.1));
    assert_eq!(text::<Vec<u8>>(type_oid::BYTEA, r"\x00ff").unwrap(), [0, 0xFF]);
    assert_eq!(flat::<Vec<u8>>(type_oid::BYTEA, Is::Binary(&[0, 0xFF])).unwrap(), [0, 0xFF]);
    assert_eq!(text::<BTreeMap<String, i32>>(type_oid::JSONB, r#"{"a": 1}"#).unwrap()["a"], 1);
    let large = 9_007_199_254_740_993_i64;
    assert_eq!(text::<i64>(type_oid::INT8, &large.to_string()).unwrap(), large);

    let value = |oid, value| text::<serde_json::Value>(oid, value).unwrap();
    assert_eq!(value(type_oid::NUMERIC, "1.50"), json!("1.50"));
    assert_eq!(value(type_oid::FLOAT8, "NaN"), json!("NaN"));
    assert_eq!(value(type_oid::BYTEA, r"\x00ff"), json!([0, 255]));
    assert_eq!(value(type_oid::FLOAT4, "0.1"), json!(f64::from(0.1_f32)));
    assert_eq!(value(type_oid::INT8, &large.to_string()), json!(large));
}

#[test]
fn a_value_that_a_buffer_cannot_express_is_an_error() {
    fn fails<T: for<'a> Deserialize<'a> + std::fmt::Debug>(oid: Oid, value: &str) {
        let error = text::<T>(oid, value).unwrap_err();
        assert_eq!(error.column(), None, "{error}");
    }
    fails::<i64>(type_oid::NUMERIC, "5");
    fails::<f64>(type_oid::NUMERIC, "5");
    fails::<f64>(type_oid::FLOAT8, "NaN");
    fails::<f64>(type_oid::FLOAT4, "-Infinity");
    fails::<String>(type_oid::BYTEA, r"\x6162");
    fails::<String>(type_oid::JSONB, r#"{"a": 1}"#);
    fails::<u8>(type_oid::INT4, "300");
    fails::<i32>(type_oid::TEXT, "x");
    fails::<bool>(type_oid::INT4, "1");
    fails::<u128>(type_oid::INT4, "1");
    assert!(flat::<i32>(type_oid::INT4, Is::Null).is_err());
    // A document that loses digits is an error before any field requests it.
    let error = text::<BTreeMap<String, f64>>(type_oid::JSON, r#"{"a": 1e999}"#).unwrap_err();
    assert_eq!(error.column(), Some("c"), "{error}");
}

/// Documented: `serde` does not request a float from the row.
#[test]
fn floats_of_serde_round() {
    let large = "9007199254740993";
    assert_eq!(text::<f64>(type_oid::INT8, large).ok(), Some(9_007_199_254_740_992.0));
    assert_eq!(text::<f32>(type_oid::INT4, "16777217").ok(), Some(16_777_216.0));
}

/// Documented: `serde` drops the error.
#[test]
fn a_flattened_option_hides_errors() {
    let sent = sent(type_oid::INT4, Is::Text("300"));
    let table = sent.table();
    assert_eq!(with::<Flat<Option<Only<i8>>>>(&sent, &table).unwrap().inner, None);
    assert!(with::<Flat<Only<Option<i8>>>>(&sent, &table).is_err(), "as the documentation says");
}
