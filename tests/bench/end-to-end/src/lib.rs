//! The cost of the whole path from a server's WAL to a program's loop.
//!
//! ```text
//! cargo build --release -p pgoutput-end-to-end -p pgoutput-reader --features pgoutput-reader/cli
//! target/release/throughput                          # every workload, 250,000 rows, 3 rounds
//! target/release/throughput bulk 1000000 5           # a million rows in one transaction, 5 rounds
//! target/release/throughput bulk 250000 3 --over tls # or unix; the default is TCP
//! # This adds other clients to the consumers:
//! (cd tests/bench/peers && cargo build --release --features libpq)
//! target/release/latency --over unix                 # the latency that gathering reads adds
//! target/release/events                              # an event as JSON, columns, struct, kept
//! target/release/copy                                # the initial copy, beside psql and pg_dump
//! ```
//!
//! `--help` has the units, ranges and defaults of each. `throughput` and `copy` need Linux, which
//! reports the resource usage of processes.
//!
//! Every consumer reads the same WAL from a copy of the same slot, in turns. Their ratio within one
//! run is what counts. The consumers that can report how many rows they read, and a consumer that
//! misses rows ends the run.

use std::process::ExitCode;

pub mod consume;
pub mod consumer;
pub mod peers;
pub mod transport;
pub mod usage;
pub mod workload;

/// Any error, which ends the run.
pub type Problem = Box<dyn std::error::Error>;

/// Returns the exit code of a program and prints its error.
pub fn exit(done: Result<(), Problem>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
