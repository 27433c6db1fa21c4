//! Connections that the server ends in the middle of a copy by several jobs.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::thread;

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{ChangeEvent, Reader, Snapshot};
use pgoutput_tests::{InTime as _, eventually, waiting};

use crate::replay::Rows;
use crate::scene::{Scene, is_end, is_marker, ops};

const JOBS: u32 = 3;

/// Tables whose rows do not fit into the buffers between the server and the reader. The first one
/// is divided where ranges of pages are.
const SETUP: &str = "
    CREATE TABLE one (id int PRIMARY KEY, v text);
    CREATE TABLE two (LIKE one INCLUDING ALL);
    CREATE TABLE three (LIKE one INCLUDING ALL);
    CREATE TABLE wide (id int PRIMARY KEY);
    INSERT INTO one SELECT i, rpad(i::text, 1500, 'x') FROM generate_series(1, 7000) AS i;
    INSERT INTO two SELECT id, v FROM one WHERE id <= 4000;
    INSERT INTO three SELECT id, v FROM two";

/// The sessions of this program that copy.
const WORKERS: &str = "backend_type = 'client backend' AND query LIKE 'COPY%' AND state = 'active'";

/// Those in a transaction. The first one is that of the session with the snapshot and the locks.
const IN_TRANSACTION: &str = "backend_type = 'client backend' AND xact_start IS NOT NULL";

const REPLICATION: &str = "backend_type = 'walsender'";

/// Returns the processes of the reader's connections with this condition, the oldest transaction
/// first.
fn processes(scene: &Scene<'_>, condition: &str) -> Vec<i32> {
    let query = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'pgoutput' AND {condition} ORDER BY xact_start, pid"
    );
    let rows = scene.fixture.client().query(&query, &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn terminate(scene: &Scene<'_>, process: i32) {
    let query = format!("SELECT pg_terminate_backend({process})::int");
    assert_eq!(scene.fixture.number(&query), 1);
    eventually("the end of the process", || {
        let query = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
        (scene.fixture.number(&query) == 0).then_some(())
    });
}

fn change(scene: &Scene<'_>, number: usize) {
    let statements = ["one", "two", "three"].map(|table| {
        format!(
            "UPDATE {table} SET v = 'changed' WHERE id % 1000 = {number};
             DELETE FROM {table} WHERE id % 1000 = {number} + 100;
             INSERT INTO {table} VALUES ({number} + 100000, 'new')"
        )
    });
    scene.fixture.run([&statements.join(";")]);
}

/// A reader that is in the middle of its copy, and the processes of its workers.
fn start(server: &Server) -> (Scene<'_>, Reader, Vec<ChangeEvent>, Vec<i32>) {
    let scene = Scene::with_setup(server, "", SETUP, false);
    let snapshot = Snapshot::initial().jobs(NonZeroU32::new(JOBS).unwrap());
    let mut reader = scene.builder().snapshot(snapshot).connect().unwrap();
    change(&scene, 1);
    let events: Vec<_> = (0..100).map(|_| reader.next_in_time().unwrap().unwrap()).collect();
    let workers = eventually("the workers", || {
        Some(processes(&scene, WORKERS)).filter(|found| found.len() == JOBS as usize)
    });
    (scene, reader, events, workers)
}

/// Reads the rest, with `check` called now and then, and compares all of it with the source.
fn finish(
    scene: &mut Scene<'_>,
    mut reader: Reader,
    mut events: Vec<ChangeEvent>,
    reconnects: u64,
    mut check: impl FnMut(&Scene<'_>),
) -> String {
    change(scene, 2);
    while !events.last().is_some_and(is_end) {
        events.push(reader.next_in_time().unwrap().unwrap());
        if events.len().is_multiple_of(100) {
            check(scene);
        }
    }
    change(scene, 3);
    scene.fixture.run(["INSERT INTO wide (id) VALUES (77)"]);
    while !events.last().is_some_and(is_marker) {
        events.push(reader.next_in_time().unwrap().unwrap());
    }
    assert_eq!(reader.health().reconnects, reconnects);
    reader.stop().unwrap();
    let context = format!("PostgreSQL {}", scene.fixture.major());
    Rows::replayed(&events).assert_eq(&scene.source(), &context);
    ops(&events)
}

#[test]
fn a_job_that_loses_its_connection_continues_in_the_same_snapshot() {
    for server in servers() {
        let (mut scene, reader, events, workers) = start(server);
        for worker in &workers {
            terminate(&scene, *worker);
        }
        let mut others = BTreeSet::new();
        let ops = finish(&mut scene, reader, events, 0, |scene| {
            let found = processes(scene, WORKERS);
            others.extend(found.into_iter().filter(|found| !workers.contains(found)));
        });
        assert!(ops.starts_with("RZ") && !ops.contains('T'), "{ops}");
        assert_eq!(others.len(), JOBS as usize, "each has connected again");
    }
}

#[test]
fn without_the_session_that_keeps_the_snapshot_another_one_is_taken() {
    for server in servers() {
        let (mut scene, reader, events, workers) = start(server);
        let keeper = processes(&scene, IN_TRANSACTION)[0];
        assert!(!workers.contains(&keeper));
        terminate(&scene, keeper);
        let mut others = BTreeSet::new();
        let ops = finish(&mut scene, reader, events, 1, |scene| {
            let found = processes(scene, IN_TRANSACTION);
            others.extend(found.first().copied().filter(|found| *found != keeper));
        });
        // The table that was copied in part is emptied first.
        assert!(ops.starts_with("RTR"), "{ops}");
        assert!(!others.is_empty());
    }
}

/// It is read again only after the copy.
#[test]
fn a_stream_that_is_lost_during_the_copy_is_replaced() {
    for server in servers() {
        let (mut scene, reader, events, _) = start(server);
        let [stream] = processes(&scene, REPLICATION)[..] else { panic!("one stream") };
        terminate(&scene, stream);
        let ops = finish(&mut scene, reader, events, 1, |_| {});
        assert!(ops.contains('Z'), "{ops}");
    }
}

/// A job that comes to the table later waits for the lock that TRUNCATE waits for, and TRUNCATE for
/// that of the snapshot.
#[test]
fn a_truncate_that_waits_for_the_copy_does_not_block_it() {
    for server in servers() {
        let mut scene = Scene::with_setup(server, "", SETUP, false);
        scene.fixture.run([
            "CREATE TABLE four (LIKE one INCLUDING ALL)",
            "INSERT INTO four SELECT * FROM two",
        ]);
        let snapshot = Snapshot::initial().jobs(NonZeroU32::new(JOBS).unwrap());
        let mut reader = scene.builder().snapshot(snapshot).connect().unwrap();
        let events = (0..100).map(|_| reader.next_in_time().unwrap().unwrap()).collect();
        let mut client = scene.fixture.client();
        let (ops, truncated) = thread::scope(|scope| {
            let truncating = scope.spawn(move || {
                client.batch_execute("TRUNCATE four; INSERT INTO four VALUES (1, 'new')")
            });
            eventually("a wait", || {
                let query = "SELECT count(*) FROM pg_locks \
                             WHERE NOT granted AND relation = 'four'::regclass";
                (scene.fixture.number(query) == 1).then_some(())
            });
            let ops = finish(&mut scene, reader, events, 1, |_| {});
            (ops, waiting("TRUNCATE", || truncating.join()).unwrap())
        });
        truncated.unwrap();
        // The tables before it are copied once.
        assert!(ops.starts_with("RZ") || ops.starts_with("RTRZ"), "{ops}");
    }
}
