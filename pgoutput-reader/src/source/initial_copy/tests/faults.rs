//! Copies that cannot start, and the slots that they leave.

use super::*;
use crate::error::ServerMessage;
use crate::io::{StopHandle, Waits, WakePipe};
use crate::source::open::LostStream;
use crate::source::open_copy::LostCopy;

const MS: Duration = Duration::from_millis(1);

/// The numbers of jobs that differ in how a copy starts.
pub(super) const JOBS: [u32; 2] = [1, 2];

pub(super) fn with_jobs(jobs: u32) -> Snapshot {
    Snapshot::initial().jobs(jobs.try_into().unwrap())
}

/// Opens a copy with a slot of its own, until a stop.
fn open_until(
    opener: &StreamOpener,
    create: Option<CreateSlot>,
    jobs: u32,
    stop: Option<&StopHandle>,
) -> Result<Opened, Error> {
    let wait_options = SlotWaitOptions { limit: Duration::ZERO, listener: None, stop };
    opener.open_with_copy(&with_jobs(jobs), create, None, false, &wait_options)
}

fn stop_handle() -> StopHandle {
    StopHandle::new(WakePipe::new().unwrap().waker())
}

pub(super) fn snapshot_error(error: &Error) -> &SnapshotError {
    match error.kind() {
        ErrorKind::Snapshot(error) => error,
        _ => panic!("{error}"),
    }
}

/// The error that interrupted a copy, which names the slot.
pub(super) fn cause(error: &Error) -> &Error {
    match snapshot_error(error) {
        SnapshotError::Interrupted { slot, cause } => {
            assert_eq!(slot, "s");
            cause
        }
        _ => panic!("{error}"),
    }
}

/// Asserts that the slot has moved to the LSN 96.
pub(super) fn assert_moved(error: &Error) {
    let ErrorKind::Setup(SetupError::SlotMoved { slot, confirmed, found }) = error.kind() else {
        panic!("{error}")
    };
    assert_eq!((slot.as_str(), confirmed.as_u64(), found.as_u64()), ("s", 48, 96));
}

fn has(commands: &[String], start: &str) -> bool {
    commands.iter().any(|command| command.starts_with(start))
}

fn lost_copy() -> LostCopy {
    let stream = LostStream {
        system_identifier: 700,
        timeline: 1,
        confirmed: Lsn::new(48),
        received: Lsn::ZERO,
        start_lsn: Lsn::ZERO,
    };
    let (snapshot, copied) = (Snapshot::initial(), Copied::default());
    LostCopy { stream, snapshot, copied, repeats: false, wait_limit: Duration::ZERO }
}

fn waits() -> Waits {
    let wake = WakePipe::new().unwrap();
    Waits { stop: StopHandle::new(wake.waker()), wake }
}

/// Otherwise the stream could not start after the copy.
#[test]
fn a_slot_in_use_is_refused_before_a_snapshot_is_taken() {
    let server = MockServer::new("copy-in-use");
    let in_use = MockSlot { is_in_use: true, ..MockSlot::at(48) };
    let stored = stored(&server, "0/30:-:0/30-10.");
    for is_stored in [false, true] {
        for jobs in JOBS {
            server.set(|state| state.slot = Some(in_use));
            let wait_options =
                SlotWaitOptions { limit: Duration::ZERO, listener: None, stop: None };
            let open = || {
                let mut opener = opener(&server);
                opener.start.start_lsn = Lsn::new(u64::from(is_stored) * 48);
                let stored = Some(&stored).filter(|_| is_stored);
                let snapshot = with_jobs(jobs);
                opener.open_with_copy(&snapshot, None, stored, false, &wait_options)
            };
            let error = open().err().unwrap();
            let SnapshotError::SlotInUse { slot, pid: 7 } = snapshot_error(&error) else {
                panic!("{error}")
            };
            assert_eq!(slot, "s");
            assert_eq!(commands(&server), [""; 0]);
            // One that is released soon is waited for.
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(150 * MS);
                    server.set(|state| state.slot = Some(MockSlot::at(48)));
                });
                assert!(open().is_ok());
            });
            server.commands();
        }
    }
    // So is one that the connection that was lost still holds.
    server.set(|state| state.slot = Some(in_use));
    let error = opener(&server).open_copy_again(&lost_copy(), &waits()).err().unwrap();
    assert!(matches!(snapshot_error(&error), SnapshotError::SlotInUse { .. }), "{error}");
    assert!(crate::error::is_transient(&error));
    assert_eq!(commands(&server), [""; 0]);
}

/// The wait is longer than the server may be silent otherwise.
#[test]
fn a_stop_ends_the_wait_for_a_lock_and_drops_the_slot() {
    let server = MockServer::new("copy-stop-lock");
    for jobs in JOBS {
        server.set(|state| {
            (state.slot, state.hangs_at) = (None, Some("SELECT publication.oid"));
        });
        let mut opener = opener(&server);
        opener.config = opener.config.wal_receiver_timeout(100 * MS);
        let stop = stop_handle();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(500 * MS);
                stop.stop();
            });
            let error = open_until(&opener, Some(created()), jobs, Some(&stop)).err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Stopped { .. }), "{error}");
        });
        let found = server.commands();
        assert_eq!(found.last().unwrap(), "DROP_REPLICATION_SLOT \"s\"", "{jobs}");
    }
}

#[test]
fn a_slot_that_cannot_be_dropped_after_a_stop_is_named() {
    let server = MockServer::new("copy-stop-hangs");
    server.set(|state| {
        (state.slot, state.hangs_at) = (None, Some("SELECT publication.oid"));
        // Nothing can be cancelled.
        state.sql = crate::source::mock_server::Reception::Refuses("57P03");
    });
    let stop = stop_handle();
    stop.stop();
    let mut opener = opener(&server);
    opener.start.options = StreamOptions::new();
    let error = open_until(&opener, Some(created()), 1, Some(&stop)).err().unwrap();
    assert!(matches!(cause(&error).kind(), ErrorKind::Stopped { .. }), "{error}");
}

#[test]
fn a_new_slot_is_dropped_after_each_error() {
    let server = MockServer::new("copy-dropped");
    for (jobs, start) in [
        (1, "SELECT pg_catalog.pg_backend_pid"),
        (1, "SELECT publication.oid"),
        (1, "SELECT slot.slot_type"),
        (1, "SELECT setting"),
        (2, "BEGIN ISOLATION"),
        (2, "SELECT pg_catalog.pg_export_snapshot"),
        (2, "SELECT publication.oid"),
        (2, "SELECT slot.slot_type"),
        (2, "SELECT setting"),
        (2, "SET lock_timeout = 0"),
    ] {
        server.set(|state| {
            (state.slot, state.fails_at) = (None, None);
            state.fails_once_created = Some((start, "53200"));
        });
        let error = open_until(&opener(&server), Some(created()), jobs, None).err().unwrap();
        let message = error.server().map(ServerMessage::message);
        assert_eq!((error.sqlstate(), message), (Some("53200"), Some("failed")), "{start}");
        assert!(matches!(error.kind(), ErrorKind::Server(_)), "{start}: {error}");
        let found = server.commands();
        assert!(has(&found, "CREATE_REPLICATION_SLOT \"s\""), "{start}: {found:?}");
        assert_eq!(found.last().unwrap(), "DROP_REPLICATION_SLOT \"s\"", "{start}");
    }
}

#[test]
fn a_new_slot_that_is_not_dropped_is_named() {
    let server = MockServer::new("copy-named");
    let create = |is_temporary| Some(created().temporary(is_temporary));
    for (jobs, start) in [(1, "SELECT publication.oid"), (1, "SELECT setting"), (2, "START_")] {
        for is_temporary in [false, true] {
            server.set(|state| (state.slot, state.closes_at) = (None, Some(start)));
            let opener = opener(&server);
            let error = open_until(&opener, create(is_temporary), jobs, None).err().unwrap();
            let is_closed = |error: &Error| matches!(error.kind(), ErrorKind::Io { .. });
            // A temporary slot is gone with its connection.
            let found = if is_temporary { &error } else { cause(&error) };
            assert!(is_closed(found), "{start}, {is_temporary}: {error}");
        }
    }
    // The connection that could not start the stream cannot drop it either.
    server.set(|state| {
        (state.slot, state.fails_at) = (None, Some(("START_", "55006")));
    });
    let error = open_until(&opener(&server), create(false), 2, None).err().unwrap();
    assert_eq!(cause(&error).sqlstate(), Some("55006"));
}

#[test]
fn a_connection_that_is_lost_while_a_slot_is_created_is_the_error() {
    let server = MockServer::new("copy-create-lost");
    for jobs in JOBS {
        let closes = Some("CREATE_REPLICATION_SLOT");
        server.set(|state| (state.slot, state.closes_at) = (None, closes));
        let error = open_until(&opener(&server), Some(created()), jobs, None).err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
    }
    server.set(|state| {
        (state.slot, state.closes_at) = (Some(MockSlot::at(48)), Some("CREATE_REPLICATION_SLOT"));
    });
    let error = opener(&server).open_copy_again(&lost_copy(), &waits()).err().unwrap();
    assert!(crate::error::is_transient(&error), "{error}");
}

/// One job does not hold the slot during the copy.
#[test]
fn a_slot_that_was_read_during_the_copy_is_not_continued() {
    let server = MockServer::new("copy-moved");
    let opened = open(&server, None, None).unwrap();
    let mut replication = replication(&server, opened, &[]);
    assert_eq!(step(&mut replication), "end");
    server.set(|state| state.slot = Some(MockSlot::at(96)));
    let error = replication.step(soon).unwrap_err();
    assert_moved(&replication.replace_stream(error).unwrap_err());
}

#[test]
fn an_attempt_to_copy_again_has_timeouts() {
    let server = MockServer::new("copy-timeouts");
    let opened = opener(&server).open_copy_again(&lost_copy(), &waits()).unwrap();
    let Session::Copy(connection, ..) = opened.session else { panic!("there is no copy") };
    assert_eq!(connection.command_timeout(), Some(Duration::from_secs(30)));
    let mut opener = opener(&server);
    assert_eq!(opener.with_connect_timeout().config.get_connect_timeout(), Some(TIMEOUT));
    opener.config = crate::config::Config::new();
    let config = opener.with_connect_timeout().config;
    assert_eq!(config.get_connect_timeout(), Some(Duration::from_secs(30)));
}

/// Starts a copy whose connection is lost after a row.
fn lost(server: &MockServer, reconnect: Reconnect, code: Option<&str>) -> (Replication, Error) {
    server.set(|state| {
        state.copy = rows(&["1"], false);
        match code {
            Some(code) => state.copy.extend([error(code, "says so"), ready()].concat()),
            None => state.closes_at = Some("COPY \"public\".\"t10\""),
        }
    });
    let opened = open(server, None, None).unwrap();
    let (mut replication, _) = replication_that(server, opened, &[10], false, reconnect);
    assert_eq!(steps(&mut replication), ["table 10 at 48", "again", "row 1"]);
    let error = replication.step(soon).unwrap_err();
    (replication, error)
}

#[test]
fn the_last_error_of_attempts_to_continue_names_the_slot() {
    let server = MockServer::new("copy-attempts");
    let refuses = crate::source::mock_server::Reception::Refuses;
    for (code, attempts) in [("28P01", None), ("57P03", Some(1))] {
        let policy = Reconnect::default().initial_delay(Duration::ZERO).max_attempts(attempts);
        server.set(|state| state.replication = crate::source::mock_server::Reception::Accepts);
        let (mut replication, error) = lost(&server, policy, None);
        server.set(|state| state.replication = refuses(code));
        replication.replace_stream(error).unwrap();
        let error = replication.step(soon).unwrap_err();
        let error = replication.replace_stream(error).unwrap_err();
        assert_eq!(error.sqlstate(), Some(code));
        let gave_up = matches!(cause(&error).kind(), ErrorKind::GaveUp { .. });
        assert_eq!(gave_up, attempts.is_some(), "{error}");
    }
}

#[test]
fn a_copy_that_ends_with_its_slot_says_so() {
    let server = MockServer::new("copy-slot-lost");
    let (mut replication, error) = lost(&server, Reconnect::never(), Some("57P01"));
    server.set(|state| {
        state.slot = Some(MockSlot { invalidation_reason: "wal_removed", ..MockSlot::at(48) });
    });
    let error = replication.replace_stream(error).unwrap_err();
    let ErrorKind::Setup(SetupError::SlotLost { slot, reason }) = error.kind() else {
        panic!("{error}")
    };
    assert_eq!((slot.as_str(), reason.as_str()), ("s", "wal_removed"));
}
