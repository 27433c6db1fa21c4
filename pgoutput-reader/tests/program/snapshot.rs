//! `pgoutput tail --snapshot initial`, killed at any moment while rows are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::{TIMEOUT, servers};
use serde_json::Value;

use crate::run::{Fixture, PUBLICATION, assert_success, finished, program};
use crate::writing::{Ending, Numbers};

/// The number of rows in each table, so that the program is often killed during the copy.
const ROWS: i64 = 20_000;

/// The number of runs that are killed.
const RUNS: u64 = 12;

/// The bytes that a copy prints, about.
const COPY_BYTES: u64 = 20_000_000;

/// The longest time that a run prints before it is killed.
const LONGEST: Duration = Duration::from_millis(700);

const TABLES: [&str; 3] = ["t", "u", "v"];

/// The names of the rows by table and id.
type Rows = BTreeMap<(String, i64), Option<String>>;

fn fixture(server: &pgoutput_harness::Server) -> Fixture<'_> {
    let mut fixture = Fixture::new(server);
    fixture.slot = fixture.database.slot_name("copied");
    for table in TABLES {
        fixture.sql(&format!("CREATE TABLE IF NOT EXISTS {table} (id int PRIMARY KEY, name text)"));
        let rows = format!("SELECT n, 'name ' || n FROM generate_series(1, {ROWS}) n");
        fixture.sql(&format!("INSERT INTO {table} {rows}"));
    }
    fixture
}

/// Writes small transactions to the tables until the end.
fn write(fixture: &Fixture<'_>, ended: &AtomicBool) {
    let (mut client, mut numbers) = (fixture.client(), Numbers(0x9E37_79B9));
    let mut new_id = ROWS;
    while !ended.load(Ordering::Acquire) {
        let mut statements = Vec::new();
        for _ in 0..=numbers.below(3) {
            let table = TABLES[usize::try_from(numbers.below(3)).unwrap()];
            let id = 1 + numbers.below(u64::try_from(ROWS).unwrap());
            new_id += 1;
            statements.push(match numbers.below(3) {
                0 => format!("INSERT INTO {table} VALUES ({new_id}, NULL);"),
                1 => format!("UPDATE {table} SET name = 'changed {new_id}' WHERE id = {id};"),
                _ => format!("DELETE FROM {table} WHERE id = {id};"),
            });
        }
        client.batch_execute(&format!("BEGIN; {} COMMIT", statements.concat())).unwrap();
        thread::sleep(Duration::from_millis(3));
    }
}

fn source(fixture: &Fixture<'_>) -> Rows {
    let mut client = fixture.client();
    let mut rows = Rows::new();
    for table in TABLES {
        let query = format!("SELECT id::int8, name FROM {table}");
        for row in client.query(&query, &[]).unwrap() {
            rows.insert((table.to_owned(), row.get(0)), row.get(1));
        }
    }
    rows
}

/// Applies a printed change. `once` is whether none may be repeated.
fn apply(rows: &mut Rows, event: &Value, once: bool) {
    let Some(table) = event["table_schema"]["table"].as_str() else { return };
    let key = |row: &Value| (table.to_owned(), row["id"].as_i64().unwrap());
    let name = || event["after"]["name"].as_str().map(str::to_owned);
    let (had, expected) = match event["op"].as_str().unwrap() {
        "T" => return rows.retain(|(of, _), _| of != table),
        "R" | "I" => (rows.insert(key(&event["after"]), name()), false),
        "U" => (rows.insert(key(&event["after"]), name()), true),
        "D" => (rows.remove(&key(&event["before"])), true),
        other => panic!("{other}"),
    };
    assert!(!once || had.is_some() == expected, "{event}");
}

fn tail(fixture: &Fixture<'_>) -> Command {
    let mut command = program();
    let dsn = fixture.database.dsn();
    command.args(["tail", "--quiet", "--dsn", &dsn, "--slot", &fixture.slot]);
    command.args(["--publication", PUBLICATION, "--snapshot", "initial", "--create-slot"]);
    command.stdin(Stdio::null());
    command
}

/// When a run is killed. Times from the start of the program would say nothing on a slow machine.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// While it starts.
    After(Duration),
    /// When it has printed so many bytes, or for a while.
    Printed(u64),
}

/// Kills a program that must still run.
fn kill(mut child: Child) {
    assert_eq!(child.try_wait().unwrap(), None, "the program ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Kills a program by the growth of its output file, which it may shorten first.
fn kill_at(path: &Path, mut child: Child, when: Kill) {
    let bytes = match when {
        Kill::After(time) => {
            thread::sleep(time);
            return kill(child);
        }
        Kill::Printed(bytes) => bytes,
    };
    let size = || fs::metadata(path).map_or(0, |metadata| metadata.len());
    let (start, mut least, mut printing) = (Instant::now(), size(), None);
    loop {
        let size = size();
        least = least.min(size);
        if size > least {
            let since = *printing.get_or_insert_with(Instant::now);
            if size - least >= bytes || since.elapsed() > LONGEST {
                return kill(child);
            }
        }
        assert_eq!(child.try_wait().unwrap(), None, "the program ended by itself");
        assert!(start.elapsed() < TIMEOUT, "nothing was printed");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Kills a program by what is read of its output. It cannot run ahead by more than a pipe holds.
fn kill_reading(path: &Path, mut child: Child, when: Kill) {
    let mut output = child.stdout.take().unwrap();
    let mut read = Vec::new();
    match when {
        Kill::After(time) => thread::sleep(time),
        Kill::Printed(bytes) => {
            let (mut printing, mut buffer) = (None, [0; 4096]);
            loop {
                let len = output.read(&mut buffer).unwrap();
                assert!(len > 0, "the program ended by itself");
                read.extend_from_slice(&buffer[..len]);
                let since = *printing.get_or_insert_with(Instant::now);
                if read.len() as u64 >= bytes || since.elapsed() > LONGEST {
                    break;
                }
            }
        }
    }
    kill(child);
    output.read_to_end(&mut read).unwrap();
    File::create(path).unwrap().write_all(&read).unwrap();
}

/// Runs the program again and again while rows are written. `run` kills the run with this number.
/// The first one is killed early in the copy.
fn kill_runs(fixture: &Fixture<'_>, mut run: impl FnMut(u64, Kill)) {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let ending = Ending(&ended);
        scope.spawn(|| write(fixture, &ended));
        let mut numbers = Numbers(7);
        for number in 0..RUNS {
            let kill = match numbers.below(4) {
                _ if number == 0 => Kill::Printed(1 + numbers.below(COPY_BYTES / 100)),
                0 => Kill::After(Duration::from_millis(numbers.below(100))),
                _ => Kill::Printed(1 + numbers.below(COPY_BYTES * 5 / 4)),
            };
            // A program ends if its slot is still used by the one before.
            fixture.wait_until_free();
            run(number, kill);
        }
        drop(ending);
    });
}

/// The whole lines of a file.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_output_file_has_each_row_and_change_once_however_often_the_program_is_killed() {
    for server in servers() {
        let fixture = fixture(server);
        let folder = tempfile::tempdir().unwrap();
        let run = || {
            let mut command = tail(&fixture);
            command.arg("--output").arg(folder.path().join("changes"));
            command.arg("--position-file").arg(folder.path().join("position"));
            command
        };
        let path = folder.path().join("changes");
        kill_runs(&fixture, |_, kill| {
            let child = run().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            kill_at(&path, child, kill);
        });
        fixture.wait_until_free();
        let ended = finished(run().args(["--until-lsn", &fixture.end()]));
        assert_success(&ended);
        let events = lines(&folder.path().join("changes"));
        let mut rows = Rows::new();
        for event in &events {
            apply(&mut rows, event, true);
        }
        assert!(rows == source(&fixture), "PostgreSQL {}", server.major());
        // The copy was interrupted.
        assert!(events.iter().any(|event| event["op"] == "T"));
        let of = |op: &'static str| events.iter().filter(move |event| event["op"] == op);
        assert_eq!(of("Z").count(), 1);
        let ids: BTreeSet<_> =
            events.iter().map(|event| event["message_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), events.len());
        // No row of a table is copied again.
        let copied: BTreeSet<_> = of("R")
            .map(|event| (event["table_schema"]["table"].as_str(), event["after"]["id"].as_i64()))
            .collect();
        assert_eq!(copied.len(), of("R").count());
    }
}

#[test]
fn without_a_position_file_everything_printed_amounts_to_the_source() {
    for server in servers() {
        let fixture = fixture(server);
        let folder = tempfile::tempdir().unwrap();
        let path = |number: u64| folder.path().join(number.to_string());
        kill_runs(&fixture, |number, kill| {
            let mut command = tail(&fixture);
            command.stdout(Stdio::piped()).stderr(Stdio::null());
            kill_reading(&path(number), command.spawn().unwrap(), kill);
        });
        fixture.wait_until_free();
        let ended = finished(tail(&fixture).args(["--until-lsn", &fixture.end()]));
        assert_success(&ended);
        fs::write(path(RUNS), ended.stdout).unwrap();
        let mut rows = Rows::new();
        let mut empties = 0;
        for event in (0..=RUNS).flat_map(|number| lines(&path(number))) {
            empties += usize::from(event["op"] == "T");
            apply(&mut rows, &event, false);
        }
        assert!(rows == source(&fixture), "PostgreSQL {}", server.major());
        // The copy that was completed came after one that was not.
        assert!(empties >= TABLES.len(), "{empties}");
    }
}
