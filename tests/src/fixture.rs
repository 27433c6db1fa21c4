//! A database with a publication and a slot, and readers of it.

use pgoutput_decode::Lsn;
use pgoutput_harness::{Database, Server, skip};
use pgoutput_reader::{ChangeEvent, Error, Reader, ReaderBuilder};
use postgres::Client;
use serde_json::Value;

use crate::InTime as _;

/// The publication of every [`Fixture`], of all tables.
pub const PUBLICATION: &str = "everything";

/// A test's own database with a publication of all tables and a slot that starts after the set-up.
#[derive(Debug)]
pub struct Fixture<'s> {
    slot: String,
    database: Database<'s>,
}

/// The slot in `pg_replication_slots`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Whether a connection holds it.
    pub active: bool,
    /// The slot's confirmed LSN.
    pub confirmed: Lsn,
}

/// The largest lag of an idle slot's confirmed LSN. The LSNs in between encode the event that was
/// acknowledged last.
pub const IDLE_LAG: u64 = 1024;

/// Returns whether an idle slot with this confirmed LSN needs no WAL before `end`.
pub fn is_idle_at(confirmed: Lsn, end: Lsn) -> bool {
    confirmed.as_u64() + IDLE_LAG >= end.as_u64()
}

impl<'s> Fixture<'s> {
    /// Runs `setup` in a new database, then creates the publication and the slot.
    ///
    /// # Panics
    /// If the server returns an error, like all functions here.
    pub fn new(server: &'s Server, setup: &str) -> Self {
        Self::with_options(server, "", setup)
    }

    /// Like [`new`](Self::new), in a database with further options of `CREATE DATABASE`, such as
    /// `ENCODING 'LATIN1'`.
    ///
    /// # Panics
    /// If the server returns an error.
    pub fn with_options(server: &'s Server, options: &str, setup: &str) -> Self {
        let test = std::thread::current().name().unwrap_or("test").to_owned();
        let database = server.database_with(test.rsplit("::").next().unwrap_or("test"), options);
        let mut client = database.client();
        client.batch_execute(setup).unwrap();
        client.batch_execute(&format!("CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES")).unwrap();
        let fixture = Self { slot: database.slot_name("slot"), database };
        fixture.create_slot(&fixture.slot);
        fixture
    }

    /// Returns the database.
    pub fn database(&self) -> &Database<'s> {
        &self.database
    }

    /// Returns the server's major version.
    pub fn major(&self) -> u32 {
        self.database.server().major()
    }

    /// Returns the slot's name.
    pub fn slot_name(&self) -> &str {
        &self.slot
    }

    /// Opens a further connection.
    pub fn client(&self) -> Client {
        self.database.client()
    }

    /// Runs each statement in a transaction of its own.
    pub fn run<const N: usize>(&self, statements: [&str; N]) {
        let mut client = self.client();
        for statement in statements {
            client.batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        }
    }

    /// Returns a number from a query, such as an oid.
    pub fn number(&self, query: &str) -> i64 {
        self.client().query_one(&format!("SELECT ({query})::pg_catalog.int8"), &[]).unwrap().get(0)
    }

    /// Creates a further slot of this database.
    pub fn create_slot(&self, name: &str) {
        let query = "SELECT FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')";
        self.client().query_one(query, &[&name]).unwrap();
    }

    /// Returns the end of everything committed so far.
    pub fn end(&self) -> Lsn {
        let row = self
            .client()
            .query_one("SELECT pg_catalog.pg_current_wal_flush_lsn()::pg_catalog.text", &[])
            .unwrap();
        row.get::<_, &str>(0).parse().unwrap()
    }

    /// Writes to the WAL in another database of the server, which lives as long as it is held, and
    /// returns the end of the WAL.
    pub fn write_elsewhere(&self) -> (Database<'s>, Lsn) {
        let elsewhere = self.database.server().database("elsewhere");
        let write = "CREATE TABLE u AS SELECT pg_catalog.generate_series(1, 1000)";
        elsewhere.client().batch_execute(write).unwrap();
        (elsewhere, self.end())
    }

    /// Writes a logical decoding message, which readers without the option `messages` are not
    /// sent, and returns the LSN of its end.
    pub fn write_message(&self) -> Lsn {
        let query = "SELECT pg_catalog.pg_logical_emit_message(false, 'test', '')::pg_catalog.text";
        self.client().query_one(query, &[]).unwrap().get::<_, String>(0).parse().unwrap()
    }

    /// Returns the slot's current state.
    pub fn slot(&self) -> Slot {
        self.slot_named(&self.slot)
    }

    /// Returns another slot's current state.
    pub fn slot_named(&self, name: &str) -> Slot {
        let query = "SELECT active, confirmed_flush_lsn::pg_catalog.text
            FROM pg_catalog.pg_replication_slots WHERE slot_name OPERATOR(pg_catalog.=) $1";
        let row = self.client().query_one(query, &[&name]).unwrap();
        Slot { active: row.get(0), confirmed: row.get::<_, &str>(1).parse().unwrap() }
    }

    /// Returns the oldest LSN whose WAL is kept for the slot.
    pub fn restart_lsn(&self) -> Lsn {
        let query = "SELECT restart_lsn::pg_catalog.text
            FROM pg_catalog.pg_replication_slots WHERE slot_name OPERATOR(pg_catalog.=) $1";
        let row = self.client().query_one(query, &[&self.slot]).unwrap();
        row.get::<_, &str>(0).parse().unwrap()
    }

    /// Waits until the server has released the slot, which it does when it notices the end of the
    /// connection.
    pub fn wait_until_free(&self) {
        self.database.wait_until_free(&self.slot);
    }

    /// Returns the settings of a reader of slot and publication.
    pub fn builder(&self) -> ReaderBuilder {
        Reader::builder(&self.database.dsn()).slot(&self.slot).publication(PUBLICATION)
    }

    /// Connects a reader of slot and publication.
    pub fn reader(&self) -> Reader {
        self.builder().connect().unwrap()
    }

    /// Returns everything committed so far, which is acknowledged and confirmed.
    pub fn read(&self) -> Vec<ChangeEvent> {
        self.read_with(|builder| builder)
    }

    /// Returns everything committed so far, from a reader with these settings.
    pub fn read_with(
        &self,
        set_up: impl FnOnce(ReaderBuilder) -> ReaderBuilder,
    ) -> Vec<ChangeEvent> {
        let mut reader = set_up(self.builder())
            .until_lsn(self.end())
            .connect()
            .unwrap_or_else(|e| panic!("{e}"));
        let events: Result<Vec<_>, Error> = reader.in_time().collect();
        let events = events.unwrap_or_else(|e| panic!("{e}"));
        reader.stop().unwrap();
        events
    }

    /// Like [`read`](Self::read), as JSON.
    pub fn read_json(&self) -> Vec<Value> {
        self.read().iter().map(json).collect()
    }
}

/// Returns whether values are binary, for each format that the server has.
pub fn formats(server: &Server) -> &'static [bool] {
    if server.major() >= 14 {
        return &[false, true];
    }
    skip(format_args!("in part, binary values: PostgreSQL {} has none before 14", server.major()));
    &[false]
}

/// Formats an event as one line of JSON.
///
/// # Panics
/// If it cannot be written.
pub fn line(event: &ChangeEvent) -> String {
    serde_json::to_string(event).unwrap()
}

/// Returns an event as JSON.
///
/// # Panics
/// If it cannot be written.
pub fn json(event: &ChangeEvent) -> Value {
    serde_json::from_str(&line(event)).unwrap()
}

/// Returns the text of the new row and the fields after it, with all digits and in order.
///
/// # Panics
/// If there is no new row.
pub fn after(event: &ChangeEvent) -> String {
    let line = line(event);
    let (_, after) = line.split_once(r#","after":"#).unwrap();
    after.strip_suffix('}').unwrap().to_owned()
}
