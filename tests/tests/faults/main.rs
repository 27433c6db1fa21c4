//! Faults by the hundred: nothing is lost, nothing comes twice but whole transactions after a process has died, everything in order, and
//! no position is confirmed that was not delivered.
//!
//! `PGOUTPUT_FAULTS=2000` asks for more of them than the ordinary run has; `PGOUTPUT_FAULTS_SEED` names the seed of a failure.

mod delivered;
mod network;
mod processes;
mod reading;
mod restarts;
mod transactions;
mod writer;

use pgoutput_harness::{Server, servers};

/// Faults of all tests on all servers together, unless told otherwise.
const FAULTS: usize = 240;

const FAULTS_VARIABLE: &str = "PGOUTPUT_FAULTS";

const SEED_VARIABLE: &str = "PGOUTPUT_FAULTS_SEED";

/// Runs `test` with each server, a seed, and as many faults as make up these percent of all.
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
