//! `pgoutput slot drop`.

use super::facts::SlotFacts;
use crate::args::SlotDrop;
use crate::result::{print_json, print_text};
use crate::session::Session;
use crate::table::size;
use crate::{Failure, stdout};

pub(super) fn run(arguments: &SlotDrop) -> Result<(), Failure> {
    stdout::open().map_err(Failure::Run)?;
    let mut session = Session::open(&arguments.server, arguments.verbosity)?;
    let slot = SlotFacts::inactive(&mut session, &arguments.name)?;
    let drop = "SELECT pg_catalog.pg_drop_replication_slot($1::pg_catalog.text::pg_catalog.name)";
    session.query(drop, &[&arguments.name])?;
    let dropped =
        |failure: Failure| failure.with(&format!("slot \"{}\" was dropped", arguments.name));
    if arguments.result.json {
        return print_json("dropped", &slot).map_err(dropped);
    }
    let confirmed = slot
        .confirmed_flush_lsn
        .map_or_else(String::new, |lsn| format!(", which had confirmed {lsn}"));
    let retained = slot.retained_bytes.map_or_else(String::new, |bytes| {
        format!("; the server kept {} of WAL for it", size(bytes))
    });
    print_text(&format_args!("dropped slot \"{}\"{confirmed}{retained}", arguments.name))
        .map_err(dropped)
}
