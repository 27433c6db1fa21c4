//! Random sessions that run at the same time, in an order that a seed decides.
//!
//! `PGOUTPUT_WORKLOADS=20` sets the number of workloads, with the seeds from 1 on.

use std::fmt::Write as _;

use pgoutput_tests::{Fixture, Random};
use postgres::Client;

/// The number of sessions.
const SESSIONS: usize = 4;

/// The last seed. The first one is 1.
pub(crate) fn seeds() -> u64 {
    std::env::var("PGOUTPUT_WORKLOADS").map_or(2, |number| number.parse().unwrap())
}

/// A table for each session, so that none waits for another, and one that all write to.
pub(crate) fn setup() -> String {
    let mut setup = String::from(
        "CREATE TYPE mood AS ENUM ('ok', 'sad');
        CREATE TABLE shared (id int PRIMARY KEY, v text);",
    );
    for session in 0..SESSIONS {
        write!(setup, "CREATE TABLE s{session} (id int PRIMARY KEY, v text);").unwrap();
    }
    setup
}

/// The tables whose rows have an `id` and a `v`.
pub(crate) fn tables() -> impl Iterator<Item = String> {
    (0..SESSIONS).map(|session| format!("s{session}")).chain(["shared".to_owned()])
}

struct Session {
    client: Client,
    table: String,
    in_transaction: bool,
    /// The transaction that it has prepared and not ended.
    prepared: Option<String>,
}

/// The sessions.
pub(crate) struct Workload {
    random: Random,
    sessions: Vec<Session>,
    /// The last number of a row, column or savepoint.
    number: usize,
}

impl Workload {
    pub(crate) fn new(fixture: &Fixture<'_>, seed: u64) -> Self {
        let session = |number| Session {
            client: fixture.client(),
            table: format!("s{number}"),
            in_transaction: false,
            prepared: None,
        };
        let sessions = (0..SESSIONS).map(session).collect();
        Self { random: Random::new(seed), sessions, number: 0 }
    }

    /// Runs this many statements, and then ends all transactions.
    pub(crate) fn run(&mut self, statements: usize) {
        for _ in 0..statements {
            let session = self.random.below(SESSIONS);
            self.step(session);
        }
        for session in 0..SESSIONS {
            while self.sessions[session].in_transaction || self.sessions[session].prepared.is_some()
            {
                self.end(session);
            }
        }
    }

    fn next(&mut self) -> usize {
        self.number += 1;
        self.number
    }

    fn step(&mut self, session: usize) {
        if self.sessions[session].prepared.is_some() {
            // Its table may be locked by the prepared transaction.
            if self.random.one_in(3) {
                self.end(session);
            }
            return;
        }
        if !self.sessions[session].in_transaction {
            self.sessions[session].in_transaction = true;
            self.execute(session, "BEGIN");
        }
        let table = self.sessions[session].table.clone();
        let statement = match self.random.below(24) {
            8 => self.insert("shared"),
            9 => {
                let n = self.next();
                format!("SAVEPOINT p{n}; INSERT INTO {table} (id, v) VALUES ({n}, 'savepoint {n}')")
            }
            10 | 11 => {
                let n = self.next();
                let insert = self.insert(&table);
                format!("SAVEPOINT q{n}; {insert}")
            }
            12 | 13 => {
                let n = self.next();
                let insert = self.insert(&table);
                let other = match self.random.below(5) {
                    0 => format!("ALTER TABLE {table} ADD COLUMN r{n} int DEFAULT 1"),
                    1 => format!("UPDATE {table} SET v = v || '-' WHERE id % 3 = 0"),
                    2 => format!("TRUNCATE {table}"),
                    3 => format!("SELECT pg_logical_emit_message(true, 'm', 'never seen {n}')"),
                    _ => format!("DELETE FROM {table} WHERE id % 3 = 0"),
                };
                let (one, two) =
                    if self.random.one_in(2) { (&insert, &other) } else { (&other, &insert) };
                format!("SAVEPOINT r{n}; {one}; {two}; ROLLBACK TO SAVEPOINT r{n}")
            }
            14 => {
                let (n, m) = (self.next(), self.next());
                let (one, two) = (self.insert(&table), self.insert(&table));
                format!(
                    "SAVEPOINT a{n}; SAVEPOINT b{m}; {one}; RELEASE SAVEPOINT b{m}; {two};
                     ROLLBACK TO SAVEPOINT a{n}; RELEASE SAVEPOINT a{n}"
                )
            }
            15 => {
                let n = self.random.below(5);
                format!("UPDATE {table} SET v = v || '+' WHERE id % 5 = {n}")
            }
            16 => {
                let n = self.random.below(11);
                format!("DELETE FROM {table} WHERE id % 11 = {n}")
            }
            17 if self.random.one_in(4) => format!("TRUNCATE {table}"),
            18 if self.random.one_in(2) => {
                let n = self.next();
                let ty = self.random.one_of(&["int DEFAULT 7", "mood DEFAULT 'ok'", "text"]);
                format!("ALTER TABLE {table} ADD COLUMN c{n} {ty}")
            }
            19 => {
                let transactional = self.random.one_in(2);
                let n = self.next();
                format!("SELECT pg_logical_emit_message({transactional}, 'm', 'message {n}')")
            }
            20 | 21 => return self.end(session),
            _ => self.insert(&table),
        };
        self.execute(session, &statement);
    }

    /// A statement that inserts one row, or enough rows for a chunk.
    fn insert(&mut self, table: &str) -> String {
        let rows = if self.random.one_in(3) { 1 } else { 20 + self.random.below(120) };
        let first = self.number + 1;
        self.number += rows;
        let last = self.number;
        format!(
            "INSERT INTO {table} (id, v)
             SELECT n, repeat(md5(n::text), 20) FROM generate_series({first}, {last}) n"
        )
    }

    fn end(&mut self, session: usize) {
        if let Some(gid) = self.sessions[session].prepared.take() {
            let what = *self.random.one_of(&["COMMIT", "COMMIT", "ROLLBACK"]);
            return self.execute(session, &format!("{what} PREPARED '{gid}'"));
        }
        self.sessions[session].in_transaction = false;
        match self.random.below(8) {
            0 => self.execute(session, "ROLLBACK"),
            1..=3 => {
                let gid = format!("g{}", self.next());
                self.execute(session, &format!("PREPARE TRANSACTION '{gid}'"));
                self.sessions[session].prepared = Some(gid);
            }
            _ => self.execute(session, "COMMIT"),
        }
    }

    fn execute(&mut self, session: usize, statement: &str) {
        let result = self.sessions[session].client.batch_execute(statement);
        result.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}
