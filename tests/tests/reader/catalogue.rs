//! Facts that the catalogue adds to the stream, also after the catalogue has changed.

use pgoutput_harness::servers;
use pgoutput_reader::Acknowledge;
use pgoutput_tests::{Fixture, InTime as _, eventually, waiting};
use postgres::{Client, NoTls};
use serde_json::{Value, json};

/// Returns name, type name, primary key and nullability of each column.
fn columns(event: &Value) -> Vec<(&str, &str, bool, bool)> {
    let column = |column: &'_ Value| -> (bool, bool) {
        (column["part_of_pkey"].as_bool().unwrap(), column["optional"].as_bool().unwrap())
    };
    let columns = event["table_schema"]["column_definitions"].as_array().unwrap();
    columns
        .iter()
        .map(|c| {
            let (key, optional) = column(c);
            (c["name"].as_str().unwrap(), c["type_name"].as_str().unwrap(), key, optional)
        })
        .collect()
}

#[test]
fn a_dropped_table_is_described_by_the_stream() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TYPE mood AS ENUM ('ok');
             CREATE TABLE t (id int PRIMARY KEY, v varchar(20) NOT NULL, m mood)",
        );
        fixture.run(["INSERT INTO t VALUES (1, 'x', 'ok')", "DROP TABLE t"]);
        let events = fixture.read_json();
        assert_eq!(events[0]["after"], json!({"id": 1, "v": "x", "m": "ok"}));
        assert_eq!(
            columns(&events[0]),
            [
                ("id", "integer", true, false),
                ("v", "character varying(20)", false, true),
                ("m", "mood", false, true)
            ]
        );
    }
}

#[test]
fn a_dropped_type_has_its_name_from_the_stream() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('ok');
             CREATE TABLE t (id int PRIMARY KEY, m s.mood)",
        );
        fixture.run(["INSERT INTO t VALUES (1, 'ok')", "DROP TABLE t", "DROP TYPE s.mood"]);
        let events = fixture.read_json();
        assert_eq!(columns(&events[0])[1], ("m", "s.mood", false, true));
    }
}

#[test]
fn a_renamed_table_has_its_old_name_and_its_catalogue_facts() {
    for server in servers() {
        let fixture =
            Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v varchar(20) NOT NULL)");
        fixture.run(["INSERT INTO t VALUES (1, 'x')", "ALTER TABLE t RENAME TO renamed"]);
        let events = fixture.read_json();
        assert_eq!(events[0]["table_schema"]["table"], "t");
        assert_eq!(columns(&events[0])[1], ("v", "character varying(20)", false, false));
    }
}

#[test]
fn a_dropped_or_renamed_column_is_described_by_the_stream() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (id int PRIMARY KEY, gone varchar(7) NOT NULL,
             old int NOT NULL, stays int NOT NULL)",
        );
        fixture.run([
            "INSERT INTO t VALUES (1, 'x', 2, 3)",
            "ALTER TABLE t DROP COLUMN gone; ALTER TABLE t RENAME old TO new",
        ]);
        let events = fixture.read_json();
        assert_eq!(events[0]["after"], json!({"id": 1, "gone": "x", "old": 2, "stays": 3}));
        assert_eq!(
            columns(&events[0]),
            [
                ("id", "integer", true, false),
                ("gone", "character varying(7)", false, true),
                ("old", "integer", false, true),
                ("stays", "integer", false, false),
            ]
        );
    }
}

#[test]
fn an_added_column_is_only_in_later_events() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run([
            "INSERT INTO t VALUES (1)",
            "ALTER TABLE t ADD COLUMN added text",
            "INSERT INTO t VALUES (2, 'x')",
            "BEGIN; INSERT INTO t VALUES (3, 'y'); ALTER TABLE t ADD COLUMN more int;
             INSERT INTO t VALUES (4, 'z', 5); COMMIT",
        ]);
        let events = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
        let shown: Vec<_> = events.iter().map(pgoutput_tests::json).collect();
        let rows: Vec<_> = shown.iter().map(|event| event["after"].clone()).collect();
        assert_eq!(
            rows,
            [
                json!({"id": 1}),
                json!({"id": 2, "added": "x"}),
                json!({"id": 3, "added": "y"}),
                json!({"id": 4, "added": "z", "more": 5}),
            ]
        );
        let widths: Vec<_> = shown.iter().map(|event| columns(event).len()).collect();
        assert_eq!(widths, [1, 2, 2, 3]);
    }
}

/// Otherwise the stream would pause meanwhile.
#[test]
fn the_first_change_does_not_wait_for_a_connection() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let mut reader = fixture.reader();
        let session = || {
            fixture.number(
                "SELECT coalesce(max(pid), 0) FROM pg_stat_activity
                 WHERE datname = current_database()
                 AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                 AND query LIKE '%pg\\_catalog.strpos%'",
            )
        };
        let before = eventually("a session", || Some(session()).filter(|pid| *pid > 0));
        fixture.run(["INSERT INTO t VALUES (1)"]);
        reader.next_in_time().unwrap().unwrap();
        assert_eq!(session(), before);
        reader.stop().unwrap();
    }
}

#[test]
fn a_lost_sql_connection_is_replaced() {
    for server in servers() {
        let fixture =
            Fixture::new(server, "CREATE TABLE a (id int); CREATE TABLE b (v varchar(3) NOT NULL)");
        let mut reader = fixture.reader();
        fixture.run(["INSERT INTO a VALUES (1)"]);
        reader.next_in_time().unwrap().unwrap();
        // All client sessions except the querying one. Walsenders are not client backends.
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()
                     AND backend_type = 'client backend'";
        assert!(fixture.number(end) >= 1);
        fixture.run(["INSERT INTO b VALUES ('x')"]);
        let event = pgoutput_tests::json(&reader.next_in_time().unwrap().unwrap());
        assert_eq!(columns(&event), [("v", "character varying(3)", false, false)]);
        reader.stop().unwrap();
    }
}

#[test]
fn a_change_whose_lookup_fails_is_an_error_and_delivered_again() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let role = fixture.database().slot_name("narrow");
        // A client session uses the only connection that the role may have.
        fixture.run([&format!("CREATE ROLE {role} LOGIN REPLICATION CONNECTION LIMIT 1") as &str]);
        let dsn = fixture.database().dsn().replace("user=postgres", &format!("user={role}"));
        // Before PostgreSQL 13, the replication connection is that session itself.
        let other = (fixture.major() >= 13)
            .then(|| waiting("a session", || Client::connect(&dsn, NoTls)).unwrap());
        let mut reader = pgoutput_reader::Reader::builder(&dsn)
            .slot(fixture.slot_name())
            .publication(pgoutput_tests::PUBLICATION)
            .reconnect(pgoutput_reader::Reconnect::never())
            .connect()
            .unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        match reader.next_in_time().unwrap() {
            Err(error) => {
                assert!(error.to_string().contains("too many connections"), "{error}");
                assert!(reader.next_in_time().is_none());
                // An undelivered event is not confirmed.
                reader.stop().unwrap();
                assert_eq!(fixture.read().len(), 1, "PostgreSQL {}", fixture.major());
            }
            Ok(event) => panic!("{event:?}"),
        }
        drop(other);
        fixture.run([&format!("DROP ROLE {role}") as &str]);
    }
}
