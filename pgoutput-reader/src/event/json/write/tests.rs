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
        primary_key: column.flags.is_key(),
        optional: !column.flags.is_key(),
    });
    Arc::new(TableSchema {
        database: "app".into(),
        relation: Arc::clone(relation),
        columns: columns.collect(),
        types: Box::default(),
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
        let content = match message {
            Message::Truncate(body) => Content::Truncate(body.flags),
            _ => Content::Frame { bytes: frame.clone(), in_stream },
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
            table: oid.map(|oid| table(&relations, oid)),
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
    let mut relation = b"R\0\0\0\x01public\0\"t\"\n\0d\0\x01\x01a \"b\"\xC3\xA9\0".to_vec();
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
