//! What the whole road costs: from a server's log to a program's loop.
//!
//! ```text
//! cargo build --release -p pgoutput-reader --features cli
//! cargo run --release -p pgoutput-end-to-end --bin road             # all workloads, 1,000,000 rows
//! cargo run --release -p pgoutput-end-to-end --bin road -- bulk 200000 5
//! cargo run --release -p pgoutput-end-to-end --bin latency          # what gathering reads adds on a trickle
//! ```
//!
//! Every consumer reads the same log, from a copy of the same slot, in turns; what counts is their ratio within one run.

pub mod consumer;
pub mod usage;
pub mod workload;

/// Whatever goes wrong ends the run.
pub type Problem = Box<dyn std::error::Error>;

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
