//! A caller that never waits: it makes the same progress, with the same checks, as one that waits.

use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{
    ChangeEvent, Config, Error, ErrorKind, Idle, Next, Reader, Reconnect, StreamOptions,
};
use pgoutput_tests::{Fixture, Network, PUBLICATION};

use super::reconnect::{id, terminate};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY)";

const ROWS: i64 = 64_000;

/// A limit that a correct test never reaches.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Polls until `done` returns true, or until an event or an error arrives.
fn poll_until(
    reader: &mut Reader,
    mut done: impl FnMut(&Reader) -> bool,
) -> Result<Option<ChangeEvent>, Error> {
    let end = Instant::now() + TIMEOUT;
    while !done(reader) {
        assert!(Instant::now() < end, "polling returned nothing");
        match reader.next_timeout(Duration::ZERO)? {
            Next::Event(event) => return Ok(Some(event)),
            Next::TimedOut => thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
    Ok(None)
}

fn poll(reader: &mut Reader) -> Result<ChangeEvent, Error> {
    poll_until(reader, |_| false).map(|event| event.expect("an event"))
}

#[test]
fn everything_arrives_without_waiting() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        // The socket holds a few hundred changes, so the stream stays busy.
        for dsn in [fixture.database().dsn(), fixture.database().dsn_tcp()] {
            let mut reader = Reader::builder(&dsn)
                .slot(fixture.slot_name())
                .publication(PUBLICATION)
                .connect()
                .unwrap();
            let insert = format!("INSERT INTO t SELECT generate_series(1, {ROWS})");
            fixture.run(["DELETE FROM t WHERE id < 0", &insert]);
            for expected in 1..=ROWS {
                assert_eq!(id(&poll(&mut reader).unwrap()), expected);
            }
            let end = fixture.end();
            // The next call acknowledges the last event, and confirms its Commit.
            poll_until(&mut reader, |reader| reader.health().acknowledged >= end).unwrap();
            reader.stop().unwrap();
            fixture.run(["TRUNCATE t"]);
            assert!(fixture.slot().confirmed >= end);
            fixture.read();
        }
    }
}

#[test]
fn a_terminated_backend_is_noticed() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let mut reader = fixture.builder().reconnect(Reconnect::never()).connect().unwrap();
        fixture.run([&format!("INSERT INTO t SELECT generate_series(1, {ROWS})") as &str]);
        assert_eq!(id(&poll(&mut reader).unwrap()), 1);
        terminate(&fixture);
        let error = loop {
            match poll(&mut reader) {
                Ok(event) => assert!(id(&event) <= ROWS),
                Err(error) => break error,
            }
        };
        let ended =
            matches!(error.kind(), ErrorKind::Io { .. }) || error.sqlstate() == Some("57P01");
        assert!(ended, "{error:?}");
    }
}

#[test]
fn a_silent_server_is_noticed() {
    const SILENCE_LIMIT: Duration = Duration::from_secs(2);
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
        let config: Config = fixture.database().dsn_tcp().replace(&own, &port).parse().unwrap();
        let config = config.wal_receiver_timeout(SILENCE_LIMIT);
        let mut reader = pgoutput_reader::ReaderBuilder::from(config)
            .slot(fixture.slot_name())
            .publication(PUBLICATION)
            .reconnect(Reconnect::never())
            .connect()
            .unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_eq!(id(&poll(&mut reader).unwrap()), 1);
        network.discard();
        let lost = Instant::now();
        let error = poll(&mut reader).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ServerSilent { limit: SILENCE_LIMIT, .. }),
            "{error:?}"
        );
        assert!(lost.elapsed() >= SILENCE_LIMIT / 2);
        network.restore();
    }
}

/// Actions that are due without changes are also taken for a caller that only polls.
#[test]
fn the_slot_of_an_idle_reader_advances() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, SETUP);
        let interval = Duration::from_millis(100);
        let idle = Idle::Message { prefix: "polled".into(), interval };
        let mut reader = fixture
            .builder()
            .options(StreamOptions::new().messages(true))
            .idle(idle)
            .connect()
            .unwrap();
        for _ in 0..3 {
            let end = fixture.end();
            let event =
                poll_until(&mut reader, |reader| reader.health().acknowledged > end).unwrap();
            assert!(event.is_none());
        }
        reader.stop().unwrap();
    }
}
