//! The program with an output file and a position file, killed again and again.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, output};
use pgoutput_tests::{Fixture, PUBLICATION, Random, eventually};
use serde_json::Value;

use crate::with_each_server;

/// The number of rows that each transaction inserts.
const ROWS: usize = 50;

fn tail(fixture: &Fixture<'_>, folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    let dsn = fixture.database().dsn();
    command.args(["tail", "--quiet", "--dsn", &dsn, "--slot", fixture.slot_name()]);
    command.args(["--publication", PUBLICATION]).args(options);
    command.arg("--output").arg(folder.join("changes"));
    command.arg("--position-file").arg(folder.join("position"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// Kills a process, also when a check fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn run(server: &'static Server, seed: u64, faults: usize) {
    let rows = written(server, seed, faults, &[]);
    assert!(rows.iter().all(|row| row["table_schema"].is_object()));
}

/// With the schema once, it comes again after each start, before the first row.
fn run_with_schemas(server: &'static Server, seed: u64, faults: usize) {
    let rows = written(server, seed, faults, &["--schema", "once", "--schema-changes"]);
    assert!(rows.iter().all(|row| row["relation_id"].is_u64()));
}

fn run_polling(server: &'static Server, seed: u64, faults: usize) {
    let rows = written(server, seed, faults, &["--poll", "0.02"]);
    assert!(rows.iter().all(|row| row["table_schema"].is_object()));
}

/// Writes while the program is killed, and returns the rows in the file after checking them.
fn written(server: &'static Server, seed: u64, faults: usize, options: &[&str]) -> Vec<Value> {
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed);
    let position = folder.path().join("position");
    let (mut last, mut stored) = (0, 0);
    let mut client = fixture.client();
    for _ in 0..faults {
        fixture.wait_until_free();
        let before = fs::read(&position).ok();
        let _running = Killed(tail(&fixture, folder.path(), options).spawn().unwrap());
        for _ in 0..=random.below(40) {
            let first = last + 1;
            last += ROWS;
            let insert = format!("INSERT INTO t SELECT generate_series({first}, {last})");
            client.batch_execute(&insert).unwrap();
        }
        // Most often while it stores one position after another, and sometimes before.
        if !random.one_in(4) {
            eventually("a position", || {
                let now = fs::read(&position).ok().filter(|now| now.starts_with(b"{\"length\":"));
                (now.is_some() && now != before).then_some(())
            });
            stored += 1;
        }
        thread::sleep(Duration::from_millis(random.below(100) as u64));
    }
    assert!(faults < 6 || stored > faults / 4, "{stored} of {faults} runs");
    fixture.wait_until_free();
    let end = fixture.end().to_string();
    let ended = output(tail(&fixture, folder.path(), options).args(["--until-lsn", &end]));
    assert!(ended.status.success(), "{ended:?}");
    let lines = fs::read_to_string(folder.path().join("changes")).unwrap();
    let objects = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (schemas, rows): (Vec<_>, Vec<_>) = objects.partition(|object| object["op"] == "S");
    let has_schemas = options.contains(&"--schema-changes");
    assert_eq!(schemas.is_empty(), !has_schemas);
    assert!(lines.starts_with(if has_schemas { r#"{"op":"S""# } else { r#"{"op":"I""# }));
    let ids: Vec<u64> = rows.iter().map(|row| row["after"]["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), last);
    assert!(ids.iter().copied().eq(1..=last as u64), "each change once and in order");
    rows
}

#[test]
fn an_output_file_has_each_change_once_however_often_the_program_is_killed() {
    with_each_server(10, run);
}

#[test]
fn an_output_file_with_schemas_has_each_change_once_however_often_the_program_is_killed() {
    with_each_server(10, run_with_schemas);
}

#[test]
fn an_output_file_that_is_polled_has_each_change_once_however_often_the_program_is_killed() {
    with_each_server(10, run_polling);
}
