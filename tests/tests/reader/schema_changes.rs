//! Changes of tables, and descriptions of tables, as events of their own.

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{Acknowledge, ChangeEvent, Op, Position, ReaderBuilder, SchemaOutput};
use pgoutput_tests::{Fixture, InTime as _, json, line};
use serde_json::{Value, json};

use super::reconnect::{at_once, terminate};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v varchar(10), n numeric(8,1), old int)";

fn changes(builder: ReaderBuilder) -> ReaderBuilder {
    builder.schema_changes(true).acknowledge(Acknowledge::Never)
}

fn once(builder: ReaderBuilder) -> ReaderBuilder {
    builder.schema_output(SchemaOutput::Once).acknowledge(Acknowledge::Never)
}

fn ops(events: &[ChangeEvent]) -> String {
    events.iter().map(|event| event.op().code()).collect()
}

fn lines<'a>(events: impl IntoIterator<Item = &'a ChangeEvent>) -> Vec<String> {
    events.into_iter().map(line).collect()
}

/// Returns what differs, without the whole table before.
fn difference(event: &ChangeEvent) -> Value {
    let mut change = json(event)["schema_change"].clone();
    change.as_object_mut().unwrap().remove("before").unwrap();
    change
}

fn names(columns: &Value) -> Vec<&str> {
    let columns = columns["column_definitions"].as_array().unwrap().iter();
    columns.map(|column| column["name"].as_str().unwrap()).collect()
}

/// Returns the position as a program restores it.
fn stored(event: &ChangeEvent) -> Position {
    event.position().to_string().parse().unwrap()
}

/// Each statement, the name of the table afterwards, and the difference; null for none.
fn alterations() -> Vec<(&'static str, &'static str, Value)> {
    let varchar = |length: u32| {
        let name = format!("character varying({length})");
        json!({"type_id": 1043, "type_modifier": length + 4, "type_name": name})
    };
    let numeric = |modifier: u32, name: &str| -> Value {
        json!({"type_id": 1700, "type_modifier": modifier, "type_name": name})
    };
    let all = ["id", "v", "n", "new"];
    vec![
        ("ALTER TABLE t ADD COLUMN a int", "t", json!({"added": ["a"]})),
        ("CREATE INDEX i ON t (v); ANALYZE t", "t", Value::Null),
        ("ALTER TABLE t ALTER v SET DEFAULT 'x', ADD CHECK (id >= 0)", "t", Value::Null),
        ("ALTER TABLE t DROP COLUMN a", "t", json!({"dropped": ["a"]})),
        (
            "ALTER TABLE t RENAME COLUMN old TO new",
            "t",
            json!({"renamed": [{"before": "old", "after": "new"}]}),
        ),
        (
            "ALTER TABLE t ALTER v TYPE varchar(20)",
            "t",
            json!({"retyped": [{"name": "v", "before": varchar(10), "after": varchar(20)}]}),
        ),
        (
            "ALTER TABLE t ALTER n TYPE numeric(10,2), ALTER new TYPE bigint",
            "t",
            json!({"retyped": [
                {
                    "name": "n",
                    "before": numeric(0x8_0005, "numeric(8,1)"),
                    "after": numeric(0xa_0006, "numeric(10,2)"),
                },
                {
                    "name": "new",
                    "before": {"type_id": 23, "type_name": "integer"},
                    "after": {"type_id": 20, "type_name": "bigint"},
                },
            ]}),
        ),
        (
            "ALTER TABLE t REPLICA IDENTITY FULL",
            "t",
            json!({
                "key": {"before": ["id"], "after": all},
                "replica_identity": {"before": "default", "after": "full"},
            }),
        ),
        ("ALTER TABLE t ADD COLUMN k int NOT NULL DEFAULT 1", "t", json!({"added": ["k"]})),
        (
            "ALTER TABLE t REPLICA IDENTITY DEFAULT",
            "t",
            json!({
                "key": {"before": ["id", "v", "n", "new", "k"], "after": ["id"]},
                "replica_identity": {"before": "full", "after": "default"},
            }),
        ),
        (
            "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, k)",
            "t",
            json!({"key": {"before": ["id"], "after": ["id", "k"]}}),
        ),
        ("ALTER TABLE t RENAME TO u", "u", json!({"table": {"before": "t", "after": "u"}})),
        (
            "CREATE SCHEMA s; ALTER TABLE u SET SCHEMA s",
            "s.u",
            json!({"schema_name": {"before": "public", "after": "s"}}),
        ),
        (
            "ALTER TABLE s.u DROP COLUMN v; ALTER TABLE s.u RENAME k TO m; \
             ALTER TABLE s.u ADD COLUMN v text; ALTER TABLE s.u RENAME TO w",
            "s.w",
            json!({
                "added": ["v"],
                "dropped": ["v"],
                "renamed": [{"before": "k", "after": "m"}],
                "table": {"before": "u", "after": "w"},
            }),
        ),
    ]
}

#[test]
fn each_alteration_is_reported_before_the_next_row() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t (id) VALUES (0)"]);
        let alterations = alterations();
        for (index, (statement, table, _)) in alterations.iter().enumerate() {
            let id = index + 1;
            fixture.run([statement, &format!("INSERT INTO {table} (id) VALUES ({id})")]);
            // A second row is described by the same version.
            fixture.run([&format!("INSERT INTO {table} (id) VALUES ({})", id + 100)]);
        }
        let events = fixture.read_with(changes);
        let mut last = &events[0];
        let mut rest = events[1..].iter().peekable();
        for (index, (statement, table, expected)) in alterations.iter().enumerate() {
            let context = format!("PostgreSQL {}: {statement}", server.major());
            let change = rest.next_if(|event| event.op() == Op::Schema);
            assert_eq!(change.map_or(Value::Null, difference), *expected, "{context}");
            let row = rest.next().unwrap();
            let id = i32::try_from(index + 1).unwrap();
            assert_eq!(row.after().unwrap().get::<i32>("id").unwrap(), id, "{context}");
            if let Some(change) = change {
                let before = change.schema_change().unwrap().before();
                assert_eq!(before, last.table().unwrap(), "{context}");
                assert_eq!(change.table(), row.table(), "{context}");
                assert_eq!((change.lsn(), change.is_last()), (row.lsn(), false), "{context}");
                assert_eq!(change.transaction().unwrap().xid(), row.transaction().unwrap().xid());
                let json = json(change);
                assert_eq!((&json["before"], &json["after"]), (&Value::Null, &Value::Null));
                assert_eq!(json["table_schema"]["table"], table.trim_start_matches("s."));
            }
            last = row;
            let is_again = |event: &&ChangeEvent| {
                event.after().is_some_and(|row| row.get::<i32>("id").unwrap() == id + 100)
            };
            assert!(rest.next_if(is_again).is_some(), "{context}");
        }
        assert!(rest.next().is_none());
    }
}

#[test]
fn what_is_described_as_before_is_no_change() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let mut reader =
            fixture.builder().schema_changes(true).reconnect(at_once()).connect().unwrap();
        let mut ops = String::new();
        for (number, statement) in [
            "INSERT INTO t VALUES (1)",
            // Rolled back, in part and as a whole.
            "BEGIN; SAVEPOINT s; ALTER TABLE t ADD COLUMN v int; INSERT INTO t VALUES (2, 2); \
             ROLLBACK TO SAVEPOINT s; INSERT INTO t VALUES (3); COMMIT",
            "BEGIN; ALTER TABLE t ADD COLUMN v int; INSERT INTO t VALUES (4, 4); ROLLBACK; \
             INSERT INTO t VALUES (5)",
            // Altered and altered back.
            "ALTER TABLE t ADD COLUMN v int; ALTER TABLE t DROP COLUMN v; INSERT INTO t VALUES (6)",
            // Another table of the same name.
            "DROP TABLE t; CREATE TABLE t (name text PRIMARY KEY); INSERT INTO t VALUES ('other')",
        ]
        .iter()
        .enumerate()
        {
            fixture.run([statement]);
            ops.push(reader.next_in_time().unwrap().unwrap().op().code());
            // A new stream describes all tables again.
            if number % 2 == 1 {
                terminate(&fixture);
            }
        }
        assert_eq!(ops, "IIIII", "PostgreSQL {}", server.major());
        // It may have changed while no connection existed.
        terminate(&fixture);
        fixture.run(["ALTER TABLE t ADD COLUMN v int", "INSERT INTO t VALUES ('one')"]);
        let change = reader.next_in_time().unwrap().unwrap();
        assert_eq!(difference(&change), json!({"added": ["v"]}));
        terminate(&fixture);
        assert_eq!(reader.next_in_time().unwrap().unwrap().op(), Op::Insert);
        fixture.run(["INSERT INTO t VALUES ('two')"]);
        assert_eq!(reader.next_in_time().unwrap().unwrap().op(), Op::Insert);
        assert!(reader.health().reconnects >= 3);
        reader.stop().unwrap();
    }
}

/// One transaction with each alteration after another, in two tables, and others around it.
fn several(server: &'static Server) -> Fixture<'static> {
    let fixture = Fixture::new(
        server,
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)",
    );
    let truncate = if server.major() >= 11 { "TRUNCATE t, u;" } else { "" };
    fixture.run([
        "INSERT INTO t VALUES (1)",
        &format!(
            "BEGIN; INSERT INTO t VALUES (2); ALTER TABLE t ADD COLUMN v int; \
             INSERT INTO t VALUES (3, 3); INSERT INTO u VALUES (1); ALTER TABLE u ADD w int; \
             ALTER TABLE t DROP COLUMN v; INSERT INTO t VALUES (4), (5); \
             ALTER TABLE t RENAME id TO key; {truncate} INSERT INTO u VALUES (6); \
             INSERT INTO t VALUES (7); ALTER TABLE t RENAME key TO id; \
             INSERT INTO t VALUES (8); COMMIT"
        ),
        "INSERT INTO u VALUES (9)",
        "ALTER TABLE t ADD COLUMN v int; INSERT INTO t VALUES (10)",
    ]);
    fixture
}

#[test]
fn several_changes_in_one_transaction_are_each_at_their_place() {
    for server in servers() {
        let fixture = several(server);
        let events = fixture.read_with(changes);
        let expected =
            if server.major() >= 11 { "IISIISIISTSTIISIISI" } else { "IISIISIISISISIISI" };
        assert_eq!(ops(&events), expected, "PostgreSQL {}", server.major());
        let plain = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
        let others = events.iter().filter(|event| event.op() != Op::Schema);
        assert_eq!(lines(others), lines(&plain));
        let mut ids: Vec<_> = events.iter().map(ChangeEvent::message_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), events.len());
    }
}

#[test]
fn a_reader_resumes_after_each_event_and_delivers_the_rest() {
    for server in servers() {
        let fixture = several(server);
        let events = fixture.read_with(changes);
        let whole = lines(&events);
        let transaction = |event: &ChangeEvent| event.transaction().unwrap().commit_lsn();
        for (index, event) in events.iter().enumerate() {
            let context = format!("PostgreSQL {} after {event:?}", server.major());
            let position = stored(event);
            let rest = fixture.read_with(|builder| changes(builder).resume(position.clone()));
            // Of earlier transactions the server sends nothing, so a change since then is unknown.
            let known = |at: usize| {
                let oid = |event: &ChangeEvent| event.table().unwrap().relation().oid();
                let last = events[..at].iter().rfind(|last| oid(last) == oid(&events[at]));
                last.is_some_and(|last| transaction(last) >= transaction(event))
            };
            let expected: Vec<_> = (index + 1..events.len())
                .filter(|at| events[*at].op() != Op::Schema || known(*at))
                .map(|at| whole[at].clone())
                .collect();
            // What this run did not see of a table before is described by the stream alone.
            let bare = |line: &String| match line.split_once(",\"schema_change\"") {
                Some((line, _)) => line.to_owned(),
                None => line.clone(),
            };
            let got: Vec<_> = lines(&rest).iter().map(bare).collect();
            assert_eq!(got, expected.iter().map(bare).collect::<Vec<_>>(), "{context}");
            for (got, expected) in rest.iter().zip(&expected) {
                let expected: Value = serde_json::from_str(expected).unwrap();
                if got.op() == Op::Schema {
                    let mut expected = expected["schema_change"].clone();
                    expected.as_object_mut().unwrap().remove("before");
                    assert_eq!(difference(got), expected, "{context}");
                }
            }
            // The option may be turned off or on between two runs.
            let plain = fixture.read_with(|builder| {
                builder.acknowledge(Acknowledge::Never).resume(position.clone())
            });
            let rows = events[index + 1..].iter().filter(|event| event.op() != Op::Schema);
            assert_eq!(lines(&plain), lines(rows), "{context}");
        }
    }
}

#[test]
fn a_change_is_acknowledged_like_any_event() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run([
            "INSERT INTO t VALUES (1)",
            "ALTER TABLE t ADD COLUMN v int; INSERT INTO t VALUES (2)",
        ]);
        let end = fixture.end();
        let mut reader = fixture
            .builder()
            .schema_changes(true)
            .acknowledge(Acknowledge::Manual)
            .until_lsn(end)
            .connect()
            .unwrap();
        let acknowledger = reader.acknowledger();
        let events: Vec<_> = reader.in_time().map(Result::unwrap).collect();
        assert_eq!(ops(&events), "ISI");
        let commit = events[2].transaction().unwrap().commit_lsn();
        for event in [&events[0], &events[2]] {
            acknowledger.acknowledge(event.position()).unwrap();
        }
        assert!(acknowledger.acknowledged() < commit);
        acknowledger.acknowledge(events[1].position()).unwrap();
        assert!(acknowledger.acknowledged() > commit);
        reader.stop().unwrap();
        // The slot is beyond the change, and that was confirmed after the row.
        let position = stored(&events[1]);
        fixture.wait_until_free();
        assert!(fixture.builder().resume(position).connect().is_err());
        let resumed = fixture.builder().resume(stored(&events[2])).connect().unwrap();
        resumed.stop().unwrap();
    }
}

#[test]
fn another_column_list_of_the_publication_is_a_change() {
    for server in servers_from(15) {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, a int, b text)");
        fixture.run([
            "DROP PUBLICATION everything; CREATE PUBLICATION everything FOR TABLE t (id)",
            "INSERT INTO t VALUES (1)",
            "ALTER PUBLICATION everything SET TABLE t (id, a)",
            "INSERT INTO t VALUES (2)",
            "ALTER PUBLICATION everything SET TABLE t (id, b)",
            "INSERT INTO t VALUES (3)",
            "ALTER PUBLICATION everything SET TABLE t",
            "INSERT INTO t VALUES (4)",
            "ALTER PUBLICATION everything SET TABLE t (id, a, b)",
            "INSERT INTO t VALUES (5)",
        ]);
        let events = fixture.read_with(changes);
        assert_eq!(ops(&events), "ISISISII", "PostgreSQL {}", server.major());
        let changes: Vec<_> = [1, 3, 5].iter().map(|at| difference(&events[*at])).collect();
        assert_eq!(
            changes,
            [
                json!({"added": ["a"]}),
                json!({"added": ["b"], "dropped": ["a"]}),
                json!({"added": ["a"]}),
            ]
        );
    }
}

#[test]
fn each_table_is_described_once_and_again_after_a_change() {
    for server in servers() {
        let fixture = several(server);
        let plain = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
        let both = fixture.read_with(|builder| changes(once(builder)));
        let events = fixture.read_with(once);
        assert_eq!(ops(&events), ops(&both));
        let of_changes = fixture.read_with(changes);
        let described =
            |events: &[ChangeEvent]| events.iter().filter(|event| event.op() == Op::Schema).count();
        // Two tables have a first description.
        assert_eq!(described(&events), described(&of_changes) + 2);
        let mut rows = plain.iter();
        let mut last: std::collections::BTreeMap<u64, Value> = std::collections::BTreeMap::new();
        for (event, with_changes) in events.iter().zip(&both) {
            let got = json(event);
            if event.op() == Op::Schema {
                let schema = got["table_schema"].clone();
                assert!(got.get("relation_id").is_none() && got.get("schema_change").is_none());
                let before = last.insert(schema["relation_id"].as_u64().unwrap(), schema);
                let change = json(with_changes);
                let change = change.get("schema_change").map(|change| change["before"].clone());
                assert_eq!(change, before, "the table before, or none for the first");
                continue;
            }
            // The row as it is otherwise, with the description that was written last.
            let mut expected = json(rows.next().unwrap());
            let schema = expected.as_object_mut().unwrap().remove("table_schema").unwrap();
            let mut got = got;
            let id = got.as_object_mut().unwrap().remove("relation_id").unwrap();
            assert_eq!(got, expected);
            assert_eq!(last[&id.as_u64().unwrap()], schema);
            assert_eq!(line(event), line(with_changes));
        }
        assert!(rows.next().is_none());
        assert_eq!(last.values().map(|schema| names(schema).len()).collect::<Vec<_>>(), [2, 2]);
        // After a resume, also directly after a description, each comes again.
        for event in &events {
            let position = stored(event);
            let rest = fixture.read_with(|builder| once(builder).resume(position.clone()));
            let mut described = std::collections::BTreeSet::new();
            for event in &rest {
                let oid = event.table().unwrap().relation().oid();
                assert!(!described.insert(oid) || event.op() == Op::Schema, "{event:?}");
            }
            let rows = |events: &[ChangeEvent]| {
                lines(events.iter().filter(|event| event.op() != Op::Schema))
            };
            let at = events.iter().position(|other| other.position() == position).unwrap();
            assert_eq!(rows(&rest), rows(&events[at + 1..]));
        }
    }
}

/// Servers before PostgreSQL 16 describe the table again only when it is altered too.
#[test]
fn the_new_name_of_a_schema_is_reported_once_the_stream_has_it() {
    for server in servers() {
        let setup = "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)";
        let fixture = Fixture::new(server, setup);
        fixture.run([
            "INSERT INTO s.t VALUES (1)",
            "ALTER SCHEMA s RENAME TO r",
            "INSERT INTO r.t VALUES (2)",
            "ALTER TABLE r.t ADD v int; INSERT INTO r.t VALUES (3)",
        ]);
        let events = fixture.read_with(changes);
        let changed: Vec<_> =
            events.iter().filter(|event| event.op() == Op::Schema).map(difference).collect();
        let renamed = json!({"before": "s", "after": "r"});
        let expected = if server.major() >= 16 {
            vec![json!({"schema_name": renamed}), json!({"added": ["v"]})]
        } else {
            vec![json!({"added": ["v"], "schema_name": renamed})]
        };
        assert_eq!(changed, expected, "PostgreSQL {}", server.major());
    }
}
