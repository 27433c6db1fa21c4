//! The initial copy: it describes tables like the stream, and copies the rows that the stream would
//! publish.

mod added;
mod alone;
mod at_risk;
mod binary;
mod changed;
mod initial;
mod interrupted;
mod locks;
mod lost_connections;
mod only;
mod published;
mod replay;
mod rows;
mod scene;
mod stream;
mod tour;

use std::num::NonZeroU32;

use pgoutput_harness::Database;
use pgoutput_reader::inspect::{TableCopy, table_copies};
use pgoutput_reader::{Config, Connection, Error};

/// Opens a replication connection.
fn connect(dsn: &str) -> Connection {
    let config: Config = dsn.parse().unwrap();
    Connection::connect(&config).unwrap()
}

/// Returns the published tables, in chunks of one page.
fn copies(database: &Database<'_>, publications: &[&str]) -> Result<Vec<TableCopy>, Error> {
    let names: Vec<String> = publications.iter().map(|name| (*name).to_owned()).collect();
    table_copies(&mut connect(&database.dsn()), &names, NonZeroU32::MIN, None)
}
