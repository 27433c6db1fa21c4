//! Copies and the streams after them, against a mock server.

mod faults;
mod jobs;
mod positions;

use std::thread;
use std::time::Duration;

use pgoutput_decode::Oid;

use super::*;
use crate::connection::tests::{error, message, ready};
use crate::error::{ErrorKind, SetupError, SnapshotError};
use crate::event::ReaderId;
use crate::proto::{CreateSlot, StartReplication, StreamOptions};
use crate::setup::SlotWaitOptions;
use crate::snapshot::Snapshot;
use crate::source::mock_server::{MockServer, MockSlot};
use crate::source::open::{Opened, Session};
use crate::source::{
    Reconnect, Replication, Source, Step, Stored, StreamOpener, StreamSettings, identify,
};
use crate::stream::{AcknowledgedLsns, Publications};

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

fn soon() -> Instant {
    Instant::now() + TIMEOUT
}

fn opener(server: &MockServer) -> StreamOpener {
    StreamOpener { config: server.config(), start: StartReplication::new("s", ["p"]) }
}

fn created() -> CreateSlot {
    CreateSlot::new("s")
}

fn open_with(
    opener: &StreamOpener,
    create: Option<CreateSlot>,
    stored: Option<&Stored>,
    by_stages: bool,
) -> Result<Opened, Error> {
    let wait_options = SlotWaitOptions { limit: Duration::ZERO, listener: None, stop: None };
    opener.open_with_copy(&Snapshot::initial(), create, stored, by_stages, &wait_options)
}

fn open(
    server: &MockServer,
    create: Option<CreateSlot>,
    stored: Option<&Stored>,
) -> Result<Opened, Error> {
    let mut opener = opener(server);
    if let Some(stored) = stored {
        opener.start.start_lsn = stored.position.commit_lsn();
    }
    open_with(&opener, create, stored, false)
}

/// The position with this end of its text.
fn stored(server: &MockServer, end: &str) -> Stored {
    let start = opener(server).start;
    let system = crate::connection::SystemId {
        system_identifier: 700,
        timeline: 1,
        xlogpos: Lsn::ZERO,
        dbname: None,
    };
    let publications = identify(ReaderId::NONE, &system, &start, false).publications;
    let position = format!("1:700:1:s:{publications:016x}:{end}").parse().unwrap();
    Stored { position, trusted: false, by_stages: false }
}

fn table(oid: u32) -> TableCopy {
    TableCopy::with_column("public", &format!("t{oid}"), Oid::new(oid))
}

/// The answer to COPY of these rows, and of its end.
fn rows(rows: &[&str], ends: bool) -> Vec<u8> {
    let rows = rows.iter().map(|row| message(b'd', format!("{row}\n").as_bytes()));
    let end = [message(b'c', b""), message(b'C', b"COPY 2\0"), ready()].concat();
    let end = if ends { end } else { Vec::new() };
    [message(b'H', b"\0\0\x01\0\0")].into_iter().chain(rows).chain([end]).flatten().collect()
}

/// The replication after this start, whose copy has these tables.
fn replication_with(
    server: &MockServer,
    opened: Opened,
    tables: &[u32],
    temporary: bool,
) -> (Replication, Arc<AcknowledgedLsns>) {
    let reconnect = Reconnect::default().initial_delay(Duration::ZERO);
    replication_that(server, opened, tables, temporary, reconnect)
}

/// The same with this policy for lost connections.
fn replication_that(
    server: &MockServer,
    mut opened: Opened,
    tables: &[u32],
    temporary: bool,
    reconnect: Reconnect,
) -> (Replication, Arc<AcknowledgedLsns>) {
    let acknowledged = Arc::new(AcknowledgedLsns::new(false));
    let opener = opener(server);
    let settings = StreamSettings {
        heartbeat: false,
        temporary,
        reconnect,
        on_reconnect: None,
        on_reconnected: None,
        publications: Publications::of(&opener.start),
        on_skipped: None,
        on_slot_at_risk: None,
        acknowledged: Arc::clone(&acknowledged),
        falls_back: true,
        copy: Some((Snapshot::initial(), Duration::ZERO)),
    };
    let identity = Arc::new(identify(ReaderId::unique(), &opened.system, &opener.start, false));
    let (Session::Copy(.., plan) | Session::Jobs(.., plan)) = &mut opened.session else {
        panic!("there is no copy")
    };
    plan.tables = tables.iter().copied().map(table).collect();
    (Replication::new(opener, opened, settings, identity, None).unwrap(), acknowledged)
}

fn replication(server: &MockServer, opened: Opened, tables: &[u32]) -> Replication {
    replication_with(server, opened, tables, false).0
}

/// The next step: a letter, and what it is about.
fn step(replication: &mut Replication) -> String {
    let step = replication.step(soon).unwrap();
    let part = replication.copy_part().map(|part| {
        let table = part.table.map(Oid::as_u32);
        (table, part.number, part.point.as_u64())
    });
    match (step, part) {
        (Step::Copy(CopyStep::Table), Some((Some(table), NO_ROW, point))) => {
            format!("table {table} at {point}")
        }
        (Step::Copy(CopyStep::Again), Some((Some(_), NO_ROW, _))) => "again".into(),
        (Step::Copy(CopyStep::Row), Some((_, number, ..))) => format!("row {}", number + 1),
        (Step::Copy(CopyStep::TableEnd), None) => "table end".into(),
        (Step::Copy(CopyStep::End), Some((None, ..))) => "end".into(),
        (Step::Restarted, None) => "stream".into(),
        other => panic!("{other:?}"),
    }
}

fn steps<const N: usize>(replication: &mut Replication) -> [String; N] {
    [(); N].map(|()| step(replication))
}

/// The commands of these kinds, without details that vary.
fn commands(server: &MockServer) -> Vec<String> {
    let kinds = ["BEGIN", "COPY", "COMMIT", "CREATE_", "DROP_", "START_", "ROLLBACK"];
    let is_one = |command: &String| kinds.iter().any(|kind| command.starts_with(kind));
    let start = |command: String| {
        let end = ["(", "pgoutput", "ISOLATION"].iter().filter_map(|word| command.find(word)).min();
        let command = command[..end.unwrap_or(command.len())].trim();
        match command.split_once("s_copy_") {
            Some((start, rest)) => format!("{start}s_copy{}", &rest[16..]),
            None => command.to_owned(),
        }
    };
    server.commands().into_iter().filter(is_one).map(start).collect()
}

#[test]
fn the_stream_after_the_copy_starts_at_its_snapshot() {
    let server = MockServer::new("copy-first");
    server.set(|state| {
        (state.slot, state.point) = (None, Lsn::new(0x100));
        state.copy = rows(&["1", "2"], true);
    });
    let opened = open(&server, Some(created()), None).unwrap();
    assert_eq!(opened.started(&opener(&server).start).start_lsn, Lsn::new(0x100));
    let (mut replication, acknowledged) = replication_with(&server, opened, &[10, 11], false);
    assert!(replication.health().connected);
    assert_eq!(
        steps(&mut replication),
        ["table 10 at 256", "row 1", "row 2", "table end", "table 11 at 256", "row 1"]
    );
    assert_eq!(steps(&mut replication), ["row 2", "table end", "end", "stream"]);
    let expected = ["BEGIN", "CREATE_REPLICATION_SLOT \"s\" LOGICAL", "COPY \"public\".\"t10\""];
    let found = commands(&server);
    assert_eq!(found[..3], expected);
    let start = "START_REPLICATION SLOT \"s\" LOGICAL 0/100";
    assert_eq!(found[3..], ["COPY \"public\".\"t11\"", "COMMIT", start]);

    // A later stream starts there too, or after what was acknowledged.
    for (flushed, start) in [(0, "0/100"), (0x200, "0/200")] {
        acknowledged.set(Lsn::ZERO, Lsn::new(flushed), Lsn::ZERO, false);
        drop(server.stream());
        let error = replication.step(soon).unwrap_err();
        replication.replace_stream(error).unwrap();
        assert_eq!(step(&mut replication), "stream");
        assert_eq!(commands(&server), [format!("START_REPLICATION SLOT \"s\" LOGICAL {start}")]);
    }
    drop(server.stream());
}

#[test]
fn a_copy_that_was_not_completed_continues_in_a_snapshot_of_its_own() {
    let server = MockServer::new("copy-again");
    server.set(|state| {
        state.point = Lsn::new(0x100);
        state.copy = rows(&["1"], true);
    });
    let create = "CREATE_REPLICATION_SLOT \"s_copy\" TEMPORARY LOGICAL";
    let start = |lsn: &str| format!("START_REPLICATION SLOT \"s\" LOGICAL {lsn}");
    for (position, tables, lsn) in [
        // All changes before the snapshot are in it.
        (None, &["table 10 at 256", "table 12 at 256"][..], "0/100"),
        (Some("0/30:-:+10."), &["table 10 at 256", "table 12 at 256"], "0/100"),
        (Some("0/30:-:0/30-10."), &["table 12 at 256"], "0/30"),
        (Some("0/30:-:0/30-11+12."), &["table 12 at 256"], "0/30"),
        (Some("0/30:-:0/30-12."), &[], "0/30"),
    ] {
        let stored = position.map(|end| stored(&server, end));
        let opened = open(&server, Some(created()), stored.as_ref()).unwrap();
        let mut replication = replication(&server, opened, &[10, 12]);
        for table in tables {
            assert_eq!(
                steps(&mut replication),
                [*table, "again", "row 1", "table end"],
                "{position:?}"
            );
        }
        assert_eq!(steps(&mut replication), ["end", "stream"], "{position:?}");
        let mut found = commands(&server);
        found.retain(|command| !command.starts_with("COPY"));
        let drop_slot = "DROP_REPLICATION_SLOT \"s_copy\"";
        assert_eq!(found, ["BEGIN", create, "COMMIT", drop_slot, &start(lsn)], "{position:?}");
        drop(server.stream());
    }
}

/// Messages are not in the copy.
#[test]
fn the_stream_starts_before_the_snapshot_if_messages_are_read() {
    let server = MockServer::new("copy-messages");
    server.set(|state| state.point = Lsn::new(0x100));
    let mut opener = opener(&server);
    opener.start.options = StreamOptions::new().messages(true);
    let opened = open_with(&opener, None, None, false).unwrap();
    assert_eq!(opened.start_lsn, Lsn::new(48));
}

#[test]
fn what_was_copied_before_is_not_copied_again() {
    let server = MockServer::new("copy-done");
    // The first LSN has a signature.
    for (confirmed, position) in [
        (49, None),
        (48, Some("0/30:-.")),
        (48, Some("0/200:3.")),
        (48, Some("0/30:-:0/30-10,0/100-*.")),
    ] {
        server.set(|state| state.slot = Some(MockSlot::at(confirmed)));
        let stored = position.map(|end| stored(&server, end));
        let opened = open(&server, Some(created()), stored.as_ref()).unwrap();
        assert!(matches!(opened.session, Session::Stream(_)), "{confirmed} {position:?}");
        let found = commands(&server);
        assert!(found.len() == 1 && found[0].starts_with("START_"), "{found:?}");
        drop(server.stream());
    }
}

#[test]
fn a_slot_of_another_client_that_was_faster_is_copied_in_a_snapshot() {
    let server = MockServer::new("copy-late");
    server.set(|state| {
        (state.slot, state.point, state.is_late) = (None, Lsn::new(0x100), true);
        state.copy = rows(&["1"], true);
    });
    let opened = open(&server, Some(created()), None).unwrap();
    let mut replication = replication(&server, opened, &[10]);
    // The other client may have delivered rows.
    assert_eq!(steps(&mut replication), ["table 10 at 256", "again"]);
    let found = commands(&server);
    assert_eq!(found[..3], ["BEGIN", "CREATE_REPLICATION_SLOT \"s\" LOGICAL", "ROLLBACK"]);
    assert_eq!(found[3], "BEGIN");
    assert!(found[4].contains("s_copy"), "{found:?}");
    // A temporary slot must be its own.
    server.set(|state| state.slot = None);
    let error = open(&server, Some(CreateSlot::new("s").temporary(true)), None).err().unwrap();
    assert_eq!(error.sqlstate(), Some("42710"));
}

#[test]
fn a_slot_that_does_not_show_whether_it_was_read_is_refused() {
    let server = MockServer::new("copy-unknown");
    for (names, by_stages) in [("*", false), ("", true)] {
        server.set(|state| {
            state.slot = Some(MockSlot { standby_names: names, ..MockSlot::at(48) });
        });
        let error = open_with(&opener(&server), None, None, by_stages).err().unwrap();
        let ErrorKind::Snapshot(SnapshotError::Unknown { slot, confirmed }) = error.kind() else {
            panic!("{error}")
        };
        assert_eq!((slot.as_str(), *confirmed), ("s", Lsn::new(48)));
        // A stored position shows it.
        let mut opener = opener(&server);
        let stored = stored(&server, "0/30:-:0/30-10.");
        opener.start.start_lsn = stored.position.commit_lsn();
        assert!(open_with(&opener, None, Some(&stored), by_stages).is_ok());
        server.commands();
    }
}

#[test]
fn prepared_transactions_exclude_a_copy() {
    let server = MockServer::new("copy-two-phase");
    let is_excluded = |opened: Result<Opened, Error>| {
        let error = opened.err().unwrap();
        let option = "two_phase";
        matches!(error.kind(), ErrorKind::Snapshot(SnapshotError::Excluded { option: found, .. })
            if *found == option)
    };
    server.set(|state| state.slot = Some(MockSlot { two_phase: true, ..MockSlot::at(48) }));
    assert!(is_excluded(open(&server, None, None)));
    let mut opener = opener(&server);
    opener.start.options = StreamOptions::new().two_phase(true);
    server.set(|state| state.slot = None);
    assert!(is_excluded(open_with(&opener, Some(created()), None, false)));
    assert_eq!(commands(&server), [""; 0]);
    // Without a copy they are allowed.
    server.set(|state| state.slot = Some(MockSlot { two_phase: true, ..MockSlot::at(49) }));
    assert!(open_with(&opener, None, None, false).is_ok());
}

#[test]
fn a_missing_slot_is_an_error_unless_it_may_be_created() {
    let server = MockServer::new("copy-missing");
    server.set(|state| state.slot = None);
    let stored = stored(&server, "0/30:-:0/30-10.");
    for (create, stored) in [(None, None), (Some(created()), Some(&stored))] {
        let error = open(&server, create, stored).err().unwrap();
        let is_missing = |error: &Error| {
            matches!(error.kind(), ErrorKind::Setup(SetupError::SlotMissing { .. }))
        };
        assert!(is_missing(&error), "{error}");
    }
}

#[test]
fn a_stop_ends_the_copy_between_rows_and_while_it_waits() {
    let server = MockServer::new("copy-stop");
    server.set(|state| state.copy = rows(&["1", "2", "3"], false));
    for waits in [false, true] {
        let opened = open(&server, None, None).unwrap();
        let mut replication = replication(&server, opened, &[10]);
        let stop = replication.stop_handle();
        assert_eq!(steps(&mut replication), ["table 10 at 48", "again", "row 1"]);
        thread::scope(|scope| {
            if waits {
                assert_eq!(steps(&mut replication), ["row 2", "row 3"]);
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(20));
                    stop.stop();
                });
            } else {
                stop.stop();
            }
            for _ in 0..2 {
                assert!(matches!(replication.step(soon), Ok(Step::Stopped)));
            }
        });
        assert!(matches!(replication.step_after_stop(soon()), Ok(Step::Stopped)));
        replication.stop().unwrap();
    }
}

/// The SQL connection wakes the reader too, once it is there.
#[test]
fn a_wake_up_that_is_not_a_stop_ends_no_command() {
    let server = MockServer::new("copy-woken");
    server.set(|state| state.copy = rows(&["1"], true));
    let mut opened = open(&server, None, None).unwrap();
    let Session::Copy(connection, ..) = &mut opened.session else { panic!("there is no copy") };
    let waker = connection.waker();
    let mut replication = replication(&server, opened, &[10]);
    let mut steps = String::new();
    for is_woken in [true, false].into_iter().cycle() {
        if steps.contains("Restarted") {
            break;
        }
        if is_woken {
            waker.wake();
        }
        let step = format!("{:?} ", replication.step(soon).unwrap());
        steps.push_str(if step.contains("TimedOut") { "" } else { &step });
    }
    let copy = ["Table", "Again", "Row", "TableEnd", "End"].map(|step| format!("Copy({step}) "));
    assert_eq!(steps, copy.concat() + "Restarted ");
    drop(server.stream());
}

#[test]
fn a_deadline_passes_without_losing_a_row() {
    let server = MockServer::new("copy-deadline");
    server.set(|state| state.copy = rows(&["1"], false));
    let opened = open(&server, None, None).unwrap();
    let mut replication = replication(&server, opened, &[10]);
    assert_eq!(steps(&mut replication), ["table 10 at 48", "again", "row 1"]);
    assert!(matches!(replication.step(Instant::now), Ok(Step::TimedOut)));
    assert_eq!(replication.copy_part().unwrap().number, 0);
}

#[test]
fn a_copy_continues_in_another_snapshot_after_its_connection_was_lost() {
    let server = MockServer::new("copy-lost");
    server.set(|state| {
        state.copy = rows(&["1"], false);
        state.closes_at = Some("COPY \"public\".\"t10\"");
    });
    let opened = open(&server, None, None).unwrap();
    let mut replication = replication(&server, opened, &[10]);
    assert_eq!(steps(&mut replication), ["table 10 at 48", "again", "row 1"]);
    let error = replication.step(soon).unwrap_err();
    replication.replace_stream(error).unwrap();
    assert!(!replication.health().connected);
    server.set(|state| state.point = Lsn::new(0x200));
    assert!(matches!(replication.step(soon), Ok(Step::Restarted)));
    // No table is published any more.
    assert_eq!(steps(&mut replication), ["end", "stream"]);
    let found = commands(&server);
    let last = found[found.len() - 4..].to_vec();
    let start = "START_REPLICATION SLOT \"s\" LOGICAL 0/200";
    let drop = "DROP_REPLICATION_SLOT \"s_copy\"";
    let create = "CREATE_REPLICATION_SLOT \"s_copy\" TEMPORARY LOGICAL";
    assert_eq!(last, [create, "COMMIT", drop, start]);
}

#[test]
fn an_interrupted_copy_names_the_slot() {
    let server = MockServer::new("copy-cut");
    let failing = [rows(&["1"], false), error("53200", "out of memory"), ready()].concat();
    for (copy, closes_at, cause) in [
        (rows(&["1"], false), Some("COPY"), "closed the connection"),
        (failing, None, "out of memory"),
        ([message(b'C', b"SELECT 1\0"), ready()].concat(), None, "while copying a table"),
        ([error("42501", "permission denied"), ready()].concat(), None, "permission denied"),
        (rows(&["1", "x\ty"], true), None, "2 columns instead of 1"),
        (rows(&["1"], true), Some("COMMIT"), "closed the connection"),
    ] {
        for temporary in [false, true] {
            let set = |state: &mut crate::source::mock_server::MockState| {
                (state.copy, state.closes_at) = (copy.clone(), closes_at);
            };
            server.set(set);
            let opened = open(&server, None, None).unwrap();
            let (mut replication, _) =
                replication_that(&server, opened, &[10], temporary, Reconnect::never());
            let error = loop {
                match replication.step(soon) {
                    Ok(Step::Copy(_)) => {}
                    Ok(other) => panic!("{other:?} {cause}, {temporary}"),
                    Err(error) => break replication.replace_stream(error).unwrap_err(),
                }
            };
            match error.kind() {
                ErrorKind::Snapshot(SnapshotError::Interrupted { slot, cause: found }) => {
                    let found = found.to_string();
                    assert!(!temporary && slot == "s" && found.contains(cause), "{error}");
                }
                ErrorKind::TemporarySlotLost { slot, cause: found } => {
                    assert!(temporary && slot == "s" && found.to_string().contains(cause));
                }
                _ => panic!("{error:?}"),
            }
            assert!(!replication.health().connected);
        }
    }
}

/// The copy is then complete.
#[test]
fn a_connection_lost_at_the_start_of_the_stream_is_replaced() {
    let server = MockServer::new("copy-start");
    server.set(|state| (state.point, state.closes_at) = (Lsn::new(0x100), Some("START_")));
    let opened = open(&server, None, None).unwrap();
    let mut replication = replication(&server, opened, &[]);
    assert_eq!(step(&mut replication), "end");
    let error = replication.step(soon).unwrap_err();
    replication.replace_stream(error).unwrap();
    assert_eq!(step(&mut replication), "stream");
    let start = "START_REPLICATION SLOT \"s\" LOGICAL 0/100".to_owned();
    assert_eq!(commands(&server).split_off(4), [start.clone(), start]);
    drop(server.stream());
}
