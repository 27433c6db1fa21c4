//! Descriptions of tables as events.

use super::*;

/// Another description of the table: `id` is in no key.
fn altered(oid: u8) -> Vec<u8> {
    [&b"R\0\0\0"[..], &[oid], b"public\0t\0d\0\x01\0id\0\0\0\0\x17\xff\xff\xff\xff"].concat()
}

#[test]
fn a_change_of_a_table_is_an_event_directly_before_the_row_that_needs_it() {
    let mut feed = Feed::describing(true, SchemaOutput::Each);
    feed.transaction(1000);
    feed.nothing(2000, &begin(2000));
    let rows = [feed.event(1980, &insert(1)), feed.event(1984, &insert(1))];
    feed.nothing(0, &altered(1));
    let frame = insert(1);
    let change = feed.event(1984, &frame);
    assert!(feed.delivery.is_unfinished());
    let row = feed.event(1984, &frame);
    assert!(!feed.delivery.is_unfinished());
    feed.nothing(2000, &commit(2000, 2048));

    assert_eq!((change.op(), change.lsn(), change.is_last()), (Op::Schema, lsn(1984), false));
    assert!(change.before().is_none() && change.after().is_none());
    assert!(Arc::ptr_eq(change.transaction().unwrap(), row.transaction().unwrap()));
    assert!(Arc::ptr_eq(change.table().unwrap(), row.table().unwrap()));
    let difference = change.schema_change().unwrap();
    assert!(Arc::ptr_eq(difference.before(), rows[1].table().unwrap()));
    assert!(Arc::ptr_eq(difference.after(), row.table().unwrap()));
    let key = difference.difference().key.as_ref().unwrap();
    assert_eq!((key.before.join(","), key.after.join(",")), ("id".into(), String::new()));

    // The row has the numbers that it has without the option.
    assert_eq!((row.position().index(), row.ordinal), (Some(2), 1));
    assert!(change.position().to_string().ends_with(":s2."));
    assert_ne!(change.position(), row.position());
    let ids = [&rows[1], &change, &row].map(ChangeEvent::message_id);
    assert!(ids[1] < ids[0] && ids[0] < ids[2], "{ids:?}");

    for event in [rows[0].position(), rows[1].position(), row.position()] {
        feed.delivery.acknowledger().acknowledge(event).unwrap();
    }
    assert!(feed.acknowledged() < 2000, "the change is not acknowledged");
    feed.delivery.acknowledger().acknowledge_through(change.position()).unwrap();
    assert!(feed.acknowledged() > 2000);
}

#[test]
fn without_the_option_a_table_may_change_silently() {
    for output in [SchemaOutput::Each, SchemaOutput::Once] {
        let mut feed = Feed::describing(false, output);
        feed.nothing(1000, &begin(1000));
        for (frame, is_first) in [(relation(1), true), (altered(1), false)] {
            feed.nothing(0, &frame);
            if output == SchemaOutput::Once {
                let description = feed.event(990, &insert(1));
                assert_eq!(description.op(), Op::Schema, "{is_first}");
                assert!(description.schema_change().is_none() && !description.schema_apart);
            }
            let row = feed.event(990, &insert(1));
            assert_eq!(row.op(), Op::Insert);
            assert_eq!(row.schema_apart, output == SchemaOutput::Once);
            assert_eq!(feed.event(992, &insert(1)).op(), Op::Insert);
        }
    }
}

#[test]
fn each_table_of_a_truncate_is_described_before_its_event() {
    let mut feed = Feed::describing(true, SchemaOutput::Once);
    feed.nothing(100, &begin(100));
    for oid in 1..=3 {
        feed.nothing(0, &relation(oid));
    }
    assert_eq!(feed.event(80, &insert(2)).op(), Op::Schema);
    assert_eq!(feed.event(80, &insert(2)).op(), Op::Insert);
    let frame = truncate(&[1, 2, 3]);
    let expected = ["s1 1", "1 1", "2 2", "s3 3", "3 3"];
    let mut ids = std::collections::BTreeSet::new();
    for (number, expected) in expected.iter().enumerate() {
        let event = feed.event(90, &frame);
        let position = event.position().to_string();
        let index = position.rsplit(':').next().unwrap().trim_end_matches('.');
        let table = event.table().unwrap().relation().oid();
        assert_eq!(format!("{index} {table}"), *expected);
        assert_eq!(feed.delivery.is_unfinished(), number + 1 < 5);
        assert!(ids.insert(event.message_id()));
    }
}

#[test]
fn a_change_is_reported_once_whatever_the_stream_repeats() {
    let mut feed = Feed::describing(true, SchemaOutput::Each);
    feed.nothing(1000, &begin(1000));
    feed.nothing(0, &relation(1));
    feed.event(980, &insert(1));
    feed.nothing(0, &altered(1));
    assert_eq!(feed.event(990, &insert(1)).op(), Op::Schema);
    // The connection is lost before the row.
    for _ in 0..2 {
        feed.delivery.restart(feed.start);
        feed.schemas.restart();
        assert!(!feed.delivery.is_unfinished());
        feed.nothing(1000, &begin(1000));
        feed.nothing(0, &relation(1));
        feed.nothing(980, &insert(1));
        feed.nothing(0, &altered(1));
    }
    assert_eq!(feed.event(990, &insert(1)).op(), Op::Insert);
    feed.nothing(1000, &commit(1000, 1048));
}

#[test]
fn a_transaction_of_which_only_a_description_was_delivered_must_come_again() {
    let interrupted = || {
        let mut feed = Feed::describing(false, SchemaOutput::Once);
        feed.nothing(1000, &begin(1000));
        feed.nothing(0, &relation(1));
        assert_eq!(feed.event(990, &insert(1)).op(), Op::Schema);
        feed.delivery.restart(feed.start);
        feed
    };
    let changed = |error| matches!(error, StreamError::TransactionChanged { .. });
    let mut feed = interrupted();
    assert!(changed(feed.delivery.keepalive(lsn(2000), feed.start).unwrap_err()));
    let mut feed = interrupted();
    feed.nothing(1000, &begin(1000));
    assert!(changed(feed.once(1000, &commit(1000, 1048)).unwrap_err()));
}

/// A Relation message of table 1 with its names, replica identity and columns: key flag, name, type
/// and modifier of each.
#[cfg(feature = "json")]
fn table(names: &str, identity: u8, columns: &[(u8, &str, u32, i32)]) -> Vec<u8> {
    let mut frame = [&b"R\0\0\0\x01"[..], names.as_bytes(), &[identity, 0]].concat();
    frame.push(u8::try_from(columns.len()).unwrap());
    for (flags, name, type_id, modifier) in columns {
        frame.extend([&[*flags], name.as_bytes(), b"\0"].concat());
        frame.extend([type_id.to_be_bytes(), modifier.to_be_bytes()].concat());
    }
    frame
}

#[cfg(feature = "json")]
#[test]
fn the_json_has_its_keys_in_the_documented_order() {
    let mut feed = Feed::describing(true, SchemaOutput::Once);
    feed.nothing(1000, &begin(1000));
    let before = [(1, "id", 23, -1), (0, "v", 1043, 14), (0, "old", 23, -1), (0, "gone", 25, -1)];
    feed.nothing(0, &table("public\0t\0", b'd', &before));
    let row = |columns: u8| {
        let null = std::iter::repeat_n(b'n', columns.into()).collect();
        [b"I\0\0\0\x01N\0".to_vec(), vec![columns], null].concat()
    };
    let line = |feed: &mut Feed, columns| {
        let mut line = String::new();
        feed.event(900, &row(columns)).write_json(&mut line).unwrap();
        let (id, rest) = line.split_once("\"lsn\":900,").unwrap();
        assert!(id.contains("message_id"));
        let (_, rest) = rest.split_once("+00:00\"},").unwrap();
        rest.to_owned()
    };
    let definition = |name: &str, key: bool, id: u32, ty: &str| {
        format!(
            r#"{{"name":"{name}","part_of_pkey":{key},"type_id":{id},"type_name":"{ty}","optional":{}}}"#,
            !key
        )
    };
    let id = definition("id", true, 23, "integer");
    let gone = definition("gone", false, 25, "text");
    let old = format!(
        r#"{{"column_definitions":[{id},{},{},{gone}],"db":"app","schema_name":"public","table":"t","relation_id":1}}"#,
        definition("v", false, 1043, "character varying(10)"),
        definition("old", false, 23, "integer"),
    );
    let first = format!(r#""table_schema":{old},"before":null,"after":null}}"#);
    assert_eq!(line(&mut feed, 4), first);
    let row =
        r#""relation_id":1,"before":null,"after":{"id":null,"v":null,"old":null,"gone":null}}"#;
    assert_eq!(line(&mut feed, 4), row);

    let after = [(0, "id", 23, -1), (1, "v", 1043, 24), (0, "new", 23, -1), (0, "x\u{7f}", 20, -1)];
    feed.nothing(0, &table("other\0u\0", b'n', &after));
    let new = format!(
        r#"{{"column_definitions":[{},{},{},{}],"db":"app","schema_name":"other","table":"u","relation_id":1,"replica_identity":"nothing"}}"#,
        definition("id", false, 23, "integer"),
        definition("v", true, 1043, "character varying(20)"),
        definition("new", false, 23, "integer"),
        definition("x\\u007f", false, 20, "bigint"),
    );
    let change = [
        format!(r#""before":{old}"#),
        r#""added":["x\u007f"],"dropped":["gone"]"#.into(),
        r#""renamed":[{"before":"old","after":"new"}]"#.into(),
        r#""retyped":[{"name":"v","before":{"type_id":1043,"type_modifier":14,"type_name":"character varying(10)"},"after":{"type_id":1043,"type_modifier":24,"type_name":"character varying(20)"}}]"#.into(),
        r#""key":{"before":["id"],"after":["v"]}"#.into(),
        r#""replica_identity":{"before":"default","after":"nothing"}"#.into(),
        r#""schema_name":{"before":"public","after":"other"},"table":{"before":"t","after":"u"}"#.into(),
    ];
    let changed = format!(
        r#""table_schema":{new},"before":null,"after":null,"schema_change":{{{}}}}}"#,
        change.join(",")
    );
    assert_eq!(line(&mut feed, 4), changed);

    // Only what carries something.
    line(&mut feed, 4);
    feed.nothing(0, &table("other\0u\0", b'n', &after[..3]));
    let dropped = line(&mut feed, 3);
    let expected = format!(r#","schema_change":{{"before":{new},"dropped":["x\u007f"]}}}}"#);
    assert!(dropped.ends_with(&expected), "{dropped}");
}
