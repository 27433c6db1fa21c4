//! Examples that are stopped by a signal, or have no standard output.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use pgoutput_harness::{Database, PATIENCE, Wait, eventually, output, servers};
use rustix::process::{Pid, Signal, kill_process};

use crate::{example, left_behind};

/// How many times quickstart is stopped at some moment.
const ROUNDS: u32 = 16;

fn start(database: &Database<'_>) -> (Child, BufReader<ChildStderr>) {
    let mut command = example("quickstart");
    command.args(["--dsn", &database.dsn()]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    (child, said)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Reads standard error up to a line that begins like this.
fn read_up_to(said: &mut BufReader<ChildStderr>, beginning: &str) -> String {
    let mut all = String::new();
    loop {
        let start = all.len();
        assert_ne!(said.read_line(&mut all).unwrap(), 0, "no line {beginning:?} in {all}");
        if all[start..].starts_with(beginning) {
            return all;
        }
    }
}

#[test]
fn quickstart_drops_what_it_made_when_a_signal_stops_it_while_it_makes_the_slot() {
    for server in servers() {
        let database = server.database("quickstart_signal");
        for asked in [Signal::INT, Signal::TERM, Signal::HUP] {
            let mut open = database.client();
            // A new slot waits for the end of this transaction.
            open.batch_execute("BEGIN; SELECT pg_catalog.txid_current()").unwrap();
            let (mut child, mut stderr) = start(&database);
            let wait = Wait::or_kill("quickstart to be stopped", PATIENCE, &child);
            let mut said = read_up_to(&mut stderr, "created publication");
            signal(&child, asked);
            said += &read_up_to(&mut stderr, "stopping");
            open.batch_execute("COMMIT").unwrap();
            stderr.read_to_string(&mut said).unwrap();
            let status = child.wait().unwrap();
            wait.done();
            assert_eq!(status.code(), Some(1), "{said}");
            for what in ["table", "publication"] {
                assert!(said.contains(&format!("\ndropped {what} ")), "{said}");
            }
            assert_eq!(left_behind(&database), 0, "{said}");
        }
    }
}

/// After each step that it reports, and a little later.
#[test]
fn quickstart_leaves_nothing_whenever_a_signal_stops_it() {
    for server in servers() {
        let database = server.database("quickstart_signals");
        let mut stopped = 0;
        for round in 0..ROUNDS {
            let (mut child, mut stderr) = start(&database);
            let wait = Wait::or_kill("quickstart to end", PATIENCE, &child);
            let step = ["using", "created table", "created publication", "created replication"];
            let mut said = read_up_to(&mut stderr, step[round as usize % step.len()]);
            sleep(Duration::from_millis(u64::from(round / 4) * 4));
            signal(&child, if round % 2 == 0 { Signal::INT } else { Signal::TERM });
            stderr.read_to_string(&mut said).unwrap();
            let status = child.wait().unwrap();
            wait.done();
            stopped += u32::from(said.contains("stopped by a signal"));
            // No code: before it made anything, a signal ends it as it ends every program.
            assert!(matches!(status.code(), None | Some(0 | 1)), "{status}: {said}");
            assert!(status.code().is_some() || !said.contains("created"), "{said}");
            assert_eq!(left_behind(&database), 0, "{said}");
        }
        assert_ne!(stopped, 0, "no round stopped it amid its work");
    }
}

/// Runs a command as a shell does that closes its standard output.
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
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("standard output is closed") && said.lines().count() == 1, "{said}");
}

#[test]
fn quickstart_makes_nothing_without_an_output() {
    for server in servers() {
        let database = server.database("quickstart_closed");
        assert_refused(&without_output(example("quickstart").args(["--dsn", &database.dsn()])));
        assert_eq!(left_behind(&database), 0);
    }
    // Nor does it start a server.
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
