//! Copies by several jobs.

use super::faults::{assert_moved, cause, snapshot_error, with_jobs};
use super::*;
use crate::error::ServerState;

fn open_jobs(server: &MockServer, create: Option<CreateSlot>) -> Result<Opened, Error> {
    let wait_options = SlotWaitOptions { limit: TIMEOUT, listener: None, stop: None };
    opener(server).open_with_copy(&with_jobs(2), create, None, false, &wait_options)
}

/// The first step that is not a wait.
fn next(replication: &mut Replication) -> Result<Step<crate::stream::Frame>, Error> {
    loop {
        match replication.step(soon)? {
            Step::TimedOut => {}
            step => return Ok(step),
        }
    }
}

fn expected(error: &SnapshotError) -> (bool, bool) {
    let SnapshotError::OtherServer { address, expected, found } = error else { panic!("{error}") };
    assert!(address.ends_with(".s.PGSQL.5432"), "{address}");
    assert_eq!(*expected, ServerState { system_identifier: 700, is_in_recovery: false });
    assert!(error.to_string().contains("target_session_attrs"), "{error}");
    (found.system_identifier != 700, found.is_in_recovery)
}

#[test]
fn jobs_copy_in_the_snapshot_that_the_keeper_exports() {
    let server = MockServer::new("jobs");
    server.set(|state| state.copy = rows(&["1", "2"], true));
    let opened = open_jobs(&server, None).unwrap();
    let mut replication = replication(&server, opened, &[10]);
    let found = [(); 6].map(|()| format!("{:?}", next(&mut replication).unwrap()));
    let expected = ["Table", "Again", "Row", "Row", "TableEnd", "End"];
    assert_eq!(found, expected.map(|step| format!("Copy({step})")));
    let commands = server.session_commands();
    let of = |word: &str| commands.iter().filter(|command| command.contains(word)).count();
    assert_eq!((of("SNAPSHOT E'exported'"), of("SNAPSHOT E'kept'")), (1, 1));
    assert_eq!(of("pg_control_system"), 2);
    drop(server.stream());
}

#[test]
fn a_keeper_on_another_server_ends_the_start() {
    let server = MockServer::new("jobs-other-keeper");
    for other in [(true, false), (false, true)] {
        server.set(|state| {
            (state.slot, state.is_other, state.is_standby) = (None, other.0, other.1);
        });
        let error = open_jobs(&server, Some(created())).err().unwrap();
        assert_eq!(expected(snapshot_error(&error)), other);
        let commands = server.commands();
        assert_eq!(commands.last().unwrap(), "DROP_REPLICATION_SLOT \"s\"");
        // The other server would only say that it does not have the snapshot.
        let commands = server.session_commands();
        assert!(!commands.iter().any(|command| command.starts_with("BEGIN")), "{commands:?}");
    }
}

#[test]
fn a_job_on_another_server_ends_the_copy() {
    let server = MockServer::new("jobs-other-worker");
    for other in [(true, false), (false, true)] {
        server.set(|state| (state.is_other, state.is_standby) = (false, false));
        let opened = open_jobs(&server, None).unwrap();
        let mut replication = replication(&server, opened, &[10]);
        server.set(|state| (state.is_other, state.is_standby) = other);
        let error = loop {
            match next(&mut replication) {
                Ok(step) => assert!(matches!(step, Step::Copy(_)), "{step:?}"),
                Err(error) => break replication.replace_stream(error).unwrap_err(),
            }
        };
        assert_eq!(expected(snapshot_error(cause(&error))), other);
        drop(server.stream());
    }
}

/// The session that it waits for waits for the end of the copy.
#[test]
fn a_job_that_waits_for_a_lock_gives_way_with_another_snapshot() {
    let server = MockServer::new("jobs-lock");
    for reconnect in [Reconnect::default().initial_delay(Duration::ZERO), Reconnect::never()] {
        server.set(|state| state.copy = [error("55P03", "too long"), ready()].concat());
        let opened = open_jobs(&server, None).unwrap();
        let is_never = reconnect.is_never();
        let (mut replication, _) = replication_that(&server, opened, &[10], false, reconnect);
        let error = loop {
            match next(&mut replication) {
                Ok(step) => assert!(matches!(step, Step::Copy(_)), "{step:?}"),
                Err(error) => break error,
            }
        };
        let replaced = replication.replace_stream(error);
        if !is_never {
            replaced.unwrap();
            assert!(matches!(next(&mut replication), Ok(Step::Restarted)));
            assert_eq!(replication.health().reconnects, 1);
            continue;
        }
        let error = replaced.unwrap_err();
        assert_eq!(error.sqlstate(), Some("55P03"));
        let SnapshotError::LockTimeout { tables, limit, .. } = snapshot_error(cause(&error)) else {
            panic!("{error}")
        };
        let limit_of_job = Duration::from_secs(10);
        assert_eq!((&tables[..], *limit), (&["\"public\".\"t10\"".to_owned()][..], limit_of_job));
    }
    drop(server.stream());
}

#[test]
fn a_slot_that_is_moved_before_it_is_acquired_is_refused() {
    let server = MockServer::new("jobs-moved");
    server.set(|state| state.acquired_slot = Some(MockSlot::at(96)));
    assert_moved(&open_jobs(&server, None).err().unwrap());
    server.set(|state| {
        (state.slot, state.acquired_slot) = (None, Some(MockSlot::at(96)));
    });
    assert_moved(cause(&open_jobs(&server, Some(created())).err().unwrap()));
}

/// A row of a copy has no Commit that could be waited for.
#[test]
fn after_a_stop_nothing_of_the_stream_is_read() {
    let server = MockServer::new("jobs-stop");
    server.set(|state| state.copy = rows(&["1", "2"], false));
    let opened = open_jobs(&server, None).unwrap();
    let mut replication = replication(&server, opened, &[10]);
    let mut stream = server.stream();
    // A keepalive.
    stream.send(&message(b'd', &[&b"k"[..], &[0; 17]].concat()));
    while !matches!(next(&mut replication), Ok(Step::Copy(CopyStep::Again))) {}
    replication.stop_handle().stop();
    assert!(matches!(replication.step(soon), Ok(Step::Stopped)));
    let deadline = Instant::now() + Duration::from_secs(5);
    assert!(matches!(replication.step_after_stop(deadline), Ok(Step::Stopped)));
}
