//! Stored positions, and readers that resume after them.

use pgoutput_decode::Lsn;
use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{
    Acknowledge, ErrorKind, HistoryError, Idle, Position, PositionError, Reader, ReaderBuilder,
    SetupError, SlotCreation, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION, Proxy, eventually, line};

use super::reconnect::proxied;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, n int)";

/// Many rows of one LSN, several statements in one transaction, a commit record that names
/// subtransactions, several tables of one TRUNCATE.
const TRANSACTIONS: [&str; 5] = [
    "INSERT INTO t VALUES (1), (2), (3)",
    "INSERT INTO t VALUES (4); UPDATE t SET n = 7 WHERE id = 4",
    "UPDATE t SET n = 8 WHERE id = 1",
    "BEGIN; SAVEPOINT a; INSERT INTO t VALUES (5); SAVEPOINT b; DELETE FROM t WHERE id = 2; COMMIT",
    "INSERT INTO t VALUES (6)",
];
const EVENTS: usize = 9;

fn builder(fixture: &Fixture<'_>, slot: &str) -> ReaderBuilder {
    Reader::builder(&fixture.database().dsn())
        .slot(slot)
        .publication(PUBLICATION)
        .acknowledge(Acknowledge::Manual)
        .idle(Idle::Never)
}

/// Returns the position as a program restores it.
fn stored(position: &Position) -> Position {
    position.to_string().parse().unwrap()
}

fn refusal(builder: ReaderBuilder) -> PositionError {
    match builder.connect().unwrap_err().into_kind() {
        ErrorKind::Position(error) => error,
        other => panic!("{other}"),
    }
}

fn history_refusal(builder: ReaderBuilder) -> HistoryError {
    match builder.connect().unwrap_err().into_kind() {
        ErrorKind::History(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_reader_resumes_after_every_event() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slots: Vec<_> = (0..EVENTS).map(|_| fixture.database().slot_name("place")).collect();
        for slot in &slots {
            fixture.create_slot(slot);
        }
        fixture.run(TRANSACTIONS);
        let end = fixture.end();
        let events = fixture.read();
        let commits: Vec<_> = events.iter().map(|event| event.position().commit_lsn()).collect();
        let all: Vec<_> = events.iter().map(line).collect();
        assert_eq!(all.len(), EVENTS);
        for (index, slot) in slots.iter().enumerate() {
            // Nothing is acknowledged, so the slot does not advance.
            let mut reader = builder(&fixture, slot).connect().unwrap();
            let event = reader.in_time().nth(index).unwrap().unwrap();
            let position = stored(&event.position());
            assert_eq!(position, event.position());
            reader.stop().unwrap();
            let mut again =
                builder(&fixture, slot).resume(position).until_lsn(end).connect().unwrap();
            let rest: Vec<_> = again.in_time().map(|event| line(&event.unwrap())).collect();
            assert_eq!(rest, all[index + 1..], "after event {index}");
            again.stop().unwrap();
            // The server knows only complete transactions: that of the position only if this was
            // its last event.
            let is_last = commits.get(index + 1) != Some(&commits[index]);
            let confirmed = fixture.slot_named(slot).confirmed;
            assert_eq!(confirmed > commits[index], is_last, "after event {index}");
            assert!(commits.get(index + 1).is_none_or(|next| confirmed <= *next));
        }
    }
}

#[test]
fn a_program_that_stores_and_acknowledges_each_event_reads_each_once() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.slot_name();
        fixture.run(TRANSACTIONS);
        let mut last: Option<Position> = None;
        let mut ids = Vec::new();
        for _ in 0..EVENTS {
            let mut builder = builder(&fixture, slot);
            if let Some(position) = &last {
                builder = builder.resume(stored(position));
            }
            let mut reader = builder.connect().unwrap();
            let event = reader.next_in_time().unwrap().unwrap();
            let id = event.message_id();
            ids.push((event.op(), id));
            let position = event.position();
            reader.acknowledger().acknowledge(&position).unwrap();
            // Only complete transactions are reported to the server.
            reader.stop().unwrap();
            last = Some(position);
        }
        ids.dedup();
        assert_eq!(ids.len(), EVENTS);
        // The next record of the WAL, and the WAL that the server keeps for it, do not matter.
        fixture.run(["CHECKPOINT", "CREATE TABLE later (id int PRIMARY KEY)"]);
        let position = last.unwrap();
        let end = fixture.end();
        let mut reader =
            builder(&fixture, slot).resume(stored(&position)).until_lsn(end).connect().unwrap();
        assert_eq!(reader.in_time().map(Result::unwrap).count(), 0);
        reader.stop().unwrap();
        assert!(fixture.slot().confirmed > position.commit_lsn());
    }
}

#[test]
fn a_foreign_position_is_rejected_with_the_reason() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(TRANSACTIONS);
        let slot = fixture.slot_name();
        let mut reader = builder(&fixture, slot).connect().unwrap();
        let position = reader.next_in_time().unwrap().unwrap().position();
        reader.stop().unwrap();
        let text = position.to_string();
        let edited = |from: &str, to: &str| text.replacen(from, to, 1).parse::<Position>().unwrap();

        let system = position.system_identifier();
        let elsewhere = edited(&format!(":{system}:"), ":12345:");
        assert_eq!(
            history_refusal(builder(&fixture, slot).resume(elsewhere)),
            HistoryError::OtherCluster { expected: 12345, found: system }
        );
        let later = edited(&format!(":{system}:1:"), &format!(":{system}:2:"));
        assert_eq!(
            history_refusal(builder(&fixture, slot).resume(later)),
            HistoryError::TimelineBehind { expected: 2, found: 1 }
        );
        let other = fixture.database().slot_name("other");
        fixture.create_slot(&other);
        assert_eq!(
            refusal(builder(&fixture, &other).resume(stored(&position))),
            PositionError::OtherSlot { position: slot.into(), slot: other }
        );
        fixture.run(["CREATE PUBLICATION second FOR TABLE t"]);
        let more = builder(&fixture, slot).publication("second").resume(stored(&position));
        let error = refusal(more);
        assert!(
            error.to_string().contains("(it was taken without publication \"second\";"),
            "{error}"
        );
        if fixture.major() >= 14 {
            let more = builder(&fixture, slot)
                .options(StreamOptions::new().messages(true))
                .resume(stored(&position));
            let error = refusal(more);
            let expected = "(it was taken with the option messages off;";
            assert!(error.to_string().contains(expected), "{error}");
        }
        let end = fixture.end();
        let (lsn, commit) = (Lsn::new(end.as_u64() + (1 << 40)), position.commit_lsn());
        let beyond = edited(&format!(":{commit}:"), &format!(":{lsn}:"));
        let error = history_refusal(builder(&fixture, slot).resume(beyond));
        let HistoryError::WalEndsEarly { lsn: of, ends } = error else { panic!("{error}") };
        assert!(of == lsn && ends >= end && ends < lsn);
        let text = error.to_string();
        assert!(text.contains(&lsn.to_string()) && text.contains(&ends.to_string()), "{text}");
        // The rejected positions have changed nothing.
        let again = builder(&fixture, slot).resume(stored(&position)).until_lsn(fixture.end());
        let mut again = again.connect().unwrap();
        assert_eq!(again.in_time().map(Result::unwrap).count(), EVENTS - 1);
    }
}

#[test]
fn a_recreated_slot_is_rejected_and_no_slot_is_created() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(TRANSACTIONS);
        let slot = fixture.slot_name();
        let mut reader = builder(&fixture, slot).connect().unwrap();
        let position = stored(&reader.next_in_time().unwrap().unwrap().position());
        reader.stop().unwrap();
        let drop_slot = format!("SELECT pg_drop_replication_slot('{slot}')");
        fixture.run([&drop_slot as &str]);
        let missing =
            builder(&fixture, slot).slot_creation(SlotCreation::IfMissing).resume(position.clone());
        let error = missing.connect().unwrap_err().into_kind();
        assert!(matches!(error, ErrorKind::Setup(SetupError::SlotMissing { .. })), "{error}");
        fixture.create_slot(slot);
        let confirmed = fixture.slot().confirmed;
        match refusal(builder(&fixture, slot).resume(position.clone())) {
            PositionError::SlotAhead { lsn, confirmed_flush_lsn, .. } => {
                assert_eq!((lsn, confirmed_flush_lsn), (position.commit_lsn(), confirmed));
            }
            other => panic!("{other}"),
        }
        fixture.run(["INSERT INTO t VALUES (7)"]);
        let trusting = builder(&fixture, slot).resume(position).trust_slot(true);
        let mut trusting = trusting.until_lsn(fixture.end()).connect().unwrap();
        let events: Vec<_> = trusting.in_time().map(Result::unwrap).collect();
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn a_slot_recreated_just_before_the_start_is_rejected() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(TRANSACTIONS);
        let slot = fixture.slot_name().to_owned();
        let mut client = fixture.client();
        let proxy = Proxy::before_second_start(server.port(), move || {
            let drop = format!("SELECT pg_drop_replication_slot('{slot}')");
            client.batch_execute(&drop).unwrap();
            let make = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
            client.batch_execute(&make).unwrap();
        });
        let builder =
            || proxied(&proxy, &fixture).acknowledge(Acknowledge::Manual).idle(Idle::Never);
        let mut reader = builder().connect().unwrap();
        let position = stored(&reader.next_in_time().unwrap().unwrap().position());
        reader.stop().unwrap();
        fixture.wait_until_free();
        match refusal(builder().resume(position.clone())) {
            PositionError::SlotAhead { lsn, confirmed_flush_lsn, .. } => {
                let confirmed = fixture.slot().confirmed;
                assert_eq!((lsn, confirmed_flush_lsn), (position.commit_lsn(), confirmed));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn messages_outside_of_transactions_have_positions() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, TABLE);
        fixture.run([
            "INSERT INTO t VALUES (1)",
            "SELECT pg_logical_emit_message(false, 'p', 'one')",
            "BEGIN; SELECT pg_logical_emit_message(true, 'p', 'two');
             INSERT INTO t VALUES (2); COMMIT",
            "SELECT pg_logical_emit_message(false, 'p', 'three')",
            "INSERT INTO t VALUES (3)",
        ]);
        let slot = fixture.slot_name();
        let end = fixture.end();
        let all = |position: Option<Position>| {
            let mut builder =
                builder(&fixture, slot).options(StreamOptions::new().messages(true)).until_lsn(end);
            if let Some(position) = position {
                builder = builder.resume(position);
            }
            let mut reader = builder.connect().unwrap();
            reader.in_time().map(Result::unwrap).collect::<Vec<_>>()
        };
        let events = all(None);
        assert_eq!(events.len(), 6);
        let lines: Vec<_> = events.iter().map(line).collect();
        for (index, event) in events.iter().enumerate() {
            fixture.wait_until_free();
            let rest: Vec<_> = all(Some(stored(&event.position()))).iter().map(line).collect();
            assert_eq!(rest, lines[index + 1..], "after event {index}");
        }
    }
}

#[test]
fn an_idle_position_can_be_stored_acknowledged_and_resumed() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let slot = fixture.slot_name();
        let mut reader = builder(&fixture, slot).connect().unwrap();
        let event = reader.next_in_time().unwrap().unwrap();
        assert_eq!(reader.idle_position(), None);
        let (_elsewhere, end) = fixture.write_elsewhere();
        let idle = eventually("the server to have passed that", || {
            assert!(reader.try_next().unwrap().is_none());
            reader.idle_position().filter(|position| position.commit_lsn() >= end)
        });
        assert_eq!(idle.index(), None);
        let acknowledger = reader.acknowledger();
        acknowledger.acknowledge(&idle).unwrap();
        assert!(acknowledger.acknowledged().is_zero(), "the event before it was not acknowledged");
        acknowledger.acknowledge(event.position()).unwrap();
        assert_eq!(acknowledger.acknowledged(), idle.commit_lsn());
        reader.stop().unwrap();
        assert_eq!(fixture.slot().confirmed, idle.commit_lsn());
        fixture.run(["INSERT INTO t VALUES (2)"]);
        let mut again = builder(&fixture, slot).resume(stored(&idle)).connect().unwrap();
        let event = again.next_in_time().unwrap().unwrap();
        assert_eq!(event.after().unwrap().get::<i32>("id").unwrap(), 2);
        again.stop().unwrap();
    }
}
