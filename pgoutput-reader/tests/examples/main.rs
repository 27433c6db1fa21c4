//! The examples on real servers, run as a user runs them.
#![cfg(all(feature = "reader", feature = "json"))]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pgoutput_harness::{TIMEOUT, Wait, cargo, output, output_within, servers, servers_from};
use serde_json::Value;

mod ends;
mod outbox;
mod postgres;
mod proxy;
mod replay_test;
mod running;
mod sink;
mod sqlite;
mod threads;

/// Returns the command of an example. `cargo test` has built it; a run of this test alone builds it
/// here.
fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    if !path.exists() {
        let mut build = cargo();
        build.args(["build", "--quiet", "-p", "pgoutput-reader", "--example", name]);
        // A build from scratch on a busy machine takes minutes.
        let built = output_within(&mut build, Duration::from_secs(1800)).unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PG") && !text.starts_with("PGOUTPUT") || text == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

/// Lets one test at a time run `quickstart` on the shared servers: the name of its slot is the same
/// in every database, and unique on a server.
fn exclusive() -> MutexGuard<'static, ()> {
    static QUICKSTART: Mutex<()> = Mutex::new(());
    let wait = Wait::new("the other tests of quickstart", TIMEOUT * 10);
    let guard = QUICKSTART.lock().unwrap_or_else(PoisonError::into_inner);
    wait.done();
    guard
}

/// Returns the operations that `quickstart` prints, each as a whole JSON event.
fn quickstart(arguments: &[&str]) {
    let output = output(example("quickstart").args(arguments));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> =
        serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect();
    let ops: Vec<_> = events.iter().map(|event| event["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["I", "I", "I", "U", "U", "D", "T"], "{stderr}");
    for event in &events {
        assert_eq!(event["table_schema"]["table"], "readme");
        assert_eq!(
            event["table_schema"]["column_definitions"][1]["type_name"],
            "timestamp with time zone"
        );
    }
    assert_eq!(events[4]["before"]["id"], 3);
    assert_eq!(events[4]["after"]["id"], 4);
}

#[test]
fn quickstart_runs_on_a_throwaway_server() {
    quickstart(&[]);
}

#[test]
fn quickstart_leaves_nothing_on_a_named_server() {
    let _exclusive = exclusive();
    for server in servers_from(11) {
        let database = server.database("quickstart");
        quickstart(&["--dsn", &database.dsn()]);
        assert_eq!(count_objects(&database), 0);
    }
}

/// Counts the objects that `quickstart` may leave: table, publication, slot.
fn count_objects(database: &pgoutput_harness::Database<'_>) -> i64 {
    let left = "SELECT (SELECT count(*) FROM pg_class WHERE relname = 'readme')
                     + (SELECT count(*) FROM pg_publication)
                     + (SELECT count(*) FROM pg_replication_slots
                        WHERE database = current_database())";
    database.client().query_one(left, &[]).unwrap().get(0)
}

#[test]
fn quickstart_leaves_nothing_when_its_output_is_closed_early() {
    let _exclusive = exclusive();
    for server in servers() {
        let database = server.database("quickstart_head");
        for round in 0..8 {
            let mut command = example("quickstart");
            command.args(["--dsn", &database.dsn()]).stdin(Stdio::null());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            let wait = Wait::killing("quickstart to end", TIMEOUT, &child);
            // Closes the output after one line, as `head -1` does, or unread.
            if round % 2 == 0 {
                out.read_line(&mut String::new()).unwrap();
            }
            drop(out);
            let ended = child.wait_with_output().unwrap();
            wait.done();
            let stderr = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(0), "{stderr}");
            assert!(stderr.contains("dropped replication slot pgoutput_quickstart"), "{stderr}");
            assert_eq!(count_objects(&database), 0, "{stderr}");
        }
    }
}

#[test]
fn quickstart_reports_its_server_and_the_servers_error() {
    let _exclusive = exclusive();
    for server in servers() {
        let database = server.database("quickstart_taken");
        database.client().batch_execute("CREATE TABLE public.readme ()").unwrap();
        let ended = output(example("quickstart").args(["--dsn", &database.dsn()]));
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        let [using, error] = lines.as_slice() else { panic!("{stderr}") };
        let named = format!("{}, database \"{}\"", server.port(), database.name());
        assert!(using.starts_with(&format!("using PostgreSQL {}.", server.major())), "{using}");
        assert!(using.ends_with(&named), "{using}");
        let expected = "creating table public.readme: ERROR: relation \"readme\" already exists \
                        (SQLSTATE 42P07)";
        assert_eq!(*error, expected);
    }
}

#[test]
fn quickstart_uses_a_throwaway_server_unless_a_server_is_named() {
    let mut command = example("quickstart");
    // A user and a database do not name a server.
    command.env("PGUSER", "nobody").env("PGPASSWORD", "x").env("PGDATABASE", "nowhere");
    let ended = output(&mut command);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert!(stderr.starts_with("starting a throwaway server\nusing PostgreSQL "), "{stderr}");
    // A named server is used, and cannot be reached here.
    for (name, value) in [
        ("PGHOST", "/nonexistent"),
        ("PGHOSTADDR", "127.0.0.1"),
        ("DATABASE_URL", "postgresql://127.0.0.1:1/d"),
    ] {
        let ended = output(example("quickstart").env("PGPORT", "1").env(name, value));
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.lines().count() == 1 && stderr.contains("listens"), "{name}: {stderr}");
    }
}

#[test]
fn follow_prints_a_line_for_each_change() {
    for server in servers() {
        let database = server.database("follow");
        let slot = database.slot_name("follow");
        let mut client = database.client();
        client.batch_execute("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t").unwrap();
        client
            .execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", &[&slot])
            .unwrap();
        let mut follow = example("follow")
            .args([&database.uri(), &slot, "p"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
        let wait = Wait::killing("three lines of the example", TIMEOUT, &follow);
        for id in 1..=3 {
            client.batch_execute(&format!("INSERT INTO t VALUES ({id})")).unwrap();
            let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(event["after"]["id"], id);
        }
        follow.kill().unwrap();
        follow.wait().unwrap();
        drop(wait);
    }
}
