//! What the whole road costs: from a server's log to a program's loop.
//!
//! ```text
//! cargo build --release -p pgoutput-end-to-end -p pgoutput-reader --features pgoutput-reader/cli
//! target/release/throughput                      # every workload, 250,000 rows, 3 rounds
//! target/release/throughput bulk 1000000 5       # one workload; a million rows in one transaction; 5 rounds
//! target/release/throughput bulk 250000 3 --over tls   # or unix; TCP unless told
//! (cd tests/peers && cargo build --release --features libpq)   # then other clients are among the consumers
//! target/release/latency --over unix             # what gathering reads adds on a trickle
//! target/release/events                          # an event as JSON, read by columns, as a struct, kept
//! ```
//!
//! `--help` has the units, ranges and defaults of each. `throughput` runs on Linux, which tells what processes use.
//!
//! Every consumer reads the same log, from a copy of the same slot, in turns; what counts is their ratio within one run.
//! Those that can be asked tell how many rows they read, and one that missed some ends the run.

use std::process::ExitCode;

pub mod consume;
pub mod consumer;
pub mod over;
pub mod peers;
pub mod usage;
pub mod workload;

/// Whatever goes wrong ends the run.
pub type Problem = Box<dyn std::error::Error>;

/// How a program ends: with success, or with its problem printed.
pub fn exit(done: Result<(), Problem>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
