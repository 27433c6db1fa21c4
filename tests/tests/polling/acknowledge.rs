//! What is confirmed, and when.

use std::thread;
use std::time::Duration;

use pgoutput_harness::servers;
use pgoutput_reader::{Acknowledge, ChangeEvent, ErrorKind, Next, SetupError};
use pgoutput_tests::{Fixture, InTime as _, eventually, is_idle_at, while_waiting};

use crate::polling;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int);
                     CREATE PUBLICATION one FOR TABLE t";

fn id(event: &ChangeEvent) -> i32 {
    event.after().unwrap().get("id").unwrap()
}

#[test]
fn nothing_is_confirmed_before_it_is_acknowledged() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"]);
        let before = fixture.slot().confirmed;
        let mut reader = polling(&fixture).acknowledge(Acknowledge::Manual).connect().unwrap();
        let acknowledger = reader.acknowledger();
        let first = reader.next_in_time().unwrap().unwrap();
        let second = reader.next_in_time().unwrap().unwrap();
        assert_eq!((id(&first), id(&second)), (1, 2));
        acknowledger.acknowledge(second.position()).unwrap();
        for _ in 0..10 {
            let next = reader.next_timeout(Duration::from_millis(30)).unwrap();
            assert!(matches!(next, Next::TimedOut), "{next:?}");
        }
        assert_eq!(fixture.slot().confirmed, before);
        acknowledger.acknowledge(first.position()).unwrap();
        let commit = second.transaction().unwrap().commit_lsn();
        eventually("the slot to advance", || {
            let next = reader.next_timeout(Duration::from_millis(30)).unwrap();
            assert!(matches!(next, Next::TimedOut), "{next:?}");
            (fixture.slot().confirmed > commit).then_some(())
        });
        reader.stop().unwrap();
    }
}

#[test]
fn an_idle_slot_follows_the_server() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let builder = polling(&fixture);
        while_waiting(builder.connect().unwrap(), || {
            let (_elsewhere, end) = fixture.write_elsewhere();
            eventually("the slot to advance", || {
                is_idle_at(fixture.slot().confirmed, end).then_some(())
            });
        });
    }
}

/// More changes than one batch has, none of which is acknowledged until the last has arrived.
#[test]
fn a_slow_acknowledger_gets_everything_once() {
    const TRANSACTIONS: i32 = 250;
    const ROWS: i32 = 200;
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let mut client = fixture.client();
        for number in 0..TRANSACTIONS {
            let first = number * ROWS + 1;
            let last = first + ROWS - 1;
            let insert = format!("INSERT INTO t SELECT generate_series({first}, {last})");
            client.batch_execute(&insert).unwrap();
        }
        let before = fixture.slot().confirmed;
        let mut reader = polling(&fixture).acknowledge(Acknowledge::Manual).connect().unwrap();
        let acknowledger = reader.acknowledger();
        let (sender, receiver) = std::sync::mpsc::channel::<ChangeEvent>();
        let all = TRANSACTIONS * ROWS;
        let end = fixture.end();
        let stop = reader.stop_handle();
        thread::scope(|scope| {
            let (fixture, acknowledger) = (&fixture, &acknowledger);
            scope.spawn(move || {
                // Everything is kept first, then acknowledged from the end.
                let mut kept: Vec<_> = receiver.iter().take(all.unsigned_abs() as usize).collect();
                assert_eq!(fixture.slot().confirmed, before);
                while let Some(event) = kept.pop() {
                    acknowledger.acknowledge(event.position()).unwrap();
                }
                eventually("the slot to advance", || {
                    is_idle_at(fixture.slot().confirmed, end).then_some(())
                });
                stop.stop();
            });
            let mut expected = 1;
            for event in reader.in_time() {
                let event = event.unwrap();
                assert_eq!(id(&event), expected);
                expected += 1;
                sender.send(event).unwrap();
            }
            assert_eq!(expected, all + 1);
        });
        assert_eq!(reader.health().reconnects, 0);
        reader.stop().unwrap();
    }
}

/// A slot that another client advances is noticed, as it would lose changes silently.
#[test]
fn a_slot_that_another_client_moves_is_an_error() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let mut reader = polling(&fixture).connect().unwrap();
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
        let take = format!(
            "SELECT count(*) FROM pg_logical_slot_get_binary_changes('{}', NULL, NULL, \
             'proto_version', '1', 'publication_names', 'everything')",
            fixture.slot_name()
        );
        fixture.run(["INSERT INTO t VALUES (2)"]);
        fixture.number(&take);
        let error = reader.next_in_time().unwrap().unwrap_err();
        let is_moved = matches!(error.kind(), ErrorKind::Setup(SetupError::SlotMoved { .. }));
        assert!(is_moved, "{error}");
        assert!(reader.next_in_time().is_none());
    }
}

#[test]
fn a_slot_that_is_dropped_is_an_error_that_names_it() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let mut reader = polling(&fixture).connect().unwrap();
        let drop = format!("SELECT pg_drop_replication_slot('{}')", fixture.slot_name());
        eventually("the slot to be dropped", || fixture.client().batch_execute(&drop).ok());
        let error = reader.next_in_time().unwrap().unwrap_err();
        assert!(error.to_string().contains(fixture.slot_name()), "{error}");
        let is_missing = matches!(error.kind(), ErrorKind::Setup(SetupError::SlotMissing { .. }));
        assert!(is_missing, "{error}");
    }
}

#[test]
fn start_lsn_skips_what_was_committed_before() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let lsn = fixture.end();
        fixture.run(["INSERT INTO t VALUES (2)"]);
        let mut reader = polling(&fixture).start_lsn(lsn).connect().unwrap();
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 2);
        assert!(fixture.slot().confirmed >= lsn);
        drop(reader);
        let refused = polling(&fixture).start_lsn(lsn).acknowledge(Acknowledge::Never);
        assert!(refused.connect().unwrap_err().to_string().contains("start_lsn"));
    }
}
