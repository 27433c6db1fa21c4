//! The plain loop against any server. Prints each change as a line of JSON until it is interrupted.
//!
//! ```text
//! cargo run --release --example follow -- "postgresql://app@localhost/app" my_slot my_publication
//! ```
//!
//! The slot must exist. To create it:
//!
//! ```sql
//! SELECT pg_catalog.pg_create_logical_replication_slot('my_slot', 'pgoutput')
//! ```

use std::io::{LineWriter, Write as _};

use pgoutput_reader::Reader;

#[path = "../src/bin/pgoutput/stdout.rs"]
mod stdout;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dsn, slot, publication] = arguments.as_slice() else {
        return Err("usage: follow CONNINFO|URI SLOT PUBLICATION".into());
    };
    // Requesting the next event acknowledges the last one, so a closed output must be an error.
    let mut out = LineWriter::new(stdout::open()?);
    let mut reader = Reader::builder(dsn).slot(slot).publication(publication).connect()?;
    for event in &mut reader {
        writeln!(out, "{}", serde_json::to_string(&event?)?)?;
    }
    reader.stop()?;
    Ok(())
}
