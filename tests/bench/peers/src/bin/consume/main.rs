//! Other clients of logical replication, each of which reads a slot up to an LSN. `throughput` runs
//! them with our consumers.
//!
//! ```text
//! # Without the feature if libpq's headers are not installed:
//! cd tests/bench/peers && cargo build --release --features libpq
//! # A name per line, and "left out: " before a client that is not built in:
//! target/release/consume list
//! # Reads publication p and prints the number of rows:
//! target/release/consume NAME DSN SLOT UNTIL BINARY
//! ```
//!
//! Each runs on a single-threaded tokio runtime, its fastest, and stops at the first commit whose
//! end LSN is not before UNTIL. Nothing is confirmed. pgoutput 0.0.7 is a parser without a
//! connection, so it is not included.

#[cfg(feature = "libpq")]
mod walstream;

mod pgsync;

use std::error::Error;
use std::process::ExitCode;

const PGSYNC: &str = "pgsync-postgres";
const WALSTREAM: &str = "pg_walstream";

/// The task of a client.
struct Task {
    /// `key=value`.
    dsn: String,
    slot: String,
    until: String,
    /// Whether values are binary.
    binary: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["list"] => {
            list();
            Ok(())
        }
        [name, dsn, slot, until, binary] => {
            let [dsn, slot, until] = [dsn, slot, until].map(str::to_owned);
            consume(name, &Task { dsn, slot, until, binary: binary == "true" })
        }
        _ => Err("usage: consume list | consume NAME DSN SLOT UNTIL BINARY".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    println!("{PGSYNC}");
    if cfg!(feature = "libpq") {
        println!("{WALSTREAM}");
    } else {
        println!("left out: {WALSTREAM}, which connects with --features libpq alone");
    }
    println!("left out: pgoutput, which is a parser without a connection");
}

fn consume(name: &str, task: &Task) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = match name {
        PGSYNC => runtime.block_on(pgsync::read(task))?,
        #[cfg(feature = "libpq")]
        WALSTREAM => runtime.block_on(walstream::read(task))?,
        _ => return Err(format!("{name:?} is not built in").into()),
    };
    println!("{rows}");
    Ok(())
}
