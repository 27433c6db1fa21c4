//! Hundreds of faults. Nothing is lost, everything is in order, and no undelivered position is
//! confirmed. Only whole transactions are repeated, and only after a process was killed.
//!
//! `PGOUTPUT_FAULTS=2000` sets the number of faults. `PGOUTPUT_FAULTS_SEED` repeats the seed of a
//! failure.

mod delivered;
mod network;
mod output_file;
mod processes;
mod reading;
mod restarts;
mod transactions;
mod writer;

use pgoutput_harness::{Server, servers};

/// The default number of faults, of all tests on all servers together.
const FAULTS: usize = 240;

const FAULTS_VARIABLE: &str = "PGOUTPUT_FAULTS";

const SEED_VARIABLE: &str = "PGOUTPUT_FAULTS_SEED";

/// Runs `test` with each server, a seed, and the number of faults that is this percentage of all.
fn with_each_server(percent: usize, test: impl Fn(&'static Server, u64, usize)) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    let all = number(FAULTS_VARIABLE).map_or(FAULTS, |faults| usize::try_from(faults).unwrap());
    let seed = number(SEED_VARIABLE).unwrap_or(1);
    let servers = servers();
    let faults = (all * percent).div_ceil(100 * servers.len());
    for server in servers {
        // Shown when a check fails.
        println!("PostgreSQL {}, {SEED_VARIABLE}={seed}, {faults} faults", server.major());
        test(server, seed, faults);
    }
}
