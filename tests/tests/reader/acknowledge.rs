//! The LSNs that the reader reports to the server, and when.

use std::time::Duration;

use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{Acknowledge, ChangeEvent, Config, Next, Reader, ReaderBuilder};
use pgoutput_tests::{
    Fixture, InTime as _, PUBLICATION, eventually, is_idle_at, json, while_waiting,
};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

fn ids(events: &[ChangeEvent]) -> Vec<i64> {
    events.iter().map(|event| json(event)["after"]["id"].as_i64().unwrap()).collect()
}

#[test]
fn manual_acknowledgements_out_of_order_confirm_the_contiguous_prefix() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run([
            "INSERT INTO t VALUES (1), (2)",
            "INSERT INTO t VALUES (3)",
            "INSERT INTO t VALUES (4)",
        ]);
        let session = |acknowledged: &[usize]| {
            let mut reader = fixture
                .builder()
                .acknowledge(Acknowledge::Manual)
                .until_lsn(fixture.end())
                .connect()
                .unwrap();
            let events: Vec<_> = reader.in_time().map(Result::unwrap).collect();
            for index in acknowledged {
                reader.acknowledger().acknowledge(events[*index].position()).unwrap();
            }
            reader.stop().unwrap();
            ids(&events)
        };
        // The second row of the first transaction, the second and the third transaction, but not
        // the first row.
        assert_eq!(session(&[3, 1, 2]), [1, 2, 3, 4]);
        assert_eq!(session(&[1, 0]), [1, 2, 3, 4]);
        assert_eq!(session(&[1, 0]), [3, 4]);
        assert_eq!(session(&[]), [] as [i64; 0]);
    }
}

#[test]
fn an_acknowledgement_by_another_thread_is_reported_while_the_reader_waits() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = fixture.builder().acknowledge(Acknowledge::Manual).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let acknowledger = reader.acknowledger();
        while_waiting(reader, || {
            let transaction = event.transaction().unwrap();
            eventually("the commit to be read", || transaction.end_lsn());
            let commit = transaction.commit_lsn();
            assert!(fixture.slot().confirmed <= commit);
            acknowledger.acknowledge(event.position()).unwrap();
            eventually("the slot to advance", || (fixture.slot().confirmed > commit).then_some(()));
        });
    }
}

#[test]
fn the_slot_of_an_idle_database_advances() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        while_waiting(fixture.reader(), || {
            let (_elsewhere, end) = fixture.write_elsewhere();
            eventually("the slot to advance", || {
                is_idle_at(fixture.slot().confirmed, end).then_some(())
            });
        });
    }
}

#[test]
fn unacknowledged_events_keep_the_slot_from_advancing() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = fixture.builder().acknowledge(Acknowledge::Manual).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let commit = event.transaction().unwrap().commit_lsn();
        let (_elsewhere, end) = fixture.write_elsewhere();
        // The reader has received the server's newer WAL end.
        eventually("a keepalive", || {
            match reader.next_timeout(Duration::from_millis(10)).unwrap() {
                Next::TimedOut => (reader.server_wal_end() >= end).then_some(()),
                other => panic!("{other:?}"),
            }
        });
        reader.stop().unwrap();
        assert!(fixture.slot().confirmed <= commit);
        assert_eq!(ids(&fixture.read())[0], 1);
    }
}

#[test]
fn with_acknowledge_never_the_slot_does_not_advance() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let before = fixture.slot();
        for _ in 0..2 {
            let events = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
            assert_eq!(ids(&events), [1]);
        }
        assert_eq!(fixture.slot(), before);
    }
}

/// Takes more than four seconds: twice the server's timeout.
#[test]
fn keepalives_are_answered_without_changes() {
    for server in servers_from(12) {
        let fixture = Fixture::new(server, TABLE);
        let config: Config = fixture.database().dsn().parse().unwrap();
        let config = config.wal_sender_timeout(Some(Duration::from_secs(2)));
        let mut reader: Reader = ReaderBuilder::from(config)
            .slot(fixture.slot_name())
            .publication(PUBLICATION)
            .connect()
            .unwrap();
        let next = reader.next_timeout(Duration::from_secs(5)).unwrap();
        assert!(matches!(next, Next::TimedOut), "{next:?}");
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_eq!(ids(&[reader.next_in_time().unwrap().unwrap()]), [1]);
        reader.stop().unwrap();
    }
}
