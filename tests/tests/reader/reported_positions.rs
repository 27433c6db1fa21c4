//! The three LSNs in a status update, and the commits that wait for them.

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

/// Returns `write_lsn`, `flush_lsn`, `replay_lsn`.
fn reported_lsns(fixture: &Fixture<'_>) -> [Lsn; 3] {
    let query = "SELECT coalesce(write_lsn, '0/0')::text, coalesce(flush_lsn, '0/0')::text, \
                 coalesce(replay_lsn, '0/0')::text FROM pg_stat_replication
                 WHERE application_name = $1";
    let row = fixture.client().query_one(query, &[&fixture.slot_name()]).unwrap();
    [0, 1, 2].map(|place| row.get::<_, &str>(place).parse().unwrap())
}

/// Returns the end LSN of the event's transaction, which the reader learns by reading on.
fn end_of(reader: &mut Reader, event: &ChangeEvent) -> Lsn {
    eventually("the commit to be read", || {
        assert!(reader.try_next().unwrap().is_none());
        event.transaction().unwrap().end_lsn()
    })
}

#[test]
fn written_flushed_and_applied_are_reported_separately() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = reader(&fixture, Acknowledge::Stages);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let end = end_of(&mut reader, &event);
        let acknowledger = reader.acknowledger();
        let reached = |expected: [bool; 3]| {
            eventually("the server to know", || {
                let reached = reported_lsns(&fixture).map(|lsn| lsn >= end);
                (reached == expected).then_some(())
            });
        };
        reached([false, false, false]);
        // From here on, the reader's own thread does nothing.
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
fn received_is_reported_as_written_and_acknowledged_as_flushed_and_applied() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = reader(&fixture, Acknowledge::Manual);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let event = reader.next_in_time().unwrap().unwrap();
        let end = end_of(&mut reader, &event);
        let commit = event.position().commit_lsn();
        assert!(fixture.slot().confirmed <= commit);
        // An acknowledgement by another thread suffices while this one does not use the reader.
        let acknowledger = reader.acknowledger();
        let position = event.position();
        let other = thread::spawn(move || acknowledger.acknowledge(position));
        waiting("another thread", || other.join()).unwrap().unwrap();
        eventually("the slot to advance", || (fixture.slot().confirmed > commit).then_some(()));
        // The confirmed LSN is inside the commit record, or, if the server has reported an idle
        // position since, before that position.
        let [written, flushed, applied] = reported_lsns(&fixture);
        assert!(written >= end);
        assert!([flushed, applied].into_iter().all(|lsn| commit < lsn && lsn < written));
        reader.stop().unwrap();
    }
}

#[test]
fn a_commit_that_waits_for_its_acknowledgement_returns_after_it() {
    for shared in servers() {
        // Only the commit that requests it waits.
        let server = Server::builder()
            .setting("synchronous_standby_names", "*")
            .setting("synchronous_commit", "local")
            .start(shared.major())
            .unwrap();
        let fixture = Fixture::new(&server, TABLE);
        let mut reader = reader(&fixture, Acknowledge::Stages);
        let mut writer = fixture.client();
        // Not joined after a failure, because it may wait indefinitely.
        let commit = thread::spawn(move || {
            writer.batch_execute("SET synchronous_commit = remote_apply").unwrap();
            writer.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        });
        let event = reader.next_in_time().unwrap().unwrap();
        let end = end_of(&mut reader, &event);
        let acknowledger = reader.acknowledger();
        acknowledger.acknowledge_stage(Stage::Written, event.position()).unwrap();
        acknowledger.acknowledge_stage(Stage::Flushed, event.position()).unwrap();
        eventually("the slot to advance", || (fixture.slot().confirmed >= end).then_some(()));
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        eventually("the commit to wait", || (fixture.number(waits) == 1).then_some(()));
        assert!(!commit.is_finished());
        acknowledger.acknowledge_stage(Stage::Applied, event.position()).unwrap();
        waiting("the commit", || commit.join()).unwrap();
        reader.stop().unwrap();
    }
}

/// Also without stages: an accidentally matching name, as with `*`, must not block the cluster.
#[test]
fn commits_that_wait_for_a_reader_return_under_every_mode() {
    for shared in servers() {
        for names in ["*", "FIRST 1 (\"The Reader\", b)"] {
            let server = Server::builder()
                .setting("synchronous_standby_names", names)
                .setting("synchronous_commit", "local")
                .start(shared.major())
                .unwrap();
            let fixture =
                Fixture::new(&server, "CREATE TABLE t (id int); CREATE TABLE other (id int)");
            fixture.run(["CREATE PUBLICATION one FOR TABLE t"]);
            let dsn = format!("{} application_name='the reader'", fixture.database().dsn());
            let mut reader = Reader::builder(&dsn)
                .slot(fixture.slot_name())
                .publication("one")
                .connect()
                .unwrap();
            let stop = reader.stop_handle();
            thread::scope(|scope| {
                let reading = scope.spawn(move || {
                    let events = reader.in_time().map(Result::unwrap).count();
                    reader.stop().unwrap();
                    events
                });
                let (done, committed) = std::sync::mpsc::channel();
                let mut writer = fixture.client();
                // Not joined if a commit hangs.
                thread::spawn(move || {
                    writer.batch_execute("SET synchronous_commit = on").unwrap();
                    // The second commit is not published. An idle moment releases it.
                    for table in ["t", "other", "t"] {
                        writer.batch_execute(&format!("INSERT INTO {table} VALUES (1)")).unwrap();
                        done.send(table).unwrap();
                    }
                });
                let committed: Vec<_> = (0..3)
                    .map_while(|_| committed.recv_timeout(std::time::Duration::from_secs(60)).ok())
                    .collect();
                stop.stop();
                assert_eq!(committed, ["t", "other", "t"], "PostgreSQL {}", shared.major());
                assert_eq!(waiting("a reader that was stopped", || reading.join()).unwrap(), 2);
            });
        }
    }
}
