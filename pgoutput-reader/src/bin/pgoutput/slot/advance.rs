//! `pgoutput slot advance`.

use pgoutput_reader::Lsn;
use serde_json::json;

use super::facts::SlotFacts;
use crate::args::SlotAdvance;
use crate::result::{print_json, print_text};
use crate::session::Session;
use crate::table::size;
use crate::{Failure, stdout};

const WAL_END: &str = "\
SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
             ELSE pg_catalog.pg_current_wal_flush_lsn() END)::pg_catalog.text";

const ADVANCE: &str = "\
SELECT moved.end_lsn::pg_catalog.text
FROM pg_catalog.pg_replication_slot_advance(
         $1::pg_catalog.text::pg_catalog.name, $2::pg_catalog.text::pg_catalog.pg_lsn) AS moved";

pub(super) fn run(arguments: &SlotAdvance) -> Result<(), Failure> {
    stdout::open().map_err(Failure::Run)?;
    let mut session = Session::open(&arguments.server, arguments.verbosity)?;
    session.needs("moving a slot without reading it", 11).map_err(|failure| {
        failure.with("read it with pgoutput tail, or drop it and create another one")
    })?;
    let name = &arguments.name;
    let slot = SlotFacts::logical(&mut session, name)?;
    if let Some(database) = slot.database.as_ref().filter(|of_slot| **of_slot != session.database) {
        return Err(Failure::Run(format!(
            "slot \"{name}\" belongs to database \"{database}\", and this session is in \"{}\": \
             connect to that database",
            session.database
        )));
    }
    let slot = SlotFacts::inactive(&mut session, name)?;
    let wal_end = lsn(&mut session, WAL_END, &[])?;
    let to = arguments.target.to.unwrap_or(wal_end);
    if to > wal_end {
        return Err(Failure::Run(format!(
            "{to} is ahead of the server's WAL, which ends at {wal_end}: name an LSN up to it, or \
             --to-current"
        )));
    }
    let from = slot.confirmed_flush_lsn.unwrap_or_default();
    if to < from {
        return Err(Failure::Run(format!(
            "slot \"{name}\" has confirmed {from}, and no slot can be moved back to {to}"
        )));
    }
    let reached =
        if to == from { from } else { lsn(&mut session, ADVANCE, &[name, &to.to_string()])? };
    let skipped = reached.as_u64().saturating_sub(from.as_u64());
    if arguments.result.json {
        let moved = json!({
            "slot_name": name,
            "from_lsn": from.to_string(),
            "to_lsn": reached.to_string(),
            "skipped_bytes": skipped,
        });
        return print_json("advanced", &moved);
    }
    if skipped == 0 {
        return print_text(&format_args!("slot \"{name}\" stays at {from}: nothing is skipped"));
    }
    print_text(&format_args!(
        "moved slot \"{name}\" from {from} to {reached}: transactions that were committed in these \
         {} of WAL are lost to it",
        size(skipped)
    ))
}

/// Returns the LSN that a query has as its only value.
fn lsn(session: &mut Session, query: &str, parameters: &[&String]) -> Result<Lsn, Failure> {
    let parameters: Vec<_> =
        parameters.iter().map(|text| *text as &(dyn postgres::types::ToSql + Sync)).collect();
    let rows = session.query(query, &parameters)?;
    let text = rows.first().and_then(|row| row.get::<_, Option<&str>>(0));
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Failure::Run("the server reports no LSN".into()))
}
