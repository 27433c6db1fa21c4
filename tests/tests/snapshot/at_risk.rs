//! A slot that the server invalidates during a copy.

use std::num::NonZeroU32;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, servers_from};
use pgoutput_reader::{ErrorKind, Op, Reader, SetupError, SlotAtRisk, Snapshot};
use pgoutput_tests::InTime as _;

use crate::scene::Scene;

const SETUP: &str =
    "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000000)";

/// Reads rows slowly, so that the copy takes longer than the interval of the queries. Returns what
/// `until` returns, or the error that ends the copy.
fn read_slowly<T>(
    reader: &mut Reader,
    mut until: impl FnMut() -> Option<T>,
) -> Result<T, ErrorKind> {
    loop {
        for _ in 0..300 {
            let event =
                reader.next_in_time().unwrap().map_err(pgoutput_reader::Error::into_kind)?;
            assert_eq!(event.op(), Op::SnapshotRow);
        }
        if let Some(result) = until() {
            return Ok(result);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn switch_wal(scene: &Scene<'_>, times: usize) {
    for _ in 0..times {
        scene.fixture.run(["CREATE TABLE x ()", "DROP TABLE x", "SELECT pg_switch_wal()"]);
    }
}

#[test]
fn a_risk_is_reported_during_the_copy_and_a_lost_slot_ends_it() {
    // The interval of the queries is long: one server.
    let Some(server) = servers_from(13).into_iter().next_back() else { return };
    thread::scope(|scope| {
        for jobs in [1, 2] {
            scope.spawn(move || {
                let server = Server::builder()
                    .setting("max_slot_wal_keep_size", "96MB")
                    .setting("max_wal_size", "1GB")
                    .start(server.major())
                    .unwrap();
                let scene = Scene::with_setup(&server, "", SETUP, false);
                let (sender, risks) = mpsc::channel::<SlotAtRisk>();
                let snapshot = Snapshot::initial().jobs(NonZeroU32::new(jobs).unwrap());
                let builder = scene.builder().snapshot(snapshot);
                let builder =
                    builder.on_slot_at_risk(move |risk| sender.send(risk.clone()).unwrap());
                let mut reader = builder.connect().unwrap();
                // The first query finds no risk.
                reader.next_in_time().unwrap().unwrap();
                assert!(risks.try_recv().is_err());
                switch_wal(&scene, 4);
                let risk = read_slowly(&mut reader, || risks.try_recv().ok()).unwrap();
                assert_eq!(risk.slot, scene.slot);
                assert!(risk.bytes_left > 0 && risk.bytes_left < 96 << 20, "{risk:?}");
                switch_wal(&scene, 4);
                scene.fixture.run(["CHECKPOINT"]);
                let error = read_slowly(&mut reader, || None::<()>).unwrap_err();
                let ErrorKind::Setup(SetupError::SlotLost { slot, .. }) = error else {
                    panic!("{error:?}")
                };
                assert_eq!(slot, scene.slot);
            });
        }
    });
}
