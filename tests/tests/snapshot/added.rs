//! Tables that join the publication later, while rows are written.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{
    Acknowledge, ChangeEvent, Config, Connection, ErrorKind, Op, Position, Reader, ReaderBuilder,
    SlotCreation, Snapshot, SnapshotError, SnapshotTable, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, Random};

use crate::replay::Rows;
use crate::scene::{is_end, ops};

/// The publication of some tables.
const PUBLICATION: &str = "listed";

/// The tables, in the order of their oids. The middle ones are published at first.
const TABLES: [&str; 4] = ["low", "a", "b", "high"];

/// The tables that are not published at first.
const ADDED: [(usize, &str); 2] = [(0, "low"), (0, "high")];

/// The number of rows in each table.
const ROWS: usize = 300;

struct Tables<'s> {
    fixture: Fixture<'s>,
    slot: String,
}

impl<'s> Tables<'s> {
    fn new(server: &'s Server) -> Self {
        let create = |table: &str| {
            format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, v text);
                INSERT INTO {table} SELECT n, 'row ' || n FROM generate_series(1, {ROWS}) AS n;"
            )
        };
        let setup: String = TABLES.into_iter().map(create).collect();
        let setup = format!("{setup} CREATE PUBLICATION {PUBLICATION} FOR TABLE a, b");
        let fixture = Fixture::new(server, &setup);
        let slot = fixture.database().slot_name("added");
        Self { fixture, slot }
    }

    fn builder(&self) -> ReaderBuilder {
        Reader::builder(&self.fixture.database().dsn())
            .slot(&self.slot)
            .publication(PUBLICATION)
            .slot_creation(SlotCreation::IfMissing)
    }

    /// A reader with these settings, once the slot is free.
    fn reader(&self, set_up: impl FnOnce(ReaderBuilder) -> ReaderBuilder) -> Reader {
        self.fixture.database().wait_until_free(&self.slot);
        set_up(self.builder()).connect().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Adds a table to the publication, or removes it.
    fn alter(&self, change: &str, table: &str) {
        // Servers before 13.21, 14.18, 15.13, 16.9 and 17.5 may lose changes of a transaction that
        // is open meanwhile.
        let lock = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
        let alter = format!("ALTER PUBLICATION {PUBLICATION} {change} TABLE {table}");
        self.fixture.run([&format!("BEGIN; {lock}; {alter}; COMMIT")]);
    }

    /// Writes small transactions to all tables until the end.
    fn write(&self, ended: &AtomicBool) {
        let (mut client, mut random) = (self.fixture.client(), Random::new(11));
        let mut new_id = ROWS;
        while !ended.load(Ordering::Acquire) {
            let mut statements = Vec::new();
            for _ in 0..=random.below(3) {
                let table = *random.one_of(&TABLES);
                let id = 1 + random.below(ROWS);
                new_id += 1;
                statements.push(match random.below(4) {
                    0 => format!("INSERT INTO {table} VALUES ({new_id}, NULL);"),
                    1 => format!("DELETE FROM {table} WHERE id = {id};"),
                    _ => format!("UPDATE {table} SET v = 'changed {new_id}' WHERE id = {id};"),
                });
            }
            client.batch_execute(&format!("BEGIN; {} COMMIT", statements.concat())).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Calls `read` while rows are written.
    fn while_writing<T>(&self, read: impl FnOnce() -> T) -> T {
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let ending = Ending(&ended);
            scope.spawn(|| self.write(&ended));
            let result = read();
            drop(ending);
            result
        })
    }

    /// The rows of these tables.
    fn source(&self, tables: &[&str]) -> Rows {
        Rows::of(&mut self.fixture.client(), false).only(tables)
    }

    /// Reads until the change that marks the current end.
    fn read_to_end(&self, reader: &mut Reader) -> Vec<ChangeEvent> {
        self.fixture.run(["INSERT INTO a VALUES (-1, 'end')"]);
        let is_marker = |event: &ChangeEvent| {
            event.op() == Op::Insert
                && event.after().is_some_and(|row| row.get::<i32>("id").unwrap() == -1)
        };
        let events = read_until(reader, is_marker);
        self.fixture.run(["DELETE FROM a WHERE id = -1"]);
        events
    }
}

/// Ends the writer, also when a check fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn read_until(reader: &mut Reader, until: impl Fn(&ChangeEvent) -> bool) -> Vec<ChangeEvent> {
    let mut events: Vec<ChangeEvent> = Vec::new();
    while !events.last().is_some_and(&until) {
        events.push(reader.next_in_time().expect("an event").unwrap());
    }
    events
}

fn read(reader: &mut Reader, number: usize) -> Vec<ChangeEvent> {
    (0..number).map(|_| reader.next_in_time().expect("an event").unwrap()).collect()
}

/// The rows of the events up to the mark of the end. From these indices on, changes of these tables
/// count only after an event that empties the table.
fn replayed(events: &[ChangeEvent], left: &[(usize, &str)]) -> Rows {
    let (_, events) = events.split_last().unwrap();
    let mut uncounted: Vec<&str> = Vec::new();
    let is_counted = |(index, event): &(usize, &ChangeEvent)| {
        uncounted.extend(left.iter().filter(|(from, _)| from == index).map(|(_, table)| table));
        let Some(table) = event.table().map(|table| table.name()) else { return true };
        if event.op() == Op::Truncate {
            uncounted.retain(|other| *other != table);
        }
        !uncounted.contains(&table)
    };
    Rows::replayed(events.iter().enumerate().filter(is_counted).map(|(_, event)| event))
}

/// The events of a table.
fn of<'e>(events: &'e [ChangeEvent], table: &str) -> Vec<&'e ChangeEvent> {
    let is_of = |event: &&ChangeEvent| event.table().is_some_and(|found| found.name() == table);
    events.iter().filter(is_of).collect()
}

#[test]
fn a_table_is_added_while_the_stream_runs() {
    for server in servers() {
        for jobs in [1, 3].map(|jobs| NonZeroU32::new(jobs).unwrap()) {
            let tables = Tables::new(server);
            let snapshot = Snapshot::initial().jobs(jobs);
            let mut reader = tables.reader(|builder| builder.snapshot(snapshot));
            let mut events = tables.while_writing(|| {
                let mut events = read_until(&mut reader, is_end);
                events.extend(read(&mut reader, 20));
                tables.alter("ADD", "low");
                events.extend(read(&mut reader, 20));
                reader.add_tables(["public.low"]).unwrap();
                events.extend(read_until(&mut reader, is_end));
                events.extend(read(&mut reader, 20));
                tables.alter("ADD", "high");
                reader.add_tables(["public.high"]).unwrap();
                events.extend(read_until(&mut reader, is_end));
                events
            });
            events.extend(tables.read_to_end(&mut reader));
            let context = format!("PostgreSQL {}, {jobs} jobs", server.major());
            replayed(&events, &ADDED).assert_eq(&tables.source(&TABLES), &context);
            for table in ["low", "high"] {
                let of_table = of(&events, table);
                let rows = of_table.iter().filter(|event| event.op() == Op::SnapshotRow).count();
                assert!(rows > ROWS / 2, "{context}: {rows}");
                let truncated = of_table.iter().filter(|event| event.op() == Op::Truncate).count();
                assert_eq!(truncated, 1, "{context}");
            }
            reader.stop().unwrap();
        }
    }
}

/// Also from the middle of the copy of the tables that are added, which then continues.
#[test]
fn each_position_of_an_addition_can_be_resumed_from() {
    for server in servers() {
        let tables = Tables::new(server);
        let set_up = |builder: ReaderBuilder| {
            builder.snapshot(Snapshot::initial()).acknowledge(Acknowledge::Never)
        };
        let mut reader = tables.reader(set_up);
        let (events, first) = tables.while_writing(|| {
            let mut events = read_until(&mut reader, is_end);
            events.extend(read(&mut reader, 20));
            for table in ["low", "high"] {
                tables.alter("ADD", table);
            }
            events.extend(read(&mut reader, 20));
            reader.add_tables(["public.low", "public.\"high\""]).unwrap();
            let addition = read_until(&mut reader, |event| event.op() == Op::Truncate);
            events.extend(addition);
            let first = events.len() - 1;
            events.extend(read_until(&mut reader, is_end));
            events.extend(read(&mut reader, 40));
            (events, first)
        });
        reader.stop().unwrap();
        let mut random = Random::new(3);
        let number_of_rows = 2 * ROWS;
        let mut indices: Vec<usize> =
            (0..8).map(|_| first + random.below(number_of_rows)).collect();
        let last_rows = (first..events.len()).filter(|index| {
            events[*index].op() == Op::SnapshotRow && events[*index].is_last()
                || events[*index].op() == Op::SnapshotEnd
        });
        indices.extend(last_rows);
        indices.extend([first, events.len() - 30, events.len() - 1]);
        for index in indices {
            let position = events[index].position().to_string();
            println!("{index}: {position}");
            let position: Position = position.parse().unwrap();
            let mut reader = tables.reader(|builder| set_up(builder).resume(position));
            let mut all = events[..=index].to_vec();
            all.extend(tables.read_to_end(&mut reader));
            let context = format!("PostgreSQL {}, event {index}", server.major());
            replayed(&all, &ADDED).assert_eq(&tables.source(&TABLES), &context);
            reader.stop().unwrap();
        }
    }
}

/// The connections of the stream, of the jobs and of the snapshot.
#[test]
fn an_addition_continues_after_lost_connections() {
    for server in servers() {
        let tables = Tables::new(server);
        let snapshot = Snapshot::initial().jobs(NonZeroU32::new(2).unwrap());
        let mut reader = tables.reader(|builder| builder.snapshot(snapshot));
        let events = tables.while_writing(|| {
            let mut events = read_until(&mut reader, is_end);
            for table in ["low", "high"] {
                tables.alter("ADD", table);
                reader.add_tables([format!("public.{table}")]).unwrap();
                for number in 0.. {
                    let event = reader.next_in_time().expect("an event").unwrap();
                    events.push(event);
                    if is_end(events.last().unwrap()) {
                        break;
                    }
                    if number % 50 == 1 && number < 200 {
                        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid()
                                AND application_name = 'pgoutput'
                            ORDER BY random() LIMIT 1";
                        tables.fixture.client().query(terminate, &[]).unwrap();
                    }
                }
            }
            events
        });
        let mut events = events;
        events.extend(tables.read_to_end(&mut reader));
        let context = format!("PostgreSQL {}", server.major());
        replayed(&events, &ADDED).assert_eq(&tables.source(&TABLES), &context);
        reader.stop().unwrap();
    }
}

#[test]
fn a_table_that_is_not_published_is_refused() {
    for server in servers() {
        let tables = Tables::new(server);
        let mut reader = tables.reader(|builder| builder);
        let refused = reader.add_tables(["public.a", "public.low", "public.gone"]).unwrap_err();
        let text = refused.to_string();
        let ErrorKind::Snapshot(SnapshotError::NotPublishedNow { tables: named, publication }) =
            refused.kind()
        else {
            panic!("{refused:?}")
        };
        assert_eq!((named.as_str(), publication.as_str()), ("public.low, public.gone", "listed"));
        assert!(text.contains("ALTER PUBLICATION listed ADD TABLE"), "{text}");
        for name in ["a", "", "public.", ".a", "public.a.b", "public.\"a"] {
            let refused = reader.add_tables([name]).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::Usage(_)), "{name}: {refused:?}");
        }
        // It goes on.
        tables.read_to_end(&mut reader);
        reader.stop().unwrap();
        if server.major() < 15 {
            continue;
        }
        let slot = tables.fixture.database().slot_name("two_phase");
        let options = StreamOptions::new().two_phase(true);
        let mut reader = tables.builder().slot(&slot).options(options).connect().unwrap();
        let refused = reader.add_tables(["public.a"]).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Snapshot(SnapshotError::Excluded { .. })));
    }
}

/// One with a lower oid, one that leaves and joins again, and one that is created again; also while
/// no reader runs.
#[test]
fn tables_that_join_the_publication_are_found() {
    for server in servers() {
        let tables = Tables::new(server);
        let context = format!("PostgreSQL {}", server.major());
        let jobs = NonZeroU32::new(1 + server.major() % 2).unwrap();
        // A reader that resumes from the last event.
        let start = |events: &[ChangeEvent]| {
            let position = events.last().map(|last| last.position().to_string().parse().unwrap());
            tables.reader(|builder| {
                let snapshot = Snapshot::initial().and_added(true).jobs(jobs);
                let builder = builder.snapshot(snapshot);
                match position {
                    Some(position) => builder.resume(position),
                    None => builder,
                }
            })
        };
        let mut left = vec![(0, "low"), (0, "high")];
        let mut events = tables.while_writing(|| {
            let mut reader = start(&[]);
            let mut events = read_until(&mut reader, is_end);
            events.extend(read(&mut reader, 10));
            tables.alter("ADD", "low");
            events.extend(read_until(&mut reader, is_end));
            drop(reader);
            let mut reader = start(&events);
            events.extend(read(&mut reader, 20));
            left.push((events.len(), "a"));
            tables.alter("DROP", "a");
            tables.alter("ADD", "a");
            events.extend(read_until(&mut reader, is_end));
            events.extend(read(&mut reader, 20));
            drop(reader);
            left.extend([(events.len(), "low"), (events.len(), "b")]);
            tables.alter("DROP", "low");
            tables.alter("ADD", "low");
            tables.alter("ADD", "high");
            let create = "CREATE TABLE b (id int PRIMARY KEY, v text)";
            let insert = format!("INSERT INTO b SELECT n FROM generate_series(1, {ROWS}) AS n");
            let add = format!("ALTER PUBLICATION {PUBLICATION} ADD TABLE b");
            tables
                .fixture
                .run([&format!("BEGIN; DROP TABLE b; {create}; {insert}; {add}; COMMIT")]);
            let mut reader = start(&events);
            events.extend(read_until(&mut reader, is_end));
            events
        });
        let mut reader = start(&events);
        let rest = tables.read_to_end(&mut reader);
        assert!(!ops(&rest).contains(['R', 'T', 'Z']), "{context}: {}", ops(&rest));
        events.extend(rest);
        reader.stop().unwrap();
        replayed(&events, &left).assert_eq(&tables.source(&TABLES), &context);
        for (table, times) in [("low", 2), ("a", 1), ("b", 1), ("high", 1)] {
            let emptied = of(&events, table);
            let emptied = emptied.iter().filter(|event| event.op() == Op::Truncate).count();
            assert_eq!(emptied, times, "{context}: {table}");
        }
    }
}

/// Those that the publications have at the start are known if no position is stored.
#[test]
fn what_is_published_at_the_start_is_not_copied_without_an_initial_copy() {
    for server in servers() {
        let tables = Tables::new(server);
        let mut reader = tables.reader(|builder| builder.snapshot(Snapshot::added()));
        tables.alter("ADD", "high");
        let events = read_until(&mut reader, is_end);
        assert_eq!(ops(&events), "TRZ");
        assert_eq!(of(&events, "high").len(), events.len() - 1);
        reader.stop().unwrap();
    }
}

/// With other operations, while no reader runs and while one does.
#[test]
fn tables_are_copied_again_after_other_operations_were_published() {
    for server in servers() {
        let tables = Tables::new(server);
        let context = format!("PostgreSQL {}", server.major());
        let snapshot = || Snapshot::initial().and_added(true);
        let publish = |operations: &str| {
            let set = format!("ALTER PUBLICATION {PUBLICATION} SET (publish = '{operations}')");
            tables.fixture.run([&set]);
        };
        let mut reader = tables.reader(|builder| builder.snapshot(snapshot()));
        let mut events = read_until(&mut reader, is_end);
        drop(reader);
        publish("update, delete");
        tables.fixture.run(["INSERT INTO a VALUES (1001)"]);
        let position: Position = events.last().unwrap().position().to_string().parse().unwrap();
        let mut reader = tables.reader(|builder| builder.snapshot(snapshot()).resume(position));
        let again = read_until(&mut reader, is_end);
        assert_eq!(ops(&again), "TRTRZ", "{context}");
        events.extend(again);
        tables.fixture.run(["INSERT INTO b VALUES (1002)"]);
        publish(if server.major() < 11 {
            "insert, update, delete"
        } else {
            "insert, update, delete, truncate"
        });
        let again = read_until(&mut reader, is_end);
        assert_eq!(ops(&again), "TRTRZ", "{context}");
        events.extend(again);
        events.extend(tables.read_to_end(&mut reader));
        reader.stop().unwrap();
        replayed(&events, &[]).assert_eq(&tables.source(&["a", "b"]), &context);
    }
}

/// What the documentation advises.
#[test]
fn a_root_is_copied_again_with_partitions_that_were_attached_and_without_detached_ones() {
    for server in servers_from(13) {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
             INSERT INTO p SELECT n FROM generate_series(0, 4) AS n;
             CREATE TABLE p2 (id int PRIMARY KEY);
             INSERT INTO p2 SELECT n FROM generate_series(10, 15) AS n;
             CREATE PUBLICATION root FOR TABLE p WITH (publish_via_partition_root)",
        );
        let mut reader = Reader::builder(&fixture.database().dsn())
            .slot(fixture.database().slot_name("root"))
            .publication("root")
            .slot_creation(SlotCreation::IfMissing)
            .snapshot(Snapshot::initial().and_added(true))
            .connect()
            .unwrap();
        let ids = |events: &[ChangeEvent]| -> Vec<i32> {
            events
                .iter()
                .filter(|event| event.op() == Op::SnapshotRow)
                .map(|event| event.after().unwrap().get("id").unwrap())
                .collect()
        };
        assert_eq!(ids(&read_until(&mut reader, is_end)), [0, 1, 2, 3, 4]);
        for (change, expected) in [
            (
                "ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)",
                &[0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15][..],
            ),
            ("DETACH PARTITION p1", &[10, 11, 12, 13, 14, 15]),
        ] {
            // The copy before is over once the stream goes on.
            fixture.run(["INSERT INTO p VALUES (5)", "DELETE FROM p WHERE id = 5"]);
            read_until(&mut reader, |event| event.op() == Op::Delete);
            fixture.run([&format!("ALTER TABLE p {change}")]);
            reader.add_tables(["public.p"]).unwrap();
            let events = read_until(&mut reader, is_end);
            assert_eq!(ops(&events), "TRZ");
            assert!(
                events.iter().all(|event| event.table().is_none_or(|table| table.name() == "p"))
            );
            let mut ids = ids(&events);
            ids.sort_unstable();
            assert_eq!(ids, expected, "PostgreSQL {}", server.major());
        }
        reader.stop().unwrap();
    }
}

#[test]
fn settings_that_tables_cannot_be_added_with_are_refused() {
    for server in servers() {
        let tables = Tables::new(server);
        let only = Snapshot::added().only([SnapshotTable::new("public", "a")]);
        let refused = tables.builder().snapshot(only).connect().unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Usage(_)), "{refused:?}");
        let alone = Reader::builder(&tables.fixture.database().dsn()).publication(PUBLICATION);
        let alone = alone.snapshot(Snapshot::alone().and_added(true)).connect().unwrap_err();
        assert!(matches!(alone.kind(), ErrorKind::Snapshot(SnapshotError::Excluded { .. })));
        if server.major() >= 15 {
            let options = StreamOptions::new().two_phase(true);
            let builder = tables.builder().options(options).snapshot(Snapshot::added());
            let refused = builder.connect().unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::Snapshot(SnapshotError::Excluded { .. })));
        }
    }
}

/// It delays the creation of the slot for the copy.
#[test]
fn a_transaction_that_is_open_does_not_stop_the_stream() {
    for server in servers() {
        let tables = Tables::new(server);
        let mut reader = tables.reader(|builder| builder.snapshot(Snapshot::initial()));
        let mut events = read_until(&mut reader, is_end);
        tables.alter("ADD", "low");
        let mut client = tables.fixture.client();
        client.batch_execute("BEGIN; INSERT INTO b VALUES (-2, 'long')").unwrap();
        reader.add_tables(["public.low"]).unwrap();
        tables.while_writing(|| {
            events.extend(read(&mut reader, 300));
            assert!(!ops(&events).contains('T'));
            client.batch_execute("COMMIT").unwrap();
            events.extend(read_until(&mut reader, is_end));
            events.extend(read(&mut reader, 20));
        });
        events.extend(tables.read_to_end(&mut reader));
        reader.stop().unwrap();
        let context = format!("PostgreSQL {}", server.major());
        let expected = tables.source(&["a", "b", "low"]);
        replayed(&events, &[(0, "low")]).assert_eq(&expected, &context);
    }
}

/// Its changes in between are not in the first copy.
#[test]
fn a_table_that_joins_again_while_it_is_copied_is_copied_again() {
    for server in servers() {
        let tables = Tables::new(server);
        let mut reader = tables.reader(|builder| builder);
        tables.alter("ADD", "low");
        reader.add_tables(["public.low"]).unwrap();
        let mut events = read(&mut reader, 10);
        tables.alter("DROP", "low");
        tables.fixture.run(["INSERT INTO low VALUES (-2, 'not sent')"]);
        tables.alter("ADD", "low");
        for _ in 0..2 {
            reader.add_tables(["public.low"]).unwrap();
        }
        events.extend(read_until(&mut reader, is_end));
        events.extend(read_until(&mut reader, is_end));
        events.extend(tables.read_to_end(&mut reader));
        let context = format!("PostgreSQL {}", server.major());
        assert_eq!(of(&events, "low").iter().filter(|e| e.op() == Op::Truncate).count(), 2);
        replayed(&events, &[]).assert_eq(&tables.source(&["low"]), &context);
        reader.stop().unwrap();
    }
}

/// The changes of other tables are delivered meanwhile.
#[test]
fn a_copy_that_cannot_start_is_tried_again() {
    for server in servers() {
        let tables = Tables::new(server);
        let role = tables.fixture.database().slot_name("copier");
        tables.fixture.run([&format!("CREATE ROLE {role} LOGIN REPLICATION")]);
        let dsn = tables.fixture.database().dsn().replace("user=postgres", &format!("user={role}"));
        let mut reader = Reader::builder(&dsn)
            .slot(&tables.slot)
            .publication(PUBLICATION)
            .slot_creation(SlotCreation::IfMissing)
            .connect()
            .unwrap();
        tables.alter("ADD", "low");
        reader.add_tables(["public.low"]).unwrap();
        let mut events = Vec::new();
        for _ in 0..4 {
            events.extend(tables.read_to_end(&mut reader));
            thread::sleep(Duration::from_millis(500));
        }
        assert!(!ops(&events).contains(['T', 'R', 'Z']), "{}", ops(&events));
        assert_eq!(reader.health().reconnects, 0);
        tables.fixture.run([&format!("GRANT SELECT ON low TO {role}")]);
        let events = read_until(&mut reader, is_end);
        let rows = of(&events, "low").iter().filter(|e| e.op() == Op::SnapshotRow).count();
        assert_eq!(rows, ROWS, "PostgreSQL {}", server.major());
        reader.stop().unwrap();
        tables.fixture.run([&format!("DROP OWNED BY {role}; DROP ROLE {role}")]);
    }
}

#[test]
fn a_server_without_slots_or_connections_left_does_not_stop_the_stream() {
    for major in servers().iter().map(|server| server.major()) {
        let server = Server::builder()
            .setting("max_wal_senders", "2")
            // One is the fixture's.
            .setting("max_replication_slots", "3")
            .start(major)
            .unwrap();
        let tables = Tables::new(&server);
        let mut reader = tables.reader(|builder| builder);
        let config: Config = tables.fixture.database().dsn().parse().unwrap();
        for table in ["low", "high"] {
            tables.alter("ADD", table);
            reader.add_tables([format!("public.{table}")]).unwrap();
            let taken = (table == "low").then(|| connect_in_time(&config));
            let slot = "SELECT pg_create_logical_replication_slot('full', 'pgoutput')";
            if taken.is_none() {
                tables.fixture.run([slot]);
            }
            let mut events = Vec::new();
            for _ in 0..3 {
                events.extend(tables.read_to_end(&mut reader));
                thread::sleep(Duration::from_millis(500));
            }
            assert!(!ops(&events).contains(['T', 'R', 'Z']), "{major}: {}", ops(&events));
            assert_eq!(reader.health().reconnects, 0, "{major}");
            match taken {
                Some(taken) => taken.close().unwrap(),
                None => tables.fixture.run(["SELECT pg_drop_replication_slot('full')"]),
            }
            let events = read_until(&mut reader, is_end);
            let rows = of(&events, table).iter().filter(|e| e.op() == Op::SnapshotRow).count();
            assert_eq!(rows, ROWS, "{major}");
        }
        reader.stop().unwrap();
    }
}

/// Connects once the server has noticed the end of the connection before.
fn connect_in_time(config: &Config) -> Connection {
    for _ in 0..100 {
        if let Ok(connection) = Connection::connect(config) {
            return connection;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("no connection is left")
}

#[test]
fn a_reader_that_fails_after_the_creation_of_its_slot_names_it() {
    for major in servers().iter().map(|server| server.major()) {
        let server = Server::builder().setting("max_wal_senders", "1").start(major).unwrap();
        let tables = Tables::new(&server);
        let snapshot = Snapshot::initial().and_added(true);
        let error = tables.builder().snapshot(snapshot).connect().unwrap_err();
        let ErrorKind::Snapshot(SnapshotError::Interrupted { slot, cause }) = error.kind() else {
            panic!("{major}: {error:?}")
        };
        assert_eq!((slot, cause.sqlstate()), (&tables.slot, Some("53300")), "{major}");
    }
}
