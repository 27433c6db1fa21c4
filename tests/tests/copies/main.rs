//! The program copies tables that are written to and altered, while it and the server's processes
//! are killed. Its output amounts to the source.
//!
//! `PGOUTPUT_COPY_ROWS=20000000` sets the number of rows, for a run with `--release`.

mod killer;
mod replay;
mod writer;

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_harness::{Database, Server, servers};
use pgoutput_tests::{Random, within};

use replay::{Replay, source};

/// The number of rows of all tables.
const ROWS: u32 = 60_000;

const ROWS_VARIABLE: &str = "PGOUTPUT_COPY_ROWS";

/// The number of times that the program is killed.
const KILLS: usize = 8;

/// The longest time until a copy of the largest number of rows has ended.
const LONGEST_COPY: Duration = Duration::from_secs(1200);

/// The largest resident memory of the program, in KiB.
const MEMORY: u64 = 64 * 1024;

fn rows() -> u32 {
    let text = std::env::var(ROWS_VARIABLE).ok();
    text.map_or(ROWS, |text| text.parse().unwrap_or_else(|e| panic!("{ROWS_VARIABLE}: {e}")))
}

fn tail(database: &Database<'_>, slot: &str, folder: &Path, jobs: NonZeroU32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.args(["tail", "--dsn", &database.dsn(), "--slot", slot]);
    command.args(["--publication", "p", "--create-slot", "--snapshot", "initial"]);
    command.args(["--schema", "once", "--jobs", &jobs.to_string()]);
    command.arg("--output").arg(folder.join("changes"));
    command.arg("--position-file").arg(folder.join("position"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// The confirmed LSN of the slot: it does not advance during the copy.
fn confirmed(database: &Database<'_>, slot: &str) -> Option<String> {
    let query = "SELECT pg_catalog.lpad(confirmed_flush_lsn::pg_catalog.text, 20)
        FROM pg_catalog.pg_replication_slots WHERE slot_name = $1";
    let row = database.client().query_opt(query, &[&slot]).unwrap();
    row.map(|row| row.get(0))
}

/// A process that is killed at the end, also when a check fails.
struct Killed(Child);

impl Killed {
    /// The largest resident memory so far, in KiB; `None` if the system does not report it, or the
    /// process has ended.
    fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Tells threads to end, also when a check fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Copies while everything is killed, then to the end, and compares.
fn run(server: &'static Server, jobs: NonZeroU32) {
    let rows = rows();
    let database = server.database("copies");
    let slot = database.slot_name("copies");
    let context = format!("PostgreSQL {}, {jobs} jobs, {rows} rows", server.major());
    writer::set_up(&mut database.client(), rows);
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(u64::from(jobs.get()));
    // Up to the time of several copies, on a machine that is busy.
    let longest = 1500 + rows as usize / 800;
    let (kills_ended, writes_ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut memory = None;
    let terminated = thread::scope(|scope| {
        let (end_kills, end_writes) = (Ending(&kills_ended), Ending(&writes_ended));
        scope.spawn(|| writer::transactions(&database, &writes_ended));
        scope.spawn(|| writer::alterations(&database, &writes_ended));
        let killer = scope.spawn(|| killer::backends(&database, longest / 4, &kills_ended));
        for _ in 0..KILLS {
            let child = Killed(tail(&database, &slot, folder.path(), jobs).spawn().unwrap());
            thread::sleep(Duration::from_millis(random.below(longest) as u64));
            memory = child.memory().max(memory);
        }
        drop(end_kills);
        let terminated = killer.join().unwrap();
        // The rest of the copy, and changes after it.
        let before = confirmed(&database, &slot);
        let mut child = None;
        within(LONGEST_COPY, "the end of the copy", || {
            let child: &mut Killed = child.get_or_insert_with(|| {
                database.wait_until_free(&slot);
                Killed(tail(&database, &slot, folder.path(), jobs).spawn().unwrap())
            });
            memory = child.memory().max(memory);
            let status = child.0.try_wait().unwrap();
            assert_eq!(status, None, "{context}: the program has ended");
            (confirmed(&database, &slot) > before).then_some(())
        });
        drop(end_writes);
        terminated
    });
    database.wait_until_free(&slot);
    let end: String = database
        .client()
        .query_one("SELECT pg_catalog.pg_current_wal_flush_lsn()::pg_catalog.text", &[])
        .unwrap()
        .get(0);
    let mut last = tail(&database, &slot, folder.path(), jobs);
    let mut child = Killed(last.args(["--until-lsn", &end]).spawn().unwrap());
    let status = loop {
        memory = child.memory().max(memory);
        match child.0.try_wait().unwrap() {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "{context}: {status}");
    assert!(memory.is_none_or(|memory| memory < MEMORY), "{context}: {memory:?} KiB");
    let replay = Replay::of(&folder.path().join("changes"));
    println!("{context}: {replay}, {terminated} backends terminated, {memory:?} KiB at most");
    assert_eq!(replay.ends(), 1, "{context}");
    for table in writer::TABLES {
        let source = source(&mut database.client(), table);
        replay.assert_eq(table, &source, &context);
    }
}

#[test]
fn a_copy_by_one_job_amounts_to_the_source_whatever_is_killed() {
    for server in servers() {
        run(server, NonZeroU32::MIN);
    }
}

#[test]
fn a_copy_by_four_jobs_amounts_to_the_source_whatever_is_killed() {
    for server in servers() {
        run(server, NonZeroU32::new(4).unwrap());
    }
}
