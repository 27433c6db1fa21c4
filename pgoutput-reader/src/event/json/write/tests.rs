//! Both roads to JSON give the same bytes.

use std::path::Path;
use std::sync::Arc;

use pgoutput_decode::message::BeginBody;
use pgoutput_decode::{Lsn, Message, Oid, Relations, TimestampTz, Xid};

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
    row_of("public", "\"t\"\n", "a \"b\"é", type_oid, value)
}

fn row_of(schema: &str, table: &str, column: &str, type_oid: u32, value: &str) -> ChangeEvent {
    let mut relation = b"R\0\0\0\x01".to_vec();
    relation.extend(format!("{schema}\0{table}\0d\0\x01\x01{column}\0").bytes());
    relation.extend(type_oid.to_be_bytes().into_iter().chain([0xFF; 4]));
    let mut insert = b"I\0\0\0\x01N\0\x01t".to_vec();
    insert.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
    insert.extend(value.bytes());
    let capture =
        format!("0/0 {}\n0/1 {}\n", super::super::hex(&relation), super::super::hex(&insert));
    events(&capture).pop().unwrap()
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
    assert!(error.starts_with("column \"a \\\"b\\\"é\": "), "{error}");
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
