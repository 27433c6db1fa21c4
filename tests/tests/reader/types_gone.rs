//! Types that are dropped or replaced when the catalogue is queried. The stream's description is
//! used, and types that cannot be described are named.

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{Acknowledge, ChangeEvent, ColumnSchema, StreamOptions};
use pgoutput_tests::{Fixture, after, json, line};
use serde_json::{Value, json};

fn in_each_format(server: &'static Server, check: impl Fn(bool)) {
    for binary in [false, true] {
        if !binary || server.major() >= 14 {
            check(binary);
        }
    }
}

fn read(fixture: &Fixture<'_>, binary: bool) -> Vec<ChangeEvent> {
    let events = fixture.read_with(|builder| {
        builder.options(StreamOptions::new().binary(binary)).acknowledge(Acknowledge::Never)
    });
    for event in &events {
        let mut written = String::new();
        event.write_json(&mut written).unwrap();
        assert_eq!(written, line(event));
    }
    events
}

/// Returns the values of a row that are not named in `type_mismatch`.
fn unambiguous(event: &Value) -> serde_json::Map<String, Value> {
    let mut row = event["after"].as_object().unwrap().clone();
    if let Some(named) = event["type_mismatch"]["after"].as_array() {
        row.retain(|column, _| !named.contains(&json!(column)));
    }
    row
}

/// Reads the same changes before and after `ddl`. Values that are not named must be the same.
fn compare(fixture: &Fixture<'_>, ddl: &str, binary: bool) -> Vec<ChangeEvent> {
    let known = read(fixture, binary);
    fixture.run([ddl]);
    let gone = read(fixture, binary);
    for (known, gone) in known.iter().zip(&gone) {
        let (known, gone) = (json(known), json(gone));
        assert_eq!(known["message_id"], gone["message_id"]);
        assert!(known.get("type_mismatch").is_none(), "{known}");
        for (column, value) in unambiguous(&gone) {
            assert_eq!(known["after"][&column], value, "{column}");
        }
    }
    gone
}

const MIGRATION: &str = "CREATE TYPE mood AS ENUM ('ok', 'sad'); CREATE DOMAIN amount AS int;
    CREATE TABLE t (id int PRIMARY KEY, m mood, ms mood[], a amount, n mood)";

#[test]
fn an_enum_and_a_domain_replaced_in_one_transaction_are_read() {
    for server in servers() {
        in_each_format(server, |binary| {
            let fixture = Fixture::new(server, MIGRATION);
            fixture.run(["BEGIN;
                INSERT INTO t VALUES (1, 'ok', '{ok,sad}', 500, NULL);
                INSERT INTO t VALUES (2, NULL, NULL, -7, NULL);
                ALTER TYPE mood RENAME TO mood_old;
                CREATE TYPE mood AS ENUM ('ok', 'sad', 'glad');
                ALTER TABLE t ALTER m TYPE mood USING m::text::mood;
                ALTER TABLE t ALTER n TYPE mood USING n::text::mood;
                ALTER TABLE t ALTER ms TYPE mood[] USING ms::text[]::mood[];
                DROP TYPE mood_old;
                ALTER TABLE t ALTER a TYPE int;
                DROP DOMAIN amount;
                INSERT INTO t VALUES (3, 'glad', '{glad}', 3, 'ok');
                COMMIT"]);
            let events = read(&fixture, binary);
            let shown = if binary {
                r#"{"id":1,"m":"\\x6f6b","ms":["\\x6f6b","\\x736164"],"a":500,"n":null}"#
            } else {
                r#"{"id":1,"m":"ok","ms":["ok","sad"],"a":500,"n":null}"#
            };
            let expected = format!(r#"{shown},"type_mismatch":{{"after":["m","ms"]}}"#);
            assert_eq!(after(&events[0]), expected, "PostgreSQL {}", server.major());
            assert_eq!(after(&events[1]), r#"{"id":2,"m":null,"ms":null,"a":-7,"n":null}"#);
            let last = r#"{"id":3,"m":"glad","ms":["glad"],"a":3,"n":"ok"}"#;
            assert_eq!(after(&events[2]), last);

            // Rows are read in the form that JSON shows.
            let row = events[0].after().unwrap();
            assert_eq!(row.get::<i32>("a").unwrap(), 500);
            if binary {
                assert_eq!(row.get::<&[u8]>("m").unwrap(), b"ok");
                assert_eq!(row.get::<Vec<&[u8]>>("ms").unwrap(), [&b"ok"[..], b"sad"]);
            } else {
                assert_eq!(row.get::<&str>("m").unwrap(), "ok");
                assert_eq!(row.get::<Vec<&str>>("ms").unwrap(), ["ok", "sad"]);
            }
        });
    }
}

#[test]
fn domains_over_every_built_in_type_are_read_without_the_catalogue() {
    let values = [
        ("int", "7"),
        ("bool", "true"),
        ("numeric(6,2)", "1.50"),
        ("float8", "0.1"),
        ("text", "'it''s'"),
        ("jsonb", "'{\"a\": [1]}'"),
        ("timestamptz", "'2020-01-01 00:00:00+00'"),
        ("bytea", "'\\x00ff'"),
        ("int[]", "'[0:1]={1,2}'"),
        ("text[]", "'{a,NULL,\"b c\"}'"),
        ("int4range", "'[1,5)'"),
        ("interval", "'1 day'"),
        ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    ];
    for server in servers() {
        in_each_format(server, |binary| {
            let (mut setup, mut columns, mut row) = (Vec::new(), Vec::new(), Vec::new());
            for (at, (ty, value)) in values.iter().enumerate() {
                // A domain over a domain is named by its base type too.
                setup.push(format!("CREATE DOMAIN d{at} AS {ty}; CREATE DOMAIN e{at} AS d{at}"));
                columns.push(format!("d{at} d{at}, e{at} e{at}"));
                row.push(format!("{value}, {value}"));
            }
            setup.push(format!("CREATE TABLE t ({})", columns.join(", ")));
            let fixture = Fixture::new(server, &setup.join(";"));
            let insert = format!("INSERT INTO t VALUES ({})", row.join(", "));
            fixture.run([&insert as &str]);
            let drop = |at| format!("DROP DOMAIN e{at}; DROP DOMAIN d{at};");
            let ddl: String = (0..values.len()).map(drop).collect();
            let ddl = format!("DROP TABLE t; {ddl}");
            let events = compare(&fixture, &ddl, binary);
            assert!(events[0].table().unwrap().unknown_types().is_empty());
            assert!(json(&events[0]).get("type_mismatch").is_none());
        });
    }
}

#[test]
fn types_of_unknown_kind_are_named_in_both_formats() {
    for server in servers_from(11) {
        in_each_format(server, |binary| {
            let fixture = Fixture::new(
                server,
                "CREATE TYPE pair AS (a int, b text); CREATE TYPE span AS RANGE (subtype = int);
                 CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN happy AS mood;
                 CREATE DOMAIN pairs AS pair[]; CREATE DOMAIN amount AS int;
                 CREATE TABLE t (id int, pair pair, list pair[], span span, spans span[],
                     happy happy, pairs pairs, amounts amount[], bounds mood[], amount amount)",
            );
            fixture.run([
                "INSERT INTO t VALUES (1, '(1,x)', '{\"(1,x)\"}', '[1,5)', '{\"[1,5)\"}', 'ok',
                '{\"(1,x)\"}', '{500,NULL}', '[2:3]={ok,ok}', 5)",
            ]);
            let events = compare(
                &fixture,
                "DROP TABLE t; DROP DOMAIN pairs, happy, amount; DROP TYPE pair, span, mood",
                binary,
            );
            let event = json(&events[0]);
            let mut named =
                vec!["pair", "list", "span", "spans", "happy", "pairs", "amounts", "bounds"];
            if binary {
                // The array names its elements, which the stream described for another column.
                named.retain(|column| *column != "amounts");
                assert_eq!(event["after"]["amounts"], json!([500, null]));
            } else {
                assert_eq!(event["after"]["amounts"], json!(["500", null]));
                assert_eq!(event["after"]["bounds"], json!(["ok", "ok"]));
                assert_eq!(event["after"]["pair"], "(1,x)");
            }
            assert_eq!(event["after"]["amount"], 5);
            assert_eq!(event["type_mismatch"], json!({"after": named}));
            let row = events[0].after().unwrap();
            let unknown = events[0].table().unwrap().unknown_types();
            for column in row.columns() {
                let is_named = named.contains(&column.name());
                assert_eq!(unknown.contains(&column.ty.oid()), is_named, "{}", column.name());
            }
        });
    }
}

#[test]
fn types_of_a_dropped_extension_are_named() {
    for server in servers() {
        in_each_format(server, |binary| {
            let fixture = Fixture::new(
                server,
                "CREATE EXTENSION hstore; CREATE EXTENSION citext;
                 CREATE TABLE t (id int, h hstore, c citext, cs citext[])",
            );
            fixture.run(["INSERT INTO t VALUES (1, 'a=>1', 'Ab', '{Ab}')"]);
            let events = compare(
                &fixture,
                "DROP TABLE t; DROP EXTENSION hstore; DROP EXTENSION citext",
                binary,
            );
            let event = json(&events[0]);
            assert_eq!(event["type_mismatch"], json!({"after": ["h", "c", "cs"]}));
            if !binary {
                let shown = r#"{"id":1,"h":"\"a\"=>\"1\"","c":"Ab","cs":["Ab"]}"#;
                assert!(after(&events[0]).starts_with(shown), "{event}");
            }
        });
    }
}

#[test]
fn a_renamed_or_recreated_type_is_known_or_named() {
    for server in servers() {
        in_each_format(server, |binary| {
            let fixture = Fixture::new(server, MIGRATION);
            fixture.run(["INSERT INTO t VALUES (1, 'ok', '{ok}', 1, 'sad')"]);
            let events = compare(
                &fixture,
                "ALTER TYPE mood RENAME TO temper; ALTER DOMAIN amount RENAME TO sum",
                binary,
            );
            let expected = r#"{"id":1,"m":"ok","ms":["ok"],"a":1,"n":"sad"}"#;
            assert_eq!(after(&events[0]), expected);
            // The same names, but other types.
            let events = compare(
                &fixture,
                "DROP TABLE t; DROP TYPE temper; DROP DOMAIN sum;
                 CREATE TYPE mood AS (a int); CREATE DOMAIN amount AS text",
                binary,
            );
            let event = json(&events[0]);
            assert_eq!(event["after"]["a"], 1);
            assert_eq!(event["type_mismatch"], json!({"after": ["m", "ms", "n"]}));
        });
    }
}

/// As after a wraparound of the oid counter.
#[test]
fn an_oid_that_another_type_has_now_is_not_used() {
    for server in servers_from(12) {
        in_each_format(server, |binary| {
            let fixture = Fixture::new(
                server,
                "CREATE DOMAIN amount AS int; CREATE DOMAIN label AS text;
                 CREATE TABLE t (id int, a amount, l label)",
            );
            fixture.run(["INSERT INTO t VALUES (1, 500, '5')"]);
            let oid = |name: &str| fixture.number(&format!("'{name}'::regtype::oid"));
            let (amount, label) = (oid("amount"), oid("label"));
            let ddl = format!(
                "DROP TABLE t; DROP DOMAIN amount, label;
                 CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN word AS varchar(9);
                 UPDATE pg_type SET oid = {amount} WHERE typname = 'mood';
                 UPDATE pg_type SET oid = {label} WHERE typname = 'word'"
            );
            let events = compare(&fixture, &ddl, binary);
            assert_eq!(after(&events[0]), r#"{"id":1,"a":500,"l":"5"}"#);
            let names: Vec<_> =
                events[0].table().unwrap().columns().iter().map(ColumnSchema::type_name).collect();
            assert_eq!(names, ["integer", "int4", "text"]);
        });
    }
}
