//! Transactions of known content and many shapes.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;

use pgoutput_harness::Server;
use pgoutput_reader::{ChangeEvent, Row};
use pgoutput_tests::Random;
use postgres::Client;
use serde_json::Value;

/// The tables. The first row of each transaction goes to `journal` and shows that the transaction
/// has committed.
const TABLES: &str = "\
    CREATE TABLE journal (id bigint PRIMARY KEY); \
    CREATE TABLE a (id bigint PRIMARY KEY, filler text); \
    CREATE TABLE b (id bigint PRIMARY KEY, filler text); \
    CREATE TABLE c (id bigint PRIMARY KEY, filler text);";

/// Lets the server stream transactions of more than 64 kB.
const SMALL_DECODING_MEMORY: &str = "\
    DO $$ BEGIN \
    EXECUTE format('ALTER DATABASE %I SET logical_decoding_work_mem = ''64kB''', \
                   current_database()); \
    END $$;";

/// Returns the statements that prepare a database of this server.
pub(crate) fn setup(server: &Server) -> String {
    let memory = if server.major() >= 14 { SMALL_DECODING_MEMORY } else { "" };
    format!("{TABLES} {memory}")
}

/// A transaction or a message outside of transactions, which is delivered completely or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    /// Its events, as [`describe`] names them.
    pub(crate) events: Vec<String>,
}

/// The changes of one transaction.
pub(crate) struct Plan {
    statements: String,
    /// Rows for table `b` by COPY, which gives many of them one LSN.
    copy: Vec<(u64, usize)>,
    /// Ends in a rollback.
    rolled_back: bool,
    /// A message outside of transactions, which is delivered even if the transaction does not
    /// commit.
    pub(crate) outside: Option<String>,
    pub(crate) unit: Unit,
}

/// Returns the text of a row, the same as in SQL.
fn filler(id: u64, times: usize) -> String {
    format!("{id}:").repeat(times)
}

fn sql_filler(id: u64, times: usize) -> String {
    format!("repeat('{id}:', {times})")
}

/// Describes a row. Long texts are replaced by their length and hash.
fn row(op: char, table: &str, id: u64, filler: &str) -> String {
    let mut hasher = DefaultHasher::new();
    filler.hash(&mut hasher);
    format!("{op} {table} {id} {}:{:x}", filler.len(), hasher.finish())
}

/// Describes an event in the same form as the plans.
pub(crate) fn describe(event: &ChangeEvent) -> String {
    if let Some(message) = event.logical_message() {
        return format!("M {}", std::str::from_utf8(message.content).unwrap());
    }
    let (op, table) = (event.op().code(), event.table().unwrap().name());
    let id = |row: Option<Row<'_>>| row.unwrap().get::<i64>("id").unwrap();
    match (op, table) {
        ('T', _) => format!("T {table}"),
        ('D', _) => format!("D {table} {}", id(event.before())),
        (_, "journal") => format!("{op} journal {}", id(event.after())),
        _ => {
            let after = event.after().unwrap();
            row(op, table, id(Some(after)).unsigned_abs(), after.get("filler").unwrap())
        }
    }
}

/// Describes an event that the program has printed.
pub(crate) fn describe_json(event: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let op = event["op"].as_str().unwrap().chars().next().unwrap();
    let table = text(&event["table_schema"]["table"]);
    let (before, after) = (&event["before"], &event["after"]);
    match (op, table.as_str()) {
        ('M', _) => format!("M {}", text(&event["message"]["content"])),
        ('T', _) => format!("T {table}"),
        ('D', _) => format!("D {table} {}", before["id"]),
        (_, "journal") => format!("{op} journal {}", after["id"]),
        _ => row(op, &table, after["id"].as_u64().unwrap(), after["filler"].as_str().unwrap()),
    }
}

impl Plan {
    /// Returns the transaction of this number. `attempt` distinguishes its messages from those of
    /// an earlier attempt.
    pub(crate) fn new(random: &mut Random, number: u64, attempt: usize, major: u32) -> Self {
        let mut plan = Self {
            statements: format!("BEGIN; INSERT INTO journal VALUES ({number});"),
            copy: Vec::new(),
            rolled_back: false,
            outside: None,
            unit: Unit { events: vec![format!("I journal {number}")] },
        };
        // The numbers are far apart, so that the ids of different transactions do not overlap.
        let first = number * 100_000;
        match random.below(if major >= 14 { 12 } else { 9 }) {
            0..3 => plan.insert("a", first, 1 + random.below(3)),
            3 => {
                plan.copy =
                    (0..=random.below(200) as u64).map(|n| (first + n, random.below(20))).collect();
            }
            4 => plan.rewrite(random, first),
            5 => plan.truncate(random, first, major),
            // A value of some hundred kilobytes.
            6 => plan.insert("a", first, 10_000 + random.below(40_000)),
            7 => plan.series(first, 50 + random.below(1500)),
            8 if random.one_in(2) => {
                plan.series(first, random.below(2000));
                plan.rolled_back = true;
            }
            8 => plan.savepoint(first, random.below(1500)),
            9 => plan.message(&format!("{number} {attempt}")),
            10 => plan.message_outside(&format!("aside {number} {attempt}")),
            _ => {
                plan.message(&format!("{number} {attempt}"));
                plan.insert("b", first, 5);
            }
        }
        plan.statements.push_str(if plan.rolled_back { "ROLLBACK" } else { "COMMIT" });
        plan.unit
            .events
            .extend(plan.copy.iter().map(|(id, times)| row('I', "b", *id, &filler(*id, *times))));
        if plan.rolled_back {
            plan.unit.events.clear();
        }
        plan
    }

    fn run(&mut self, statement: &str) {
        self.statements.push_str(statement);
        self.statements.push(';');
    }

    fn add(&mut self, event: String) {
        self.unit.events.push(event);
    }

    fn insert(&mut self, table: &str, id: u64, times: usize) {
        self.run(&format!("INSERT INTO {table} VALUES ({id}, {})", sql_filler(id, times)));
        self.add(row('I', table, id, &filler(id, times)));
    }

    fn rewrite(&mut self, random: &mut Random, first: u64) {
        let count = 1 + random.below(5) as u64;
        for id in first..first + count {
            self.insert("a", id, 3);
        }
        for id in first..first + count {
            if random.one_in(2) {
                self.run(&format!("UPDATE a SET filler = {} WHERE id = {id}", sql_filler(id, 7)));
                self.add(row('U', "a", id, &filler(id, 7)));
            } else {
                self.run(&format!("DELETE FROM a WHERE id = {id}"));
                self.add(format!("D a {id}"));
            }
        }
    }

    fn truncate(&mut self, random: &mut Random, first: u64, major: u32) {
        self.insert("c", first, 2);
        let tables = *random.one_of(&[&["a", "b", "c"][..], &["c"], &["b", "c"]]);
        self.run(&format!("TRUNCATE {}", tables.join(", ")));
        // PostgreSQL 10 does not publish it.
        for table in tables.iter().filter(|_| major >= 11) {
            self.add(format!("T {table}"));
        }
        self.insert("c", first + 1, 2);
    }

    fn series(&mut self, first: u64, count: usize) {
        let last = first + count as u64;
        self.run(&format!(
            "INSERT INTO a SELECT n, repeat(n || ':', 5) FROM generate_series({first}, {last}) n"
        ));
        for id in first..=last {
            self.add(row('I', "a", id, &filler(id, 5)));
        }
    }

    fn savepoint(&mut self, first: u64, rolled_back: usize) {
        self.insert("a", first, 1);
        self.run("SAVEPOINT s");
        let last = first + 1 + rolled_back as u64;
        self.run(&format!(
            "INSERT INTO a SELECT n, 'never seen' FROM generate_series({}, {last}) n",
            first + 1
        ));
        self.run("ROLLBACK TO s");
        self.series(last + 1, rolled_back / 2);
    }

    fn message(&mut self, content: &str) {
        self.run(&format!("SELECT pg_logical_emit_message(true, 'faults', '{content}')"));
        self.add(format!("M {content}"));
    }

    fn message_outside(&mut self, content: &str) {
        self.run(&format!("SELECT pg_logical_emit_message(false, 'faults', '{content}')"));
        self.outside = Some(format!("M {content}"));
    }

    /// Executes the plan. After an error it may have been committed or not.
    pub(crate) fn execute(&self, client: &mut Client) -> Result<(), postgres::Error> {
        if self.copy.is_empty() {
            return client.batch_execute(&self.statements);
        }
        let (begin, end) = self.statements.rsplit_once(';').unwrap();
        client.batch_execute(begin)?;
        let mut lines = String::new();
        for (id, times) in &self.copy {
            let _ = writeln!(lines, "{id}\t{}", filler(*id, *times));
        }
        let mut copy = client.copy_in("COPY b FROM STDIN")?;
        // An error here is returned again at the end of the copy.
        let _ = copy.write_all(lines.as_bytes());
        copy.finish()?;
        client.batch_execute(end)
    }
}
