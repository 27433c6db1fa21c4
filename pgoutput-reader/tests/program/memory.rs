//! One large transaction in little memory.

use pgoutput_harness::servers;
use rustix::process::Signal;

use crate::run::{Fixture, Running};

/// The limit for the whole program including its code, in KiB. Streamed in progress, a transaction
/// would take what `--memory-limit` allows.
const LIMIT: u64 = 32 * 1024;

const ROWS: u64 = 1_000_000;

#[test]
fn a_transaction_of_a_million_rows_is_read_in_little_memory() {
    let servers = servers();
    let fixture = Fixture::new(servers.last().unwrap());
    fixture.sql(&format!("INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, {ROWS}) n"));
    let mut running = Running::start(&mut fixture.tail(&["--streaming", "off"]));
    running.skip(ROWS - 1);
    assert_eq!(running.line()["after"]["id"], ROWS);
    let peak = running.peak_memory();
    running.signal(Signal::TERM);
    assert_eq!(running.end().1, Some(0));
    println!("{ROWS} rows, at most {peak} KiB");
    assert!(peak < LIMIT, "{peak} KiB");
}

/// Memory holds the event and its line, but not the receive buffer as well, and the line of one
/// value is not kept for the next.
#[test]
fn a_long_value_needs_little_more_memory_than_twice_its_size() {
    const LEN: u64 = 200_000_000;
    let servers = servers();
    let fixture = Fixture::new(servers.last().unwrap());
    fixture.sql("ALTER TABLE t ALTER name SET STORAGE EXTERNAL");
    let mut running = Running::start(&mut fixture.tail(&[]));
    fixture.sql("INSERT INTO t VALUES (0, 'short')");
    assert_eq!(running.line()["after"]["id"], 0);
    let base = running.peak_memory();
    for id in 1..=2 {
        fixture.sql(&format!("INSERT INTO t VALUES ({id}, repeat('x', {LEN}))"));
        running.skip(1);
    }
    fixture.sql("INSERT INTO t VALUES (3, 'short')");
    assert_eq!(running.line()["after"]["id"], 3);
    let peak = running.peak_memory() - base;
    running.signal(Signal::TERM);
    assert_eq!(running.end().1, Some(0));
    let percent = peak * 1024 * 100 / LEN;
    println!("a value of {LEN} bytes: {peak} KiB more, {percent} % of its size");
    assert!(percent <= 210, "{percent} %");
}
