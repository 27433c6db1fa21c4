//! Names, values and arguments with escape sequences, none of which reaches the terminal.

use pgoutput_decode::is_printable;
use pgoutput_harness::{servers, servers_from};
use serde_json::Value;

use crate::run::{Fixture, assert_success, error_line, finished, program};

/// Text that clears the screen, starts a C1 sequence, reverses the direction, hides text and breaks
/// lines.
const HOSTILE: &str =
    "x\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{2028}\u{feff}\u{85}\r\n\u{e0041}";

fn assert_printable(text: &str) {
    for line in text.lines() {
        assert_eq!(line.chars().find(|c| !is_printable(*c)), None, "{line:?}");
    }
}

/// Quotes an SQL identifier.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[test]
fn names_and_values_of_a_server_are_escaped_without_loss() {
    // PostgreSQL 14 is the first with messages and the binary format.
    for server in servers_from(14) {
        let fixture = Fixture::new(server);
        let [schema, table, column, of_type, publication, prefix] =
            ["s", "t", "c", "y", "p", "m"].map(|name| format!("{name}{HOSTILE}"));
        let name = |name: &str| identifier(name);
        let (schema_id, table_id, column_id, type_id) =
            (name(&schema), name(&table), name(&column), name(&of_type));
        fixture.sql(&format!(
            "CREATE SCHEMA {schema_id};
             CREATE TYPE {schema_id}.{type_id} AS ({column_id} text, d json);
             CREATE TABLE {schema_id}.{table_id} (
                 {column_id} text PRIMARY KEY, v {schema_id}.{type_id}, j jsonb, d json);
             CREATE PUBLICATION {} FOR TABLE {schema_id}.{table_id}",
            name(&publication)
        ));
        // The backslash is the last character of the value and must not escape what follows.
        let text = format!("{HOSTILE}\\");
        let document = serde_json::json!({ &text: [&text] });
        fixture
            .client()
            .execute(
                &format!(
                    "INSERT INTO {schema_id}.{table_id} VALUES (
                     $1::text, ROW($1::text, $2::text::json), $2::text::jsonb, $2::text::json)"
                ),
                &[&text, &document.to_string()],
            )
            .unwrap();
        fixture
            .client()
            .execute("SELECT pg_logical_emit_message(true, $1, $2::text)", &[&prefix, &text])
            .unwrap();
        for binary in [&[][..], &["--binary"]] {
            for format in ["jsonl", "json"] {
                let end = fixture.end();
                let dsn = fixture.database.dsn();
                let mut tail = program();
                tail.args(["tail", "--dsn", &dsn, "--slot", &fixture.slot, "--no-ack"]);
                tail.args(["--messages", "--publication", &publication, "--until-lsn", &end]);
                let output = finished(tail.args(["--format", format]).args(binary));
                assert_success(&output);
                let printed = String::from_utf8(output.stdout).unwrap();
                assert_printable(&printed);
                assert_printable(&String::from_utf8(output.stderr).unwrap());
                let events: Vec<Value> = serde_json::Deserializer::from_str(&printed)
                    .into_iter()
                    .collect::<Result<_, _>>()
                    .unwrap();
                let [change, message] = events.as_slice() else { panic!("{printed}") };
                assert_eq!(change["table_schema"]["schema_name"], schema);
                assert_eq!(change["table_schema"]["table"], table);
                let columns = &change["table_schema"]["column_definitions"];
                assert_eq!(columns[0]["name"], column);
                assert!(columns[1]["type_name"].as_str().unwrap().contains(&of_type));
                assert_eq!(change["after"][&column], text);
                assert_eq!(change["after"]["v"][&column], text);
                for document_column in ["j", "d"] {
                    assert_eq!(change["after"][document_column], document);
                }
                assert_eq!(change["after"]["v"]["d"], document);
                assert_eq!(message["message"]["prefix"], prefix);
                assert_eq!(message["message"]["content"], text);
            }
        }
    }
}

#[test]
fn names_in_error_messages_are_escaped() {
    for server in servers() {
        let fixture = Fixture::new(server);
        // The error lists an existing one.
        fixture.sql(&format!("CREATE PUBLICATION {}", identifier(&format!("p{HOSTILE}"))));
        let dsn = fixture.database.dsn();
        let slot = fixture.slot.as_str();
        for (dsn, slot, publication) in [
            (dsn.as_str(), slot, HOSTILE),
            (dsn.as_str(), HOSTILE, "p"),
            (&format!("{dsn} dbname='{HOSTILE}'"), slot, "p"),
            (&format!("{dsn} user='{HOSTILE}'"), slot, "p"),
            (&format!("{dsn} host='{HOSTILE}' hostaddr=''"), slot, "p"),
            (&format!("{dsn} host='/{HOSTILE}' hostaddr=''"), slot, "p"),
        ] {
            let arguments = ["tail", "--dsn", dsn, "--slot", slot, "--publication", publication];
            assert_printable(&error_line(&finished(program().args(arguments)), 1));
        }
        let exists = ["tail", "--dsn", &dsn, "--slot", slot, "--publication", HOSTILE];
        let line = error_line(&finished(program().args(exists)), 1);
        assert!(line.contains("x\\u{1b}[2J\\u{7f}"), "{line}");
    }
}

#[test]
fn arguments_in_error_messages_are_escaped() {
    let option = format!("--{HOSTILE}");
    let dsn = format!("{HOSTILE}=1");
    for arguments in [
        &["tail", "--slot", "s", "--publication", "p", &option][..],
        &["tail", "--slot", "s", "--publication", "p", "--limit", HOSTILE],
        &["tail", "--slot", "s", "--publication", "p", "--format", HOSTILE],
        &["tail", "--slot", "s", "--publication", "p", "--until-lsn", HOSTILE],
        &["tail", "--slot", "s", "--publication", "p", HOSTILE],
        &["tail", "--slot", "s", "--publication", "p", "--dsn", &dsn],
        &["tail", "--slot", "s", "--publication", "p", "--dsn", HOSTILE],
        &[HOSTILE],
    ] {
        let output = finished(program().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert_printable(&String::from_utf8(output.stderr).unwrap());
    }
}
