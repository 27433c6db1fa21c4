//! Standard output: at least once, in two forms of lines.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use pgoutput_harness::{TIMEOUT, Wait, output, servers};
use pgoutput_tests::Fixture;
use serde_json::{Value, json};

use crate::program::pipe;

fn lines(fixture: &Fixture<'_>, options: &[&str]) -> Vec<String> {
    fixture.wait_until_free();
    let end = fixture.end().to_string();
    let mut command = pipe(fixture, "-");
    let ended = output(command.args(["--quiet", "--until-lsn", &end]).args(options));
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_line_is_a_value_or_a_record() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let topic = ["--topic", "a\"{schema}.{table}"];
        let record = lines(&fixture, &["--lines", "record", topic[0], topic[1]]);
        let record: Value = serde_json::from_str(&record.concat()).unwrap();
        let fields: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields.len(), 3, "{record}");
        assert_eq!(record["topic"], "a\"public.t");
        assert!(record["key"].is_object() || record["key"].is_null());
        assert_eq!(record["value"]["after"], json!({ "id": 1 }));
        fixture.run(["INSERT INTO t VALUES (2)"]);
        let value = lines(&fixture, &[]);
        let value: Value = serde_json::from_str(&value.concat()).unwrap();
        assert_eq!(value["after"], json!({ "id": 2 }));
    }
}

#[test]
fn lines_are_for_files_and_standard_output() {
    let servers = servers();
    let fixture = Fixture::new(servers.last().unwrap(), "CREATE TABLE t (id int)");
    let ended = output(pipe(&fixture, "redis://127.0.0.1:1").args(["--lines", "value"]));
    let text = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{text}");
    assert!(text.contains("--lines is for file: and -"), "{text}");
}

#[test]
fn what_does_not_fit_on_a_disk_is_not_acknowledged() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run(["INSERT INTO t SELECT generate_series(1, 100)"]);
        let mut command = pipe(&fixture, "-");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let child = command.arg("--quiet").stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        let wait = Wait::killing("the program to end", TIMEOUT, &child);
        let ended = child.wait_with_output().unwrap();
        wait.done();
        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{text}");
        assert!(text.contains("writing to standard output: "), "{text}");
        assert_eq!(lines(&fixture, &[]).len(), 100);
        assert_eq!(lines(&fixture, &[]).len(), 0, "acknowledged once they are written");
    }
}

#[test]
fn a_closed_output_is_an_orderly_end() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run(["INSERT INTO t SELECT generate_series(1, 10000)"]);
        let mut command = pipe(&fixture, "-");
        command.arg("--quiet").stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let wait = Wait::killing("the program to end", TIMEOUT, &child);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ended = child.wait_with_output().unwrap();
        wait.done();
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
        assert_eq!(ended.status.code(), Some(0));
        // Its transaction was not written completely.
        assert_eq!(lines(&fixture, &[]).len(), 10_000);
    }
}
