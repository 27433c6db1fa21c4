//! Key flags and the replica identity at the time of the change, whenever it is read.

use pgoutput_harness::servers;
use pgoutput_reader::{Acknowledge, ChangeEvent, ColumnSchema, ReplicaIdentity};
use pgoutput_tests::{Fixture, json};
use serde_json::{Value, json};

/// Returns the names of the columns that are flagged as key.
fn keys(event: &Value) -> Vec<&str> {
    let columns = event["table_schema"]["column_definitions"].as_array().unwrap().iter();
    let keys = columns.filter(|column| column["part_of_pkey"].as_bool().unwrap());
    keys.map(|column| column["name"].as_str().unwrap()).collect()
}

fn optional(event: &Value) -> Vec<bool> {
    let columns = event["table_schema"]["column_definitions"].as_array().unwrap().iter();
    columns.map(|column| column["optional"].as_bool().unwrap()).collect()
}

fn read_again(fixture: &Fixture<'_>) -> Vec<ChangeEvent> {
    fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never))
}

#[test]
fn a_later_change_of_the_key_does_not_affect_the_flags() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL)");
        fixture.run([
            "INSERT INTO t VALUES (1, 2)",
            "DELETE FROM t",
            "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (b)",
            "INSERT INTO t VALUES (3, 4)",
            "DELETE FROM t",
        ]);
        let events = fixture.read_json();
        let found: Vec<_> = events.iter().map(|event| (keys(event), &event["before"])).collect();
        assert_eq!(
            found,
            [
                (vec!["a"], &Value::Null),
                (vec!["a"], &json!({"a": 1})),
                (vec!["b"], &Value::Null),
                (vec!["b"], &json!({"b": 4})),
            ],
            "PostgreSQL {}",
            server.major()
        );
    }
}

#[test]
fn an_index_as_replica_identity_is_the_key() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL UNIQUE);
             ALTER TABLE t REPLICA IDENTITY USING INDEX t_b_key; INSERT INTO t VALUES (1, 7)",
        );
        fixture.run(["UPDATE t SET a = 2", "UPDATE t SET b = 8", "DELETE FROM t"]);
        let events = fixture.read();
        for event in &events {
            let table = event.table().unwrap();
            assert_eq!(table.replica_identity(), ReplicaIdentity::INDEX);
            let flags: Vec<_> = table.columns().iter().map(ColumnSchema::is_key).collect();
            assert_eq!(flags, [false, true]);
        }
        let events: Vec<_> = events.iter().map(json).collect();
        // The key did not change, so the server sends no old row, and the new one has the key.
        assert_eq!(events[0]["before"], Value::Null);
        assert_eq!(events[0]["after"], json!({"a": 2, "b": 7}));
        assert_eq!(events[1]["before"], json!({"b": 7}));
        assert_eq!(events[2]["before"], json!({"b": 8}));
        for event in &events {
            assert_eq!(keys(event), ["b"]);
            assert_eq!(event["table_schema"]["replica_identity"], "index");
        }
    }
}

#[test]
fn flags_stay_the_same_after_the_key_or_the_table_is_dropped() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL UNIQUE, c int);
             ALTER TABLE t REPLICA IDENTITY USING INDEX t_b_key;
             CREATE TABLE u (a int PRIMARY KEY, b int);
             CREATE TABLE f (a int PRIMARY KEY, b int); ALTER TABLE f REPLICA IDENTITY FULL;
             CREATE TABLE n (a int PRIMARY KEY, b int); ALTER TABLE n REPLICA IDENTITY NOTHING",
        );
        fixture.run([
            "INSERT INTO t VALUES (1, 2); INSERT INTO u VALUES (1, 2); INSERT INTO f VALUES (1, 2);
             INSERT INTO n VALUES (1, 2)",
            "UPDATE t SET b = 3",
            "UPDATE u SET a = 2",
        ]);
        let lines = |events: &[ChangeEvent]| events.iter().map(json).collect::<Vec<_>>();
        let fresh = lines(&read_again(&fixture));
        let found: Vec<_> = fresh.iter().map(keys).collect();
        let expected: [&[&str]; 6] = [&["b"], &["a"], &["a", "b"], &[], &["b"], &["a"]];
        assert_eq!(found, expected);
        fixture.run(["ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE u DROP CONSTRAINT u_pkey;
             ALTER TABLE f DROP CONSTRAINT f_pkey; ALTER TABLE n DROP CONSTRAINT n_pkey"]);
        let without_keys: Vec<Vec<_>> =
            lines(&read_again(&fixture)).iter().map(owned_keys).collect();
        assert_eq!(without_keys, expected);
        fixture.run(["DROP TABLE t, u, f, n"]);
        let gone = lines(&read_again(&fixture));
        let found: Vec<_> = gone.iter().map(keys).collect();
        assert_eq!(found, expected);
        // The catalogue's facts are gone: keys cannot be NULL, and for other columns it is unknown.
        let found: Vec<_> = gone.iter().take(4).map(optional).collect();
        let expected: [&[bool]; 4] =
            [&[true, false, true], &[false, true], &[true, true], &[true, true]];
        assert_eq!(found, expected);
        for (fresh, gone) in fresh.iter().zip(&gone) {
            for field in ["op", "message_id", "lsn", "transaction", "before", "after"] {
                assert_eq!(fresh[field], gone[field]);
            }
            let identity = |event: &Value| event["table_schema"]["replica_identity"].clone();
            assert_eq!(identity(fresh), identity(gone));
        }
    }
}

fn owned_keys(event: &Value) -> Vec<String> {
    keys(event).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_replica_identity_other_than_the_default_is_reported() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (a int PRIMARY KEY)");
        fixture.run([
            "INSERT INTO t VALUES (1)",
            "ALTER TABLE t REPLICA IDENTITY FULL",
            "INSERT INTO t VALUES (2)",
            "ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey",
            "INSERT INTO t VALUES (3)",
            "ALTER TABLE t REPLICA IDENTITY NOTHING",
            "INSERT INTO t VALUES (4)",
            "ALTER TABLE t REPLICA IDENTITY DEFAULT",
            "INSERT INTO t VALUES (5)",
        ]);
        let events = fixture.read();
        let found: Vec<_> =
            events.iter().map(|event| event.table().unwrap().replica_identity()).collect();
        let expected = [
            (ReplicaIdentity::DEFAULT, None),
            (ReplicaIdentity::FULL, Some("full")),
            (ReplicaIdentity::INDEX, Some("index")),
            (ReplicaIdentity::NOTHING, Some("nothing")),
            (ReplicaIdentity::DEFAULT, None),
        ];
        assert_eq!(found, expected.map(|(identity, _)| identity));
        for (event, (_, name)) in events.iter().zip(expected) {
            let line = pgoutput_tests::line(event);
            let end = match name {
                Some(name) => format!(r#","replica_identity":"{name}"}},"before""#),
                None => format!(
                    r#","relation_id":{}}},"before""#,
                    event.table().unwrap().relation().oid()
                ),
            };
            assert!(line.contains(&end), "{line}");
        }
    }
}
