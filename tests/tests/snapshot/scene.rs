//! A database with full tables, and what is written to it meanwhile.

use pgoutput_decode::Lsn;
use pgoutput_harness::Server;
use pgoutput_reader::{
    ChangeEvent, Error, Op, Position, Reader, ReaderBuilder, SlotCreation, Snapshot, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, Random};
use postgres::Client;

use crate::replay::Rows;

/// The number of rows in each of the larger tables.
pub(crate) const ROWS: u32 = 40;

/// Tables of every form. The text of `big` is stored outside of its rows.
fn setup() -> String {
    let columns: Vec<String> = (0..300).map(|column| format!("c{column} text")).collect();
    let values: Vec<&str> = (0..300).map(|n| if n % 3 == 0 { "NULL" } else { "'x'" }).collect();
    format!(
        r#"
        CREATE TABLE a (id int PRIMARY KEY, v text, n numeric, b bytea);
        INSERT INTO a SELECT i, 'row ' || i, i / 7.0, decode(md5(i::text), 'hex')
          FROM generate_series(1, {ROWS}) AS i;
        INSERT INTO a VALUES
          (1001, E'tab\t, line\n, return\r, back\\slash, \b\f\v', NULL, '\x00ff0a5c'),
          (1002, '\N', 'NaN', ''), (1003, '', -0.00, NULL), (1004, NULL, NULL, NULL),
          (1005, 'é 日本 🦀', 1e100, '\x5c4e'), (1006, '\.', 0, '\x2e');
        CREATE TABLE empty (id int PRIMARY KEY);
        CREATE TABLE big (id int PRIMARY KEY, v int, t text);
        ALTER TABLE big ALTER t SET STORAGE EXTERNAL;
        INSERT INTO big
            SELECT i, i, repeat('0123456789', 500 + i) FROM generate_series(1, {ROWS}) AS i;
        INSERT INTO big VALUES (1001, 1, repeat(E'\\\n', 1000000));
        CREATE TABLE whole (id bigint PRIMARY KEY, v text);
        ALTER TABLE whole REPLICA IDENTITY FULL;
        INSERT INTO whole SELECT i, i FROM generate_series(1, {ROWS}) AS i;
        CREATE TABLE nothing ();
        INSERT INTO nothing DEFAULT VALUES;
        INSERT INTO nothing DEFAULT VALUES;
        CREATE TABLE "Na""me \, 'x'" (id int PRIMARY KEY, "a ""b"" \" text);
        INSERT INTO "Na""me \, 'x'" VALUES (1, 'x'), (2, NULL);
        CREATE TABLE wide (id int PRIMARY KEY, {});
        INSERT INTO wide SELECT i, {} FROM generate_series(1, 5) AS i;
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE TYPE pair AS (one int, two text);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TABLE types (id int PRIMARY KEY, a bool, b int2, c int8, d float4, e float8,
          f numeric(20,5), g timestamptz, h timestamp, i date, j time, k timetz, l interval, m uuid,
          n json, o jsonb, p inet, q macaddr, r int[], s text[], t int4range, u bit(7), v varbit,
          w point, x polygon, y mood, z pair, aa positive, ab char(5), ac "char", ad name, ae oid,
          af tsvector);
        INSERT INTO types VALUES
          (1, true, -1, 9007199254740993, 'NaN', 1e-300, 1.5, '2024-02-29 12:00:00.123456+02',
           '0044-03-15 12:00:00 BC', 'infinity', '24:00:00', '12:00+05:30', '1 mon -2 days 3.5s',
           '00000000-0000-0000-0000-000000000001', '{{"a": [1, "b\\n"]}}', '{{"a": null}}',
           '10.0.0.0/8', '08:00:2b:01:02:03', '{{{{1,NULL}},{{3,4}}}}', '{{"a,b","\"",NULL}}',
           '[1,10)', B'1010101', B'1', '(1,2)', '((0,0),(1,1),(1,0))', 'ok', '(1,"x y")', 7, 'ab',
           'c', 'name', 4294967295, 'a:1 b:2');
        INSERT INTO types (id) VALUES (2);
        "#,
        columns.join(", "),
        values.join(", ")
    )
}

pub(crate) struct Scene<'s> {
    pub(crate) fixture: Fixture<'s>,
    /// A slot that does not exist yet.
    pub(crate) slot: String,
    pub(crate) is_binary: bool,
    client: Client,
    random: Random,
    next_id: u32,
}

impl<'s> Scene<'s> {
    pub(crate) fn new(server: &'s Server, is_binary: bool) -> Self {
        Self::with_setup(server, "", &setup(), is_binary)
    }

    pub(crate) fn with_setup(
        server: &'s Server,
        options: &str,
        setup: &str,
        is_binary: bool,
    ) -> Self {
        let fixture = Fixture::with_options(server, options, setup);
        let slot = fixture.database().slot_name("copied");
        let (client, random) = (fixture.client(), Random::new(7));
        Self { fixture, slot, is_binary, client, random, next_id: 2000 }
    }

    /// A reader that copies first.
    pub(crate) fn builder(&self) -> ReaderBuilder {
        self.fixture
            .builder()
            .slot(&self.slot)
            .slot_creation(SlotCreation::IfMissing)
            .options(StreamOptions::new().binary(self.is_binary))
            .snapshot(Snapshot::initial())
    }

    pub(crate) fn reader(&self) -> Reader {
        self.fixture.database().wait_until_free(&self.slot);
        self.builder().connect().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads up to the current end, with these settings.
    pub(crate) fn read_with(
        &self,
        set_up: impl FnOnce(ReaderBuilder) -> ReaderBuilder,
    ) -> Vec<ChangeEvent> {
        self.fixture.database().wait_until_free(&self.slot);
        let builder = set_up(self.builder()).until_lsn(self.fixture.end());
        let mut reader = builder.connect().unwrap_or_else(|error| panic!("{error}"));
        let events: Result<Vec<_>, Error> = reader.in_time().collect();
        let events = events.unwrap_or_else(|error| panic!("{error}"));
        reader.stop().unwrap();
        events
    }

    /// Reads up to the current end, after a stored position.
    pub(crate) fn resume(&self, position: &str) -> Vec<ChangeEvent> {
        let position: Position = position.parse().unwrap();
        self.read_with(|builder| builder.resume(position))
    }

    /// Writes a few random transactions.
    pub(crate) fn write(&mut self) {
        for _ in 0..=self.random.below(3) {
            let statements: Vec<String> =
                (0..=self.random.below(4)).map(|_| self.statement()).collect();
            let text = format!("BEGIN; {}; COMMIT", statements.join("; "));
            self.client.batch_execute(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        }
    }

    fn statement(&mut self) -> String {
        let table = *self.random.one_of(&["a", "big", "whole", "a", "empty"]);
        let id = 1 + self.random.below(ROWS as usize);
        self.next_id += 1;
        let new = self.next_id;
        let value = if table == "empty" { "id = id" } else { "v = id + 7000" };
        match self.random.below(8) {
            0 => "INSERT INTO nothing DEFAULT VALUES".into(),
            1 | 2 => format!("INSERT INTO {table} (id) VALUES ({new})"),
            3 => format!("DELETE FROM {table} WHERE id = {id}"),
            4 => format!("UPDATE {table} SET id = {new} WHERE id = {id}"),
            5 => format!("DELETE FROM {table} WHERE id = {}", new - 5),
            6 => "UPDATE big SET t = repeat('new', 2000 + id % 10) WHERE id % 5 = 0".into(),
            _ => format!("UPDATE {table} SET {value} WHERE id IN ({id}, {}, {})", id + 1, new - 2),
        }
    }

    /// Reads until `until` returns true, with transactions in between.
    pub(crate) fn read_and_write(
        &mut self,
        reader: &mut Reader,
        mut until: impl FnMut(&ChangeEvent) -> bool,
    ) -> Vec<ChangeEvent> {
        let mut events = Vec::new();
        loop {
            let event = reader.next_in_time().expect("an event").unwrap();
            let is_end = until(&event);
            events.push(event);
            if is_end {
                return events;
            }
            if self.random.one_in(9) {
                self.write();
            }
        }
    }

    pub(crate) fn source(&mut self) -> Rows {
        Rows::of(&mut self.client, self.is_binary)
    }

    /// The confirmed LSN of the slot.
    pub(crate) fn confirmed(&self) -> Lsn {
        self.fixture.slot_named(&self.slot).confirmed
    }
}

/// Reads until `until` returns true.
pub(crate) fn read_until(
    reader: &mut Reader,
    until: impl Fn(&ChangeEvent) -> bool,
) -> Vec<ChangeEvent> {
    let mut events: Vec<ChangeEvent> = Vec::new();
    while !events.last().is_some_and(&until) {
        events.push(reader.next_in_time().expect("an event").unwrap());
    }
    events
}

/// The letters of the operations, each sequence of the same one as one.
pub(crate) fn ops(events: &[ChangeEvent]) -> String {
    let mut ops: Vec<char> = events.iter().map(|event| event.op().code()).collect();
    ops.dedup();
    ops.into_iter().collect()
}

pub(crate) fn is_end(event: &ChangeEvent) -> bool {
    event.op() == Op::SnapshotEnd
}

/// Returns whether this is the insertion of a row of `wide`, which marks an end.
pub(crate) fn is_marker(event: &ChangeEvent) -> bool {
    event.op() == Op::Insert && event.table().is_some_and(|table| table.name() == "wide")
}
