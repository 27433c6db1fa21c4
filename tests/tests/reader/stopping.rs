//! Stopping in situations that could take indefinitely.

use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{Reader, ReaderBuilder, Reconnect, StopHandle};
use pgoutput_tests::{
    Condition, Direction, Fixture, InTime as _, Network, PUBLICATION, eventually, json,
};
use postgres::Client;

/// More rows than the buffers in between hold.
const ROWS: i64 = 20_000;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, filler text)";

/// A limit that a correct test never reaches.
const TIMEOUT: Duration = Duration::from_secs(60);

fn insert_all(fixture: &Fixture<'_>) {
    let insert =
        format!("INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, {ROWS}) n");
    fixture.run([&insert as &str]);
}

fn through(network: &Network, fixture: &Fixture<'_>) -> ReaderBuilder {
    let server = fixture.database().server();
    let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
    let dsn = fixture.database().dsn_tcp().replace(&own, &port);
    let config: pgoutput_reader::Config = dsn.parse().unwrap();
    ReaderBuilder::from(config).slot(fixture.slot_name()).publication(PUBLICATION)
}

/// Runs `work` on a thread of its own and returns its result, unless it hangs.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(TIMEOUT).expect("the work hangs")
}

/// Waits with a reader whose connection is gone, on a thread of its own, until it is stopped.
fn to_the_end(mut reader: Reader) -> (StopHandle, JoinHandle<()>) {
    let stop = reader.stop_handle();
    let waiting = thread::spawn(move || {
        assert!(reader.next_in_time().is_none());
        // The last acknowledgement cannot be reported.
        let _ = reader.stop();
    });
    (stop, waiting)
}

/// The server first sends the rest of the transaction, and that rest never arrives.
#[test]
fn a_stop_within_a_transaction_does_not_wait_for_its_end() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let mut reader = through(&network, &fixture).connect().unwrap();
        insert_all(&fixture);
        let first = reader.next_in_time().unwrap().unwrap();
        let commit_lsn = first.position().commit_lsn();
        network.set(Direction::ToClient, Condition::Stall(0));
        in_time(move || reader.stop()).unwrap();
        network.restore();
        fixture.wait_until_free();
        assert!(fixture.slot().confirmed <= commit_lsn);
        let again = fixture.read();
        assert_eq!(again.len(), usize::try_from(ROWS).unwrap());
        assert_eq!(json(&again[0])["after"]["id"], 1);
    }
}

#[test]
fn a_stop_ends_the_wait_for_a_server_that_is_gone() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let (reconnecting, is_reconnecting) = channel();
        let mut reader = through(&network, &fixture)
            .reconnect(Reconnect::default().initial_delay(TIMEOUT).max_delay(TIMEOUT))
            .on_reconnect(move |_| reconnecting.send(()).unwrap())
            .connect()
            .unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        network.cut();
        let (stop, waiting) = to_the_end(reader);
        is_reconnecting.recv_timeout(TIMEOUT).unwrap();
        stop.stop();
        in_time(move || waiting.join()).unwrap();
        fixture.wait_until_free();
        assert!(fixture.slot().confirmed <= event.position().commit_lsn());
    }
}

#[test]
fn a_stop_ends_an_unanswered_attempt() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let mut reader = through(&network, &fixture)
            .reconnect(Reconnect::default().initial_delay(Duration::from_millis(1)))
            .connect()
            .unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert!(reader.next_in_time().unwrap().is_ok());
        // Current connections are cut, and new ones get no answer.
        network.discard();
        network.cut();
        let (stop, waiting) = to_the_end(reader);
        eventually("the reader to try again", || (network.waiting() > 0).then_some(()));
        stop.stop();
        in_time(move || waiting.join()).unwrap();
        network.restore();
        fixture.wait_until_free();
    }
}

/// Returns a reader that has read a change and lost its connection. When it reconnects, the
/// replication connection is accepted and every other one waits.
fn partly_reconnecting(network: &Network, fixture: &Fixture<'_>) -> Reader {
    let mut reader = through(network, fixture)
        .reconnect(Reconnect::default().initial_delay(Duration::from_millis(1)))
        .connect()
        .unwrap();
    fixture.run(["INSERT INTO t VALUES (1)"]);
    assert!(reader.next_in_time().unwrap().is_ok());
    network.cut();
    fixture.wait_until_free();
    network.accept(1);
    reader
}

const COUNT_WALSENDERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'walsender' AND datname = current_database()";

/// Once the SQL connection is accepted after all, it is used and not replaced.
#[test]
fn a_stream_starts_while_the_sql_connection_is_delayed() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        network.accept(1);
        let reader = through(&network, &fixture);
        let mut reader = in_time(move || reader.connect()).unwrap();
        assert!(fixture.slot().active);
        assert_eq!(network.waiting(), 1);
        network.restore();
        eventually("it to be made", || (network.waiting() == 0).then_some(()));
        network.accept(0);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        in_time(move || reader.next_in_time()).unwrap().unwrap();
        assert_eq!(network.waiting(), 0);
    }
}

#[test]
fn a_stop_prevents_an_attempt_from_taking_the_slot() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let reader = partly_reconnecting(&network, &fixture);
        let (stop, waiting) = to_the_end(reader);
        eventually("the SQL connection", || (network.waiting() > 0).then_some(()));
        stop.stop();
        in_time(move || waiting.join()).unwrap();
        eventually("the attempt to end", || {
            assert!(!fixture.slot().active, "the slot is taken by a reader that has stopped");
            (fixture.number(COUNT_WALSENDERS) == 0).then_some(())
        });
        network.restore();
    }
}

#[test]
fn a_stop_releases_a_slot_that_an_attempt_has_just_taken() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let reader = partly_reconnecting(&network, &fixture);
        let (stop, waiting) = to_the_end(reader);
        eventually("the slot to be taken", || fixture.slot().active.then_some(()));
        let stopped_at = Instant::now();
        stop.stop();
        in_time(move || waiting.join()).unwrap();
        fixture.wait_until_free();
        assert!(stopped_at.elapsed() < Duration::from_secs(10));
        network.restore();
    }
}

/// Counts the sessions that wait for the lock on `pg_range` in this database.
const BLOCKED: &str = "SELECT count(*) FROM pg_catalog.pg_locks \
                       WHERE NOT granted AND relation = 'pg_catalog.pg_range'::regclass \
                       AND database = (SELECT oid FROM pg_catalog.pg_database \
                                       WHERE datname = current_database())";

/// Stops a reader, from another thread, while its lookup waits for that lock. The observing session
/// was opened before the lock, because a new one may wait for it, too.
fn stop_once_blocked(observer: &mut Client, mut reader: Reader) {
    let stop = reader.stop_handle();
    let waiting = thread::spawn(move || {
        assert!(reader.next_in_time().is_none());
        assert!(reader.is_finished());
        reader.stop()
    });
    eventually("the lookup to be blocked", || {
        let blocked: i64 = observer.query_one(BLOCKED, &[]).unwrap().get(0);
        (blocked > 0).then_some(())
    });
    let stopped_at = Instant::now();
    stop.stop();
    in_time(move || waiting.join()).unwrap().unwrap();
    assert!(stopped_at.elapsed() < Duration::from_secs(10));
}

/// The lookup of a type is blocked. The rest of the transaction, with its Commit, has already
/// arrived.
#[test]
fn a_stop_ends_a_blocked_lookup() {
    for server in servers() {
        let setup = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY);
                 CREATE TABLE moods (mood mood)";
        let fixture = Fixture::new(server, setup);
        let mut reader = fixture.reader();
        fixture.run(["BEGIN; INSERT INTO t VALUES (1); INSERT INTO moods VALUES ('sad'); COMMIT"]);
        let first = reader.next_in_time().unwrap().unwrap();
        assert_eq!(json(&first)["after"]["id"], 1);
        let (mut observer, mut client) = (fixture.client(), fixture.client());
        let mut lock = client.transaction().unwrap();
        lock.batch_execute("LOCK TABLE pg_catalog.pg_range IN ACCESS EXCLUSIVE MODE").unwrap();
        stop_once_blocked(&mut observer, reader);
        lock.rollback().unwrap();
        fixture.wait_until_free();
        assert!(fixture.slot().confirmed <= first.position().commit_lsn());
        let again = fixture.read();
        assert_eq!(again.len(), 2);
        assert_eq!(json(&again[1])["after"]["mood"], "sad");
    }
}

/// The lock is held before the reader connects and opens the SQL connection for its first query. A
/// new session waits for the lock if the files `pg_internal.init` are missing. Creating a
/// publication of all tables, in any database, discards the shared one of these files, so this test
/// uses its own server.
#[test]
fn a_stop_ends_a_blocked_first_lookup() {
    for shared in servers() {
        let server = &Server::of_major(shared.major()).unwrap();
        let setup = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE moods (mood mood)";
        let fixture = Fixture::new(server, setup);
        fixture.run(["INSERT INTO moods VALUES ('sad')"]);
        let (mut observer, mut client) = (fixture.client(), fixture.client());
        let mut lock = client.transaction().unwrap();
        lock.batch_execute("LOCK TABLE pg_catalog.pg_range IN ACCESS EXCLUSIVE MODE").unwrap();
        let reader = fixture.reader();
        stop_once_blocked(&mut observer, reader);
        lock.rollback().unwrap();
        fixture.wait_until_free();
        assert_eq!(fixture.read().len(), 1);
    }
}
