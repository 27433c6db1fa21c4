//! A server that goes away while it is read, by a reader that is not to wait for it: an error, then the end; never a silent end.

use std::time::Duration;

use pgoutput_harness::{Server, StopMode, servers};
use pgoutput_reader::{Acknowledge, Error, ErrorKind, Idle, Next, Reader, Reconnect};
use pgoutput_tests::{Fixture, InTime as _, eventually, waiting};

/// A reader that has read something and waits for more, when `end` is done to its server.
fn last_words(major: u32, end: impl FnOnce(&Server, &Fixture<'_>)) -> Error {
    let server = Server::of_major(major).unwrap();
    let fixture = Fixture::new(&server, "CREATE TABLE t (id int PRIMARY KEY)");
    let mut reader: Reader = fixture.builder().reconnect(Reconnect::never()).connect().unwrap();
    fixture.run(["INSERT INTO t VALUES (1)"]);
    assert!(reader.next_in_time().unwrap().is_ok());
    let reading = std::thread::spawn(move || {
        let error = reader.next_in_time().expect("the end came without a word").unwrap_err();
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
fn a_fast_shutdown() {
    for major in servers().iter().map(|server| server.major()) {
        let error = last_words(major, |server, _| server.stop(StopMode::Fast).unwrap());
        assert!(
            matches!(error.kind(), ErrorKind::CopyEnded { .. }),
            "PostgreSQL {major}: {error:?}"
        );
        assert!(error.to_string().contains("connect again"), "{error}");
    }
}

/// The slot stays behind the log then, which the server must not wait for.
#[test]
fn a_fast_shutdown_while_a_reader_waits_whose_slot_never_idles_on() {
    for major in servers().iter().map(|server| server.major()) {
        let server = Server::of_major(major).unwrap();
        let fixture = Fixture::new(&server, "CREATE TABLE t (id int PRIMARY KEY)");
        let builder = fixture.builder().acknowledge(Acknowledge::Manual).idle(Idle::Never);
        let mut reader = builder.reconnect(Reconnect::never()).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let acknowledger = reader.acknowledger();
        acknowledger.acknowledge(event.position()).unwrap();
        let confirmed = eventually("the slot to move", || {
            assert!(matches!(reader.next_timeout(Duration::from_millis(10)), Ok(Next::TimedOut)));
            let confirmed = acknowledger.confirmed();
            (!confirmed.is_zero() && fixture.slot().confirmed == confirmed).then_some(confirmed)
        });
        let reading = std::thread::spawn(move || reader.next_in_time().unwrap().unwrap_err());
        server.stop(StopMode::Fast).unwrap();
        let error = waiting("the reader to end", || reading.join()).unwrap();
        assert!(matches!(error.kind(), ErrorKind::CopyEnded { .. }), "{error:?}");
        server.start().unwrap();
        // Servers before 17 do not always keep the last step over a restart.
        assert!(fixture.slot().confirmed <= confirmed);
    }
}

#[test]
fn an_immediate_shutdown_and_a_crash() {
    for major in servers().iter().map(|server| server.major()) {
        let error = last_words(major, |server, _| server.stop(StopMode::Immediate).unwrap());
        let told = error.sqlstate() == Some("57P02");
        assert!(told || matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");

        let error = last_words(major, |server, _| server.kill().unwrap());
        assert!(
            matches!(error.kind(), ErrorKind::Io { .. }) || error.sqlstate() == Some("57P01"),
            "{error:?}"
        );
    }
}

#[test]
fn a_walsender_that_is_terminated_or_killed() {
    for major in servers().iter().map(|server| server.major()) {
        let pid = |fixture: &Fixture<'_>| {
            let query = "SELECT active_pid FROM pg_replication_slots";
            i32::try_from(fixture.number(query)).unwrap()
        };
        let error = last_words(major, |_, fixture| {
            let terminated = format!("SELECT pg_terminate_backend({})", pid(fixture));
            fixture.run([&terminated as &str]);
        });
        assert_eq!(error.sqlstate(), Some("57P01"), "{error:?}");
        assert!(error.to_string().contains("connect again"), "{error}");

        let error = last_words(major, |server, fixture| {
            server.kill_backend(pid(fixture)).unwrap();
            server.wait_ready().unwrap();
        });
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");
    }
}

#[test]
fn the_publication_is_dropped_while_it_is_read() {
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
        // The change is still there for whoever mends it.
        assert!(slot.confirmed < fixture.end());
    }
}
