//! The limits of reconnecting: it ends, never continues with other data, and never blocks a stop.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, StopMode, servers};
use pgoutput_reader::{
    Acknowledge, Error, ErrorKind, Next, Reader, ReaderBuilder, Reconnect, SetupError, SlotCreation,
};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION, Proxy, eventually};

use super::missing_publication::missing_at;
use super::reconnect::{at_once, id, proxied, terminate};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY)";

const LONG: Duration = Duration::from_secs(3600);

/// Returns the error of a reader that loses its connection after an acknowledged row, while
/// `meanwhile` changes the server.
fn ends_after(
    server: &'static Server,
    meanwhile: impl FnOnce(&Fixture<'_>) + Send + 'static,
    check: impl FnOnce(&Fixture<'_>, Error),
) {
    let fixture = Arc::new(Fixture::new(server, SETUP));
    let (there, mut meanwhile) = (Arc::clone(&fixture), Some(meanwhile));
    let attempts = Arc::new(Mutex::new(0));
    let recorder = Arc::clone(&attempts);
    let mut reader = fixture
        .builder()
        .reconnect(at_once())
        .on_reconnect(move |_| {
            *recorder.lock().unwrap() += 1;
            if let Some(meanwhile) = meanwhile.take() {
                there.wait_until_free();
                meanwhile(&there);
            }
        })
        .connect()
        .unwrap();
    fixture.run(["INSERT INTO t VALUES (1)"]);
    assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
    terminate(&fixture);
    let error = reader.next_in_time().expect("the reader ended without an error").unwrap_err();
    assert!(reader.next_in_time().is_none());
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    assert_eq!(*attempts.lock().unwrap(), 1, "it was tried again after {error}");
    assert!(!reader.health().connected);
    drop(reader);
    check(&fixture, error);
}

#[test]
fn a_slot_that_was_dropped_is_an_error_and_not_recreated() {
    for server in servers() {
        let drop_it = |fixture: &Fixture<'_>| {
            let drop = format!("SELECT pg_drop_replication_slot('{}')", fixture.slot_name());
            fixture.run([&drop as &str]);
        };
        ends_after(server, drop_it, |fixture, error| {
            let ErrorKind::Setup(SetupError::SlotMissing { slot }) = error.kind() else {
                panic!("{error:?}")
            };
            assert_eq!(slot, fixture.slot_name());
            fixture.create_slot(fixture.slot_name());
        });
    }
}

#[test]
fn a_slot_recreated_or_read_by_another_program_is_an_error() {
    for server in servers() {
        let recreate = |fixture: &Fixture<'_>| {
            let drop = format!("SELECT pg_drop_replication_slot('{}')", fixture.slot_name());
            fixture.run([&drop as &str, "INSERT INTO t VALUES (2)"]);
            fixture.create_slot(fixture.slot_name());
        };
        let read_it = |fixture: &Fixture<'_>| {
            fixture.run(["INSERT INTO t VALUES (2)"]);
            fixture.read();
        };
        let moved = |fixture: &Fixture<'_>, error: Error| {
            let ErrorKind::Setup(SetupError::SlotMoved { slot, confirmed, found }) = error.kind()
            else {
                panic!("{error:?}")
            };
            assert_eq!(slot, fixture.slot_name());
            assert!(confirmed < found);
            assert_eq!(*found, fixture.slot().confirmed);
            let text = error.to_string();
            assert!(text.contains(&found.to_string()) && text.contains(&confirmed.to_string()));
        };
        ends_after(server, recreate, moved);
        ends_after(server, read_it, moved);
    }
}

#[test]
fn a_slot_read_by_another_program_just_before_reconnecting_is_an_error() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let slot = fixture.slot_name().to_owned();
        let mut client = fixture.client();
        let proxy = Proxy::before_second_start(server.port(), move || {
            client.batch_execute("INSERT INTO t VALUES (2)").unwrap();
            let read = format!(
                "SELECT count(*) FROM pg_logical_slot_get_binary_changes('{slot}', NULL, NULL, \
                 'proto_version', '1', 'publication_names', '{PUBLICATION}')"
            );
            let count: i64 = client.query_one(&read, &[]).unwrap().get(0);
            assert!(count >= 3);
            client.batch_execute("INSERT INTO t VALUES (3)").unwrap();
        });
        let mut reader = proxied(&proxy, &fixture).reconnect(at_once()).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
        terminate(&fixture);
        let error = match reader.next_in_time().expect("the reader ended without an error") {
            Err(error) => error,
            Ok(event) => panic!("went on with row {}", id(&event)),
        };
        let ErrorKind::Setup(SetupError::SlotMoved { slot, confirmed, found }) = error.kind()
        else {
            panic!("{error:?}")
        };
        assert_eq!(slot, fixture.slot_name());
        assert!(confirmed < found, "{error}");
        assert_eq!(*found, fixture.slot().confirmed);
        assert!(reader.next_in_time().is_none());
    }
}

#[test]
fn a_dropped_publication_is_an_error_at_the_first_later_change() {
    for server in servers() {
        let dropped_at = Arc::new(OnceLock::new());
        let set = Arc::clone(&dropped_at);
        let drop_it = move |fixture: &Fixture<'_>| {
            fixture.run([&format!("DROP PUBLICATION {PUBLICATION}") as &str]);
            set.set(fixture.end()).unwrap();
            fixture.run(["INSERT INTO t VALUES (2)"]);
        };
        ends_after(server, drop_it, |fixture, error| {
            let lsn = missing_at(&error, PUBLICATION, server.major());
            assert!(lsn >= *dropped_at.get().unwrap(), "{error}");
            fixture.wait_until_free();
            let confirmed = fixture.slot().confirmed;
            assert!(confirmed <= lsn, "{confirmed} is confirmed: {error}");
        });
    }
}

/// Returns a reader with an acknowledged row, of a server that was then stopped.
fn with_server_stopped<T>(
    set: impl FnOnce(ReaderBuilder) -> ReaderBuilder,
    test: impl FnOnce(Reader, &Server) -> T,
) -> T {
    let server = Server::of_major(servers().first().unwrap().major()).unwrap();
    let fixture = Fixture::new(&server, SETUP);
    let builder = Reader::builder(&fixture.database().dsn_tcp()).slot(fixture.slot_name());
    let mut reader = set(builder.publication(PUBLICATION)).connect().unwrap();
    fixture.run(["INSERT INTO t VALUES (1)"]);
    assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
    // A fast shutdown would wait until the reader has read everything.
    server.stop(StopMode::Immediate).unwrap();
    let result = test(reader, &server);
    server.start().unwrap();
    result
}

#[test]
fn attempts_end_at_the_limit_if_the_server_stays_down() {
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let recorder = Arc::clone(&attempts);
    let set = move |builder: ReaderBuilder| {
        builder.reconnect(at_once().max_attempts(Some(4))).on_reconnect(move |attempt| {
            recorder.lock().unwrap().push((attempt.attempt, attempt.cause.to_string()));
        })
    };
    with_server_stopped(set, |mut reader, _| {
        let error = reader.next_in_time().unwrap().unwrap_err();
        let ErrorKind::GaveUp { cause, attempts: made, last, .. } = error.kind() else {
            panic!("{error:?}")
        };
        let has_sqlstate = cause.sqlstate() == Some("57P02");
        assert!(has_sqlstate || matches!(cause.kind(), ErrorKind::Io { .. }), "{cause:?}");
        let last = last.as_ref().unwrap();
        let ErrorKind::Io { source, .. } = last.kind() else { panic!("{last:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(*made, 4);
        let text = error.to_string();
        assert!(text.contains("4 attempts") && text.contains("refused"), "{text}");
        assert!(reader.next_in_time().is_none());
        let attempts = attempts.lock().unwrap();
        assert_eq!(attempts.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(attempts[0].1, cause.to_string());
        assert_eq!(attempts[3].1, last.to_string());
    });
}

#[test]
fn a_stop_ends_the_delay_between_attempts() {
    let slow = Reconnect::default().initial_delay(LONG).max_delay(LONG).max_elapsed(None);
    let ack = Acknowledge::Never;
    with_server_stopped(
        |builder| builder.reconnect(slow).acknowledge(ack),
        |mut reader, _| {
            for _ in 0..3 {
                let next = reader.next_timeout(Duration::from_millis(10));
                assert!(matches!(next, Ok(Next::TimedOut)), "{next:?}");
            }
            let health = reader.health();
            assert!(!health.connected && health.reconnects == 0 && !health.received.is_zero());
            let stop = reader.stop_handle();
            thread::scope(|scope| {
                scope.spawn(|| stop.stop());
                assert!(reader.next_in_time().is_none());
            });
            // No status update was due.
            reader.stop().unwrap();
        },
    );
}

#[test]
fn a_stop_ends_a_running_attempt() {
    with_server_stopped(
        |builder| builder.reconnect(at_once()),
        |mut reader, server| {
            // Accepts connections and sends nothing.
            let silent = TcpListener::bind(("127.0.0.1", server.port())).unwrap();
            silent.set_nonblocking(true).unwrap();
            let accepted = eventually("an attempt", || {
                let next = reader.next_timeout(Duration::from_millis(10));
                assert!(matches!(next, Ok(Next::TimedOut)), "{next:?}");
                silent.accept().ok()
            });
            let stop = reader.stop_handle();
            stop.stop();
            assert!(reader.next_in_time().is_none());
            drop((reader, accepted, silent));
        },
    );
}

#[test]
fn a_temporary_slot_lost_with_its_connection_is_an_error() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let temporary = fixture.database().slot_name("temporary");
        let builder = fixture.builder().slot(&temporary).slot_creation(SlotCreation::Temporary);
        let mut reader = builder.connect().unwrap();
        fixture.number(&format!(
            "SELECT pg_terminate_backend(active_pid)::int FROM pg_replication_slots
             WHERE slot_name = '{temporary}'"
        ));
        let error = reader.next_in_time().unwrap().unwrap_err();
        assert_eq!(error.sqlstate(), Some("57P01"), "{error:?}");
        assert!(reader.next_in_time().is_none());
    }
}
