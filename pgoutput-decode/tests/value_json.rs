//! The JSON form of values. `values.rs` tests that it is the same from either format.

use pgoutput_decode::Oid;
use pgoutput_decode::value::{
    Attribute, AttributeList, Field, FieldType, Format, JsonNotes, JsonOptions, MAX_JSON_NESTING,
    TypeInfo, TypeKind, ValueErrorKind, type_oid as oid,
};

fn json(type_oid: Oid, text: &str) -> String {
    let mut json = String::new();
    let field = Field::new(type_oid, Format::Text, text.as_bytes());
    field.write_json(&mut json, JsonOptions::default()).unwrap();
    json
}

#[test]
fn every_type_has_its_json_form() {
    for (type_oid, text, expected) in [
        (oid::BOOL, "t", "true"),
        (oid::BOOL, "f", "false"),
        (oid::INT2, "-32768", "-32768"),
        (oid::INT8, "9223372036854775807", "9223372036854775807"),
        (oid::OID, "4294967295", "4294967295"),
        (oid::XID8, "18446744073709551615", "18446744073709551615"),
        (oid::FLOAT8, "0.1", "0.1"),
        (oid::FLOAT8, "1e+20", "1e+20"),
        // Seventeen digits, as servers before 12 write them.
        (oid::FLOAT8, "0.10000000000000001", "0.1"),
        (oid::FLOAT8, "-0", "-0.0"),
        (oid::FLOAT4, "-0", "-0.0"),
        (oid::FLOAT8_ARRAY, "{-0,0}", "[-0.0,0]"),
        (oid::FLOAT8, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        (oid::FLOAT8, "NaN", "\"NaN\""),
        (oid::FLOAT4, "-Infinity", "\"-Infinity\""),
        (oid::NUMERIC, "-12345678901234567890.1230", "-12345678901234567890.1230"),
        (oid::NUMERIC, "NaN", "\"NaN\""),
        (oid::NUMERIC, "Infinity", "\"Infinity\""),
        (oid::TEXT, "a\"\\\n\u{1}é", "\"a\\\"\\\\\\n\\u0001é\""),
        (oid::BPCHAR, "a  ", "\"a  \""),
        (oid::CHAR, "", "\"\""),
        (oid::CHAR, "\\377", "\"\\\\377\""),
        (oid::BYTEA, "\\x00ff", "\"\\\\x00ff\""),
        (oid::BYTEA, "a\\\\\\377", "\"\\\\x615cff\""),
        (oid::DATE, "2020-01-01", "\"2020-01-01\""),
        (oid::DATE, "0001-01-01 BC", "\"0001-01-01 BC\""),
        (oid::DATE, "infinity", "\"infinity\""),
        (oid::TIME, "12:30:00.5", "\"12:30:00.500000\""),
        (oid::TIME, "24:00:00", "\"24:00:00\""),
        (oid::TIMETZ, "12:30:00.5+05:30", "\"12:30:00.5+05:30\""),
        (oid::TIMESTAMP, "2020-01-01 00:00:00", "\"2020-01-01T00:00:00\""),
        (oid::TIMESTAMP, "2020-01-01 00:00:00.12", "\"2020-01-01T00:00:00.120000\""),
        (oid::TIMESTAMP, "0001-01-01 00:00:00 BC", "\"0001-01-01 00:00:00 BC\""),
        (oid::TIMESTAMPTZ, "2020-01-01 00:00:00+00", "\"2020-01-01T00:00:00+00:00\""),
        (
            oid::TIMESTAMPTZ,
            "2020-01-01 00:00:00.123456-03:30",
            "\"2020-01-01T03:30:00.123456+00:00\"",
        ),
        (oid::TIMESTAMPTZ, "-infinity", "\"-infinity\""),
        (oid::TIMESTAMPTZ, "10000-01-01 00:00:00+00", "\"10000-01-01 00:00:00+00\""),
        (oid::INTERVAL, "00:00:00", "\"PT0S\""),
        (oid::INTERVAL, "infinity", "\"infinity\""),
        (oid::JSON, "{\"a\":\r\n 1.10}", "{\"a\":   1.10}"),
        (oid::JSONB, "[1, \"\\n\"]", "[1, \"\\n\"]"),
        (
            oid::UUID,
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
        ),
        (oid::INET, "10.0.0.1/8", "\"10.0.0.1/8\""),
        (oid::MONEY, "-$1,234.50", "\"-1234.50\""),
        (oid::MONEY_ARRAY, "{\"$1,234.50\",NULL}", "[\"1234.50\",null]"),
        (oid::VARBIT, "0101", "\"0101\""),
        (oid::PG_LSN, "16/B374D848", "\"16/B374D848\""),
        (oid::TID, "(1,2)", "\"(1,2)\""),
        (oid::TSVECTOR, "'a':1", "\"'a':1\""),
        // Types without a reader, and a type of which only the oid is known.
        (oid::TSQUERY, "'a' & 'b'", "\"'a' & 'b'\""),
        (Oid::new(16_400), "happy", "\"happy\""),
    ] {
        assert_eq!(json(type_oid, text), expected, "{type_oid} {text:?}");
    }
}

#[test]
fn intervals_are_written_as_the_server_writes_iso_8601() {
    // Each was checked with `set intervalstyle = iso_8601`.
    for (text, expected) in [
        ("1 year 2 mons 3 days 04:05:06.789", "P1Y2M3DT4H5M6.789S"),
        ("-1 years -2 mons +3 days -04:05:06", "P-1Y-2M3DT-4H-5M-6S"),
        ("00:00:00.000001", "PT0.000001S"),
        ("-00:00:00.5", "PT-0.5S"),
        ("-00:01:00", "PT-1M"),
        ("100:00:00", "PT100H"),
        ("1 day", "P1D"),
        ("2562047788:00:54.775807", "PT2562047788H54.775807S"),
        ("-178956970 years -8 mons", "P-178956970Y-8M"),
    ] {
        assert_eq!(json(oid::INTERVAL, text), format!("\"{expected}\""));
    }
}

fn noted(type_oid: Oid, text: &str, options: JsonOptions) -> (String, JsonNotes) {
    let mut json = String::new();
    let field = Field::new(type_oid, Format::Text, text.as_bytes());
    let notes = field.write_json_noted(&mut json, options).unwrap();
    (json, notes)
}

#[test]
fn a_document_that_a_parser_rejects_is_a_string() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let deepest = usize::from(MAX_JSON_NESTING);
    for (document, is_text) in [
        (r#"{"a": "\ud83d\ude00"}"#.into(), false),
        (r#"{"a": "\ud800"}"#.into(), true),
        (r#"["\udc00\ud800"]"#.into(), true),
        ("[1, 1.7e307]".into(), false),
        ("[1,\n 1e400]".into(), true),
        (deep(deepest), false),
        (deep(deepest + 1), true),
        (deep(100_000), true),
        // No server sends it, and none of it may get into a line of output.
        ("1}, \"op\": \"X\"".into(), true),
    ] as [(String, bool); 9]
    {
        let (json, notes) = noted(oid::JSON, &document, JsonOptions::default());
        assert_eq!(notes.as_text, is_text, "{document}");
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        if is_text {
            assert_eq!(parsed, serde_json::Value::String(document), "{json}");
        } else {
            assert_eq!(json, document);
        }
    }
}

#[test]
fn nesting_includes_arrays_and_the_outer_levels() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let deepest = usize::from(MAX_JSON_NESTING);
    let options = JsonOptions::default().nested_in(2);
    assert!(!noted(oid::JSON, &deep(deepest - 2), options).1.as_text);
    assert!(noted(oid::JSON, &deep(deepest - 1), options).1.as_text);
    for (inside, is_text) in [(deepest - 5, false), (deepest - 4, true)] {
        let (json, notes) =
            noted(oid::JSONB_ARRAY, &format!("{{{{{{{}}}}}}}", deep(inside)), options);
        assert_eq!(notes.as_text, is_text, "{json}");
        assert!(serde_json::from_str::<serde_json::Value>(&format!("[[{json}]]")).is_ok());
    }
    let document = TypeInfo::new(oid::JSON, "json", TypeKind::Base);
    let attributes = [Attribute::new("a", FieldType::described(&document))];
    let pair =
        TypeInfo::new(Oid::new(16_400), "p", TypeKind::Composite(AttributeList::new(&attributes)));
    for (inside, is_text) in [(deepest - 3, false), (deepest - 2, true)] {
        let text = format!("({})", deep(inside));
        let mut json = String::new();
        let field = Field::with_type(&pair, Format::Text, text.as_bytes());
        assert_eq!(field.write_json_noted(&mut json, options).unwrap().as_text, is_text);
    }
}

#[test]
fn a_numeric_beyond_a_double_is_a_string() {
    for (number, is_text) in [("9".repeat(308), false), ("9".repeat(309), true)] {
        let (json, notes) = noted(oid::NUMERIC, &number, JsonOptions::default());
        assert_eq!(notes.as_text, is_text);
        assert_eq!(json, if is_text { format!("\"{number}\"") } else { number.clone() });
        let asked = JsonOptions::default().numeric_as_string(true);
        assert_eq!(
            noted(oid::NUMERIC, &number, asked),
            (format!("\"{number}\""), JsonNotes::default())
        );
    }
}

#[test]
fn null_in_a_document_is_distinguished_from_null() {
    let null = |type_oid, text| noted(type_oid, text, JsonOptions::default()).1.json_null;
    for type_oid in [oid::JSON, oid::JSONB] {
        assert!(null(type_oid, "null") && null(type_oid, " null\n"));
        assert!(!null(type_oid, "[null]") && !null(type_oid, "\"null\""));
    }
    assert!(null(oid::JSON_ARRAY, "{\"null\"}") && !null(oid::JSON_ARRAY, "{NULL}"));
    let json = TypeInfo::new(oid::JSON, "json", TypeKind::Base);
    let domain =
        TypeInfo::new(Oid::new(16_400), "d", TypeKind::Domain(FieldType::described(&json)));
    let binary = Field::with_type(&domain, Format::Binary, b"null");
    assert!(binary.write_json_noted(&mut String::new(), JsonOptions::default()).unwrap().json_null);
    let binary = Field::new(oid::JSONB, Format::Binary, b"\x01null");
    assert!(binary.write_json_noted(&mut String::new(), JsonOptions::default()).unwrap().json_null);
}

#[test]
fn integers_beyond_the_range_of_a_float_may_be_strings() {
    let json =
        |type_oid, text| noted(type_oid, text, JsonOptions::default().bigint_as_string(true)).0;
    for (type_oid, text, expected) in [
        (oid::INT8, "9007199254740991", "9007199254740991"),
        (oid::INT8, "-9007199254740991", "-9007199254740991"),
        (oid::INT8, "9007199254740992", "\"9007199254740992\""),
        (oid::INT8, "-9223372036854775808", "\"-9223372036854775808\""),
        (oid::XID8, "18446744073709551615", "\"18446744073709551615\""),
        (oid::XID8, "7", "7"),
        (oid::INT4, "-2147483648", "-2147483648"),
        (oid::OID, "4294967295", "4294967295"),
        (oid::INT8_ARRAY, "{{1,NULL},{2,9007199254740992}}", "[[1,null],[2,\"9007199254740992\"]]"),
        (oid::INT8RANGE, "[9007199254740992,)", "\"[9007199254740992,)\""),
        (oid::JSON, "[9007199254740993]", "[9007199254740993]"),
    ] {
        assert_eq!(json(type_oid, text), expected, "{text}");
    }
    let least = i64::MIN.to_be_bytes();
    let binary = Field::new(oid::INT8, Format::Binary, &least);
    let mut out = String::new();
    binary.write_json(&mut out, JsonOptions::default().bigint_as_string(true)).unwrap();
    assert_eq!(out, "\"-9223372036854775808\"");
}

#[test]
fn array_bounds_are_noted() {
    let bounds = |type_oid, text| noted(type_oid, text, JsonOptions::default());
    let (json, notes) = bounds(oid::INT4_ARRAY, "[0:2]={1,2,3}");
    assert_eq!((json.as_str(), notes.array_bounds), ("[1,2,3]", true));
    for text in ["{1,2,3}", "{}", "{{1},{2}}"] {
        assert!(!bounds(oid::INT4_ARRAY, text).1.array_bounds, "{text}");
    }
    assert!(bounds(oid::INT4_ARRAY, "[1:1][-2:-1]={{1,2}}").1.array_bounds);
    assert!(!bounds(oid::INT2VECTOR, "1 2").1.array_bounds, "its lower bound is always 0");
}

#[test]
fn numeric_may_be_a_string() {
    let options = JsonOptions::default().numeric_as_string(true);
    let mut json = String::new();
    Field::new(oid::NUMERIC, Format::Text, b"1.10").write_json(&mut json, options).unwrap();
    Field::new(oid::FLOAT8, Format::Text, b"1.5").write_json(&mut json, options).unwrap();
    assert_eq!(json, "\"1.10\"1.5");
}

#[test]
fn domains_are_their_base_types_and_enums_are_text() {
    let numeric = TypeInfo::new(oid::NUMERIC, "numeric", TypeKind::Base);
    let price =
        TypeInfo::new(Oid::new(16_400), "price", TypeKind::Domain(FieldType::described(&numeric)));
    let offer =
        TypeInfo::new(Oid::new(16_401), "offer", TypeKind::Domain(FieldType::described(&price)));
    let mood = TypeInfo::new(Oid::new(16_402), "mood", TypeKind::Enum);
    let mut json = String::new();
    for (info, bytes) in [(&offer, "1.10"), (&mood, "ha\"ppy")] {
        let field = Field::with_type(info, Format::Text, bytes.as_bytes());
        field.write_json(&mut json, JsonOptions::default()).unwrap();
    }
    assert_eq!(json, "1.10\"ha\\\"ppy\"");
    let binary = Field::with_type(&mood, Format::Binary, b"happy");
    assert_eq!(binary.get(), Ok("happy"));
}

#[test]
fn text_that_is_not_utf8_is_an_error_and_nothing_is_written() {
    let field = Field::new(oid::TEXT, Format::Text, b"ab\xFFc");
    let mut out = String::new();
    let error = field.write_json(&mut out, JsonOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ValueErrorKind::InvalidUtf8, 2));
    assert_eq!((error.type_oid(), error.format()), (Some(oid::TEXT), Some(Format::Text)));
    assert_eq!(out, "");
    assert_eq!(field.get::<&[u8]>(), Ok(&b"ab\xFFc"[..]));
}

#[test]
fn an_unknown_type_in_binary_shows_its_bytes() {
    let field = Field::new(Oid::new(16_400), Format::Binary, b"\x01\xFF");
    let mut out = String::new();
    field.write_json(&mut out, JsonOptions::default()).unwrap();
    assert_eq!(out, "\"\\\\x01ff\"");
    assert_eq!(field.get::<&str>().unwrap_err().kind(), ValueErrorKind::Undescribed);
}
