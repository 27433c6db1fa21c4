//! One large transaction in little memory.

use pgoutput_harness::servers;
use rustix::process::Signal;

use crate::run::{Fixture, Running};

/// Of the whole program, its code included, in KiB.
const LIMIT: u64 = 32 * 1024;

const ROWS: u64 = 1_000_000;

#[test]
fn a_transaction_of_a_million_rows_is_read_in_little_memory() {
    let servers = servers();
    let fixture = Fixture::new(servers.last().unwrap());
    fixture.sql(&format!("INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, {ROWS}) n"));
    let mut running = Running::start(&mut fixture.tail(&[]));
    running.skip(ROWS - 1);
    assert_eq!(running.line()["after"]["id"], ROWS);
    let peak = running.peak_memory();
    running.signal(Signal::TERM);
    assert_eq!(running.end().1, Some(0));
    println!("{ROWS} rows, at most {peak} KiB");
    assert!(peak < LIMIT, "{peak} KiB");
}
