//! Positions that one kind of reader stored, and the other resumes after.

use pgoutput_harness::servers;
use pgoutput_reader::{Acknowledge, ErrorKind, Position, PositionError, ReaderBuilder};
use pgoutput_tests::{Fixture, InTime as _, eventually, is_idle_at, line, while_waiting};

use crate::{INTERVAL, polling};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, n int)";

const CHANGES: [&str; 4] = [
    "INSERT INTO t VALUES (1), (2), (3)",
    "INSERT INTO t VALUES (4); UPDATE t SET n = 7 WHERE id = 4",
    "UPDATE t SET n = 8 WHERE id = 1",
    "DELETE FROM t WHERE id IN (2, 3)",
];

const EVENTS: usize = 8;

/// The readers of one slot in turn, each stopped after some events, and resumed by the other kind.
#[test]
fn each_kind_resumes_where_the_other_stopped() {
    for server in servers() {
        for polls_first in [true, false] {
            for stop in 1..EVENTS {
                let fixture = Fixture::new(server, SETUP);
                fixture.run(CHANGES);
                let context = format!("PostgreSQL {}, {polls_first}, {stop}", server.major());
                let builder = |polls| {
                    let builder = fixture.builder().acknowledge(Acknowledge::Manual);
                    if polls { builder.poll(INTERVAL) } else { builder }
                };
                let mut lines = Vec::new();
                let mut reader = builder(polls_first).connect().unwrap();
                let acknowledger = reader.acknowledger();
                let mut position = None;
                for event in reader.in_time().take(stop) {
                    let event = event.unwrap();
                    lines.push(line(&event));
                    position = Some(event.position().to_string());
                    acknowledger.acknowledge(event.position()).unwrap();
                }
                reader.stop().unwrap();
                fixture.wait_until_free();
                let position: Position = position.unwrap().parse().unwrap();
                let mut reader = builder(!polls_first)
                    .resume(position)
                    .until_lsn(fixture.end())
                    .connect()
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                lines.extend(reader.in_time().map(|event| line(&event.unwrap())));
                drop(reader);
                assert_eq!(lines.len(), EVENTS, "{context}");
                fixture.wait_until_free();
            }
        }
    }
}

fn idle(fixture: &Fixture<'_>, builder: ReaderBuilder) {
    while_waiting(builder.connect().unwrap(), || {
        let (_elsewhere, end) = fixture.write_elsewhere();
        eventually("the slot to advance", || {
            is_idle_at(fixture.slot().confirmed, end).then_some(())
        });
    });
    fixture.wait_until_free();
}

/// After an idle time the slot is ahead of the stored position, and its LSN identifies the event.
#[test]
fn each_kind_recognises_the_slot_after_an_idle_time_of_the_other() {
    for server in servers() {
        for idle_polls in [true, false] {
            let fixture = Fixture::new(server, SETUP);
            fixture.run(["INSERT INTO t VALUES (1)"]);
            let mut reader = polling(&fixture).acknowledge(Acknowledge::Manual).connect().unwrap();
            let event = reader.next_in_time().unwrap().unwrap();
            reader.acknowledger().acknowledge(event.position()).unwrap();
            reader.stop().unwrap();
            fixture.wait_until_free();
            let position: Position = event.position().to_string().parse().unwrap();
            let builder = |polls| if polls { polling(&fixture) } else { fixture.builder() };
            idle(&fixture, builder(idle_polls).resume(position.clone()));
            let resumed = builder(!idle_polls).resume(position).connect();
            if server.major() < 11 && idle_polls {
                let error = resumed.unwrap_err();
                let is_ahead =
                    matches!(error.kind(), ErrorKind::Position(PositionError::SlotAhead { .. }));
                assert!(is_ahead, "{error}");
                continue;
            }
            let mut reader = resumed.unwrap();
            fixture.run(["INSERT INTO t VALUES (2)"]);
            let event = reader.next_in_time().unwrap().unwrap();
            assert_eq!(event.after().unwrap().get::<i32>("id").unwrap(), 2);
        }
    }
}

/// A slot that was recreated, or read by another program, is refused as with a replication
/// connection.
#[test]
fn a_slot_that_another_program_has_read_is_refused() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let mut reader = polling(&fixture).connect().unwrap();
        let event = reader.next_in_time().unwrap().unwrap();
        drop(reader);
        fixture.run(["INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"]);
        let take = format!(
            "SELECT count(*) FROM pg_logical_slot_get_binary_changes('{}', NULL, NULL, \
             'proto_version', '1', 'publication_names', 'everything')",
            fixture.slot_name()
        );
        fixture.wait_until_free();
        assert!(fixture.number(&take) > 0);
        let position: Position = event.position().to_string().parse().unwrap();
        let error = polling(&fixture).resume(position).connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Position(_)), "{error}");
    }
}
