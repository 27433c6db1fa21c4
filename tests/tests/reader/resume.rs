//! Stopping anywhere and reading on: nothing is lost, and only whole transactions are repeated.

use pgoutput_harness::{Server, servers};
use pgoutput_reader::ChangeEvent;
use pgoutput_tests::{Fixture, InTime as _, eventually, line};

/// Changes in each transaction. One has many rows of one LSN.
const TRANSACTIONS: [&str; 4] = [
    "INSERT INTO t VALUES (1), (2), (3)",
    "INSERT INTO t VALUES (4); UPDATE t SET n = 7 WHERE id = 4",
    "UPDATE t SET n = 8 WHERE id = 1",
    "DELETE FROM t WHERE id IN (2, 3)",
];
const EVENTS: usize = 8;

/// The end of the first of two readers.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Stop,
    Crash,
}

/// Creates a slot for each index to end at, all from before the changes.
fn prepare(server: &'static Server) -> (Fixture<'static>, Vec<String>) {
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, n int)");
    let slots: Vec<_> = (0..=EVENTS).map(|_| fixture.database().slot_name("resume")).collect();
    for slot in &slots {
        fixture.create_slot(slot);
    }
    fixture.run(TRANSACTIONS);
    (fixture, slots)
}

/// Returns the index of the first transaction that was not acknowledged completely, after
/// `acknowledged` events.
fn boundary(all: &[ChangeEvent], acknowledged: usize) -> usize {
    let commit = |event: &ChangeEvent| event.transaction().unwrap().commit_lsn();
    let whole = |at: &usize| all.get(*at).is_none_or(|next| commit(next) != commit(&all[at - 1]));
    (1..=acknowledged).rev().find(whole).unwrap_or(0)
}

fn resumes_after_any_event(end: End) {
    for server in servers() {
        let (fixture, slots) = prepare(server);
        let all = fixture.read();
        assert_eq!(all.len(), EVENTS);
        let lines: Vec<_> = all.iter().map(line).collect();
        for (delivered, slot) in slots.iter().enumerate() {
            let context = format!("PostgreSQL {} after {delivered} events", fixture.major());
            let mut reader = fixture.builder().slot(slot).connect().unwrap();
            let first: Vec<_> =
                reader.in_time().take(delivered).map(|event| line(&event.unwrap())).collect();
            assert_eq!(first, lines[..delivered], "{context}");
            // The last event counts as acknowledged only when the next is requested.
            let resumes_at = boundary(&all, delivered.saturating_sub(1));
            match end {
                End::Stop => reader.stop().unwrap(),
                End::Crash => drop(reader),
            }
            let confirmed = eventually("the slot to be free", || {
                let slot = fixture.slot_named(slot);
                (!slot.active).then_some(slot.confirmed)
            });
            if let Some(next) = all.get(resumes_at) {
                assert!(confirmed <= next.transaction().unwrap().commit_lsn(), "{context}");
            }
            let again = fixture.read_with(|builder| builder.slot(slot));
            let again: Vec<_> = again.iter().map(line).collect();
            let starts = lines.len() - again.len();
            assert_eq!(again, lines[starts..], "{context}");
            assert_eq!(boundary(&all, starts), starts, "{context}: not from a transaction's start");
            match end {
                End::Stop => assert_eq!(starts, resumes_at, "{context}"),
                End::Crash => assert!(starts <= resumes_at, "{context}"),
            }
        }
    }
}

#[test]
fn a_reader_stopped_at_any_event_is_resumed_without_loss_or_repetition() {
    resumes_after_any_event(End::Stop);
}

#[test]
fn a_reader_dropped_at_any_event_is_resumed_without_loss() {
    resumes_after_any_event(End::Crash);
}

#[test]
fn changes_made_without_a_reader_are_delivered_later() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let mut ids = Vec::new();
        for round in 0..4 {
            fixture.run([&format!("INSERT INTO t VALUES ({round})")]);
            ids.extend(fixture.read_json().iter().map(|event| event["after"]["id"].clone()));
        }
        assert_eq!(ids, [0, 1, 2, 3]);
    }
}
