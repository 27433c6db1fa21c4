//! Every kind of change, as events and as JSON.

use std::io::Write as _;

use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{Acknowledge, Op};
use pgoutput_tests::{Fixture, InTime as _, json, line};
use serde_json::{Value, json};

const README: &str =
    "CREATE TABLE readme (id integer PRIMARY KEY, created_at timestamptz DEFAULT now())";

#[test]
fn an_insert_has_the_documented_shape() {
    for server in servers() {
        let fixture = Fixture::new(server, README);
        let before = fixture.end();
        let statement = "INSERT INTO readme VALUES (1, '2022-01-14 17:22:10.29674+00')
                     RETURNING txid_current()::int8";
        let xid: i64 = fixture.client().query_one(statement, &[]).unwrap().get(0);
        let end = fixture.end();
        let events = fixture.read();
        let [event] = &events[..] else { panic!("{events:?}") };

        let transaction = event.transaction().unwrap();
        assert!(before <= event.lsn() && event.lsn() < transaction.commit_lsn());
        assert!(transaction.commit_lsn() < transaction.end_lsn().unwrap());
        assert!(transaction.end_lsn().unwrap() <= end);
        let relation = fixture.number("'readme'::regclass::oid");
        let (id, lsn, db) = (event.message_id(), event.lsn().as_u64(), fixture.database().name());
        let (begin_lsn, commit_ts) =
            (transaction.commit_lsn().as_u64(), transaction.commit_time().rfc3339());
        let expected = format!(
            r#"{{"op":"I","message_id":"{id}","lsn":{lsn},"transaction":{{"tx_id":{xid},"begin_lsn":{begin_lsn},"commit_ts":"{commit_ts}"}},"table_schema":{{"column_definitions":[{{"name":"id","part_of_pkey":true,"type_id":23,"type_name":"integer","optional":false}},{{"name":"created_at","part_of_pkey":false,"type_id":1184,"type_name":"timestamp with time zone","optional":true}}],"db":"{db}","schema_name":"public","table":"readme","relation_id":{relation}}},"before":null,"after":{{"id":1,"created_at":"2022-01-14T17:22:10.296740+00:00"}}}}"#
        );
        assert_eq!(line(event), expected);
    }
}

#[test]
fn the_commit_time_is_the_servers() {
    for server in servers() {
        let fixture = Fixture::new(server, README);
        let clock = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC',
                     'YYYY-MM-DD\"T\"HH24:MI:SS.US') || '+00:00'";
        let now = || -> String { fixture.client().query_one(clock, &[]).unwrap().get(0) };
        let before = now();
        fixture.run(["INSERT INTO readme VALUES (1)"]);
        let after = now();
        let events = fixture.read_json();
        let time = events[0]["transaction"]["commit_ts"].as_str().unwrap();
        assert!(*before <= *time && *time <= *after, "{before} {time} {after}");
    }
}

/// Returns `op`, `before` and `after` of each event.
fn rows(events: &[Value]) -> Vec<(String, Value, Value)> {
    let row = |event: &Value| {
        (event["op"].as_str().unwrap().to_owned(), event["before"].clone(), event["after"].clone())
    };
    events.iter().map(row).collect()
}

fn expect(fixture: &Fixture<'_>, expected: &[(&str, Value, Value)]) {
    let found = rows(&fixture.read_json());
    let expected: Vec<_> =
        expected.iter().map(|(op, b, a)| ((*op).to_owned(), b.clone(), a.clone())).collect();
    assert_eq!(found, expected, "PostgreSQL {}", fixture.major());
}

#[test]
fn updates_key_updates_and_deletes_have_their_rows() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one')",
        );
        fixture.run([
            "UPDATE t SET name = 'eins' WHERE id = 1",
            "UPDATE t SET id = 2 WHERE id = 1",
            "DELETE FROM t WHERE id = 2",
        ]);
        expect(
            &fixture,
            &[
                ("U", Value::Null, json!({"id": 1, "name": "eins"})),
                ("U", json!({"id": 1}), json!({"id": 2, "name": "eins"})),
                ("D", json!({"id": 2}), Value::Null),
            ],
        );
    }
}

#[test]
fn with_a_full_replica_identity_old_rows_are_full() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (id int PRIMARY KEY, name text, gone text);
             ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 'one')",
        );
        fixture.run(["UPDATE t SET name = 'eins'", "DELETE FROM t"]);
        let row = |name| json!({"id": 1, "name": name, "gone": null});
        expect(&fixture, &[("U", row("one"), row("eins")), ("D", row("eins"), Value::Null)]);
        let events = fixture.read_with(|builder| builder);
        assert!(events.is_empty(), "they were acknowledged: {events:?}");
    }
}

#[test]
fn with_an_index_as_replica_identity_old_rows_have_its_columns() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b text NOT NULL UNIQUE);
             ALTER TABLE t REPLICA IDENTITY USING INDEX t_b_key; INSERT INTO t VALUES (1, 2, 'b')",
        );
        fixture.run(["UPDATE t SET b = 'B'", "DELETE FROM t"]);
        let events = fixture.read_json();
        assert_eq!(events[0]["before"], json!({"b": "b"}));
        assert_eq!(events[1]["before"], json!({"b": "B"}));
    }
}

#[test]
fn truncate_is_one_event_for_each_table() {
    for server in servers_from(11) {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int REFERENCES a)",
        );
        fixture.run(["TRUNCATE a, b", "TRUNCATE b RESTART IDENTITY", "TRUNCATE a CASCADE"]);
        let events = fixture.read_json();
        let found: Vec<_> = events
            .iter()
            .map(|event| {
                assert_eq!(
                    (&event["op"], &event["before"], &event["after"]),
                    (&json!("T"), &Value::Null, &Value::Null)
                );
                let flag = |name: &str| event["truncate"][name].as_bool().unwrap();
                (
                    event["table_schema"]["table"].as_str().unwrap(),
                    flag("cascade"),
                    flag("restart_identity"),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("a", false, false),
                ("b", false, false),
                ("b", false, true),
                ("a", true, false),
                ("b", true, false),
            ],
            "PostgreSQL {}",
            fixture.major()
        );
        assert_eq!(events[0]["lsn"], events[1]["lsn"]);
        assert_ne!(events[0]["message_id"], events[1]["message_id"]);
    }
}

#[test]
fn stop_releases_the_slot() {
    for server in servers() {
        let fixture = Fixture::new(server, README);
        let mut reader = fixture.reader();
        assert!(fixture.slot().active);
        fixture.run(["INSERT INTO readme VALUES (1)"]);
        assert_eq!(reader.next_in_time().unwrap().unwrap().op(), Op::Insert);
        reader.stop().unwrap();
        assert!(!fixture.slot().active);
    }
}

#[test]
fn changes_arrive_in_the_order_of_their_transactions() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE a (id int PRIMARY KEY); CREATE SCHEMA \"S 1\";
             CREATE TABLE \"S 1\".\"B.b\" (\"Id\" int)",
        );
        let (mut first, mut second) = (fixture.client(), fixture.client());
        let mut first = first.transaction().unwrap();
        let mut second = second.transaction().unwrap();
        first.batch_execute("INSERT INTO a VALUES (1)").unwrap();
        second.batch_execute("INSERT INTO \"S 1\".\"B.b\" VALUES (2)").unwrap();
        first.batch_execute("INSERT INTO \"S 1\".\"B.b\" VALUES (3)").unwrap();
        second.commit().unwrap();
        first.commit().unwrap();
        let events = fixture.read_json();
        let found: Vec<_> = events
            .iter()
            .map(|event| {
                let table = &event["table_schema"];
                (
                    table["schema_name"].as_str().unwrap(),
                    table["table"].as_str().unwrap(),
                    event["after"].clone(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("S 1", "B.b", json!({"Id": 2})),
                ("public", "a", json!({"id": 1})),
                ("S 1", "B.b", json!({"Id": 3})),
            ]
        );
        let xids: Vec<_> = events.iter().map(|event| &event["transaction"]["tx_id"]).collect();
        assert!(xids[0] != xids[1] && xids[1] == xids[2], "{xids:?}");
    }
}

#[test]
fn columns_have_type_names_nullability_and_key_flags() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TYPE mood AS ENUM ('sad', 'ok');
             CREATE DOMAIN positive AS int CHECK (VALUE > 0);
             CREATE SCHEMA other; CREATE TYPE other.pair AS (a int, b int);
             CREATE TABLE t (a int, b varchar(20) NOT NULL, c numeric(10,2), d timestamp(3),
                 e text[], f mood, g positive,
                 h bit(3), i varchar(7)[], j other.pair, k \"char\", l interval day to second(2),
                 m timestamptz(0),
                 PRIMARY KEY (b, a))",
        );
        fixture.run(["INSERT INTO t (a, b) VALUES (1, 'x')"]);
        let event = &fixture.read_json()[0];
        let columns = event["table_schema"]["column_definitions"].as_array().unwrap();
        let found: Vec<_> = columns
            .iter()
            .map(|column| {
                let flag = |name: &str| column[name].as_bool().unwrap();
                let text = |name: &str| column[name].as_str().unwrap();
                (text("name"), text("type_name"), flag("part_of_pkey"), flag("optional"))
            })
            .collect();
        assert_eq!(
            found,
            [
                ("a", "integer", true, false),
                ("b", "character varying(20)", true, false),
                ("c", "numeric(10,2)", false, true),
                ("d", "timestamp(3) without time zone", false, true),
                ("e", "text[]", false, true),
                ("f", "mood", false, true),
                ("g", "positive", false, true),
                ("h", "bit(3)", false, true),
                ("i", "character varying(7)[]", false, true),
                ("j", "other.pair", false, true),
                ("k", "\"char\"", false, true),
                ("l", "interval day to second(2)", false, true),
                ("m", "timestamp(0) with time zone", false, true),
            ]
        );
        for (index, name) in
            [(5, "'mood'::regtype"), (6, "'positive'::regtype"), (9, "'other.pair'::regtype")]
        {
            assert_eq!(columns[index]["type_id"], json!(fixture.number(&format!("{name}::oid"))));
        }
    }
}

#[test]
fn every_row_has_a_unique_and_stable_id() {
    for server in servers() {
        let fixture =
            Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int)");
        fixture.run([
            "INSERT INTO t SELECT generate_series(1, 1000)",
            "INSERT INTO u VALUES (1), (2), (3)",
        ]);
        let mut client = fixture.client();
        let mut copy = client.copy_in("COPY t FROM STDIN").unwrap();
        for id in 1001..=2000 {
            writeln!(copy, "{id}").unwrap();
        }
        copy.finish().unwrap();

        let first = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
        let again = fixture.read();
        assert_eq!(first.len(), 2003);
        let lines = |events: &[_]| events.iter().map(line).collect::<Vec<_>>();
        assert_eq!(lines(&first), lines(&again));
        let mut ids: Vec<_> = first.iter().map(pgoutput_reader::ChangeEvent::message_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2003);
        // Many rows share one LSN, and their ids still differ.
        let mut lsns: Vec<_> = first.iter().map(pgoutput_reader::ChangeEvent::lsn).collect();
        lsns.dedup();
        assert!(lsns.len() < 1500, "{}", lsns.len());
        let values: Vec<_> =
            first.iter().map(|event| json(event)["after"]["id"].as_i64().unwrap()).collect();
        let expected: Vec<_> = (1..=1000).chain(1..=3).chain(1001..=2000).collect();
        assert_eq!(values, expected);
    }
}

const TOAST: &str = "CREATE TABLE t (id int PRIMARY KEY, n int, big text);
     ALTER TABLE t ALTER big SET STORAGE EXTERNAL; INSERT INTO t VALUES (1, 1, repeat('x', 10000))";

#[test]
fn an_unchanged_toast_value_is_left_out_and_named() {
    for server in servers() {
        let fixture = Fixture::new(server, TOAST);
        fixture.run(["UPDATE t SET n = 2", "UPDATE t SET big = NULL", "UPDATE t SET big = 'y'"]);
        let events = fixture.read();
        assert!(
            line(&events[0])
                .ends_with(r#""before":null,"after":{"id":1,"n":2},"unchanged_toast":["big"]}"#)
        );
        assert!(line(&events[1]).ends_with(r#""after":{"id":1,"n":2,"big":null}}"#));
        assert!(line(&events[2]).ends_with(r#""after":{"id":1,"n":2,"big":"y"}}"#));
    }
}

#[test]
fn an_unchanged_toast_value_is_taken_from_the_old_row() {
    for server in servers() {
        let fixture = Fixture::new(server, TOAST);
        fixture.run(["ALTER TABLE t REPLICA IDENTITY FULL", "UPDATE t SET n = 2"]);
        let event = &fixture.read_json()[0];
        let big = "x".repeat(10_000);
        assert_eq!(event["after"], json!({"id": 1, "n": 2, "big": big}));
        assert_eq!(event["before"], json!({"id": 1, "n": 1, "big": big}));
        assert_eq!(event.get("unchanged_toast"), None);
    }
}

#[test]
fn rolled_back_savepoints_and_transactions_are_not_delivered() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int)");
        fixture.run([
            "BEGIN; INSERT INTO t VALUES (1); ROLLBACK",
            "BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s;
             INSERT INTO t VALUES (4); COMMIT",
        ]);
        let ids: Vec<_> =
            fixture.read_json().iter().map(|e| e["after"]["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, [2, 4]);
    }
}
