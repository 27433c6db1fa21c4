//! `pgoutput tail --snapshot initial,added`, killed at any moment while rows are written and tables
//! join and leave the publication.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

use pgoutput_harness::{eventually, servers};
use serde_json::Value;

use crate::run::{Fixture, program};
use crate::writing::{Ending, Numbers};

const ROWS: u64 = 8_000;

/// The number of runs that are killed.
const RUNS: u64 = 14;

/// The tables, in the order of their oids. The middle one is always published.
const TABLES: [&str; 3] = ["lower", "middle", "upper"];

/// The names of the rows by table and id.
type Rows = BTreeMap<(String, i64), Option<String>>;

fn fixture(server: &pgoutput_harness::Server) -> Fixture<'_> {
    let mut fixture = Fixture::new(server);
    fixture.slot = fixture.database.slot_name("added");
    for table in TABLES {
        fixture.sql(&format!("CREATE TABLE {table} (id int PRIMARY KEY, name text)"));
        let rows = format!("SELECT n, 'name ' || n FROM generate_series(1, {ROWS}) n");
        fixture.sql(&format!("INSERT INTO {table} {rows}"));
    }
    fixture.sql("CREATE PUBLICATION listed FOR TABLE middle");
    fixture
}

/// Writes small transactions to the tables until the end.
fn write(fixture: &Fixture<'_>, ended: &AtomicBool) {
    let (mut client, mut numbers) = (fixture.client(), Numbers(0x9E37_79B9));
    let mut new_id = ROWS;
    while !ended.load(Ordering::Acquire) {
        let mut statements = Vec::new();
        for _ in 0..=numbers.below(3) {
            let (table, id) = (numbers.one_of(&TABLES), 1 + numbers.below(ROWS));
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

/// Lets a table leave the publication, or join it.
fn alter(fixture: &Fixture<'_>, published: &mut BTreeSet<&str>, table: &'static str) {
    let change = if published.remove(table) { "DROP" } else { "ADD" };
    if change == "ADD" {
        published.insert(table);
    }
    // Older servers may lose changes of a transaction that is open meanwhile.
    fixture.sql(&format!(
        "BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;
        ALTER PUBLICATION listed {change} TABLE {table}; COMMIT"
    ));
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

/// Applies a printed change. Those of a table that is not always published may lack others.
fn apply(rows: &mut Rows, event: &Value) {
    let Some(table) = event["table_schema"]["table"].as_str() else { return };
    let key = |row: &Value| (table.to_owned(), row["id"].as_i64().unwrap());
    let name = || event["after"]["name"].as_str().map(str::to_owned);
    let op = event["op"].as_str().unwrap();
    let (had, expected) = match op {
        "T" => return rows.retain(|(of, _), _| of != table),
        "R" | "I" => (rows.insert(key(&event["after"]), name()), false),
        "U" => (rows.insert(key(&event["after"]), name()), true),
        "D" => (rows.remove(&key(&event["before"])), true),
        other => panic!("{other}"),
    };
    let is_exact = op == "R" || table == "middle";
    assert!(!is_exact || had.is_some() == expected, "{event}");
}

/// Whether the last copy of tables has ended.
fn is_complete(events: &[Value]) -> bool {
    let last = |op: &str| events.iter().rposition(|event| event["op"] == op);
    last("Z") > last("R")
}

/// The whole lines of the file, and the rows that they amount to.
fn replayed(path: &Path) -> (Vec<Value>, Rows) {
    let text = fs::read_to_string(path).unwrap();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let events: Vec<Value> = whole.map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut rows = Rows::new();
    for event in &events {
        apply(&mut rows, event);
    }
    (events, rows)
}

fn tail(fixture: &Fixture<'_>, folder: &Path) -> Command {
    let mut command = program();
    let dsn = fixture.database.dsn();
    command.args(["tail", "--quiet", "--dsn", &dsn, "--slot", &fixture.slot, "--publication"]);
    command.args(["listed", "--snapshot", "initial,added", "--create-slot"]);
    command.arg("--output").arg(folder.join("changes"));
    command.arg("--position-file").arg(folder.join("position"));
    command.stdin(Stdio::null());
    command
}

#[test]
fn tables_that_join_are_in_the_output_file_once_however_often_the_program_is_killed() {
    for server in servers() {
        let (fixture, folder) = (fixture(server), tempfile::tempdir().unwrap());
        let (ended, mut numbers) = (AtomicBool::new(false), Numbers(5));
        let mut published = BTreeSet::new();
        thread::scope(|scope| {
            let _ending = Ending(&ended);
            scope.spawn(|| write(&fixture, &ended));
            for run in 0..RUNS {
                // A program ends if its slot is still used by the one before.
                fixture.wait_until_free();
                let child = tail(&fixture, folder.path()).stderr(Stdio::null()).spawn();
                let mut child = child.unwrap();
                thread::sleep(Duration::from_millis(numbers.below(500)));
                if run > 1 && numbers.below(2) == 0 {
                    alter(&fixture, &mut published, numbers.one_of(&["lower", "upper"]));
                }
                thread::sleep(Duration::from_millis(numbers.below(500)));
                child.kill().unwrap();
                child.wait().unwrap();
            }
        });
        for table in ["lower", "upper"] {
            // They leave and join once more.
            let times = if published.contains(table) { 2 } else { 1 };
            (0..times).for_each(|_| alter(&fixture, &mut published, table));
        }
        fixture.wait_until_free();
        let changes = folder.path().join("changes");
        let mut child = tail(&fixture, folder.path()).stderr(Stdio::null()).spawn().unwrap();
        let expected = source(&fixture);
        eventually("the rows of the source", || {
            let (events, rows) = replayed(&changes);
            (rows == expected && is_complete(&events)).then_some(())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let (events, _) = replayed(&changes);
        let ids: BTreeSet<_> =
            events.iter().map(|event| event["message_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), events.len());
        let emptied = events.iter().filter(|event| event["op"] == "T").count();
        println!("PostgreSQL {}: {emptied} copies of tables that joined", server.major());
        assert!(emptied >= 2, "{emptied}");
        let position = fs::read_to_string(folder.path().join("position")).unwrap();
        assert!(position.contains('!'), "{position}");
    }
}
