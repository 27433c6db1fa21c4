//! A server that shuts down while it is read, by a reader that does not wait for it: an error, then
//! the end, but never a silent end.

use std::time::Duration;

use pgoutput_harness::{Server, StopMode, servers};
use pgoutput_reader::{Acknowledge, Error, ErrorKind, Idle, Next, Reader, Reconnect};
use pgoutput_tests::{Fixture, InTime as _, eventually, waiting};

/// Returns the error of a reader that has read an event and waits for more when `end` stops its
/// server.
fn final_error(major: u32, end: impl FnOnce(&Server, &Fixture<'_>)) -> Error {
    let server = Server::of_major(major).unwrap();
    let fixture = Fixture::new(&server, "CREATE TABLE t (id int PRIMARY KEY)");
    let mut reader: Reader = fixture.builder().reconnect(Reconnect::never()).connect().unwrap();
    fixture.run(["INSERT INTO t VALUES (1)"]);
    assert!(reader.next_in_time().unwrap().is_ok());
    let reading = std::thread::spawn(move || {
        let error = reader.next_in_time().expect("the reader ended without an error").unwrap_err();
        assert!(reader.next_in_time().is_none());
        assert!(reader.next_in_time().is_none());
        error
    });
    end(&server, &fixture);
    let error = waiting("the reader to end", || reading.join()).unwrap();
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error
}

#[test]
fn a_fast_shutdown_is_an_error() {
    for major in servers().iter().map(|server| server.major()) {
        let error = final_error(major, |server, _| server.stop(StopMode::Fast).unwrap());
        assert!(
            matches!(error.kind(), ErrorKind::CopyEnded { .. }),
            "PostgreSQL {major}: {error:?}"
        );
        assert!(error.to_string().contains("connect again"), "{error}");
    }
}

/// The slot does not advance then, and the server must not wait for that.
#[test]
fn a_fast_shutdown_does_not_wait_for_an_idle_slot() {
    for major in servers().iter().map(|server| server.major()) {
        let server = Server::of_major(major).unwrap();
        let fixture = Fixture::new(&server, "CREATE TABLE t (id int PRIMARY KEY)");
        let builder = fixture.builder().acknowledge(Acknowledge::Manual).idle(Idle::Never);
        let mut reader = builder.reconnect(Reconnect::never()).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let acknowledger = reader.acknowledger();
        acknowledger.acknowledge(event.position()).unwrap();
        let confirmed = eventually("the slot to advance", || {
            assert!(matches!(reader.next_timeout(Duration::from_millis(10)), Ok(Next::TimedOut)));
            let confirmed = acknowledger.acknowledged();
            (!confirmed.is_zero() && fixture.slot().confirmed == confirmed).then_some(confirmed)
        });
        let reading = std::thread::spawn(move || reader.next_in_time().unwrap().unwrap_err());
        server.stop(StopMode::Fast).unwrap();
        let error = waiting("the reader to end", || reading.join()).unwrap();
        assert!(matches!(error.kind(), ErrorKind::CopyEnded { .. }), "{error:?}");
        server.start().unwrap();
        // Servers before 17 do not always keep the slot's last advance across a restart.
        assert!(fixture.slot().confirmed <= confirmed);
    }
}

#[test]
fn an_immediate_shutdown_and_a_crash_are_errors() {
    for major in servers().iter().map(|server| server.major()) {
        let error = final_error(major, |server, _| server.stop(StopMode::Immediate).unwrap());
        let has_sqlstate = error.sqlstate() == Some("57P02");
        assert!(has_sqlstate || matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");

        let error = final_error(major, |server, _| server.kill().unwrap());
        assert!(
            matches!(error.kind(), ErrorKind::Io { .. }) || error.sqlstate() == Some("57P01"),
            "{error:?}"
        );
    }
}

#[test]
fn a_terminated_or_killed_walsender_is_an_error() {
    for major in servers().iter().map(|server| server.major()) {
        let pid = |fixture: &Fixture<'_>| {
            let query = "SELECT active_pid FROM pg_replication_slots";
            i32::try_from(fixture.number(query)).unwrap()
        };
        let error = final_error(major, |_, fixture| {
            let terminated = format!("SELECT pg_terminate_backend({})", pid(fixture));
            fixture.run([&terminated as &str]);
        });
        assert_eq!(error.sqlstate(), Some("57P01"), "{error:?}");
        assert!(error.to_string().contains("connect again"), "{error}");

        let error = final_error(major, |server, fixture| {
            server.kill_backend(pid(fixture)).unwrap();
            server.wait_ready().unwrap();
        });
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");
    }
}

#[test]
fn a_publication_dropped_while_it_is_read_is_an_error() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let mut reader = fixture.reader();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert!(reader.next_in_time().unwrap().is_ok());
        fixture.run(["DROP PUBLICATION everything", "INSERT INTO t VALUES (2)"]);
        let error = reader.next_in_time().unwrap().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("publication \"everything\" did not exist at WAL"), "{text}");
        assert!(text.contains("new slot"), "{text}");
        assert!(reader.next_in_time().is_none());
        drop(reader);
        let slot =
            eventually("the slot to be free", || Some(fixture.slot()).filter(|slot| !slot.active));
        // The change is still available after a repair.
        assert!(slot.confirmed < fixture.end());
    }
}
