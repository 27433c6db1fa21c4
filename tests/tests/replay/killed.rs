//! Captures whose program is killed at any moment, and continued.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_harness::eventually;
use pgoutput_tests::{Fixture, Random};

use crate::program::{Running, assert_same, captures, printed, reads, replayed};
use crate::with_servers;
use crate::workload::{Workload, setup};

/// The number of times that the program is killed.
const KILLS: usize = 12;

/// Kills captures between the statements of a workload.
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
        running.assert_running();
        drop(running);
    }
    workload.run(20);
    compare(fixture, &twin, folder.path(), more);
}

/// Captures the rest, and compares the files with what the twin slot has.
fn compare(fixture: &Fixture<'_>, twin: &str, folder: &Path, more: &[&str]) {
    let end = fixture.end().to_string();
    fixture.wait_until_free();
    let mut capture = captures(fixture, &folder.join("c"));
    printed(capture.args(more).args(["--until-lsn", &end]));
    let mut tail = reads("tail", &fixture.database().dsn(), twin);
    let live = printed(tail.args(["--quiet", "--no-ack", "--until-lsn", &end]));
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    let lines = live.lines().count();
    let context =
        format!("PostgreSQL {}, {more:?}, {} files, {lines} lines", fixture.major(), files.len());
    assert!(more.is_empty() || files.len() > 1, "{context}");
    assert_same(
        &without_nullability(&replayed(&files, &[])),
        &without_nullability(&live),
        &context,
    );
    // Each file alone leaves out what the files before have.
    let alone: String = files.iter().map(|file| replayed(&[file], &[])).collect();
    assert_same(&without_nullability(&alone), &without_nullability(&live), &context);
}

/// Writes transactions, some of which are sent in chunks, until it is stopped.
fn write(fixture: &Fixture<'_>, seed: u64, is_stopped: &AtomicBool) {
    let (mut client, mut random) = (fixture.client(), Random::new(seed));
    while !is_stopped.load(Ordering::Acquire) {
        let rows = if random.one_in(20) { 400 } else { 1 + random.below(30) };
        let insert = format!(
            "INSERT INTO t (v) SELECT repeat(md5(n::text), 8) FROM generate_series(1, {rows}) n"
        );
        client.batch_execute(&insert).unwrap();
        if random.one_in(4) {
            client.batch_execute("UPDATE t SET v = v || 'x' WHERE id % 50 = 7").unwrap();
        }
        thread::sleep(Duration::from_millis(random.below(20) as u64));
    }
}

/// Kills captures while they are written.
fn run_while_writing(fixture: &Fixture<'_>, more: &[&str], seed: u64) {
    let twin = fixture.database().slot_name("twin");
    fixture.create_slot(&twin);
    let folder = tempfile::tempdir().unwrap();
    let (mut random, is_stopped) = (Random::new(seed), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| write(fixture, seed, &is_stopped));
        for _ in 0..KILLS {
            fixture.wait_until_free();
            let file = folder.path().join("c");
            let mut running = Running::start(captures(fixture, &file).args(more));
            thread::sleep(Duration::from_millis(100 + random.below(500) as u64));
            running.assert_running();
        }
        is_stopped.store(true, Ordering::Release);
    });
    compare(fixture, &twin, folder.path(), more);
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

#[test]
fn a_capture_that_is_killed_while_it_is_written_has_each_change_once() {
    with_servers(|server| {
        for more in [&[][..], &["--rotate-size", "300kB"]] {
            let fixture = Fixture::new(server, "CREATE TABLE t (id serial PRIMARY KEY, v text)");
            run_while_writing(&fixture, more, 8);
        }
    });
}
