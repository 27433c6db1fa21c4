extern crate std;

use std::string::{String, ToString};

use proptest::prelude::*;
use serde_json::Value as JsonValue;

use super::*;

fn scan_text(document: &str) -> Document {
    scan(&Text::new(document), MAX_JSON_NESTING)
}

#[test]
fn documents_that_every_parser_reads_are_strict() {
    for document in [
        "{}",
        " [ ] ",
        "[{}]",
        "\t{ \"a\" : [ 1 , -0 , 1.50 , 1e3 , 1E-7 , true , false , null ] , \"\" : {} }\r\n",
        r#""\u0000\n\"\\\/\b\f\r\té\ud83d\ude00""#,
        "-0.0e-999999999999999999999",
        "0e99999999999999999999",
        "9.99e307",
        "0.00001e312",
    ] {
        assert_eq!(scan_text(document), Document::Strict, "{document}");
        assert!(serde_json::from_str::<JsonValue>(document).is_ok(), "{document}");
    }
    assert_eq!(scan_text("null"), Document::Null);
    assert_eq!(scan_text(" \nnull\t"), Document::Null);
    assert_eq!(scan_text("[null]"), Document::Strict);
}

#[test]
fn documents_that_some_parser_rejects_are_not_strict() {
    for document in [
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\u0041""#,
        r#""\ud800\ud800""#,
        r#""\udc00""#,
        r#"{"\ude00": 1}"#,
        "1e308",
        "-1e99999999999999999999",
        "0.00001e400",
        "[1, 1e400]",
        // No server sends these.
        "",
        " ",
        "nul",
        "nulll",
        "null null",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{1: 2}",
        "{\"a\"}",
        "{\"a\": }",
        "{\"a\": 1,}",
        "{\"a\": 1]",
        "[",
        "\"",
        "\"\\",
        "\"\\u00e\"",
        "\"\\x\"",
        "\"\n\"",
        "]",
        "1]",
        "1,2",
        "\u{a0}1",
    ] {
        assert_eq!(scan_text(document), Document::Other, "{document}");
    }
}

#[test]
fn the_magnitude_of_a_number_is_exact() {
    let digits = |count: usize| "9".repeat(count);
    assert_eq!(scan_text(&digits(308)), Document::Strict);
    assert_eq!(scan_text(&digits(309)), Document::Other);
    assert_eq!(scan_text(&std::format!("{}e-100", digits(400))), Document::Strict);
    assert_eq!(scan_text(&std::format!("0.{}1e400", "0".repeat(100))), Document::Strict);
}

#[test]
fn nesting_includes_the_outer_levels() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for max_depth in [0, 1, 2, 125, 127, 255] {
        let fits = usize::from(max_depth.min(MAX_JSON_NESTING));
        if fits > 0 {
            assert_eq!(scan(&Text::new(&nested(fits)), max_depth), Document::Strict);
        }
        assert_eq!(scan(&Text::new(&nested(fits + 1)), max_depth), Document::Other);
    }
    assert!(serde_json::from_str::<JsonValue>(&nested(127)).is_ok());
    assert!(serde_json::from_str::<JsonValue>(&nested(128)).is_err());
    assert_eq!(scan(&Text::new("7"), 0), Document::Strict);
    assert_eq!(scan_text(&"{\"a\":".repeat(100_000)), Document::Other);
}

/// Texts that are JSON or nearly JSON.
fn document() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[\\[\\]{},: \n]",
        "null|true|false|\"a\":",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][-+]?[0-9]{1,4})?",
        "\"(a|é|\\\\u[dD][89abcdABCD][0-9a-f]{2}|\\\\[nu\"\\\\]|[\"\u{1}])*\"",
        ".{0,2}",
    ];
    let nearly = prop::collection::vec(token, 0..8).prop_map(|tokens| tokens.concat());
    let leaf = prop_oneof![
        Just(JsonValue::Null),
        any::<bool>().prop_map(JsonValue::from),
        any::<f64>().prop_map(JsonValue::from),
        any::<i64>().prop_map(JsonValue::from),
        any::<String>().prop_map(JsonValue::from),
    ];
    let good = leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(JsonValue::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|map| map.into_iter().collect()),
        ]
    });
    prop_oneof![nearly, good.prop_map(|value| value.to_string())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn strict_documents_parse_and_others_fail_or_have_great_numbers(document in document()) {
        let parsed = serde_json::from_str::<JsonValue>(&document);
        match scan_text(&document) {
            Document::Strict => prop_assert!(parsed.is_ok(), "{document}"),
            Document::Null => prop_assert_eq!(parsed.unwrap(), JsonValue::Null),
            Document::Other => prop_assert!(
                parsed.is_err() || document.contains(['e', 'E']) || document.len() > 300,
                "{document}"
            ),
        }
    }

    #[test]
    fn pieces_give_the_result_of_the_whole(
        document in document(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut scan = Scan::new(MAX_JSON_NESTING);
        let (head, tail) = document.as_bytes().split_at(at.index(document.len() + 1));
        let pieces = scan.take(head).and_then(|()| scan.take(tail));
        let found = if pieces.is_some() { scan.finish() } else { Document::Other };
        prop_assert_eq!(found, scan_text(&document));
    }
}
