//! Transactions that are streamed while in progress, prepared, or read as a unit.

mod cuts;
mod descriptions;
mod many;
mod prepared;
mod schema_changes;
mod spill;
mod streamed;
mod units;
mod workload;

use pgoutput_harness::{Server, servers};

/// Runs `test` with servers that have a small memory for decoding, so that they stream transactions
/// of 64 kB, and allow prepared transactions.
fn with_streaming_servers(test: impl Fn(&Server)) {
    for major in servers().iter().map(|server| server.major()).filter(|major| *major >= 14) {
        let builder = Server::builder().small_decoding_memory();
        test(&builder.setting("max_prepared_transactions", "20").start(major).unwrap());
    }
}
