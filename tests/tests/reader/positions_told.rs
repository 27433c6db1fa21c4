//! The three positions that a server is told, and who waits for them.

use std::thread;

use pgoutput_decode::Lsn;
use pgoutput_harness::{Server, servers};
use pgoutput_reader::{Acknowledge, ChangeEvent, Reader, Stage};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION, eventually, waiting};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

fn reader(fixture: &Fixture<'_>, mode: Acknowledge) -> Reader {
    let dsn = format!("{} application_name={}", fixture.database().dsn(), fixture.slot_name());
    Reader::builder(&dsn)
        .slot(fixture.slot_name())
        .publication(PUBLICATION)
        .acknowledge(mode)
        .connect()
        .unwrap()
}

/// `write_lsn`, `flush_lsn`, `replay_lsn`.
fn told(fixture: &Fixture<'_>) -> [Lsn; 3] {
    let query = "SELECT coalesce(write_lsn, '0/0')::text, coalesce(flush_lsn, '0/0')::text, \
                 coalesce(replay_lsn, '0/0')::text FROM pg_stat_replication WHERE application_name = $1";
    let row = fixture.client().query_one(query, &[&fixture.slot_name()]).unwrap();
    [0, 1, 2].map(|place| row.get::<_, &str>(place).parse().unwrap())
}

/// Where the event's transaction ends, which the reader learns by reading on.
fn end_of(reader: &mut Reader, event: &ChangeEvent) -> Lsn {
    eventually("the commit to be read", || {
        assert!(reader.try_next().unwrap().is_none());
        event.transaction().unwrap().end_lsn()
    })
}

#[test]
fn written_flushed_and_applied_are_told_apart() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = reader(&fixture, Acknowledge::Stages);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let end = end_of(&mut reader, &event);
        let acknowledger = reader.acknowledger();
        let reached = |expected: [bool; 3]| {
            eventually("the server to know", || {
                let reached = told(&fixture).map(|lsn| lsn >= end);
                (reached == expected).then_some(())
            });
        };
        reached([false, false, false]);
        // From here on the reader's own thread does nothing.
        for (stage, expected) in [
            (Stage::Written, [true, false, false]),
            (Stage::Applied, [true, false, true]),
            (Stage::Flushed, [true, true, true]),
        ] {
            acknowledger.acknowledge_stage(stage, event.position()).unwrap();
            reached(expected);
            assert_eq!(fixture.slot().confirmed >= end, stage == Stage::Flushed);
        }
        reader.stop().unwrap();
    }
}

#[test]
fn what_arrived_is_written_and_what_was_acknowledged_the_rest() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = reader(&fixture, Acknowledge::Manual);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let end = end_of(&mut reader, &event);
        assert!(fixture.slot().confirmed < end);
        // Another thread's word is enough, while this one is busy with something else than the reader.
        let acknowledger = reader.acknowledger();
        let position = event.position();
        let other = thread::spawn(move || acknowledger.acknowledge(position));
        waiting("another thread", || other.join()).unwrap().unwrap();
        eventually("the slot to move", || (fixture.slot().confirmed >= end).then_some(()));
        assert!(told(&fixture).into_iter().all(|lsn| lsn >= end));
        reader.stop().unwrap();
    }
}

#[test]
fn a_commit_that_waits_for_its_application_returns_after_it() {
    for shared in servers() {
        // Only the commit that asks for it waits.
        let server = Server::builder()
            .setting("synchronous_standby_names", "*")
            .setting("synchronous_commit", "local")
            .start(shared.major())
            .unwrap();
        let fixture = Fixture::new(&server, TABLE);
        let mut reader = reader(&fixture, Acknowledge::Stages);
        let mut writer = fixture.client();
        // Not waited for if something fails before: it may wait for ever.
        let commit = thread::spawn(move || {
            writer.batch_execute("SET synchronous_commit = remote_apply").unwrap();
            writer.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        });
        let event = reader.next_in_time().unwrap().unwrap();
        let end = end_of(&mut reader, &event);
        let acknowledger = reader.acknowledger();
        acknowledger.acknowledge_stage(Stage::Written, event.position()).unwrap();
        acknowledger.acknowledge_stage(Stage::Flushed, event.position()).unwrap();
        eventually("the slot to move", || (fixture.slot().confirmed >= end).then_some(()));
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        eventually("the commit to wait", || (fixture.number(waits) == 1).then_some(()));
        assert!(!commit.is_finished());
        acknowledger.acknowledge_stage(Stage::Applied, event.position()).unwrap();
        waiting("the commit", || commit.join()).unwrap();
        reader.stop().unwrap();
    }
}
