//! Examples that are stopped by a signal, or have no standard output.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use pgoutput_harness::{Database, TIMEOUT, Wait, eventually, output, servers};
use rustix::process::{Pid, Signal, kill_process};

use crate::{count_objects, example, exclusive};

/// The number of times that quickstart is stopped.
const ROUNDS: u32 = 16;

fn start(database: &Database<'_>) -> (Child, BufReader<ChildStderr>) {
    let mut command = example("quickstart");
    command.args(["--dsn", &database.dsn()]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    (child, stderr)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Reads standard error up to a line with this beginning.
fn read_up_to(stderr: &mut BufReader<ChildStderr>, beginning: &str) -> String {
    let mut all = String::new();
    loop {
        let start = all.len();
        assert_ne!(stderr.read_line(&mut all).unwrap(), 0, "no line {beginning:?} in {all}");
        if all[start..].starts_with(beginning) {
            return all;
        }
    }
}

#[test]
fn quickstart_drops_its_objects_after_a_signal_during_slot_creation() {
    let _exclusive = exclusive();
    for server in servers() {
        let database = server.database("quickstart_signal");
        for requested in [Signal::INT, Signal::TERM, Signal::HUP] {
            let mut open = database.client();
            // A new slot waits for the end of this transaction.
            open.batch_execute("BEGIN; SELECT pg_catalog.txid_current()").unwrap();
            let (mut child, mut stderr) = start(&database);
            let wait = Wait::killing("quickstart to be stopped", TIMEOUT, &child);
            let mut text = read_up_to(&mut stderr, "created publication");
            signal(&child, requested);
            text += &read_up_to(&mut stderr, "stopping");
            open.batch_execute("COMMIT").unwrap();
            stderr.read_to_string(&mut text).unwrap();
            let status = child.wait().unwrap();
            wait.done();
            assert_eq!(status.code(), Some(1), "{text}");
            for what in ["table", "publication"] {
                assert!(text.contains(&format!("\ndropped {what} ")), "{text}");
            }
            assert_eq!(count_objects(&database), 0, "{text}");
        }
    }
}

/// Signals follow each step that it reports, with several delays.
#[test]
fn quickstart_leaves_nothing_whenever_a_signal_stops_it() {
    let _exclusive = exclusive();
    for server in servers() {
        let database = server.database("quickstart_signals");
        let mut stopped = 0;
        for round in 0..ROUNDS {
            let (mut child, mut stderr) = start(&database);
            let wait = Wait::killing("quickstart to end", TIMEOUT, &child);
            let step = ["using", "created table", "created publication", "created replication"];
            let mut text = read_up_to(&mut stderr, step[round as usize % step.len()]);
            sleep(Duration::from_millis(u64::from(round / 4) * 4));
            signal(&child, if round % 2 == 0 { Signal::INT } else { Signal::TERM });
            stderr.read_to_string(&mut text).unwrap();
            let status = child.wait().unwrap();
            wait.done();
            stopped += u32::from(text.contains("stopped by a signal"));
            // Before it has created anything, a signal ends it directly, without an exit code.
            assert!(matches!(status.code(), None | Some(0 | 1)), "{status}: {text}");
            assert!(status.code().is_some() || !text.contains("created"), "{text}");
            assert_eq!(count_objects(&database), 0, "{text}");
        }
        assert_ne!(stopped, 0, "no round stopped it during its work");
    }
}

/// Runs a command with its standard output closed.
fn without_output(command: &Command) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" >&-", "sh"]).arg(command.get_program());
    shell.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    output(&mut shell)
}

fn assert_refused(ended: &Output) {
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert!(text.contains("standard output is closed") && text.lines().count() == 1, "{text}");
}

#[test]
fn quickstart_creates_nothing_without_an_output() {
    let _exclusive = exclusive();
    for server in servers() {
        let database = server.database("quickstart_closed");
        assert_refused(&without_output(example("quickstart").args(["--dsn", &database.dsn()])));
        assert_eq!(count_objects(&database), 0);
    }
    // It does not start a server either.
    assert_refused(&without_output(&example("quickstart")));
}

#[test]
fn follow_acknowledges_nothing_without_an_output() {
    for server in servers() {
        let database = server.database("follow_closed");
        let slot = database.slot_name("follow_closed");
        let mut client = database.client();
        client.batch_execute("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t").unwrap();
        client
            .execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", &[&slot])
            .unwrap();
        let confirmed = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots \
                         WHERE slot_name = $1 AND NOT active";
        let mut confirmed = || {
            eventually("the slot to be free", || {
                client.query_opt(confirmed, &[&slot]).unwrap().map(|row| row.get::<_, String>(0))
            })
        };
        let before = confirmed();
        database.client().batch_execute("INSERT INTO t VALUES (1), (2)").unwrap();
        assert_refused(&without_output(example("follow").args([&database.uri(), &slot, "p"])));
        assert_eq!(confirmed(), before);
    }
}
