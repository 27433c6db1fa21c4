//! A loop body that takes longer than the server's timeout.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{ChangeEvent, Config, ErrorKind, Reader, ReaderBuilder, Reconnect};
use pgoutput_tests::{Fixture, InTime as _, Network, PUBLICATION, eventually};

const SERVER_TIMEOUT: Duration = Duration::from_millis(1500);

/// More than six times the server's timeout.
const BUSY: Duration = Duration::from_secs(10);

/// More than twice the server's timeout, for tests in which that suffices.
const LONG: Duration = Duration::from_secs(4);

/// More rows than the buffers of both sides hold, so that the server is still sending while the
/// loop body runs.
const ROWS: i64 = 8000;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, filler text)";

/// Runs the test with a server of each version concurrently, because most of it is waiting.
fn at_once(test: impl Fn(&Server) + Sync) {
    thread::scope(|scope| {
        for shared in servers() {
            let test = &test;
            thread::Builder::new()
                .name("liveness".into())
                .spawn_scoped(scope, move || {
                    if shared.major() >= 12 {
                        return test(shared);
                    }
                    // Older servers have one timeout for all connections.
                    let own = Server::builder().setting("wal_sender_timeout", "1500ms");
                    test(&own.start(shared.major()).unwrap());
                })
                .unwrap();
        }
    });
}

fn builder(fixture: &Fixture<'_>) -> ReaderBuilder {
    let mut config: Config = fixture.database().dsn().parse().unwrap();
    if fixture.major() >= 12 {
        config = config.wal_sender_timeout(Some(SERVER_TIMEOUT));
    }
    ReaderBuilder::from(config).slot(fixture.slot_name()).publication(PUBLICATION)
}

fn insert_all(fixture: &Fixture<'_>) {
    let insert =
        format!("INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, {ROWS}) n");
    fixture.run([&insert as &str]);
}

fn id(event: &ChangeEvent) -> i64 {
    event.after().unwrap().get("id").unwrap()
}

fn next_id(reader: &mut Reader) -> i64 {
    id(&reader.next_in_time().unwrap().unwrap())
}

/// Reads a row, pauses within its transaction, and reads the rest.
fn survives(server: &Server, heartbeat: bool, busy: impl Fn(&mut Reader)) {
    let fixture = Fixture::new(server, SETUP);
    let mut reader =
        builder(&fixture).heartbeat(heartbeat).reconnect(Reconnect::never()).connect().unwrap();
    insert_all(&fixture);
    let first = reader.next_in_time().unwrap().unwrap();
    assert_eq!(id(&first), 1);
    let commit_lsn = first.position().commit_lsn();
    busy(&mut reader);
    assert!(fixture.slot().active, "PostgreSQL {}", fixture.major());
    assert!(fixture.slot().confirmed <= commit_lsn);
    for expected in 2..=ROWS {
        assert_eq!(next_id(&mut reader), expected);
    }
    reader.stop().unwrap();
    // The event after the last one was not requested.
    assert!(fixture.slot().confirmed <= commit_lsn);
    assert!(fixture.read().iter().map(id).eq(1..=ROWS));
    assert!(fixture.slot().confirmed > commit_lsn);
}

#[test]
fn a_busy_loop_body_keeps_the_connection() {
    // The loop body runs continuously.
    at_once(|server| {
        survives(server, true, |_| {
            let end = Instant::now() + BUSY;
            while Instant::now() < end {
                black_box((0..10_000_u64).map(black_box).sum::<u64>());
            }
        });
    });
}

#[test]
fn without_the_heartbeat_tick_keeps_the_connection() {
    at_once(|server| {
        survives(server, false, |reader| {
            let end = Instant::now() + LONG;
            while Instant::now() < end {
                thread::sleep(SERVER_TIMEOUT / 10);
                reader.tick().unwrap();
            }
        });
    });
}

/// With the heartbeat, and without it, when asking for events sends the status updates.
#[test]
fn a_transaction_longer_than_the_servers_timeout_is_read_on_one_connection() {
    for heartbeat in [true, false] {
        at_once(|server| {
            let fixture = Fixture::new(server, SETUP);
            let mut reader = builder(&fixture)
                .heartbeat(heartbeat)
                .reconnect(Reconnect::never())
                .connect()
                .unwrap();
            insert_all(&fixture);
            let pause = LONG / u32::try_from(ROWS / 100).unwrap();
            for expected in 1..=ROWS {
                assert_eq!(next_id(&mut reader), expected);
                if expected % 100 == 0 {
                    thread::sleep(pause);
                }
            }
            assert!(fixture.slot().active);
            reader.stop().unwrap();
        });
    }
}

#[test]
fn a_network_that_loses_everything_is_noticed() {
    const SILENCE_LIMIT: Duration = Duration::from_secs(1);
    at_once(|server| {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
        let config: Config = fixture.database().dsn_tcp().replace(&own, &port).parse().unwrap();
        let config = config.wal_receiver_timeout(SILENCE_LIMIT);
        let mut reader = ReaderBuilder::from(config)
            .slot(fixture.slot_name())
            .publication(PUBLICATION)
            .reconnect(Reconnect::never())
            .connect()
            .unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_eq!(next_id(&mut reader), 1);
        network.discard();
        let lost = Instant::now();
        let error = reader.next_in_time().unwrap().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ServerSilent { limit: SILENCE_LIMIT, .. }),
            "{error:?}"
        );
        // The server got its time for an answer.
        assert!(lost.elapsed() >= SILENCE_LIMIT / 2);
        assert!(reader.next_in_time().is_none());
        network.restore();
    });
}

#[test]
fn without_heartbeat_and_tick_the_server_disconnects_and_nothing_is_lost() {
    at_once(|server| {
        let fixture = Fixture::new(server, SETUP);
        let mut reader =
            builder(&fixture).heartbeat(false).reconnect(Reconnect::never()).connect().unwrap();
        insert_all(&fixture);
        assert_eq!(next_id(&mut reader), 1);
        fixture.wait_until_free();
        assert!(reader.in_time().any(|event| event.is_err()));
        drop(reader);
        assert!(fixture.read().iter().map(id).eq(1..=ROWS));
    });
}

#[test]
fn health_reports_what_the_slot_retains() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let mut reader = fixture.reader();
        let before = reader.slot_status().unwrap();
        assert!(before.active);
        assert_eq!(before.wal_status.is_some(), fixture.major() >= 13);
        assert_eq!(before.confirmed_flush_lsn, Some(fixture.slot().confirmed));
        insert_all(&fixture);
        let after = reader.slot_status().unwrap();
        assert!(after.unconfirmed_bytes() > before.unconfirmed_bytes());
        assert!(after.retained_bytes() >= after.unconfirmed_bytes());
        for expected in 1..=ROWS {
            assert_eq!(next_id(&mut reader), expected);
        }
        let health = eventually("everything to be acknowledged and reported", || {
            reader.next_timeout(Duration::ZERO).unwrap();
            let health = reader.health();
            (!health.flushed.is_zero() && health.flushed == health.acknowledged).then_some(health)
        });
        assert!(health.received >= health.acknowledged && health.acknowledged > before.wal_end);
        assert!(health.bytes_behind().is_some() && health.last_send_time.is_some());
        reader.stop().unwrap();
    }
}
