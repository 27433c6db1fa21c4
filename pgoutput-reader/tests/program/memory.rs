//! One large transaction in little memory.

use pgoutput_harness::servers;
use rustix::process::Signal;

use crate::run::{Fixture, Running};

/// Of the whole program, its code included, in KiB.
const LIMIT: u64 = 32 * 1024;

/// The variable that asks for more rows than the ordinary run reads: `PGOUTPUT_MEMORY_ROWS=1000000 cargo test --release
/// -p pgoutput-reader --features cli --test program memory`.
const ROWS_VARIABLE: &str = "PGOUTPUT_MEMORY_ROWS";

const ROWS: u64 = 200_000;

#[test]
fn a_transaction_of_many_rows_is_read_in_little_memory() {
    let rows = std::env::var(ROWS_VARIABLE).map_or(ROWS, |rows| rows.parse().unwrap());
    let servers = servers();
    let fixture = Fixture::new(servers.last().unwrap());
    fixture.sql(&format!("INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, {rows}) n"));
    let mut running = Running::start(&mut fixture.tail(&[]));
    running.skip(rows - 1);
    assert_eq!(running.line()["after"]["id"], rows);
    let peak = running.peak_memory();
    running.signal(Signal::TERM);
    assert_eq!(running.end().1, Some(0));
    println!("{rows} rows, at most {peak} KiB");
    assert!(peak < LIMIT, "{peak} KiB");
}
