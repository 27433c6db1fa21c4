//! Copies that no stream follows.

use std::num::NonZeroU32;

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{
    Acknowledge, ErrorKind, Op, ReaderBuilder, SlotCreation, Snapshot, SnapshotError, StreamOptions,
};
use pgoutput_tests::{InTime as _, eventually, formats};

use crate::replay::Rows;
use crate::scene::{Scene, is_end, ops, read_until};

fn builder(scene: &Scene<'_>, jobs: u32) -> ReaderBuilder {
    pgoutput_reader::Reader::builder(&scene.fixture.database().dsn())
        .publication(pgoutput_tests::PUBLICATION)
        .options(StreamOptions::new().binary(scene.is_binary))
        .snapshot(Snapshot::alone().jobs(NonZeroU32::new(jobs).unwrap()))
}

/// The number of slots of this database, and of those that retain WAL for a session.
fn slots(scene: &Scene<'_>) -> i64 {
    let query = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()";
    scene.fixture.number(query)
}

#[test]
fn it_has_the_rows_ends_by_itself_and_retains_no_wal() {
    for server in servers() {
        for is_binary in formats(server) {
            for jobs in [1, 3] {
                let mut scene = Scene::new(server, *is_binary);
                let source = scene.source();
                let mut reader = builder(&scene, jobs).connect().unwrap();
                let first = reader.next_in_time().unwrap().unwrap();
                assert_eq!(slots(&scene), 1, "only the slot of the fixture");
                for _ in 0..5 {
                    scene.write();
                }
                let mut events = vec![first];
                events.extend(reader.in_time().map(Result::unwrap));
                let context = format!("PostgreSQL {}, {jobs} jobs", server.major());
                assert_eq!(ops(&events), "RZ", "{context}");
                assert!(is_end(events.last().unwrap()));
                Rows::replayed(&events).assert_eq(&source, &context);
                let progress = reader.snapshot_progress().unwrap();
                assert_eq!(progress.tables, progress.tables_finished);
                assert_eq!(progress.chunks, progress.chunks_finished, "{context}");
                assert_eq!(progress.rows + 1, events.len() as u64);
                assert!(progress.table.is_none());
                reader.stop().unwrap();
            }
        }
    }
}

#[test]
fn every_mode_of_acknowledgement_ends_without_an_error() {
    for server in servers() {
        let scene = Scene::new(server, false);
        for mode in [Acknowledge::Automatic, Acknowledge::Manual, Acknowledge::Never] {
            let mut reader = builder(&scene, 1).acknowledge(mode).connect().unwrap();
            let events = read_until(&mut reader, is_end);
            if mode == Acknowledge::Manual {
                let last = events.last().unwrap().position();
                reader.acknowledger().acknowledge_through(last).unwrap();
            }
            assert!(reader.next_in_time().is_none());
            reader.stop().unwrap();
        }
    }
}

#[test]
fn a_lost_connection_ends_it() {
    for server in servers() {
        let scene = Scene::with_setup(server, "", BIG, false);
        let mut reader = builder(&scene, 1).connect().unwrap();
        assert_eq!(reader.next_in_time().unwrap().unwrap().op(), Op::SnapshotRow);
        scene.fixture.run(["SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE backend_type = 'walsender' AND datname = current_database()"]);
        let error = reader.in_time().find_map(Result::err).unwrap();
        let kind = error.into_kind();
        assert!(matches!(kind, ErrorKind::Snapshot(SnapshotError::Incomplete { .. })), "{kind:?}");
        assert!(reader.next_in_time().is_none());
    }
}

const BIG: &str = "CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 100000) AS n";

#[test]
fn the_jobs_end_with_the_reader() {
    for server in servers() {
        let scene = Scene::with_setup(server, "", BIG, false);
        let mut reader = builder(&scene, 2).connect().unwrap();
        reader.next_in_time().unwrap().unwrap();
        drop(reader);
        eventually("the sessions to end", || {
            let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND pid <> pg_backend_pid() AND query LIKE '%COPY%'";
            (scene.fixture.number(query) == 0).then_some(())
        });
    }
}

#[test]
fn settings_of_a_stream_are_refused() {
    let server: &Server = servers().into_iter().next().unwrap();
    let scene = Scene::with_setup(server, "", "CREATE TABLE t ()", false);
    for builder in [
        builder(&scene, 1).slot("s"),
        builder(&scene, 1).slot_creation(SlotCreation::IfMissing),
        builder(&scene, 1).start_lsn("0/1".parse().unwrap()),
        builder(&scene, 1).until_lsn("0/1".parse().unwrap()),
        builder(&scene, 1).options(StreamOptions::new().two_phase(true)),
    ] {
        let kind = builder.connect().unwrap_err().into_kind();
        assert!(matches!(kind, ErrorKind::Snapshot(SnapshotError::Excluded { .. })), "{kind:?}");
    }
}
