//! Copies that are interrupted anywhere, and continued.

use std::num::NonZeroU32;
use std::thread;

use pgoutput_harness::servers;
use pgoutput_reader::{
    Acknowledge, ChangeEvent, ErrorKind, Op, Position, Reconnect, Snapshot, SnapshotError,
};
use pgoutput_tests::{InTime as _, Random, formats, waiting};

use crate::replay::Rows;
use crate::scene::{Scene, is_end, is_marker, ops};

/// Every so many events of a run, another one continues after it.
const STEP: usize = 17;

#[test]
fn a_copy_continues_after_any_event() {
    for server in servers() {
        for is_binary in formats(server) {
            let mut scene = Scene::new(server, *is_binary);
            let builder = scene.builder().acknowledge(Acknowledge::Never);
            let mut reader = builder.connect().unwrap();
            let mut events = scene.read_and_write(&mut reader, is_end);
            scene.write();
            scene.fixture.run(["INSERT INTO wide (id) VALUES (77)"]);
            events.extend(scene.read_and_write(&mut reader, is_marker));
            reader.stop().unwrap();
            for last in (0..events.len()).step_by(STEP).chain([events.len() - 1]) {
                scene.write();
                let context = format!(
                    "PostgreSQL {}, binary {is_binary}, after {last}: {:?}",
                    server.major(),
                    events[last]
                );
                let position = events[last].position().to_string();
                let position: Position = position.parse().unwrap();
                let rest = scene
                    .read_with(|builder| builder.resume(position).acknowledge(Acknowledge::Never));
                let all: Vec<_> = events[..=last].iter().chain(&rest).collect();
                Rows::replayed(all.iter().copied()).assert_eq(&scene.source(), &context);
                if events[last].is_last() {
                    // No table is copied again.
                    let is_row = |event: &&&ChangeEvent| event.op().code() == 'R';
                    let rows = all.iter().filter(is_row).count();
                    let replayed =
                        Rows::replayed(all.iter().copied().filter(|e| e.op().code() == 'R'));
                    assert_eq!(replayed.len(), rows, "{context}");
                }
            }
        }
    }
}

#[test]
fn a_copy_that_is_interrupted_again_and_again_amounts_to_the_source() {
    for server in servers() {
        for is_binary in formats(server) {
            let mut scene = Scene::new(server, *is_binary);
            let mut random = Random::new(u64::from(server.major()));
            let mut kept: Vec<ChangeEvent> = Vec::new();
            for _ in 0..12 {
                scene.fixture.database().wait_until_free(&scene.slot);
                let mut builder = scene.builder().acknowledge(Acknowledge::Manual);
                if let Some(last) = kept.last() {
                    builder =
                        builder.resume(last.position().to_string().parse::<Position>().unwrap());
                }
                let mut reader = builder.connect().unwrap();
                let mut left = random.below(60);
                // The end of the copy ends the run too: what follows may take long.
                let events = scene.read_and_write(&mut reader, |event| {
                    left = left.saturating_sub(1);
                    left == 0 || is_end(event)
                });
                // Only some of it is stored.
                let stored = random.below(events.len() + 1);
                if let Some(last) = events[..stored].last() {
                    reader.acknowledger().acknowledge_through(last.position()).unwrap();
                }
                kept.extend(events.into_iter().take(stored));
                scene.write();
            }
            let last = kept.last().unwrap().position().to_string();
            let rest = scene.resume(&last);
            let context = format!("PostgreSQL {}, binary {is_binary}", server.major());
            Rows::replayed(kept.iter().chain(&rest)).assert_eq(&scene.source(), &context);
        }
    }
}

#[test]
fn without_positions_every_run_starts_again_with_empty_tables() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let mut random = Random::new(u64::from(server.major()));
        let mut all = Vec::new();
        for _ in 0..6 {
            let mut reader = scene.reader();
            let mut left = 1 + random.below(120);
            all.extend(scene.read_and_write(&mut reader, |event| {
                left -= 1;
                left == 0 || is_end(event)
            }));
            drop(reader);
            scene.write();
        }
        all.extend(scene.read_with(|builder| builder));
        Rows::replayed_again(&all).assert_eq(&scene.source(), "");
    }
}

#[test]
fn a_stop_ends_a_copy_and_leaves_a_slot_that_can_be_continued() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let mut reader = scene.reader();
        let mut events: Vec<_> = reader.in_time().take(20).collect::<Result<_, _>>().unwrap();
        let stop = reader.stop_handle();
        thread::scope(|scope| {
            scope.spawn(|| stop.stop());
        });
        events.extend(reader.in_time().collect::<Result<Vec<_>, _>>().unwrap());
        waiting("a reader that was stopped", || reader.stop()).unwrap();
        assert_eq!(ops(&events), "R");
        let last = events.last().unwrap();
        assert!(!last.is_last(), "it is not known");
        let rest = scene.resume(&last.position().to_string());
        assert!(ops(&rest).starts_with("TR"), "{}", ops(&rest));
        Rows::replayed(events.iter().chain(&rest)).assert_eq(&scene.source(), "");
    }
}

#[test]
fn without_reconnection_a_lost_connection_ends_the_copy_with_the_name_of_the_slot() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let mut reader = scene.builder().reconnect(Reconnect::never()).connect().unwrap();
        let first = reader.next_in_time().unwrap().unwrap();
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'COPY%' AND pid <> pg_backend_pid()";
        assert_eq!(scene.fixture.client().query(terminate, &[]).unwrap().len(), 1);
        let mut events = vec![first];
        let error = loop {
            match reader.next_in_time().expect("an event or an error") {
                Ok(event) => events.push(event),
                Err(error) => break error,
            }
        };
        let ErrorKind::Snapshot(SnapshotError::Interrupted { slot, .. }) = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(*slot, scene.slot);
        assert!(reader.next().is_none());
        drop(reader);
        let rest = scene.resume(&events.last().unwrap().position().to_string());
        Rows::replayed(events.iter().chain(&rest)).assert_eq(&scene.source(), "");
    }
}

/// Those of jobs and of the snapshot, or the replication connection.
#[test]
fn a_copy_continues_after_lost_connections() {
    for server in servers() {
        for jobs in [1, 3].map(|jobs| NonZeroU32::new(jobs).unwrap()) {
            let mut scene = Scene::new(server, false);
            let snapshot = Snapshot::initial().jobs(jobs);
            let mut reader = scene.builder().snapshot(snapshot).connect().unwrap();
            let mut events = Vec::new();
            for number in 0.. {
                let event = reader.next_in_time().unwrap().unwrap();
                let ends = event.op() == Op::SnapshotEnd;
                events.push(event);
                if ends {
                    break;
                }
                if number % 40 == 5 && number < 200 {
                    scene.write();
                    // Also while the reader connects again.
                    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid()
                            AND application_name = 'pgoutput'
                        ORDER BY random() LIMIT 1";
                    scene.fixture.client().query(terminate, &[]).unwrap();
                }
            }
            scene.write();
            scene.fixture.run(["INSERT INTO wide (id) VALUES (77)"]);
            while !events.last().is_some_and(is_marker) {
                events.push(reader.next_in_time().unwrap().unwrap());
            }
            let context = format!("PostgreSQL {}, {jobs} jobs", server.major());
            Rows::replayed(&events).assert_eq(&scene.source(), &context);
            reader.stop().unwrap();
        }
    }
}
