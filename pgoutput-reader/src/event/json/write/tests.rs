//! The writer and `Serialize` give the same bytes.

use std::path::Path;
use std::sync::Arc;

use pgoutput_decode::message::BeginBody;
use pgoutput_decode::value::{
    Attribute, AttributeList, FieldType, JsonOptions, PgType, TypeInfo, TypeKind, TypeSet, type_oid,
};
use pgoutput_decode::{Lsn, Message, Oid, Relations, TimestampTz, Xid};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::{
    ColumnSchema, Content, Context, Fingerprint, ReaderId, ReplicationOrigin, Shared,
    StreamIdentity, TransactionInfo,
};

fn table(relations: &Relations, oid: Oid) -> Arc<Shared<TableSchema>> {
    let relation = relations.get(oid).unwrap();
    let columns = relation.columns().iter().map(|column| ColumnSchema {
        wire: column.clone(),
        type_name: format!("type \"{}\"", column.type_oid).into(),
        optional: !column.flags.is_key(),
    });
    Shared::new(TableSchema {
        database: "app".into(),
        relation: Arc::clone(relation),
        columns: columns.collect(),
        types: TypeSet::default(),
        unknown_types: Box::default(),
        money_digits: 2,
        json_options: JsonOptions::default(),
    })
}

fn transaction(
    begin: &BeginBody,
    identity: &Arc<StreamIdentity>,
    origin: bool,
) -> Arc<Shared<TransactionInfo>> {
    let transaction = TransactionInfo::new(begin.into(), identity);
    if origin {
        let (name, commit_lsn) = ("up\"stream".into(), Some(Lsn::new(7)));
        transaction.set_origin(ReplicationOrigin { name, commit_lsn });
    }
    Shared::new(transaction)
}

/// The events of a captured stream, including chunks of in-progress transactions.
fn events(capture: &str) -> Vec<ChangeEvent> {
    let begin = BeginBody {
        final_lsn: Lsn::MAX,
        commit_time: TimestampTz::from_micros(1),
        xid: Xid::new(u32::MAX),
    };
    let identity = Arc::new(StreamIdentity {
        reader: ReaderId::unique(),
        system_identifier: 7_100_000_000_000_000_001,
        timeline: 1,
        slot: "s".into(),
        publications: 0,
        copied: None,
        known: None,
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
            fingerprint: Fingerprint::new(7_100_000_000_000_000_001, "app"),
            delivery: number,
            is_last: false,
            lsns_as_text: false,
            schema_apart: false,
            index: number,
            context: if number.is_multiple_of(5) {
                Context::Alone(Arc::clone(&identity))
            } else {
                Context::Transaction(transaction(&begin, &identity, number.is_multiple_of(3)))
            },
            table,
            content,
        });
    }
    events
}

#[test]
fn every_captured_event_is_the_same_in_both_ways() {
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

/// An update with all columns of the old row.
fn both_rows(type_oid: u32, old: &str, new: &str) -> ChangeEvent {
    let (old, new) = (tuple(b't', old.as_bytes()), tuple(b't', new.as_bytes()));
    row_event(type_oid, &[&b"U\0\0\0\x01O"[..], &old, b"N", &new].concat())
}

/// A tuple of one column.
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

/// The JSON of the event, which the writer and `Serialize` must agree on.
fn line(event: &ChangeEvent) -> String {
    let mut line = String::new();
    event.write_json(&mut line).unwrap();
    assert_eq!(line, serde_json::to_string(event).unwrap());
    line
}

/// The fields after the rows.
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
const JSONB_ARRAY: u32 = 3807;
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
    let expected = json!({
        "json_null": [COLUMN],
        "value_text": {"after": {COLUMN: "{NULL,\"null\"}"}},
    });
    assert_eq!(named(&one_row(JSON_ARRAY, "{NULL,\"null\"}")), expected);
    let delete = [&b"D\0\0\0\x01O"[..], &tuple(b't', b"null")].concat();
    assert_eq!(named(&row_event(JSON, &delete)), json!({"json_null": [COLUMN]}));
    let nothing = [&b"I\0\0\0\x01N"[..], &[0, 1, b'n']].concat();
    assert_eq!(named(&row_event(JSON, &nothing)), json!({}));
}

#[test]
fn a_document_that_a_parser_refuses_is_named_and_is_text() {
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

const INTEGERS: TypeInfo<'static> = TypeInfo::new(
    type_oid::INT4_ARRAY,
    "integer[]",
    TypeKind::Array { element: FieldType::new(type_oid::INT4), delimiter: b',' },
);
const COUNTS: TypeInfo<'static> =
    of_user(20_001, TypeKind::Domain(FieldType::described(&INTEGERS)));
const HOLDER: TypeInfo<'static> = of_user(
    20_002,
    TypeKind::Composite(AttributeList::new(&[
        Attribute::new(
            "j",
            FieldType::described(&of_user(
                20_003,
                TypeKind::Domain(FieldType::new(type_oid::JSON)),
            )),
        ),
        Attribute::new("a", FieldType::described(&INTEGERS)),
        Attribute::new("b", FieldType::new(type_oid::JSONB)),
    ])),
);
/// The types above, arrays of them, and domains over some of these.
const TYPES: [TypeInfo<'static>; 7] = [
    COUNTS,
    of_user(20_004, TypeKind::Array { element: FieldType::described(&HOLDER), delimiter: b',' }),
    of_user(20_005, TypeKind::Array { element: FieldType::described(&COUNTS), delimiter: b',' }),
    of_user(20_006, TypeKind::Domain(FieldType::described(&HOLDER))),
    of_user(20_007, TypeKind::Domain(FieldType::new(type_oid::JSON))),
    of_user(
        20_008,
        TypeKind::Domain(FieldType::described(&of_user(
            20_005,
            TypeKind::Array { element: FieldType::described(&COUNTS), delimiter: b',' },
        ))),
    ),
    HOLDER,
];

const fn of_user(oid: u32, kind: TypeKind<'static>) -> TypeInfo<'static> {
    TypeInfo::new(Oid::new(oid), "of a user", kind)
}

/// An insert of a value in text or binary, of one of the types above or a built-in one.
fn described(type_oid: u32, kind: u8, value: &[u8]) -> ChangeEvent {
    let mut event = row_event(type_oid, &[&b"I\0\0\0\x01N"[..], &tuple(kind, value)].concat());
    let table = event.table.take().unwrap();
    event.table = Some(Shared::new(table.with_types(TypeSet::new(&TYPES), Box::default(), 2)));
    event
}

/// The binary form of an array of one dimension.
fn array(element: u32, lower: i32, elements: &[Option<&[u8]>]) -> Vec<u8> {
    let len = u32::try_from(elements.len()).unwrap();
    let has_null = u32::from(elements.contains(&None));
    let head = [1, has_null, element, len].map(u32::to_be_bytes).concat();
    let elements = elements.iter().map(|element| sized(*element)).collect::<Vec<_>>();
    [&head[..], &lower.to_be_bytes(), &elements.concat()].concat()
}

/// The binary form of a [`HOLDER`].
fn holder(j: Option<&[u8]>, a: Option<&[u8]>, b: Option<&[u8]>) -> Vec<u8> {
    let values = [(20_003, j), (INT4_ARRAY, a), (JSONB, b)];
    let values = values.map(|(oid, value)| [oid.to_be_bytes().to_vec(), sized(value)].concat());
    [&3_u32.to_be_bytes()[..], &values.concat()].concat()
}

/// A value after its length, which for NULL is -1.
fn sized(value: Option<&[u8]>) -> Vec<u8> {
    let len = value.map_or(u32::MAX, |value| u32::try_from(value.len()).unwrap());
    [&len.to_be_bytes()[..], value.unwrap_or_default()].concat()
}

/// The fields after the row, and the JSON of the value. They must be the same from text and from
/// binary.
fn fields_of_both_formats(type_oid: u32, text: &str, binary: &[u8]) -> (serde_json::Value, String) {
    let [text, binary] = [(b't', text.as_bytes()), (b'b', binary)]
        .map(|(kind, value)| described(type_oid, kind, value));
    assert_eq!(line(&text), line(&binary));
    let parsed: serde_json::Value = serde_json::from_str(&line(&text)).unwrap();
    (named(&text), parsed["after"][COLUMN].to_string())
}

#[test]
fn a_document_inside_a_value_comes_with_the_text_of_the_value() {
    let (number, string) = (Some(&b"1e400"[..]), Some(&b"\"1e400\""[..]));
    let null = Some(&b"\x01null"[..]);
    for (type_oid, text, binary, json, names) in [
        (
            JSON_ARRAY,
            r#"{1e400,"\"1e400\""}"#,
            array(JSON, 1, &[number, string]),
            r#"["1e400","1e400"]"#,
            &["json_as_text"][..],
        ),
        (
            JSON_ARRAY,
            r#"{"\"1e400\"",1e400}"#,
            array(JSON, 1, &[string, number]),
            r#"["1e400","1e400"]"#,
            &["json_as_text"],
        ),
        (
            JSONB_ARRAY,
            r#"{"null",NULL}"#,
            array(JSONB, 1, &[null, None]),
            "[null,null]",
            &["json_null"],
        ),
        (
            JSONB_ARRAY,
            r#"{NULL,"null"}"#,
            array(JSONB, 1, &[None, null]),
            "[null,null]",
            &["json_null"],
        ),
        // A composite, and a domain over it.
        (
            20_002,
            r#"(1e400,,"""1e400""")"#,
            holder(number, None, Some(b"\x01\"1e400\"")),
            r#"{"j":"1e400","a":null,"b":"1e400"}"#,
            &["json_as_text"],
        ),
        (
            20_006,
            r#"("""1e400""",,null)"#,
            holder(string, None, null),
            r#"{"j":"1e400","a":null,"b":null}"#,
            &["json_null"],
        ),
        // Both, with one text.
        (
            20_004,
            r#"{"(1e400,,)",NULL,"(,,null)"}"#,
            array(
                20_002,
                1,
                &[Some(&holder(number, None, None)), None, Some(&holder(None, None, null))],
            ),
            r#"[{"j":"1e400","a":null,"b":null},null,{"j":null,"a":null,"b":null}]"#,
            &["json_null", "json_as_text"],
        ),
    ] {
        let mut expected = json!({"value_text": {"after": {COLUMN: text}}});
        for name in names {
            let columns = json!([COLUMN]);
            let is_list = *name == "json_null";
            expected[name] = if is_list { columns } else { json!({ "after": columns }) };
        }
        let (named, found) = fields_of_both_formats(type_oid, text, &binary);
        assert_eq!(named, expected);
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(found, json.to_string());
    }
    // A value that is itself the document is only named.
    let (named, _) = fields_of_both_formats(20_007, "1e400", b"1e400");
    assert_eq!(named, json!({"json_as_text": {"after": [COLUMN]}}));
    // A value without such a document has neither field.
    let (named, _) = fields_of_both_formats(
        JSON_ARRAY,
        r#"{"\"1e400\"",NULL}"#,
        &array(JSON, 1, &[string, None]),
    );
    assert_eq!(named, json!({}));
}

#[test]
fn the_text_of_a_value_is_given_for_both_rows() {
    let update = both_rows(JSONB_ARRAY, r#"{"null",NULL}"#, r#"{NULL,"null"}"#);
    let expected = json!({
        "json_null": {"before": [COLUMN], "after": [COLUMN]},
        "value_text": {"before": {COLUMN: r#"{"null",NULL}"#}, "after": {COLUMN: r#"{NULL,"null"}"#}},
    });
    assert_eq!(named(&update), expected);
    let hidden = row_of("s", "t", "a\u{202e}", JSON_ARRAY, "{1e400,\"\\\"\u{202e}\\\"\"}");
    let end = r#","json_as_text":{"after":["a\u202e"]},"value_text":{"after":{"a\u202e":"{1e400,\"\\\"\u202e\\\"\"}"}}}"#;
    assert!(line(&hidden).ends_with(end), "{}", line(&hidden));
}

#[test]
fn bounds_inside_of_an_array_with_bounds_are_not_left_out() {
    let one = 1_i32.to_be_bytes();
    let integers = |lower| array(type_oid::INT4.as_u32(), lower, &[Some(&one)]);
    let holder = |lower| holder(None, Some(&integers(lower)), None);
    for (type_oid, text, binary, bounds) in [
        (20_004, r#"[0:0]={"(,[3:3]={1},)"}"#, array(20_002, 0, &[Some(&holder(3))]), None),
        (20_004, r#"{"(,[3:3]={1},)"}"#, array(20_002, 1, &[Some(&holder(3))]), None),
        (20_004, r#"[0:0]={"(,{1},)"}"#, array(20_002, 0, &[Some(&holder(1))]), Some("[0:0]")),
        (20_005, r#"[2:2]={"[5:5]={1}"}"#, array(20_001, 2, &[Some(&integers(5))]), None),
        (20_008, r#"[2:2]={"[5:5]={1}"}"#, array(20_001, 2, &[Some(&integers(5))]), None),
        (
            20_005,
            r#"[2:4]={NULL,"{1}","[5:5]={1}"}"#,
            array(20_001, 2, &[None, Some(&integers(1)), Some(&integers(5))]),
            None,
        ),
        (
            20_005,
            r#"[2:3]={NULL,"{1}"}"#,
            array(20_001, 2, &[None, Some(&integers(1))]),
            Some("[2:3]"),
        ),
        (20_002, "(,[3:3]={1},)", holder(3), None),
        (20_001, "[3:3]={1}", integers(3), Some("[3:3]")),
    ] {
        let (named, _) = fields_of_both_formats(type_oid, text, &binary);
        let expected = json!({"array_bounds": {"after": {COLUMN: bounds.unwrap_or(text)}}});
        assert_eq!(named, expected, "{text}");
    }
}

#[test]
fn an_error_of_a_row_names_its_position_and_escapes_the_key() {
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

/// The oid of a built-in type or of an unknown one.
fn any_type() -> impl Strategy<Value = u32> {
    let known = PgType::all().iter().map(|known| known.oid().as_u32()).collect::<Vec<_>>();
    prop_oneof![
        4 => prop::sample::select(known),
        4 => prop::sample::select(vec![JSON, JSONB, JSON_ARRAY, NUMERIC, 3807, 700, 701, 1231]),
        1 => Just(20_000),
    ]
}

/// Any bytes, and bytes that are valid for many types.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        "[\\[\\]{}\"\\\\,:udD8cC0-9eE. a\n-]{0,40}",
        "(\\{\"a\": ){0,3}(-?[0-9]{1,5}(e[0-9]{1,4})?|null|\
         \"(\\\\u[dD][89cC][0-9]{2}){1,3}\")\\}{0,3}",
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
    fn a_strict_parser_reads_the_line_of_any_row(
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
fn a_value_that_cannot_be_read_is_the_same_error_and_writes_nothing() {
    let event = one_row(23, "x");
    let mut line = String::from("before");
    let error = event.write_json(&mut line).unwrap_err().to_string();
    assert_eq!(error, serde_json::to_string(&event).unwrap_err().to_string());
    let start = "change at 0/1, key a \"b\"é=(unreadable): column \"a \\\"b\\\"é\" of public.\"t\"";
    assert!(error.starts_with(start), "{error}");
    assert_eq!(line, "before");
}

/// Checks that nothing in the line can move a cursor, break the line or hide something. A tab is
/// white space of JSON documents.
fn assert_printable(line: &str) {
    let hidden = line.chars().find(|c| !pgoutput_decode::is_printable(*c) && *c != '\t');
    assert_eq!(hidden, None, "{line:?}");
}

/// The JSON from the writer and from `Serialize`, which must be the same, as a parser reads it.
fn written(event: &ChangeEvent) -> serde_json::Value {
    let mut line = String::new();
    event.write_json(&mut line).unwrap();
    assert_eq!(line, serde_json::to_string(event).unwrap());
    assert_printable(&line);
    let pretty = serde_json::to_string_pretty(event).unwrap();
    pretty.lines().for_each(assert_printable);
    let value = serde_json::from_str(&line).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), value);
    assert_eq!(serde_json::to_value(event).unwrap(), value);
    value
}

#[test]
fn an_event_serialises_as_a_map_of_its_fields() {
    #[derive(serde::Serialize)]
    struct Numbered {
        number: u32,
        #[serde(flatten)]
        event: ChangeEvent,
    }

    let event = both_rows(INT4_ARRAY, "[0:0]={1}", "{1}");
    let json = line(&event);
    let numbered = serde_json::to_string(&Numbered { number: 7, event: event.clone() }).unwrap();
    assert_eq!(numbered, json.replacen('{', "{\"number\":7,", 1));
    let pretty = serde_json::to_string_pretty(&event).unwrap();
    assert!(pretty.contains("\n  \"before\": {\"a \\\"b\\\"é\":[1]},\n"), "{pretty}");
}

#[test]
fn a_row_serialises_as_in_its_event() {
    for column in ["c", "a \"b\"é", "c\u{202e}"] {
        let event = row_of("s", "t", column, JSON, " {\"a\": 1e400} ");
        let json = line(&event);
        let row = serde_json::to_string(&event.after().unwrap()).unwrap();
        assert!(json.contains(&format!(",\"after\":{row},\"json_as_text\":")), "{row} {json}");
    }
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
    fn every_line_is_printable(
        schema in "[^\\x00]{0,8}",
        table in "[^\\x00]{0,8}",
        column in "[^\\x00]{1,8}",
        value in "[^\\x00]{0,16}",
    ) {
        let json = written(&row_of(&schema, &table, &column, 25, &value));
        let name = if schema.is_empty() { "pg_catalog" } else { &schema };
        assert_eq!(json["table_schema"]["schema_name"], name);
        assert_eq!(json["table_schema"]["table"], table);
        assert_eq!(json["after"][&column], value);
    }
}
