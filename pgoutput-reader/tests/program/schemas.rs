//! Descriptions of tables in the output: `--schema-changes` and `--schema once`.

use std::fs;

use pgoutput_harness::servers;
use serde_json::{Value, json};

use crate::run::{Fixture, assert_success, finished};

fn ops(events: &[Value]) -> String {
    events.iter().map(|event| event["op"].as_str().unwrap()).collect()
}

fn keys(event: &Value) -> Vec<&str> {
    event.as_object().unwrap().keys().map(String::as_str).collect()
}

fn write(fixture: &Fixture<'_>) {
    fixture.sql("INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    fixture.sql("ALTER TABLE t RENAME name TO title; INSERT INTO t VALUES (3, 'three')");
    fixture.sql("INSERT INTO t VALUES (4, 'four')");
}

#[test]
fn changes_of_a_table_are_printed_only_with_the_option() {
    for server in servers() {
        let fixture = Fixture::new(server);
        write(&fixture);
        let plain = fixture.lines(&["--no-ack", "--position"]);
        assert_eq!(ops(&plain), "IIII");
        let all = fixture.lines(&["--no-ack", "--position", "--schema-changes"]);
        assert_eq!(ops(&all), "IISII");
        let rows: Vec<_> = all.iter().filter(|event| event["op"] != "S").cloned().collect();
        assert_eq!(rows, plain);
        let change = &all[2];
        assert_eq!(change["table_schema"], all[3]["table_schema"]);
        assert_eq!(change["schema_change"]["before"], all[0]["table_schema"]);
        let renamed = json!([{"before": "name", "after": "title"}]);
        assert_eq!(change["schema_change"]["renamed"], renamed);
        let position = change["position"].as_str().unwrap();
        assert!(position.ends_with(":s0."), "{position}");
        // It is no change of its own: three rows.
        let limited = finished(&mut fixture.tail(&["--schema-changes", "--limit", "3"]));
        assert_success(&limited);
        assert_eq!(String::from_utf8(limited.stdout).unwrap().lines().count(), 4);
    }
}

#[test]
fn a_schema_is_printed_once_and_again_after_each_start() {
    for server in servers() {
        let fixture = Fixture::new(server);
        write(&fixture);
        let plain = fixture.lines(&["--no-ack"]);
        let all = fixture.lines(&["--no-ack", "--schema", "once"]);
        assert_eq!(ops(&all), "SIISII");
        let id = &plain[0]["table_schema"]["relation_id"];
        let (mut rows, mut schema) = (plain.iter(), &Value::Null);
        for event in &all {
            if event["op"] == "S" {
                schema = &event["table_schema"];
                assert!(event.get("schema_change").is_none());
                continue;
            }
            let mut expected = rows.next().unwrap().clone();
            assert_eq!(*schema, expected["table_schema"]);
            assert!(!keys(event).contains(&"table_schema"));
            let fields = expected.as_object_mut().unwrap();
            fields.remove("table_schema");
            fields.insert("relation_id".into(), id.clone());
            assert_eq!(*event, expected);
        }
        for format in ["json", "jsonl"] {
            let arguments = ["--no-ack", "--schema", "once", "--format", format, "--limit", "1"];
            let output = finished(&mut fixture.tail(&arguments));
            assert_success(&output);
            let text = String::from_utf8(output.stdout).unwrap();
            let events: Result<Vec<Value>, _> =
                serde_json::Deserializer::from_str(&text).into_iter().collect();
            assert_eq!(events.unwrap(), all[..2], "{format}");
        }
        let both = fixture.lines(&["--no-ack", "--schema", "once", "--schema-changes"]);
        assert_eq!(ops(&both), "SIISII");
        assert_eq!(both[3]["schema_change"]["before"], all[0]["table_schema"]);
    }
}

/// In an output file, a schema comes again after each start, and no change does.
#[test]
fn an_output_file_has_each_change_once_after_the_schema_of_its_table() {
    for server in servers() {
        let fixture = Fixture::new(server);
        write(&fixture);
        let plain = fixture.lines(&["--no-ack"]);
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (output, position) = (path("changes"), path("position"));
        let end = fixture.end();
        for _ in 0..plain.len() {
            fixture.wait_until_free();
            let run = finished(&mut fixture.tail(&[
                "--schema",
                "once",
                "--schema-changes",
                "--limit",
                "1",
                "--until-lsn",
                &end,
                "--output",
                &output,
                "--position-file",
                &position,
            ]));
            assert_success(&run);
        }
        let text = fs::read_to_string(&output).unwrap();
        let events: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(ops(&events), "SISISISI");
        let ids = |events: &[Value]| -> Vec<Value> {
            let rows = events.iter().filter(|event| event["op"] != "S");
            rows.map(|event| event["message_id"].clone()).collect()
        };
        assert_eq!(ids(&events), ids(&plain));
        for (pair, row) in events.chunks(2).zip(&plain) {
            assert_eq!(pair[0]["table_schema"], row["table_schema"]);
        }
    }
}
