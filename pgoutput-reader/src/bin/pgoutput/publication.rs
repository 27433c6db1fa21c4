//! The command `pgoutput publication`.

mod create;
mod drop;
mod list;
mod refused;
mod table;

pub(crate) use table::PublishedTable;

use crate::Failure;
use crate::args::Publication;
use crate::session::Session;
use crate::sql::names::{hex, shown};

/// The names of all publications.
const NAMES: &str = concat!(
    "SELECT ",
    hex!("publication.pubname"),
    " FROM pg_catalog.pg_publication AS publication
ORDER BY publication.pubname USING OPERATOR(pg_catalog.<)"
);

pub(crate) fn run(arguments: &Publication) -> Result<(), Failure> {
    match arguments {
        Publication::List(list) => list::run(list),
        Publication::Create(create) => create::run(create),
        Publication::Drop(drop) => drop::run(drop),
    }
}

/// Reads a name that a publication can have. The server would cut off a longer one.
pub(crate) fn publication_name(name: &str) -> Result<String, String> {
    match name.len() {
        1..=63 => Ok(name.to_owned()),
        0 => Err("no publication can have an empty name".into()),
        length => Err(format!(
            "no publication can have this name: it has {length} bytes, and names have at most 63"
        )),
    }
}

/// Returns the names of all publications of the database.
fn names(session: &mut Session) -> Result<Vec<String>, Failure> {
    Ok(session.query(NAMES, &[])?.iter().map(|row| shown(row.get(0))).collect())
}
