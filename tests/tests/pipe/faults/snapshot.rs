//! Faults during an initial copy. The rows of a table whose copy was interrupted come again after
//! an object with op T, and those of a finished table do not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_harness::{Database, Server, output};
use pgoutput_tests::{PUBLICATION, Random, eventually};
use rustix::process::Signal;
use serde_json::Value;

use super::kinds::Fault;
use super::log::{Content, Table};
use super::program::Program;
use super::{Launch, Networks, Run, SEED_VARIABLE, TOPIC, number};
use crate::destination::Destination;

/// The number of tables.
const TABLES: usize = 5;

/// The number of rows of each table.
const ROWS: usize = 8_000;

/// The longest time between two faults, in milliseconds.
const LONGEST: usize = 1_200;

fn tables() -> Vec<Table> {
    let table = |n| Table { name: format!("t{n}"), columns: &["id", "n", "v"], has_key: true };
    (0..TABLES).map(table).collect()
}

fn setup() -> String {
    let fill = |n| {
        format!(
            "CREATE TABLE t{n} (id bigint PRIMARY KEY, n int, v text);
             INSERT INTO t{n} SELECT i, 0, md5(i::text) FROM generate_series(1, {ROWS}) i;"
        )
    };
    let tables: String = (0..TABLES).map(fill).collect();
    format!("{tables} CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES")
}

/// Copies while faults happen and rows change, then the rest. What the log amounts to is the
/// source. Returns a line about it.
pub(super) fn copied(
    major: u32,
    destination: &(dyn Destination + Sync),
    launch: &Launch<'_>,
    faults: usize,
) -> Result<String, String> {
    let seed = number(SEED_VARIABLE).unwrap_or(1);
    let context = format!("copy, PostgreSQL {major}, {SEED_VARIABLE}={seed}, {faults} faults");
    // Shown when a check fails.
    println!("{context}");
    let server = Server::of_major(major).unwrap();
    let database = server.database("copied");
    let slot = database.slot_name("slot");
    database.client().batch_execute(&setup()).unwrap();
    let networks = Networks::before(&database, destination.port());
    let launch = |number: usize, until| {
        let (source, to) = (&networks.dsn, networks.url(destination, number));
        launch(&Run { number, source, slot: &slot, to, until, copies: true })
    };
    let command = |number: usize| launch(number, None);
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(&command, folder.path().into());
    let victims = networks.victims(&program, &server, destination);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ending = Ending(&ended);
        scope.spawn(|| program.run(&ended));
        scope.spawn(|| write(&database, seed, &ended));
        let mut random = Random::new(seed);
        for _ in 0..faults {
            thread::sleep(Duration::from_millis(random.below(LONGEST) as u64));
            let fault = Fault::any(&mut random, networks.engine.is_some());
            fault.happen(&victims);
            program.check().map_err(|error| format!("{context}: after {fault:?}: {error}"))?;
        }
        // It does not advance during the copy.
        let before = confirmed(&database, &slot);
        eventually("the end of the copy", || match program.check() {
            Ok(()) => (confirmed(&database, &slot) > before).then_some(Ok(())),
            error => Some(error),
        })?;
        program.signal(Signal::TERM);
        Ok::<_, String>(())
    })?;
    program.check().map_err(|error| format!("{context}: {error}"))?;

    // The rest of the copy, and what follows it.
    database.wait_until_free(&slot);
    let end = "SELECT pg_current_wal_flush_lsn()::text";
    let end: String = database.client().query_one(end, &[]).unwrap().get(0);
    let ended = output(&mut launch(program.runs() + 1, Some(&end)));
    if !ended.status.success() {
        return Err(format!("{context}: {}", String::from_utf8_lossy(&ended.stderr)));
    }
    let log = destination.values(TOPIC);
    let ops = check_order(&log).map_err(|error| format!("{context}: {error}"))?;
    let mut content = Content::default();
    for record in &log {
        content.apply(&tables(), record).map_err(|error| format!("{context}: {error}"))?;
    }
    let source = Content::read(&mut database.client(), &tables());
    content.equals(&source).map_err(|error| format!("{context}: {error}"))?;
    Ok(format!("{context}: {ops:?}, {}", program.summary()))
}

/// Returns the confirmed LSN of the slot, if there is one.
fn confirmed(database: &Database<'_>, slot: &str) -> Option<Lsn> {
    let query = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1";
    let row = database.client().query_opt(query, &[&slot]).unwrap()?;
    row.get::<_, Option<&str>>(0)?.parse().ok()
}

/// Ends the threads, also when a test fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Changes rows, in and before and after their copy, until `ended`.
fn write(database: &Database<'_>, seed: u64, ended: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut client = None;
    let mut new = ROWS;
    while !ended.load(Ordering::Acquire) {
        new += 1;
        let (table, id) = (random.below(TABLES), 1 + random.below(ROWS));
        let statement = match random.below(6) {
            0 => format!("INSERT INTO t{table} VALUES ({new}, 1, 'new')"),
            1 => format!("DELETE FROM t{table} WHERE id IN ({id}, {})", new - 3),
            2 => format!("UPDATE t{table} SET id = {new} WHERE id = {id}"),
            3 => format!("BEGIN; DELETE FROM t{table} WHERE id > {}; ROLLBACK", ROWS - 50),
            _ => format!("UPDATE t{table} SET n = n + 1 WHERE id BETWEEN {id} AND {}", id + 3),
        };
        client = client.or_else(|| database.try_client().ok());
        // The server may be down.
        client = client.filter(|client: &postgres::Client| !client.is_closed());
        if let Some(client) = &mut client {
            let _ = client.batch_execute(&statement);
        }
        thread::sleep(Duration::from_millis(3));
    }
}

/// Checks that the copy ends once, and that no rows of a table come after those of the next one.
/// Returns the number of records of each kind.
fn check_order(log: &[String]) -> Result<BTreeMap<String, usize>, String> {
    let mut ops = BTreeMap::new();
    let (mut current, mut finished) = (String::new(), Vec::new());
    for record in log {
        let event: Value = serde_json::from_str(record).map_err(|e| format!("{e}: {record}"))?;
        let op = event["op"].as_str().unwrap_or_default();
        *ops.entry(op.to_owned()).or_default() += 1;
        let table = event["table_schema"]["table"].as_str().unwrap_or_default();
        if op == "R" && table != current {
            finished.push(std::mem::replace(&mut current, table.to_owned()));
        }
        if (op == "R" || op == "T") && finished.iter().any(|finished| finished == table) {
            return Err(format!("{table} was finished before {current}: {record}"));
        }
    }
    if ops.get("Z") != Some(&1) {
        return Err(format!("the copy does not end once: {ops:?}"));
    }
    Ok(ops)
}
