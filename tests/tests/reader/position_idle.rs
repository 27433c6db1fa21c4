//! Positions stored by the plain loop, and a slot that idle moments have moved beyond them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{
    Acknowledge, ErrorKind, Idle, Position, PositionError, Reader, ReaderBuilder, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, eventually, is_idle_at, waiting};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int);
                     CREATE PUBLICATION one FOR TABLE t";

const MODES: [Acknowledge; 2] = [Acknowledge::Automatic, Acknowledge::Manual];

/// Only the mode of acknowledgement is set.
fn builder(fixture: &Fixture<'_>, mode: Acknowledge) -> ReaderBuilder {
    Reader::builder(&fixture.database().dsn())
        .slot(fixture.slot_name())
        .publication("one")
        .acknowledge(mode)
}

fn refusal(builder: ReaderBuilder) -> PositionError {
    match builder.connect().unwrap_err().into_kind() {
        ErrorKind::Position(error) => error,
        other => panic!("{other}"),
    }
}

/// Runs the plain loop over a number of events, and then over idle moments. Returns the stored
/// position of each event.
fn run(mut reader: Reader, events: usize, meanwhile: impl FnOnce()) -> Vec<Position> {
    let acknowledger = reader.acknowledger();
    let stop = reader.stop_handle();
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut stored = Vec::new();
            for event in &mut reader {
                let position = event.unwrap().position();
                stored.push(position.to_string().parse().unwrap());
                acknowledger.acknowledge(position).unwrap();
            }
            // Like a killed program, it sends nothing to the server.
            drop(reader);
            stored
        });
        // A failed check must not leave the reader waiting.
        let done = catch_unwind(AssertUnwindSafe(meanwhile));
        stop.stop();
        let stored: Vec<Position> =
            waiting("a reader that was stopped", || reading.join()).unwrap();
        done.unwrap_or_else(|failure| resume_unwind(failure));
        assert_eq!(stored.len(), events);
        stored
    })
}

/// Writes unpublished changes until the slot has reached their end, and retains no earlier WAL.
fn idle(fixture: &Fixture<'_>) {
    let before = fixture.end();
    fixture.run(["INSERT INTO other SELECT generate_series(1, 1000)"]);
    let (elsewhere, end) = fixture.write_elsewhere();
    let mut elsewhere = elsewhere.client();
    eventually("the idle slot to advance", || {
        elsewhere.batch_execute("INSERT INTO u VALUES (1); CHECKPOINT").unwrap();
        thread::sleep(Duration::from_millis(50));
        (is_idle_at(fixture.slot().confirmed, end) && fixture.restart_lsn() >= before).then_some(())
    });
}

#[test]
fn the_plain_loop_resumes_with_the_next_event_after_any_idle_time() {
    for server in servers() {
        for mode in MODES {
            let fixture = Fixture::new(server, SETUP);
            let mut last: Option<Position> = None;
            for round in 0..4 {
                let mut builder = builder(&fixture, mode);
                if let Some(position) = &last {
                    builder = builder.resume(position.clone());
                }
                let insert = format!("INSERT INTO t VALUES ({}), ({})", 2 * round, 2 * round + 1);
                // Written while no reader runs, before or after an idle time. Nothing is delivered
                // twice.
                if round % 2 == 0 {
                    fixture.run([&insert as &str]);
                }
                let stored = run(builder.connect().unwrap(), 2, || {
                    if round % 2 == 1 {
                        idle(&fixture);
                        fixture.run([&insert as &str]);
                    }
                    idle(&fixture);
                });
                last = stored.into_iter().last();
                fixture.wait_until_free();
            }
            // Only idle moments, on two connections.
            for _ in 0..2 {
                let builder = builder(&fixture, mode).resume(last.clone().unwrap());
                run(builder.connect().unwrap(), 0, || idle(&fixture));
                fixture.wait_until_free();
            }
        }
    }
}

#[test]
fn a_position_before_the_last_event_is_rejected() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        // Two transactions of ten events.
        let ten = |from: i32| format!("INSERT INTO t SELECT generate_series({from}, {from} + 9)");
        fixture.run([&ten(0) as &str, &ten(10)]);
        // With a probability of one in forty, an event of the same transaction has the same
        // signature.
        let refused = |stored: &[Position]| {
            fixture.wait_until_free();
            let found = fixture.slot().confirmed;
            for position in stored {
                let Err(error) = builder(&fixture, Acknowledge::Manual)
                    .resume(position.clone())
                    .connect()
                    .map(|reader| reader.stop().unwrap())
                else {
                    continue;
                };
                let ErrorKind::Position(PositionError::Superseded {
                    slot,
                    lsn,
                    confirmed_flush_lsn,
                }) = error.kind()
                else {
                    panic!("{error}")
                };
                assert_eq!((slot.as_str(), *lsn), (fixture.slot_name(), position.commit_lsn()));
                assert_eq!(*confirmed_flush_lsn, found);
                assert!(error.to_string().contains("trust_slot"), "{error}");
                return;
            }
            panic!("each of {} older positions was accepted", stored.len());
        };
        let reader = builder(&fixture, Acknowledge::Automatic).idle(Idle::Never);
        let mut reader = reader.until_lsn(fixture.end()).connect().unwrap();
        let stored: Vec<_> = reader.in_time().map(|event| event.unwrap().position()).collect();
        reader.stop().unwrap();
        let stored: Vec<Position> =
            stored.iter().map(|position| position.to_string().parse().unwrap()).collect();
        assert_eq!(stored.len(), 20);
        refused(&stored[..10]);
        refused(&stored[10..19]);
        let last = || builder(&fixture, Acknowledge::Manual).resume(stored[19].clone());
        run(last().connect().unwrap(), 0, || idle(&fixture));
        refused(&stored[..19]);
        // A program that does not store positions has read on.
        fixture.run(["INSERT INTO t VALUES (100)"]);
        run(builder(&fixture, Acknowledge::Automatic).connect().unwrap(), 1, || idle(&fixture));
        refused(&stored);
    }
}

#[test]
fn a_recreated_slot_is_distinguished_from_an_idle_one() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let reader = builder(&fixture, Acknowledge::Automatic).connect().unwrap();
        let stored = run(reader, 1, || idle(&fixture));
        fixture.wait_until_free();
        let slot = fixture.slot_name();
        fixture.run([&format!("SELECT pg_drop_replication_slot('{slot}')") as &str]);
        fixture.run(["INSERT INTO t VALUES (2)"]);
        fixture.create_slot(slot);
        let resumed = builder(&fixture, Acknowledge::Automatic).resume(stored[0].clone());
        let error = refusal(resumed);
        assert!(matches!(error, PositionError::SlotAhead { .. }), "{error}");
    }
}

#[test]
fn a_message_outside_of_transactions_is_delivered_once_without_a_position() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, SETUP);
        for round in 0..3 {
            let message = format!("SELECT pg_logical_emit_message(false, 'p', '{round}')");
            // Such a message is not flushed by itself.
            fixture.run([&message as &str, "INSERT INTO other VALUES (1)"]);
            let reader = builder(&fixture, Acknowledge::Automatic)
                .options(StreamOptions::new().messages(true));
            let end: Lsn = fixture.end();
            let events: Vec<_> = {
                let mut reader = reader.until_lsn(end).connect().unwrap();
                let events = reader.in_time().map(Result::unwrap).collect();
                reader.stop().unwrap();
                events
            };
            assert_eq!(events.len(), 1, "round {round}");
        }
    }
}
