//! Random sessions that write at the same time, and survive crashes of the server.

use std::thread;
use std::time::Duration;

use pgoutput_harness::Database;
use pgoutput_tests::{Random, eventually};
use postgres::Client;

use super::watch::Watch;

/// The number of sessions.
pub(super) const SESSIONS: usize = 4;

/// The ids of a session's rows start at its number times this.
const IDS: u64 = 1_000_000_000;

/// Returns the statements that create a table for each session and one for all.
pub(super) fn setup() -> String {
    let tables: Vec<_> = tables()
        .map(|table| format!("CREATE TABLE {table} (id bigint PRIMARY KEY, n int, v text);"))
        .collect();
    let tables = tables.concat();
    // Transactions of more than 64 kB are streamed.
    format!(
        "{tables} ALTER TABLE s3 REPLICA IDENTITY FULL; \
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET logical_decoding_work_mem = ''64kB''', \
         current_database()); END $$;"
    )
}

/// Returns the tables.
pub(super) fn tables() -> impl Iterator<Item = String> {
    (0..SESSIONS).map(|session| format!("s{session}")).chain(["shared".to_owned()])
}

/// A session, and what it has not ended yet.
struct Session<'a> {
    database: &'a Database<'a>,
    number: u64,
    random: Random,
    client: Client,
    /// The last id of a row or name of a savepoint.
    last: u64,
}

/// Writes transactions until the end.
pub(super) fn run(database: &Database<'_>, watch: &Watch<'_>, number: usize, seed: u64) {
    let number = number as u64;
    let random = Random::new(seed.wrapping_mul(1000).wrapping_add(number));
    let client = eventually("the server to take connections", || database.try_client().ok());
    let mut session = Session { database, number, random, client, last: number * IDS };
    while !watch.has_ended() {
        session.transaction();
        thread::sleep(Duration::from_millis(session.random.below(80) as u64));
        watch.wait_for_lag();
    }
}

impl Session<'_> {
    fn transaction(&mut self) {
        let number = self.next(1);
        let gid = format!("s{}-{number}", self.number);
        let mut statements = vec!["BEGIN".to_owned()];
        for _ in 0..=self.random.below(5) {
            statements.push(self.statement());
        }
        match self.random.below(12) {
            0 | 1 => statements.push("ROLLBACK".into()),
            2 => {
                statements.push(format!("PREPARE TRANSACTION '{gid}'"));
                let end = *self.random.one_of(&["COMMIT", "COMMIT", "ROLLBACK"]);
                statements.push(format!("{end} PREPARED '{gid}'"));
            }
            _ => statements.push("COMMIT".into()),
        }
        for statement in &statements {
            let Err(error) = self.client.batch_execute(statement) else { continue };
            match error.code().map(postgres::error::SqlState::code) {
                // Another session truncates the table of all.
                Some("40P01" | "55P03") => self.client.batch_execute("ROLLBACK").unwrap(),
                // The server went down, or comes up.
                None => self.connect(),
                Some(code) if code.starts_with("57P") => self.connect(),
                Some(_) => panic!("{statement}: {error:?}"),
            }
            return;
        }
    }

    /// Connects again, and ends a transaction that was prepared before.
    fn connect(&mut self) {
        let like = format!("s{}-%", self.number);
        let prepared = "SELECT gid FROM pg_prepared_xacts
            WHERE database = current_database() AND gid LIKE $1";
        self.client = eventually("the server to take connections again", || {
            let mut client = self.database.try_client().ok()?;
            for row in client.query(prepared, &[&like]).ok()? {
                let end = format!("COMMIT PREPARED '{}'", row.get::<_, &str>(0));
                client.batch_execute(&end).ok()?;
            }
            Some(client)
        });
    }

    /// Returns the first of this many new numbers.
    fn next(&mut self, count: u64) -> u64 {
        let first = self.last + 1;
        self.last += count;
        first
    }

    fn statement(&mut self) -> String {
        let table = format!("s{}", self.number);
        let own = format!("id / {IDS} = {}", self.number);
        match self.random.below(40) {
            0..8 => self.insert(&table),
            8..12 => self.insert("shared"),
            12..15 => {
                let n = self.random.below(7);
                format!("UPDATE {table} SET n = n + 1 WHERE id % 7 = {n}")
            }
            15 | 16 => format!("UPDATE shared SET v = v || '+' WHERE id % 5 = 0 AND {own}"),
            17..20 => {
                let n = self.random.below(11);
                format!("DELETE FROM {table} WHERE id % 11 = {n}")
            }
            20 => format!("DELETE FROM shared WHERE id % 13 = 1 AND {own}"),
            21..25 => {
                let id = self.next(1);
                format!(
                    "UPDATE {table} SET id = {id}, n = {id} % 1000
                     WHERE id = (SELECT min(id) FROM {table})"
                )
            }
            25..28 => {
                let (name, insert) = (self.next(1), self.insert(&table));
                format!("SAVEPOINT r{name}; {insert}; ROLLBACK TO SAVEPOINT r{name}")
            }
            28..31 => {
                let (name, insert) = (self.next(1), self.insert("shared"));
                format!("SAVEPOINT k{name}; {insert}; RELEASE SAVEPOINT k{name}")
            }
            31 | 32 => {
                let (a, b) = (self.next(1), self.next(1));
                let (one, two) = (self.insert(&table), self.insert(&table));
                format!(
                    "SAVEPOINT a{a}; {one}; SAVEPOINT b{b}; {two}; ROLLBACK TO SAVEPOINT b{b};
                     RELEASE SAVEPOINT a{a}"
                )
            }
            33 | 34 => {
                let transactional = self.random.one_in(2);
                let n = self.next(1);
                format!("SELECT pg_logical_emit_message({transactional}, 'm', 'message {n}')")
            }
            35 => format!("TRUNCATE {table}"),
            36 if self.random.one_in(4) => format!("TRUNCATE {table}, shared"),
            // Large enough to be streamed, and to be stored in parts.
            37 if self.random.one_in(2) => {
                let count = 300 + self.random.below(700) as u64;
                self.insert_rows(&table, count)
            }
            // Values out of line, which updates of other columns leave out.
            _ => {
                let id = self.next(1);
                format!(
                    "INSERT INTO {table} SELECT {id}, 0, string_agg(md5({id} || ':' || i), '')
                     FROM generate_series(1, 300) i"
                )
            }
        }
    }

    fn insert(&mut self, table: &str) -> String {
        let count = if self.random.one_in(2) { 1 } else { 5 + self.random.below(25) as u64 };
        self.insert_rows(table, count)
    }

    fn insert_rows(&mut self, table: &str, count: u64) -> String {
        let first = self.next(count);
        let last = self.last;
        format!(
            "INSERT INTO {table} SELECT i, 0, repeat(md5(i::text), 8)
             FROM generate_series({first}, {last}) i"
        )
    }
}
