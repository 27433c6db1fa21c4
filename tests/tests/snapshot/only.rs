//! Copies that are limited to tables and rows.

use std::num::NonZeroU32;

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::inspect::is_closed_condition;
use pgoutput_reader::{
    ChangeEvent, ErrorKind, Op, Position, ReaderBuilder, Snapshot, SnapshotError, SnapshotTable,
};
use pgoutput_tests::{InTime as _, Random};
use postgres::Client;

use crate::connect;
use crate::replay::Rows;
use crate::scene::{Scene, is_end, ops, read_until};

/// `two` and `four` are empty, so that the stream alone makes up their rows.
const SETUP: &str = r#"
    CREATE TABLE one (id int PRIMARY KEY, v int);
    CREATE TABLE two (id int PRIMARY KEY, v int);
    CREATE TABLE "Three" (id int PRIMARY KEY, v int);
    CREATE TABLE four (id int PRIMARY KEY, v int);
    CREATE TABLE five (id int PRIMARY KEY, v int);
    INSERT INTO one SELECT n, n FROM generate_series(1, 30) AS n;
    INSERT INTO "Three" SELECT n, n FROM generate_series(1, 30) AS n;
    INSERT INTO five SELECT n, n FROM generate_series(1, 30) AS n"#;

fn scene(server: &Server) -> Scene<'_> {
    Scene::with_setup(server, "", SETUP, false)
}

fn full_tables() -> Snapshot {
    Snapshot::initial()
        .only(["one", "Three", "five"].map(|name| SnapshotTable::new("public", name)))
}

fn jobs(jobs: u32) -> NonZeroU32 {
    NonZeroU32::new(jobs).unwrap()
}

/// Runs a transaction that changes every table.
fn write(client: &mut Client, random: &mut Random) {
    let id = 1 + random.below(30);
    client
        .batch_execute(&format!(
            r#"BEGIN;
            INSERT INTO two SELECT coalesce(max(id), 0) + 1, {id} FROM two;
            INSERT INTO four SELECT coalesce(max(id), 0) + 1, {id} FROM four;
            UPDATE two SET v = v + 1 WHERE id % 7 = {id} % 7;
            UPDATE one SET v = v + 1 WHERE id = {id};
            UPDATE "Three" SET v = v + 1 WHERE id = {id};
            INSERT INTO five SELECT max(id) + 1, {id} FROM five;
            COMMIT"#
        ))
        .unwrap();
}

fn name(event: &ChangeEvent) -> &str {
    event.table().unwrap().name()
}

fn snapshot_error(builder: ReaderBuilder) -> SnapshotError {
    match builder.connect().unwrap_err().into_kind() {
        ErrorKind::Snapshot(error) => error,
        other => panic!("{other:?}"),
    }
}

fn slots(scene: &Scene<'_>) -> i64 {
    let query = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()";
    scene.fixture.number(query)
}

#[test]
fn only_the_tables_and_rows_that_are_named_are_copied_and_all_changes_arrive() {
    for server in servers() {
        for number in [1, 3] {
            let scene = scene(server);
            let snapshot =
                Snapshot::initial().jobs(jobs(number)).only([
                    SnapshotTable::new("public", "one"),
                    // The table's name, a function of pg_catalog, and a comment at the end.
                    r#"public."Three" WHERE "Three".id > 20 AND abs(v) < 29 -- and no more"#
                        .parse()
                        .unwrap(),
                    SnapshotTable::new("public", "five").filter("false"),
                ]);
            let mut reader = scene.builder().snapshot(snapshot).connect().unwrap();
            let rows = read_until(&mut reader, is_end);
            let copied = |table| rows[..rows.len() - 1].iter().filter(|e| name(e) == table).count();
            let context = format!("PostgreSQL {}, {number} jobs", server.major());
            assert_eq!((copied("one"), copied("Three"), rows.len()), (30, 8, 39), "{context}");
            scene.fixture.run([
                "INSERT INTO two VALUES (1)",
                "UPDATE five SET v = 0 WHERE id = 7",
                "UPDATE \"Three\" SET v = 0 WHERE id = 1",
            ]);
            let changes = read_until(&mut reader, |e| name(e) == "Three");
            assert_eq!((ops(&changes), changes.len()), ("IU".into(), 3), "{context}");
            reader.stop().unwrap();
        }
    }
}

#[test]
fn a_copy_of_some_tables_that_is_interrupted_loses_no_change_of_the_others() {
    for server in servers() {
        for keeps_positions in [true, false] {
            let mut scene = scene(server);
            let mut client = scene.fixture.client();
            let mut random = Random::new(u64::from(server.major()));
            let mut kept: Vec<ChangeEvent> = Vec::new();
            for run in 0..8 {
                scene.fixture.database().wait_until_free(&scene.slot);
                let snapshot = full_tables().jobs(jobs(1 + run % 2));
                let mut builder = scene.builder().snapshot(snapshot);
                if let Some(last) = kept.last().filter(|_| keeps_positions) {
                    let position = last.position().to_string();
                    builder = builder.resume(position.parse::<Position>().unwrap());
                }
                let mut reader = builder.connect().unwrap();
                for _ in 0..=random.below(45) {
                    let event = reader.next_in_time().unwrap().unwrap();
                    let ends = is_end(&event);
                    kept.push(event);
                    if random.one_in(4) {
                        write(&mut client, &mut random);
                    }
                    if ends {
                        break;
                    }
                }
                drop(reader);
                write(&mut client, &mut random);
            }
            let last = kept.last().unwrap().position().to_string();
            kept.extend(scene.read_with(|builder| {
                let builder = builder.snapshot(full_tables());
                if keeps_positions { builder.resume(last.parse().unwrap()) } else { builder }
            }));
            let context = format!("PostgreSQL {}, positions {keeps_positions}", server.major());
            let replayed =
                if keeps_positions { Rows::replayed(&kept) } else { Rows::replayed_again(&kept) };
            replayed.assert_eq(&scene.source(), &context);
            let is_copied = |event: &&ChangeEvent| event.op() == Op::SnapshotRow;
            assert!(kept.iter().filter(is_copied).all(|e| !["two", "four"].contains(&name(e))));
        }
    }
}

#[test]
fn a_table_that_is_not_published_is_found_before_anything_is_created() {
    for server in servers() {
        let scene = scene(server);
        for table in [SnapshotTable::new("public", "three"), SnapshotTable::new("One", "one")] {
            let error = snapshot_error(scene.builder().snapshot(Snapshot::initial().only([table])));
            assert!(matches!(error, SnapshotError::NotPublished { .. }), "{error}");
            assert_eq!(slots(&scene), 1);
        }
        let twice =
            Snapshot::initial().only(["public.one", "Public.One"].map(|t| t.parse().unwrap()));
        let error = snapshot_error(scene.builder().snapshot(twice));
        assert!(matches!(error, SnapshotError::TableRepeated { .. }), "{error}");
    }
}

#[test]
fn partitions_are_named_as_they_are_published() {
    for server in servers_from(13) {
        let scene = Scene::with_setup(
            server,
            "",
            "CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
             CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
             INSERT INTO p SELECT n, n FROM generate_series(0, 19) AS n;
             CREATE PUBLICATION root FOR TABLE p WITH (publish_via_partition_root)",
            false,
        );
        let only = |name| {
            Snapshot::initial()
                .only([SnapshotTable::new("public", name).filter(format!("{name}.id % 2 = 0"))])
        };
        let error = snapshot_error(scene.builder().snapshot(only("p")));
        assert!(matches!(error, SnapshotError::NotPublished { .. }), "{error}");
        let events = scene.read_with(|builder| builder.snapshot(only("p2")));
        assert_eq!((events.len(), name(&events[0])), (6, "p2"));
        let slot = scene.fixture.database().slot_name("root");
        let builder = scene.builder().slot(&slot).publication("root").snapshot(only("p"));
        let mut reader = builder.connect().unwrap();
        let events = read_until(&mut reader, is_end);
        assert_eq!((events.len(), name(&events[0])), (11, "p"));
    }
}

#[test]
fn a_condition_that_the_server_refuses_names_the_table_and_leaves_no_slot() {
    for server in servers() {
        for number in [1, 2] {
            let scene = scene(server);
            for (condition, cause) in [
                ("no_such_column = 1", "no_such_column"),
                ("id", "boolean"),
                ("", "syntax error"),
                ("id > 1 ORDER BY id", "syntax error"),
                ("no_such_function(id)", "no_such_function"),
                ("id = 'x'", "invalid input syntax"),
            ] {
                let tables = [
                    SnapshotTable::new("public", "one"),
                    SnapshotTable::new("public", "five").filter(condition),
                ];
                let snapshot = Snapshot::initial().jobs(jobs(number)).only(tables);
                let error = snapshot_error(scene.builder().snapshot(snapshot));
                let SnapshotError::ConditionRefused { table, .. } = &error else {
                    panic!("{error}")
                };
                assert_eq!(table, "five");
                assert!(error.to_string().contains(cause), "{error}");
                assert_eq!(slots(&scene), 1, "{condition}");
            }
        }
    }
}

#[test]
fn a_condition_cannot_leave_its_place() {
    for server in servers() {
        let scene = scene(server);
        for condition in [
            "true) OR (true",
            "true) TO STDOUT; DROP TABLE public.two; --",
            "true); DROP TABLE public.two; SELECT (1",
            "true; DROP TABLE public.two",
            "v = E'x'\n'\\') OR (true) --'",
        ] {
            let table = SnapshotTable::new("public", "one").filter(condition);
            let error = snapshot_error(scene.builder().snapshot(Snapshot::initial().only([table])));
            assert!(matches!(error, SnapshotError::Condition { .. }), "{condition}: {error}");
        }
        assert_eq!(slots(&scene), 1);
        scene.fixture.run(["SELECT FROM two"]);
    }
}

#[test]
fn an_accepted_condition_is_one_expression_to_every_server() {
    const PARTS: [&str; 32] = [
        "true", "(", ")", "(", ")", "'", "''", "E'", "\\'", "\\", "\"", "\"\"", "$$", "$a$", "$b",
        "$1", "--", "\n", "\r", "/*", "*/", ";", "1", "e", "x", " ", " OR ", " = ", "U&'", "B'",
        "N'", "SELECT 1",
    ];
    for server in servers() {
        let scene = scene(server);
        let mut connection = connect(&scene.fixture.database().dsn());
        connection.simple_query("SET standard_conforming_strings TO on").unwrap();
        let mut random = Random::new(77);
        let (mut accepted, mut valid) = (0, 0);
        while accepted < 3000 {
            let parts: Vec<&str> =
                (0..2 + random.below(9)).map(|_| *random.one_of(&PARTS)).collect();
            let condition = parts.concat();
            if !is_closed_condition(&condition) {
                continue;
            }
            accepted += 1;
            // A parenthesis that is closed too early leaves a condition that is true, or a second
            // statement.
            let query = format!("SELECT FROM public.one WHERE false AND ({condition}\n) LIMIT 3");
            if let Ok(results) = connection.simple_query(&query) {
                valid += 1;
                assert!(results.len() == 1 && results[0].rows.is_empty(), "{condition:?}");
            }
        }
        assert!(valid > 30, "{valid}");
    }
}

#[test]
fn a_table_that_is_locked_is_waited_for() {
    for server in servers() {
        for number in [1, 2] {
            let scene = scene(server);
            let mut holder = scene.fixture.client();
            // A copy does not wait for a lock that lets readers through.
            holder
                .batch_execute("BEGIN; LOCK TABLE ONLY one IN SHARE UPDATE EXCLUSIVE MODE")
                .unwrap();
            let snapshot = full_tables().jobs(jobs(number));
            let mut reader = scene.builder().snapshot(snapshot).connect().unwrap();
            holder.batch_execute("COMMIT; BEGIN; LOCK TABLE two IN ACCESS EXCLUSIVE MODE").unwrap();
            assert_eq!(read_until(&mut reader, is_end).len(), 91);
            reader.stop().unwrap();
            // A lock that excludes every reader, also of the table's size.
            let slot = format!("{}_2", scene.slot);
            let builder = scene.builder().snapshot(full_tables().jobs(jobs(number))).slot(&slot);
            let error = builder.slot_wait_limit(std::time::Duration::from_millis(700));
            let error = snapshot_error(error);
            assert!(matches!(error, SnapshotError::LockTimeout { .. }), "{error}");
            assert_eq!(slots(&scene), 2);
        }
    }
}
