//! Both roads to JSON give the same bytes.

use std::path::Path;
use std::sync::Arc;

use pgoutput_decode::message::BeginBody;
use pgoutput_decode::value::{JsonOptions, PgType};
use pgoutput_decode::{Lsn, Message, Oid, Relations, TimestampTz, Xid};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::{
    ColumnSchema, Content, Context, Fingerprint, ReaderId, ReplicationOrigin, Source, Transaction,
};

fn table(relations: &Relations, oid: Oid) -> Arc<TableSchema> {
    let relation = relations.get(oid).unwrap();
    let columns = relation.columns().iter().map(|column| ColumnSchema {
        wire: column.clone(),
        type_name: format!("type \"{}\"", column.type_oid).into(),
        optional: !column.flags.is_key(),
    });
    Arc::new(TableSchema {
        database: "app".into(),
        relation: Arc::clone(relation),
        columns: columns.collect(),
        types: Box::default(),
        unknown_types: Box::default(),
        money_digits: 2,
        json_options: JsonOptions::default(),
        json: Kept::default(),
    })
}

fn transaction(begin: &BeginBody, source: &Arc<Source>, origin: bool) -> Arc<Transaction> {
    let transaction = Transaction::new(begin, source);
    if origin {
        let (name, commit_lsn) = ("up\"stream".into(), Lsn::new(7));
        transaction.came_from(ReplicationOrigin { name, commit_lsn });
    }
    Arc::new(transaction)
}

/// The events of a captured stream, chunks of streamed transactions included.
fn events(capture: &str) -> Vec<ChangeEvent> {
    let begin = BeginBody {
        final_lsn: Lsn::MAX,
        commit_time: TimestampTz::from_micros(1),
        xid: Xid::new(u32::MAX),
    };
    let source = Arc::new(Source {
        reader: ReaderId::unique(),
        system_identifier: 7_100_000_000_000_000_001,
        timeline: 1,
        slot: "s".into(),
        publications: 0,
    });
    let (mut relations, mut in_stream, mut events) = (Relations::new(), false, Vec::new());
    for line in capture.lines() {
        let data = line.split('#').next().unwrap().trim();
        let Some((lsn, hex)) = data.split_once(' ') else { continue };
        let frame: Box<[u8]> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let message = Message::decode(&frame, in_stream && frame[0] != b'S').unwrap();
        let (op, oid) = match &message {
            Message::Relation(body) => {
                relations.update(body);
                continue;
            }
            Message::StreamStart(_) | Message::StreamStop => {
                in_stream = matches!(message, Message::StreamStart(_));
                continue;
            }
            Message::Insert(body) => (Op::Insert, Some(body.relation)),
            Message::Update(body) => (Op::Update, Some(body.relation)),
            Message::Delete(body) => (Op::Delete, Some(body.relation)),
            Message::Truncate(body) => (Op::Truncate, body.relations.iter().next()),
            Message::Message(_) => (Op::Message, None),
            _ => continue,
        };
        let table = oid.map(|oid| table(&relations, oid));
        let (new, old) = match &message {
            Message::Insert(body) => (Some(body.new), None),
            Message::Update(body) => (Some(body.new), body.old),
            Message::Delete(body) => (None, Some(body.old)),
            _ => (None, None),
        };
        let content = match &message {
            Message::Truncate(body) => Content::Truncate(body.flags),
            Message::Message(body) => Content::of_message(body),
            _ => Content::of_rows(table.as_ref().unwrap(), new, old, Lsn::ZERO).unwrap(),
        };
        let number = events.len() as u64;
        events.push(ChangeEvent {
            op,
            lsn: lsn.parse().unwrap(),
            ordinal: 3,
            fingerprint: Fingerprint::new("7100000000000000001", "app"),
            delivery: number,
            index: number,
            context: if number.is_multiple_of(5) {
                Context::Alone(Arc::clone(&source))
            } else {
                Context::Transaction(transaction(&begin, &source, number.is_multiple_of(3)))
            },
            table,
            content,
        });
    }
    events
}

#[test]
fn every_captured_event_is_the_same_by_either_road() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let (mut compared, mut ops, mut with) = (0, std::collections::BTreeSet::new(), [0; 4]);
    for major in 10..=18 {
        for file in std::fs::read_dir(captures.join(major.to_string())).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "hex") {
                continue;
            }
            for event in events(&std::fs::read_to_string(&path).unwrap()) {
                let mut line = String::from("before");
                event.write_json(&mut line).unwrap();
                let json = line.strip_prefix("before").unwrap();
                assert_eq!(json, serde_json::to_string(&event).unwrap(), "{}", path.display());
                compared += 1;
                ops.insert(event.op().code());
                for (seen, key) in with.iter_mut().zip([
                    ",\"unchanged_toast\":",
                    ",\"truncate\":",
                    ",\"origin\":",
                    ",\"message\":",
                ]) {
                    *seen += usize::from(json.contains(key));
                }
            }
        }
    }
    assert!(compared > 1000, "{compared}");
    assert_eq!(ops, "IUDTM".chars().collect());
    assert!(with.iter().all(|seen| *seen > 0), "{with:?}");
}

fn one_row(type_oid: u32, value: &str) -> ChangeEvent {
    let row = tuple(b't', value.as_bytes());
    row_event(type_oid, &[&b"I\0\0\0\x01N"[..], &row].concat())
}

/// An update with an old row of which every column came.
fn both_rows(type_oid: u32, old: &str, new: &str) -> ChangeEvent {
    let (old, new) = (tuple(b't', old.as_bytes()), tuple(b't', new.as_bytes()));
    row_event(type_oid, &[&b"U\0\0\0\x01O"[..], &old, b"N", &new].concat())
}

/// One column.
fn tuple(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&[0, 1, kind][..], &len, value].concat()
}

fn row_of(schema: &str, table: &str, column: &str, type_oid: u32, value: &str) -> ChangeEvent {
    let row = [&b"I\0\0\0\x01N"[..], &tuple(b't', value.as_bytes())].concat();
    event_of(schema, table, column, type_oid, &row)
}

fn row_event(type_oid: u32, frame: &[u8]) -> ChangeEvent {
    event_of("public", "\"t\"\n", COLUMN, type_oid, frame)
}

fn event_of(schema: &str, table: &str, column: &str, type_oid: u32, frame: &[u8]) -> ChangeEvent {
    let mut relation = b"R\0\0\0\x01".to_vec();
    relation.extend(format!("{schema}\0{table}\0d\0\x01\x01{column}\0").bytes());
    relation.extend(type_oid.to_be_bytes().into_iter().chain([0xFF; 4]));
    let capture =
        format!("0/0 {}\n0/1 {}\n", super::super::hex(&relation), super::super::hex(frame));
    events(&capture).pop().unwrap()
}

/// The event by both ways.
fn line(event: &ChangeEvent) -> String {
    let mut line = String::new();
    event.write_json(&mut line).unwrap();
    assert_eq!(line, serde_json::to_string(event).unwrap());
    line
}

/// What follows the rows.
fn named(event: &ChangeEvent) -> serde_json::Value {
    let mut parsed: serde_json::Value = serde_json::from_str(&line(event)).unwrap();
    let event = parsed.as_object_mut().unwrap();
    let usual = ["op", "message_id", "lsn", "transaction", "table_schema", "before", "after"];
    event.retain(|key, _| !usual.contains(&key.as_str()) && key != "origin");
    parsed
}

const COLUMN: &str = "a \"b\"é";
const JSON: u32 = 114;
const JSONB: u32 = 3802;
const JSON_ARRAY: u32 = 199;
const INT4_ARRAY: u32 = 1007;
const NUMERIC: u32 = 1700;

#[test]
fn null_of_a_document_is_named() {
    for type_oid in [JSON, JSONB] {
        assert_eq!(named(&one_row(type_oid, "null")), json!({"json_null": [COLUMN]}));
        assert_eq!(named(&one_row(type_oid, "[null]")), json!({}));
        let update = named(&both_rows(type_oid, "null", "1"));
        assert_eq!(update, json!({"json_null": {"before": [COLUMN]}}));
        let update = named(&both_rows(type_oid, "null", "null"));
        assert_eq!(update, json!({"json_null": {"before": [COLUMN], "after": [COLUMN]}}));
    }
    assert_eq!(named(&one_row(JSON_ARRAY, "{NULL,\"null\"}")), json!({"json_null": [COLUMN]}));
    let delete = [&b"D\0\0\0\x01O"[..], &tuple(b't', b"null")].concat();
    assert_eq!(named(&row_event(JSON, &delete)), json!({"json_null": [COLUMN]}));
    let nothing = [&b"I\0\0\0\x01N"[..], &[0, 1, b'n']].concat();
    assert_eq!(named(&row_event(JSON, &nothing)), json!({}));
}

#[test]
fn what_a_parser_refuses_is_named_and_is_text() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for (type_oid, value, is_text) in [
        (JSON, r#"{"a": "\ud800"}"#.into(), true),
        (JSON, r#"{"a": "\ud83d\ude00"}"#.into(), false),
        (JSON, "1e400".into(), true),
        (JSONB, "9".repeat(400), true),
        (NUMERIC, "9".repeat(400), true),
        (NUMERIC, "9".repeat(300), false),
        // With the row and the event around it, 127.
        (JSON, deep(125), false),
        (JSON, deep(126), true),
        (JSONB, deep(5000), true),
    ] as [(u32, String, bool); 9]
    {
        let event = one_row(type_oid, &value);
        let expected =
            if is_text { json!({"json_as_text": {"after": [COLUMN]}}) } else { json!({}) };
        assert_eq!(named(&event), expected, "{value}");
        if is_text {
            let parsed: serde_json::Value = serde_json::from_str(&line(&event)).unwrap();
            assert_eq!(parsed["after"][COLUMN], json!(value));
        }
    }
}

#[test]
fn bounds_of_arrays_are_named() {
    let event = one_row(INT4_ARRAY, "[0:1][2:2]={{1},{2}}");
    assert_eq!(named(&event), json!({"array_bounds": {"after": {COLUMN: "[0:1][2:2]"}}}));
    let event = both_rows(INT4_ARRAY, "[-1:-1]={1}", "{1}");
    assert_eq!(named(&event), json!({"array_bounds": {"before": {COLUMN: "[-1:-1]"}}}));
    assert_eq!(named(&one_row(INT4_ARRAY, "{1}")), json!({}));
    let hidden = row_of("s", "t", "a\u{202e}", INT4_ARRAY, "[0:0]={1}");
    assert_eq!(named(&hidden), json!({"array_bounds": {"after": {"a\u{202e}": "[0:0]"}}}));
    assert!(line(&hidden).ends_with(r#","array_bounds":{"after":{"a\u202e":"[0:0]"}}}"#));
}

#[test]
fn an_error_of_a_row_says_where_it_is_and_escapes_the_key() {
    let event = one_row(25, "a\u{1b}[2J\u{202e}");
    let error = event.after().unwrap().get::<i32>(0).unwrap_err();
    assert_eq!(
        (error.lsn(), error.key()),
        (Some(Lsn::new(1)), Some(r#"a "b"é=a\u{1b}[2J\u{202e}"#))
    );
    let start =
        r#"change at 0/1, key a "b"é=a\u{1b}[2J\u{202e}: column "a \"b\"é" of public."t" : "#;
    assert!(error.to_string().starts_with(start), "{error}");
    let long =
        one_row(25, &"é".repeat(1000)).after().unwrap().get::<i32>("none").unwrap_err().to_string();
    assert!(long.contains(&format!("={}…: ", "é".repeat(64))), "{long}");
    let unreadable = one_row(23, "x").after().unwrap().get::<i32>(0).unwrap_err();
    assert_eq!(unreadable.key(), Some("a \"b\"é=(unreadable)"));
    let none = [&b"I\0\0\0\x01N"[..], &[0, 1, b'n']].concat();
    let error = row_event(23, &none).after().unwrap().get::<i32>(0).unwrap_err();
    assert_eq!(error.key(), Some("a \"b\"é=NULL"));
}

/// The oid of a built-in type, or of one that nothing is known of.
fn any_type() -> impl Strategy<Value = u32> {
    let known = PgType::all().iter().map(|known| known.oid().as_u32()).collect::<Vec<_>>();
    prop_oneof![
        4 => prop::sample::select(known),
        4 => prop::sample::select(vec![JSON, JSONB, JSON_ARRAY, NUMERIC, 3807, 700, 701, 1231]),
        1 => Just(20_000),
    ]
}

/// Any bytes, and those of which much is read.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[\\[\\]{}\"\\\\,:udD8cC0-9eE. a\n-]{0,40}",
        "(\\{\"a\": ){0,3}(-?[0-9]{1,5}(e[0-9]{1,4})?|null|\"(\\\\u[dD][89cC][0-9]{2}){1,3}\")\\}{0,3}",
        "-?[0-9]{1,400}(\\.[0-9]{0,9})?",
        "(\\[[0-2]:[0-2]\\]=)?\\{(\"null\"|NULL|1e400|[0-9],){0,3}[0-9]\\}",
        "-?[0-9](\\.[0-9]{0,16})?e\\+30[78]",
        (0_usize..140, 0_usize..140)
            .prop_map(|(open, close)| "[".repeat(open) + &"]".repeat(close)),
        (120_usize..140).prop_map(|deep| "[".repeat(deep) + &"]".repeat(deep)),
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        4 => text.prop_map(String::into_bytes),
        1 => bytes.clone(),
        1 => bytes.prop_map(|bytes| [&[1][..], &bytes].concat()),
        1 => any::<f64>().prop_map(|float| float.to_be_bytes().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_a_row_holds_its_line_is_read_by_a_strict_parser(
        type_oid in any_type(),
        is_binary: bool,
        value in any_value(),
        old in prop::option::of(any_value()),
    ) {
        let kind = if is_binary { b'b' } else { b't' };
        let frame = match old {
            None => [&b"I\0\0\0\x01N"[..], &tuple(kind, &value)].concat(),
            Some(old) => {
                [&b"U\0\0\0\x01O"[..], &tuple(kind, &old), b"N", &tuple(kind, &value)].concat()
            }
        };
        let event = row_event(type_oid, &frame);
        let mut line = String::new();
        match (event.write_json(&mut line), serde_json::to_string(&event)) {
            (Ok(()), Ok(same)) => {
                prop_assert_eq!(&line, &same);
                prop_assert_eq!(line.lines().count(), 1);
                let parsed = serde_json::from_str::<serde_json::Value>(&line);
                prop_assert!(parsed.is_ok(), "{}: {}", parsed.unwrap_err(), line);
            }
            (Err(left), Err(right)) => prop_assert_eq!(left.to_string(), right.to_string()),
            (left, right) => prop_assert!(false, "{left:?} {right:?}"),
        }
    }
}

#[test]
fn white_space_around_a_document_is_left_out_by_both() {
    for document in [" {\"a\": 1 }\n", "\r\n\t[ 1,\n2 ]", "7 ", "\"text \""] {
        let event = one_row(114, document);
        let mut line = String::new();
        event.write_json(&mut line).unwrap();
        assert_eq!(line, serde_json::to_string(&event).unwrap());
    }
}

#[test]
fn a_value_that_cannot_be_read_is_the_same_error_and_leaves_nothing_behind() {
    let event = one_row(23, "x");
    let mut line = String::from("before");
    let error = event.write_json(&mut line).unwrap_err().to_string();
    assert_eq!(error, serde_json::to_string(&event).unwrap_err().to_string());
    let start = "change at 0/1, key a \"b\"é=(unreadable): column \"a \\\"b\\\"é\" of public.\"t\"";
    assert!(error.starts_with(start), "{error}");
    assert_eq!(line, "before");
}

/// Whether nothing in the line can move a cursor, break the line or hide something. The tab is white space of JSON documents.
fn assert_printable(line: &str) {
    let hidden = line.chars().find(|c| !pgoutput_decode::is_printable(*c) && *c != '\t');
    assert_eq!(hidden, None, "{line:?}");
}

/// Both ways to JSON, which give the same, and what a parser makes of it.
fn written(event: &ChangeEvent) -> serde_json::Value {
    let mut line = String::new();
    event.write_json(&mut line).unwrap();
    assert_eq!(line, serde_json::to_string(event).unwrap());
    assert_printable(&line);
    let pretty = serde_json::to_string_pretty(event).unwrap();
    pretty.lines().for_each(assert_printable);
    let value = serde_json::from_str(&line).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), value);
    value
}

#[test]
fn names_and_values_that_are_not_printable_are_escaped_by_both() {
    let hostile = "\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{2028}\u{feff}\u{e0041}é";
    let of = |name: &str| format!("{name}{hostile}");
    let event = row_of(&of("s"), &of("t"), &of("c"), 25, hostile);
    let json = written(&event);
    assert_eq!(json["table_schema"]["schema_name"], of("s"));
    assert_eq!(json["table_schema"]["table"], of("t"));
    assert_eq!(json["table_schema"]["column_definitions"][0]["name"], of("c"));
    assert_eq!(json["after"][of("c")], hostile);

    // A document: in its strings and keys, and in names of columns that are passed over or marked.
    let document = format!("{{\"{0}\":\r\n\t[\"\\\\{0}\"]}}", &hostile[4..]);
    let json = written(&row_of("s", "t", &of("c"), 114, &document));
    let meant: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(json["after"][of("c")], meant);

    let message = |prefix: &str, content: &str| {
        let mut frame = b"M\x01\0\0\0\0\0\0\0\x01".to_vec();
        frame.extend(format!("{prefix}\0").bytes());
        frame.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        frame.extend(content.bytes());
        events(&format!("0/0 {}\n", super::super::hex(&frame))).pop().unwrap()
    };
    let json = written(&message(&of("p"), hostile));
    assert_eq!(json["message"]["prefix"], of("p"));
    assert_eq!(json["message"]["content"], hostile);
}

proptest::proptest! {
    #[test]
    fn no_line_holds_what_is_not_printable(
        (schema, table, column, value) in ("[^\\x00]{0,8}", "[^\\x00]{0,8}", "[^\\x00]{1,8}", "[^\\x00]{0,16}"),
    ) {
        let json = written(&row_of(&schema, &table, &column, 25, &value));
        let name = if schema.is_empty() { "pg_catalog" } else { &schema };
        assert_eq!(json["table_schema"]["schema_name"], name);
        assert_eq!(json["table_schema"]["table"], table);
        assert_eq!(json["after"][&column], value);
    }
}
