//! Opening streams against a mock server.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use super::*;
use crate::error::PositionError;
use crate::event::{Position, ReaderId};
use crate::source::identity::identify;
use crate::source::mock_server::{MockServer, MockSlot};

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

fn opener(server: &MockServer) -> StreamOpener {
    StreamOpener { config: server.config(), start: StartReplication::new("s", ["p"]) }
}

fn open(
    opener: &StreamOpener,
    create: Option<CreateSlot>,
    stored: Option<&Stored>,
) -> Result<Opened, Error> {
    opener.open(
        create,
        stored,
        &SlotWaitOptions { limit: Duration::ZERO, listener: None, stop: None },
    )
}

fn waits() -> Waits {
    let wake = WakePipe::new().unwrap();
    Waits { stop: StopHandle::new(wake.waker()), wake }
}

/// The position of an event of a server on this timeline.
fn stored(timeline: u32, lsn: u64) -> Stored {
    let system = SystemId { system_identifier: 700, timeline, xlogpos: Lsn::ZERO, dbname: None };
    let identity = identify(ReaderId::NONE, &system, &StartReplication::new("s", ["p"]), false);
    let position = Position::new(&Arc::new(identity), Lsn::new(lsn), Some(0), 0);
    Stored { position, trusted: false, by_stages: false }
}

fn has(commands: &[String], start: &str) -> bool {
    commands.iter().any(|command| command.starts_with(start))
}

#[test]
fn the_first_stream_starts_within_the_wal_of_the_server() {
    let server = MockServer::new("first");
    let mut opener = opener(&server);
    opener.start.start_lsn = Lsn::new(1000);
    let opened = open(&opener, None, None).unwrap();
    assert!(has(&server.commands(), "START_REPLICATION SLOT \"s\" LOGICAL 0/3E8 "));
    let started = opened.started(&opener.start);
    assert_eq!((started.system_identifier, started.start_lsn), (700, Lsn::new(1000)));
    assert_eq!((&*started.database, &*started.slot), ("app", "s"));
    assert!(!opened.commits_wait);

    server.set(|state| state.wal_end = Lsn::new(992));
    let error = open(&opener, None, None).err().unwrap();
    assert!(error.to_string().contains("start_lsn 0/3E8 is ahead"), "{error}");
    let error = open(&opener, None, Some(&stored(1, 1000))).err().unwrap().into_kind();
    let (lsn, ends) = (Lsn::new(1000), Lsn::new(992));
    let expected = HistoryError::WalEndsEarly { lsn, ends };
    assert!(matches!(&error, ErrorKind::History(found) if *found == expected), "{error:?}");
    assert!(!has(&server.commands(), "START_REPLICATION"));
}

#[test]
fn the_history_of_a_later_timeline_is_compared_with_the_stored_position() {
    let server = MockServer::new("history");
    server.set(|state| (state.timeline, state.history) = (3, "1\t0/40\tx\n2\t0/300\tx\n"));
    assert!(open(&opener(&server), None, Some(&stored(3, 0x300))).is_ok());
    assert!(!has(&server.commands(), "TIMELINE_HISTORY"));
    assert!(open(&opener(&server), None, Some(&stored(2, 0x2F8))).is_ok());
    assert!(has(&server.commands(), "TIMELINE_HISTORY 3"));
    for (timeline, forked) in [(2, true), (4, false)] {
        let error = open(&opener(&server), None, Some(&stored(timeline, 0x300))).err().unwrap();
        let ErrorKind::History(error) = error.kind() else { panic!("{error:?}") };
        assert_eq!(matches!(error, HistoryError::TimelineForked { .. }), forked, "{error}");
        let commands = server.commands();
        assert_eq!(has(&commands, "TIMELINE_HISTORY"), forked, "{commands:?}");
        assert!(!has(&commands, "START_REPLICATION"), "{commands:?}");
    }
}

#[test]
fn a_stored_position_needs_the_slot_as_it_was_acquired() {
    let server = MockServer::new("acquired");
    let stored = stored(1, 96);
    server.set(|state| state.acquired_slot = Some(MockSlot::at(56)));
    let opened = open(&opener(&server), None, Some(&stored)).unwrap();
    assert_eq!(opened.confirmed, Lsn::new(56));
    server.set(|state| state.acquired_slot = Some(MockSlot::at(896)));
    let error = open(&opener(&server), None, Some(&stored)).err().unwrap();
    assert!(
        matches!(error.kind(), ErrorKind::Position(PositionError::SlotAhead { .. })),
        "{error:?}"
    );
}

#[test]
fn a_missing_slot_is_created_unless_a_position_is_resumed() {
    let server = MockServer::new("missing");
    server.set(|state| state.slot = None);
    let create = Some(CreateSlot::new("s"));
    let error = open(&opener(&server), create.clone(), Some(&stored(1, 96))).err().unwrap();
    let missing = SetupError::SlotMissing { slot: "s".into() };
    assert!(matches!(error.kind(), ErrorKind::Setup(error) if *error == missing), "{error:?}");
    assert!(!has(&server.commands(), "CREATE_REPLICATION_SLOT"));
    assert!(open(&opener(&server), create, None).is_ok());
    assert!(has(&server.commands(), "CREATE_REPLICATION_SLOT"));
}

#[test]
fn the_sql_connection_is_prepared_unless_the_slot_is_in_use() {
    let server = MockServer::new("prepared");
    for is_in_use in [false, true] {
        let slot = MockSlot { is_in_use, ..MockSlot::at(48) };
        server.set(|state| state.slot = Some(slot));
        let mut opened = open(&opener(&server), None, None).unwrap();
        opened.catalog.slot_status("s").unwrap();
        assert_eq!(server.queries().len(), if is_in_use { 1 } else { 2 });
    }
}

fn lost_on_the_server() -> LostStream {
    LostStream { system_identifier: 700, confirmed: Lsn::new(56), ..lost() }
}

#[test]
fn another_stream_starts_from_the_acknowledged_lsn() {
    let server = MockServer::new("again");
    let lost = LostStream { start_lsn: Lsn::new(64), ..lost_on_the_server() };
    let slot = MockSlot { standby_names: "*", ..MockSlot::at(56) };
    server.set(|state| (state.slot, state.acquired_slot) = (Some(slot), Some(slot)));
    let opened = opener(&server).open_again(&lost, waits()).unwrap();
    assert!(has(&server.commands(), "START_REPLICATION SLOT \"s\" LOGICAL 0/40 "));
    assert_eq!(opened.confirmed, Lsn::new(56));
    assert!(opened.commits_wait);
}

#[test]
fn no_other_stream_starts_on_what_does_not_continue() {
    let server = MockServer::new("discontinued");
    let again = || opener(&server).open_again(&lost_on_the_server(), waits()).err().unwrap();
    server.set(|state| state.timeline = 2);
    assert!(matches!(again().kind(), ErrorKind::History(HistoryError::TimelineChanged { .. })));
    server.set(|state| (state.timeline, state.slot) = (1, Some(MockSlot::at(64))));
    assert!(matches!(again().kind(), ErrorKind::Setup(SetupError::SlotMoved { .. })));
    assert!(!has(&server.commands(), "START_REPLICATION"));
    // Moved by another client before this one acquired it.
    server.set(|state| {
        (state.slot, state.acquired_slot) = (Some(MockSlot::at(48)), Some(MockSlot::at(64)));
    });
    assert!(matches!(again().kind(), ErrorKind::Setup(SetupError::SlotMoved { .. })));
    assert!(has(&server.commands(), "START_REPLICATION"));
}

#[test]
fn an_attempt_that_was_given_up_leaves_the_slot_alone() {
    let server = MockServer::new("given-up");
    let waits = waits();
    waits.stop.stop();
    let error = opener(&server).open_again(&lost_on_the_server(), waits).err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Stopped { .. }), "{error:?}");
    assert!(!has(&server.commands(), "START_REPLICATION"));
}

#[test]
fn an_attempt_that_is_dropped_is_given_up() {
    let (sender, was_given_up) = channel();
    let attempt = <ReconnectionAttempt>::run(WakePipe::new().unwrap().waker(), move |waits| {
        let deadline = Instant::now() + TIMEOUT;
        while !waits.stop.is_stopped() && Instant::now() < deadline {
            waits.wake.wait(Some(deadline)).unwrap();
        }
        sender.send(waits.stop.is_stopped()).unwrap();
        Err(Error::usage("given up"))
    });
    let attempt = attempt.unwrap();
    assert!(attempt.result().is_none());
    drop(attempt);
    assert!(was_given_up.recv_timeout(2 * TIMEOUT).unwrap());
}

fn lost() -> LostStream {
    LostStream {
        system_identifier: 7,
        timeline: 1,
        confirmed: Lsn::new(50),
        received: Lsn::new(100),
        start_lsn: Lsn::new(50),
    }
}

fn check(edit: impl FnOnce(&mut SystemId, &mut SlotFacts)) -> Result<(), ErrorKind> {
    let mut system =
        SystemId { system_identifier: 7, timeline: 1, xlogpos: Lsn::new(100), dbname: None };
    let confirmed = Lsn::new(50);
    let mut slot = SlotFacts {
        confirmed,
        restart: None,
        standby: false,
        in_use: false,
        waited_for: false,
        two_phase: false,
        created: false,
    };
    edit(&mut system, &mut slot);
    lost().check(&system, slot, "s").map_err(Error::into_kind)
}

fn history(edit: impl FnOnce(&mut SystemId, &mut SlotFacts)) -> HistoryError {
    match check(edit) {
        Err(ErrorKind::History(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_attempt_that_panics_is_an_error_and_wakes() {
    let wake = WakePipe::new().unwrap();
    let attempt = <ReconnectionAttempt>::run(wake.waker(), |_| panic!("on purpose")).unwrap();
    assert!(wake.wait(Some(Instant::now() + TIMEOUT)).unwrap(), "no thread was woken");
    let error = attempt.result().expect("woken before the end").map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ThreadPanicked { .. }), "{error}");
}

#[test]
fn a_stream_continues_only_if_nothing_was_lost() {
    assert!(check(|_, _| {}).is_ok());
    assert!(check(|_, slot| slot.confirmed = Lsn::ZERO).is_ok());
    let (confirmed, found) = (Lsn::new(50), Lsn::new(51));
    let moved = SetupError::SlotMoved { slot: "s".into(), confirmed, found };
    assert!(matches!(
        check(|_, slot| slot.confirmed = found),
        Err(ErrorKind::Setup(error)) if error == moved
    ));
    assert_eq!(
        history(|system, _| system.timeline = 2),
        HistoryError::TimelineChanged { expected: 1, found: 2 }
    );
    assert_eq!(
        history(|system, _| system.timeline = 0),
        HistoryError::TimelineBehind { expected: 1, found: 0 }
    );
    assert_eq!(
        history(|system, _| system.system_identifier = 8),
        HistoryError::OtherCluster { expected: 7, found: 8 }
    );
    let (lsn, ends) = (Lsn::new(100), Lsn::new(99));
    assert_eq!(
        history(|system, _| system.xlogpos = ends),
        HistoryError::WalEndsEarly { lsn, ends }
    );
    let standby = |system: &mut SystemId, slot: &mut SlotFacts| {
        (system.xlogpos, slot.standby) = (ends, true);
    };
    assert!(check(standby).is_ok());
}
