//! Composite types that are altered while a reader runs, or before it reads the change. The stream
//! does not report such changes.

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{ChangeEvent, Reader, StreamOptions};
use pgoutput_tests::{Fixture, InTime as _, after, formats, line};

/// Creates a reader for each format that the server has.
fn in_both_formats(server: &'static Server, setup: &str, check: impl Fn(&Fixture<'_>, bool)) {
    for binary in formats(server) {
        check(&Fixture::new(server, setup), *binary);
    }
}

/// Returns the change that a statement makes.
fn change(fixture: &Fixture<'_>, reader: &mut Reader, statement: &str) -> ChangeEvent {
    fixture.run([statement]);
    reader.next_in_time().unwrap().unwrap()
}

/// Returns when the reader last queried the catalogue. The session of an earlier call may not have
/// ended yet.
fn last_query(fixture: &Fixture<'_>) -> i64 {
    let query = "SELECT extract(epoch FROM query_start) * 1000000 FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'
        AND query LIKE '%pg\\_%'
          AND query NOT LIKE '%pg\\_stat\\_activity%'
          AND pid <> pg_backend_pid() ORDER BY query_start DESC LIMIT 1";
    fixture.number(query)
}

#[test]
fn a_running_reader_queries_altered_types() {
    // A domain can be over a composite type from 11 on.
    for server in servers_from(11) {
        let setup = "CREATE TYPE c AS (a int, b text); CREATE DOMAIN d AS c;
                 CREATE TYPE outer_c AS (x c, y d[]);
            CREATE TABLE t (id int, c c, cs c[], d d, o outer_c)";
        in_both_formats(server, setup, |fixture, binary| {
            let mut reader =
                fixture.builder().options(StreamOptions::new().binary(binary)).connect().unwrap();
            let mut insert = |c: &str| {
                let row = format!(
                    "INSERT INTO t SELECT 1, c, ARRAY[NULL, c], c, ROW(c, ARRAY[c::d])::outer_c
                 FROM (SELECT {c}::c AS c) AS v"
                );
                after(&change(fixture, &mut reader, &row))
            };
            let expected = |c: &str| {
                format!(r#"{{"id":1,"c":{c},"cs":[null,{c}],"d":{c},"o":{{"x":{c},"y":[{c}]}}}}"#)
            };
            assert_eq!(insert("ROW(1, 'B')"), expected(r#"{"a":1,"b":"B"}"#));
            // First another number of attributes, then another type of one.
            fixture.run(["ALTER TYPE c ADD ATTRIBUTE e text"]);
            assert_eq!(insert("ROW(1, 'B', 'E')"), expected(r#"{"a":1,"b":"B","e":"E"}"#));
            fixture.run(["ALTER TYPE c DROP ATTRIBUTE a, DROP ATTRIBUTE e, ADD ATTRIBUTE f date"]);
            assert_eq!(insert("ROW('B', '2020-01-01')"), expected(r#"{"b":"B","f":"2020-01-01"}"#));
            reader.stop().unwrap();
        });
    }
}

#[test]
fn a_row_in_the_altering_transaction_has_the_altered_type() {
    for server in servers() {
        let setup = "CREATE TYPE c AS (a text); CREATE TABLE t (c c)";
        in_both_formats(server, setup, |fixture, binary| {
            let mut reader =
                fixture.builder().options(StreamOptions::new().binary(binary)).connect().unwrap();
            let first = change(fixture, &mut reader, "INSERT INTO t VALUES ('(A)')");
            assert_eq!(after(&first), r#"{"c":{"a":"A"}}"#);
            fixture.run(["BEGIN; INSERT INTO t VALUES ('(A)'); ALTER TYPE c ADD ATTRIBUTE b text;
                INSERT INTO t VALUES ('(A,B)'); COMMIT"]);
            for expected in [r#"{"c":{"a":"A"}}"#, r#"{"c":{"a":"A","b":"B"}}"#] {
                assert_eq!(after(&reader.next_in_time().unwrap().unwrap()), expected);
            }
            reader.stop().unwrap();
        });
    }
}

#[test]
fn a_type_that_cannot_be_described_is_named_and_queried_once() {
    for server in servers() {
        let setup = "CREATE TYPE c AS (a text, b text); CREATE TABLE t (id int, c c, other text);
            ALTER TABLE t REPLICA IDENTITY FULL";
        in_both_formats(server, setup, |fixture, binary| {
            fixture.run([
                "INSERT INTO t VALUES (1, '(A,B)', 'x')",
                "UPDATE t SET id = 2",
                "INSERT INTO t VALUES (3, NULL, 'x')",
                "INSERT INTO t VALUES (4, '(A,B)', 'x')",
                "ALTER TYPE c ADD ATTRIBUTE e text",
                "INSERT INTO t VALUES (5, '(A,B,E)', 'x')",
            ]);
            let mut reader =
                fixture.builder().options(StreamOptions::new().binary(binary)).connect().unwrap();
            let c = if binary {
                r#""\\x00000002000000190000000141000000190000000142""#
            } else {
                r#""(A,B)""#
            };
            let event = reader.next_in_time().unwrap().unwrap();
            let expected = |id: i32, named: &str| {
                format!(r#"{{"id":{id},"c":{c},"other":"x"}},"type_mismatch":{{{named}}}"#)
            };
            assert_eq!(after(&event), expected(1, r#""after":["c"]"#));
            let mut written = String::new();
            event.write_json(&mut written).unwrap();
            assert_eq!(written, line(&event));
            let queried_at = last_query(fixture);
            let event = reader.next_in_time().unwrap().unwrap();
            assert_eq!(after(&event), expected(2, r#""before":["c"],"after":["c"]"#));
            let event = reader.next_in_time().unwrap().unwrap();
            assert_eq!(after(&event), r#"{"id":3,"c":null,"other":"x"}"#);
            let event = reader.next_in_time().unwrap().unwrap();
            assert_eq!(after(&event), expected(4, r#""after":["c"]"#));
            let event = reader.next_in_time().unwrap().unwrap();
            assert_eq!(after(&event), r#"{"id":5,"c":{"a":"A","b":"B","e":"E"},"other":"x"}"#);
            assert_eq!(last_query(fixture), queried_at, "a second query would return the same");

            // A type that is altered after this is still queried, even if it looks like an earlier
            // one.
            fixture.run(["ALTER TYPE c DROP ATTRIBUTE a"]);
            let event = change(fixture, &mut reader, "INSERT INTO t VALUES (6, '(B,E)', 'x')");
            assert_eq!(after(&event), r#"{"id":6,"c":{"b":"B","e":"E"},"other":"x"}"#);
            assert!(last_query(fixture) > queried_at);
            reader.stop().unwrap();
        });
    }
}

#[test]
fn mismatched_values_that_are_not_utf8_are_shown_as_bytes() {
    for server in servers() {
        let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
        let setup = "CREATE TYPE c AS (a text); CREATE TABLE t (c c)";
        let fixture = Fixture::with_options(server, options, setup);
        fixture.run([
            "SET client_encoding = SQL_ASCII; INSERT INTO t VALUES (ROW(E'\\xe9'))",
            "ALTER TYPE c ADD ATTRIBUTE b text",
        ]);
        let events = fixture.read();
        assert_eq!(after(&events[0]), r#"{"c":"\\x28e929"},"invalid_utf8":{"after":["c"]}"#);
    }
}
