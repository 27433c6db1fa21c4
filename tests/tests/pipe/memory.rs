//! Large transactions and values in little memory.
#![cfg(target_os = "linux")]

use std::fs::{self, File};

use pgoutput_harness::{Server, servers};
use pgoutput_tests::{Fixture, eventually};

use crate::destination::Destination as _;
use crate::file::{FileDestination, Killed};
use crate::program::pipe;

/// The limit for the whole program including its code, in KiB.
const LIMIT: u64 = 64 * 1024;

/// 200 MB in one transaction.
const ROWS: u64 = 100_000;
const WIDTH: u64 = 2000;

/// Returns the peak memory in KiB: `VmHWM` of proc(5).
fn peak(running: &Killed) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Waits until the output has a transaction that ends with a short row, and returns the peak.
fn peak_of(server: &Server, to_file: bool, streaming: &[&str]) -> u64 {
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, name text)");
    let to = FileDestination::new();
    let written = to.path("changes");
    let url = if to_file { to.url(0) } else { "-".to_owned() };
    let mut command = pipe(&fixture, &url);
    command.arg("--quiet").args(streaming);
    let mut running = if to_file {
        Killed::start(&mut command)
    } else {
        Killed::start_into(&mut command, File::create(&written).unwrap())
    };
    fixture.run([&format!(
        "INSERT INTO t SELECT n, pg_catalog.repeat('x', {WIDTH}) FROM generate_series(1, {ROWS}) n;
         INSERT INTO t VALUES (0, 'end')"
    )]);
    let length = || fs::metadata(&written).map_or(0, |file| file.len());
    let mut before = 0;
    // A debug build is slow: each wait is for a part.
    while length() < ROWS * WIDTH {
        eventually("more lines", || (length() > before).then_some(()));
        before = length();
    }
    let ends = || {
        let text = fs::read(&written).unwrap();
        text.ends_with(b"\"name\":\"end\"}}\n").then_some(())
    };
    eventually("the last line", ends);
    let peak = peak(&running);
    assert_eq!(running.terminate(), Some(0));
    println!("to a file: {to_file}, {streaming:?}: at most {peak} KiB");
    peak
}

#[test]
fn a_large_transaction_is_stored_in_little_memory() {
    let servers = servers();
    let server = servers.last().unwrap();
    for (to_file, streaming) in [
        (true, &["--streaming", "off"][..]),
        (false, &["--streaming", "off"]),
        (true, &["--memory-limit", "16MB"]),
    ] {
        let peak = peak_of(server, to_file, streaming);
        assert!(peak < LIMIT, "{peak} KiB");
    }
}

#[test]
fn a_long_value_needs_little_more_memory_than_twice_its_size() {
    const LEN: u64 = 100_000_000;
    let servers = servers();
    let fixture = Fixture::new(
        servers.last().unwrap(),
        "CREATE TABLE t (id int PRIMARY KEY, name text);
         ALTER TABLE t ALTER name SET STORAGE EXTERNAL",
    );
    let to = FileDestination::new();
    let written = to.path("changes");
    let mut command = pipe(&fixture, &to.url(0));
    let mut running = Killed::start(command.arg("--quiet"));
    let length = || fs::metadata(&written).map_or(0, |file| file.len());
    fixture.run(["INSERT INTO t VALUES (1, 'short')"]);
    eventually("a line", || (length() > 0).then_some(()));
    let base = peak(&running);
    fixture.run([&format!("INSERT INTO t VALUES (2, pg_catalog.repeat('x', {LEN}))")]);
    eventually("the value", || (length() > LEN).then_some(()));
    fixture.run(["INSERT INTO t VALUES (3, 'end')"]);
    let end = b"\"name\":\"end\"}}\n";
    eventually("the end", || fs::read(&written).unwrap().ends_with(end).then_some(()));
    let percent = (peak(&running) - base) * 1024 * 100 / LEN;
    println!("a value of {LEN} bytes: {percent} % of its size");
    assert!(percent <= 230, "{percent} %");
    assert_eq!(running.terminate(), Some(0));
}
