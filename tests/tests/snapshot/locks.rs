//! Tables that another session has locked when a copy starts.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::{TIMEOUT, servers};
use pgoutput_reader::{
    Config, Error, ErrorKind, Reader, ReaderBuilder, SlotCreation, Snapshot, SnapshotError,
};
use pgoutput_tests::{PUBLICATION, eventually, waiting};
use postgres::Client;

use crate::replay::Rows;
use crate::scene::{Scene, is_end, ops, read_until};

/// A stopped reader gives up after two seconds, whatever the server does.
const AT_ONCE: Duration = Duration::from_secs(20);

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)";

/// Only the leaf has a size, which the catalogue is queried for before the lock.
const PARTITIONED: &str = "CREATE TABLE t (id int) PARTITION BY RANGE (id);
    CREATE TABLE part PARTITION OF t FOR VALUES FROM (1) TO (10)";

/// The creation of a slot waits for the transactions of all databases of the server: two of these
/// tests would wait for each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Begins a transaction that the creation of a slot waits for, and returns its process.
fn transaction(scene: &Scene<'_>) -> (Client, i32) {
    let mut client = scene.fixture.client();
    client.batch_execute("BEGIN; SELECT txid_current()").unwrap();
    let process = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    (client, process)
}

/// Waits until a session of the same database waits for the transaction of this process.
fn wait_for_waiter(scene: &Scene<'_>, process: i32) {
    let query = format!(
        "SELECT count(*) FROM pg_locks AS waiting JOIN pg_locks AS holder
            ON holder.transactionid = waiting.transactionid AND holder.granted
        JOIN pg_stat_activity AS session ON session.pid = waiting.pid
        WHERE NOT waiting.granted AND holder.pid = {process}
            AND session.datname = current_database()"
    );
    eventually("a wait", || (scene.fixture.number(&query) > 0).then_some(()));
}

fn waits_for_table(scene: &Scene<'_>) -> bool {
    let query = "SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE NOT granted AND relname = 't'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    scene.fixture.number(query) > 0
}

/// Connects a reader, and locks the table after its slot was created and before it locks the table
/// itself. `meanwhile` runs while it waits, with the session that holds the lock. The lock is
/// released after that, or, if `outlasts` is true, after the reader has given up.
fn connect_to_locked_table(
    scene: &Scene<'_>,
    builder: ReaderBuilder,
    outlasts: bool,
    meanwhile: impl FnOnce(&mut Client, i32),
) -> Result<Reader, Error> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        // The creation of a slot waits twice, for the transactions that are open then. One that
        // begins during the second wait, as that of the lock does, is not waited for.
        let (mut first, process) = transaction(scene);
        let connecting = scope.spawn(|| builder.connect());
        wait_for_waiter(scene, process);
        let (mut second, process) = transaction(scene);
        first.batch_execute("COMMIT").unwrap();
        wait_for_waiter(scene, process);
        let (mut holder, process) = transaction(scene);
        holder.batch_execute("LOCK TABLE ONLY t IN ACCESS EXCLUSIVE MODE").unwrap();
        second.batch_execute("COMMIT").unwrap();
        eventually("a wait for the lock", || {
            (connecting.is_finished() || waits_for_table(scene)).then_some(())
        });
        assert!(!connecting.is_finished(), "the reader has not waited: {:?}", connecting.join());
        meanwhile(&mut holder, process);
        if !outlasts {
            holder.batch_execute("COMMIT").unwrap();
        }
        let connected = waiting("the end of the wait", || connecting.join()).unwrap();
        drop(holder);
        connected
    })
}

fn jobs(jobs: u32) -> Snapshot {
    Snapshot::initial().jobs(NonZeroU32::new(jobs).unwrap())
}

fn has_slot(scene: &Scene<'_>) -> bool {
    let query = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = ";
    scene.fixture.number(&format!("{query}'{}'", scene.slot)) == 1
}

#[test]
fn a_stop_ends_a_copy_that_waits_for_a_lock() {
    for server in servers() {
        for count in [1, 3] {
            let scene = Scene::with_setup(server, "", SETUP, false);
            let mut builder = scene.builder().snapshot(jobs(count));
            let stop = builder.stop_handle().unwrap();
            let mut stopped_at = Instant::now();
            let error = connect_to_locked_table(&scene, builder, true, |_, _| {
                assert!(has_slot(&scene));
                stopped_at = Instant::now();
                stop.stop();
            });
            assert!(stopped_at.elapsed() < AT_ONCE, "{:?}", stopped_at.elapsed());
            let error = error.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Stopped { .. }), "{error}");
            assert!(!has_slot(&scene));
            eventually("the end of the wait", || (!waits_for_table(&scene)).then_some(()));
        }
    }
}

#[test]
fn a_lock_that_is_not_granted_is_named_with_its_holder() {
    for server in servers() {
        for (setup, count) in [(SETUP, 1), (SETUP, 3), (PARTITIONED, 1)] {
            // Through the root from PostgreSQL 13 on.
            if setup == PARTITIONED && server.major() < 13 {
                continue;
            }
            let limit = Duration::from_secs(4);
            let scene = Scene::with_setup(server, "", setup, false);
            if setup == PARTITIONED {
                scene.fixture.run(["ALTER PUBLICATION everything
                        SET (publish_via_partition_root = true)"]);
            }
            let builder = scene.builder().snapshot(jobs(count)).slot_wait_limit(limit);
            let mut waits = (Instant::now(), 0);
            let connected = connect_to_locked_table(&scene, builder, true, |_, process| {
                waits = (Instant::now(), process);
            });
            let error = connected.unwrap_err();
            let (since, process) = waits;
            assert_eq!(error.sqlstate(), Some("55P03"), "{error}");
            let text = error.to_string();
            let ErrorKind::Snapshot(SnapshotError::LockTimeout {
                tables,
                limit: found,
                sessions,
                ..
            }) = error.kind()
            else {
                panic!("{text}")
            };
            assert_eq!((&tables[..], *found), (&["\"public\".\"t\"".to_owned()][..], limit));
            assert_eq!(sessions.iter().map(|it| it.pid).collect::<Vec<_>>(), [Some(process)]);
            assert!(text.contains(&format!("pid {process} (idle in transaction")), "{text}");
            assert!(text.contains("--slot-wait"), "{text}");
            assert!(since.elapsed() > limit / 2 && since.elapsed() < TIMEOUT);
            assert!(!has_slot(&scene));
        }
    }
}

/// The server may be silent while a lock is waited for.
#[test]
fn a_wait_for_a_lock_may_be_longer_than_the_silence_of_the_server() {
    for server in servers() {
        for count in [1, 3] {
            let scene = Scene::with_setup(server, "", SETUP, false);
            let limit = Duration::from_secs(3);
            let config: Config = scene.fixture.database().dsn().parse().unwrap();
            let builder = ReaderBuilder::from(config.wal_receiver_timeout(limit))
                .slot(&scene.slot)
                .slot_creation(SlotCreation::IfMissing)
                .publication(PUBLICATION)
                .snapshot(jobs(count));
            let connected = connect_to_locked_table(&scene, builder, false, |_, _| {
                thread::sleep(limit * 2);
                assert!(waits_for_table(&scene));
            });
            connected.unwrap().stop().unwrap();
        }
    }
}

/// A TRUNCATE removes rows that the snapshot has.
#[test]
fn a_table_that_was_truncated_before_its_lock_is_copied_in_another_snapshot() {
    for server in servers() {
        for count in [1, 3] {
            let mut scene = Scene::with_setup(server, "", SETUP, false);
            let builder = scene.builder().snapshot(jobs(count));
            let connected = connect_to_locked_table(&scene, builder, false, |holder, _| {
                holder.batch_execute("TRUNCATE t; INSERT INTO t VALUES (2), (3)").unwrap();
            });
            let mut reader = connected.unwrap_or_else(|error| panic!("{error}"));
            let events = read_until(&mut reader, is_end);
            assert_eq!((ops(&events).as_str(), events.len()), ("RZ", 3));
            Rows::replayed(&events).assert_eq(&scene.source(), "");
            reader.stop().unwrap();
        }
    }
}
