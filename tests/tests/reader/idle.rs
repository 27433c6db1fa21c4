//! The slot of a reader while nothing is published.

use std::time::Duration;

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{Config, ErrorKind, Idle, Reader, ReaderBuilder, StreamOptions};
use pgoutput_tests::{Fixture, InTime as _, eventually, is_idle_at, while_waiting, within};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int);
                     CREATE PUBLICATION one FOR TABLE t";

fn builder(fixture: &Fixture<'_>, wal_sender_timeout: Option<Duration>) -> ReaderBuilder {
    let config: Config = fixture.database().dsn().parse().unwrap();
    let config = config.wal_sender_timeout(wal_sender_timeout);
    ReaderBuilder::from(config).slot(fixture.slot_name()).publication("one")
}

/// The time in which the slot of an idle database advances.
const ADVANCE_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes to an unpublished table and to another database, and returns the end of the WAL.
fn write_elsewhere(fixture: &Fixture<'_>) -> pgoutput_decode::Lsn {
    fixture.run(["INSERT INTO other SELECT generate_series(1, 1000)"]);
    fixture.write_elsewhere().1
}

fn moves(fixture: &Fixture<'_>, reader: Reader) {
    while_waiting(reader, || {
        let end = write_elsewhere(fixture);
        within(ADVANCE_TIMEOUT, "the slot to advance", || {
            is_idle_at(fixture.slot().confirmed, end).then_some(())
        });
    });
}

#[test]
fn an_idle_slot_follows_the_server() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        moves(&fixture, builder(&fixture, None).connect().unwrap());
    }
}

/// Such a server sends nothing unasked while it waits.
#[test]
fn a_server_without_a_timeout_is_asked_for_its_wal_end() {
    for shared in servers() {
        if shared.major() >= 12 {
            let fixture = Fixture::new(shared, SETUP);
            moves(&fixture, builder(&fixture, Some(Duration::ZERO)).connect().unwrap());
            continue;
        }
        // Older servers have one timeout for all connections.
        let own =
            Server::builder().setting("wal_sender_timeout", "0").start(shared.major()).unwrap();
        let fixture = Fixture::new(&own, SETUP);
        moves(&fixture, builder(&fixture, None).connect().unwrap());
    }
}

#[test]
fn with_logical_messages_the_slot_follows_the_readers_own_writes() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, SETUP);
        let interval = Duration::from_millis(200);
        let policy = Idle::Message { prefix: "here we are".into(), interval };
        let reader = builder(&fixture, Some(Duration::ZERO))
            .options(StreamOptions::new().messages(true))
            .idle(policy.clone());
        moves(&fixture, reader.connect().unwrap());

        // Messages of other writers are delivered, and so is one with this prefix that has content.
        fixture.run([
            "SELECT pg_logical_emit_message(false, 'somebody', '')",
            "SELECT pg_logical_emit_message(false, 'here we are', '')",
            "SELECT pg_logical_emit_message(false, 'here we are', 'x')",
            "INSERT INTO t VALUES (1)",
        ]);
        let reader = builder(&fixture, None)
            .options(StreamOptions::new().messages(true))
            .idle(policy)
            .until_lsn(fixture.end());
        let mut reader = reader.connect().unwrap();
        let events: Vec<_> = reader.in_time().map(Result::unwrap).collect();
        let prefixes: Vec<_> = events
            .iter()
            .filter_map(|event| event.logical_message().map(|message| message.prefix.to_owned()))
            .collect();
        assert_eq!((events.len(), prefixes), (3, vec!["somebody".into(), "here we are".into()]));
        reader.stop().unwrap();
    }
}

#[test]
fn with_idle_never_the_slot_does_not_advance() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let before = fixture.slot().confirmed;
        let mut reader = builder(&fixture, None).idle(Idle::Never).connect().unwrap();
        let end = write_elsewhere(&fixture);
        let health = eventually("the server to have passed that", || {
            assert!(reader.try_next().unwrap().is_none());
            Some(reader.health()).filter(|health| health.idle && health.server_wal_end >= end)
        });
        assert!(health.acknowledged.is_zero());
        reader.stop().unwrap();
        assert_eq!(fixture.slot().confirmed, before);
    }
}

#[test]
fn idle_messages_require_reading_messages() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let error = builder(&fixture, None).idle(Idle::message()).connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
        if fixture.major() < 14 {
            let old = builder(&fixture, None)
                .options(StreamOptions::new().messages(true))
                .idle(Idle::message());
            let error = old.connect().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Unsupported { needed: 14, .. }), "{error}");
        }
    }
}
