//! Captures of real servers: a replay gives what the live run gave.

mod equal;
mod files;
mod killed;
mod masked;
mod program;
#[allow(dead_code, reason = "the tests of transactions use the rest")]
#[path = "../transactions/workload.rs"]
mod workload;

use pgoutput_harness::{Server, servers};

/// Runs `test` with servers that have a small memory for decoding, so that they stream transactions
/// of 64 kB, and allow prepared transactions.
fn with_servers(test: impl Fn(&Server)) {
    for major in servers().iter().map(|server| server.major()) {
        let builder = Server::builder().setting("max_prepared_transactions", "20");
        let builder = if major >= 13 { builder.small_decoding_memory() } else { builder };
        test(&builder.start(major).unwrap());
    }
}
