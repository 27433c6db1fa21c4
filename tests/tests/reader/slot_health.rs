//! Lost slots and publications, and lag as data.

use std::time::Duration;

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{
    Acknowledge, ErrorKind, Reader, Reconnect, SetupError, SlotCreation, StreamError,
};
use pgoutput_tests::{Fixture, InTime as _, eventually};
use postgres::Client;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

/// Starts a server that keeps almost no WAL for slots.
fn with_little_wal(major: u32) -> Server {
    let builder = Server::builder().setting("max_slot_wal_keep_size", "1MB");
    // The minimum, so that little needs to be written.
    let builder = builder.setting("min_wal_size", "2MB").initdb_argument("--wal-segsize=1");
    builder.start(major).unwrap()
}

fn wal_status(client: &mut Client, slot: &str) -> String {
    let query = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1";
    client.query_one(query, &[&slot]).unwrap().get(0)
}

/// Writes until the server invalidates the slot.
fn invalidate(fixture: &Fixture<'_>) {
    let mut client = fixture.client();
    eventually("the slot to be lost", || {
        client.batch_execute("INSERT INTO noise SELECT generate_series(1, 20000)").unwrap();
        client.batch_execute("SELECT pg_switch_wal()").unwrap();
        client.batch_execute("CHECKPOINT").unwrap();
        (wal_status(&mut client, fixture.slot_name()) == "lost").then_some(())
    });
}

const NOISE: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION quiet FOR TABLE t;
                     CREATE TABLE noise (id int)";

fn setup_error(error: pgoutput_reader::Error) -> SetupError {
    match error.into_kind() {
        ErrorKind::Setup(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn an_invalidated_slot_is_named_with_the_reason_and_left_unchanged() {
    for shared in servers_from(13) {
        let server = with_little_wal(shared.major());
        let fixture = Fixture::new(&server, NOISE);
        invalidate(&fixture);
        let error = setup_error(
            fixture.builder().slot_creation(SlotCreation::IfMissing).connect().unwrap_err(),
        );
        let SetupError::SlotLost { slot, reason } = &error else { panic!("{error}") };
        assert_eq!(slot, fixture.slot_name());
        assert_eq!(reason == "wal_removed", shared.major() >= 17, "{reason}");
        assert!(error.to_string().contains("recreate it"), "{error}");
        assert_eq!(wal_status(&mut fixture.client(), slot), "lost");
    }
}

#[test]
fn a_slot_invalidated_while_it_is_read_ends_the_reader_with_the_reason() {
    for shared in servers_from(13) {
        let server = with_little_wal(shared.major());
        for reconnect in [Reconnect::default(), Reconnect::never()] {
            let fixture = Fixture::new(&server, NOISE);
            let mut reader = Reader::builder(&fixture.database().dsn())
                .slot(fixture.slot_name())
                .publication("quiet")
                .acknowledge(Acknowledge::Never)
                .reconnect(reconnect)
                .connect()
                .unwrap();
            let slot = fixture.slot_name();
            invalidate(&fixture);
            assert!(reader.slot_status().unwrap().is_lost());
            let error = reader.in_time().find_map(Result::err).unwrap();
            let error = setup_error(error);
            assert!(matches!(&error, SetupError::SlotLost { slot: lost, .. } if lost == slot));
            assert_eq!(wal_status(&mut fixture.client(), slot), "lost");
        }
    }
}

#[test]
fn a_publication_dropped_while_it_is_read_is_named() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["CREATE PUBLICATION short FOR TABLE t"]);
        let mut reader = Reader::builder(&fixture.database().dsn())
            .slot(fixture.slot_name())
            .publication("short")
            .connect()
            .unwrap();
        // The slot must be beyond the publication's creation, or dropping it has no effect.
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let first = reader.next_in_time().unwrap();
        assert!(first.is_ok(), "{first:?}");
        fixture.run(["DROP PUBLICATION short", "INSERT INTO t VALUES (2)"]);
        let error = reader.in_time().find_map(Result::err).unwrap();
        let ErrorKind::Stream(StreamError::PublicationMissing { publication, .. }) = error.kind()
        else {
            panic!("{error:?}")
        };
        assert_eq!(publication, "short");
    }
}

#[test]
fn try_next_returns_available_events() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = fixture.builder().connect().unwrap();
        assert!(reader.try_next().unwrap().is_none());
        assert!(!reader.is_finished());
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = eventually("the event", || reader.try_next().unwrap());
        assert_eq!(event.after().unwrap().get::<i32>("id").unwrap(), 1);
        reader.stop_handle().stop();
        eventually("the end", || {
            assert!(reader.try_next().unwrap().is_none());
            reader.is_finished().then_some(())
        });
    }
}

#[test]
fn lag_is_the_age_of_the_acknowledged_changes() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = fixture.builder().acknowledge(Acknowledge::Manual).connect().unwrap();
        assert_eq!(reader.health().last_commit_time, None);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let commit_time = event.transaction().unwrap().commit_time();
        let late = eventually("the server to write for a while", || {
            assert!(reader.try_next().unwrap().is_none());
            let health = reader.health();
            assert_eq!(health.last_commit_time, Some(commit_time));
            assert!(!health.idle);
            fixture.run(["SELECT pg_current_wal_lsn()", "CREATE TEMPORARY TABLE noise (id int)"]);
            health.time_behind().filter(|lag| *lag > Duration::from_millis(100))
        });
        let sent = reader.health().last_send_time.unwrap();
        assert!(
            late.as_micros() <= (sent.as_micros() - commit_time.as_micros()).unsigned_abs().into()
        );
        reader.acknowledger().acknowledge(event.position()).unwrap();
        eventually("the server to have nothing further", || {
            assert!(reader.try_next().unwrap().is_none());
            (reader.health().time_behind() == Some(Duration::ZERO)).then_some(())
        });
        reader.stop().unwrap();
    }
}
