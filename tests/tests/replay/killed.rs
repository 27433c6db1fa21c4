//! Captures whose program is killed at any moment, and continued.

use std::thread;
use std::time::Duration;

use pgoutput_harness::eventually;
use pgoutput_tests::{Fixture, Random};

use crate::program::{Running, assert_same, captures, printed, reads, replayed};
use crate::with_servers;
use crate::workload::{Workload, setup};

/// The number of times that the program is killed.
const KILLS: usize = 12;

fn run(fixture: &Fixture<'_>, more: &[&str], seed: u64) {
    let twin = fixture.database().slot_name("twin");
    fixture.create_slot(&twin);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c");
    let mut random = Random::new(seed);
    let mut workload = Workload::new(fixture, seed);
    for _ in 0..KILLS {
        workload.run(20);
        fixture.wait_until_free();
        let mut running = Running::start(captures(fixture, &file).args(more));
        if random.one_in(3) {
            // At any moment, also before it is connected.
            thread::sleep(Duration::from_millis(random.below(300) as u64));
        } else {
            // While it captures: more arrives in the meantime.
            eventually("the program to hold the slot, or to end", || {
                let ended = running.0.try_wait().unwrap().is_some();
                (ended || fixture.slot().active).then_some(())
            });
            workload.run(10 + random.below(20));
        }
        assert!(running.0.try_wait().unwrap().is_none(), "the program has ended by itself");
        drop(running);
    }
    workload.run(20);
    let end = fixture.end().to_string();
    fixture.wait_until_free();
    printed(captures(fixture, &file).args(more).args(["--until-lsn", &end]));
    let mut tail = reads("tail", &fixture.database().dsn(), &twin);
    tail.args(["--quiet", "--no-ack", "--until-lsn", &end]);
    let live = printed(&mut tail);
    let mut files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let files: Vec<_> = files.iter().map(|path| path.as_path()).collect();
    let context = format!("PostgreSQL {}, {more:?}, {} files", fixture.major(), files.len());
    assert!(more.is_empty() || files.len() > 1, "{context}");
    assert_same(
        &without_nullability(&replayed(&files, &[])),
        &without_nullability(&live),
        &context,
    );
}

/// The catalogue describes a table as it is when it is asked, and the two runs ask at other times.
fn without_nullability(lines: &str) -> String {
    lines.replace("\"optional\":false", "\"optional\":true")
}

#[test]
fn a_capture_that_is_killed_and_continued_has_each_change_once() {
    with_servers(|server| {
        let fixture = Fixture::new(server, &setup());
        run(&fixture, &[], 5);
    });
}

#[test]
fn a_rotated_capture_that_is_killed_and_continued_has_each_change_once() {
    with_servers(|server| {
        let fixture = Fixture::new(server, &setup());
        run(&fixture, &["--rotate-size", "40kB"], 6);
    });
}
