//! Parts that the benchmarks share: inputs, reference implementations, and a comparison of times.
//!
//! On a shared machine, ratios mean more than times. [`compare`] runs its candidates in turns, many
//! times, and measures the CPU time of its own thread. Counted instructions are reproducible:
//! `cargo run --release -p pgoutput-bench --bin instructions`.

mod allocations;
mod captured;
mod compare;
mod input;
#[cfg(feature = "record")]
mod record;
mod rows;
#[cfg(feature = "values")]
pub mod values;
mod visit;
pub mod walk;

pub use allocations::{Counting, allocations};
pub use captured::captured;
pub use compare::{Candidate, Report, Work, compare, compare_counted};
pub use input::{Frame, Input, selected};
#[cfg(feature = "record")]
pub use record::Record;
pub use rows::{BULK_COLUMNS, bulk_relation, generated, large_values};
pub use visit::{buffered_columns, columns, decoded_columns, decoded_utf8_columns, utf8_columns};
