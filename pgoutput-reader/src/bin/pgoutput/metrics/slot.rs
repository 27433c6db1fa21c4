//! The state of the slot, queried over a connection of its own, so that the reader does not wait
//! for it.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_reader::Config;

use super::{Shared, lock};

/// The time between two queries.
const INTERVAL: Duration = Duration::from_secs(15);

/// The timeout of connecting, without a setting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of WAL, and whether the slot is lost. Columns that older servers do not have are read as
/// JSON.
const SLOT: &str = "\
SELECT pg_catalog.pg_wal_lsn_diff(wal.end_lsn, slot.restart_lsn)::pg_catalog.int8,
       pg_catalog.pg_wal_lsn_diff(wal.end_lsn, slot.confirmed_flush_lsn)::pg_catalog.int8,
       later.columns OPERATOR(pg_catalog.->>) 'safe_wal_size'::pg_catalog.text,
       coalesce(later.columns OPERATOR(pg_catalog.->>) 'wal_status'::pg_catalog.text
                OPERATOR(pg_catalog.=) 'lost'::pg_catalog.text, false)
FROM pg_catalog.pg_replication_slots AS slot,
     LATERAL (SELECT pg_catalog.to_jsonb(slot) AS columns) AS later,
     LATERAL (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
                          THEN pg_catalog.pg_last_wal_replay_lsn()
                          ELSE pg_catalog.pg_current_wal_lsn() END AS end_lsn) AS wal
WHERE slot.slot_name OPERATOR(pg_catalog.=) ";

/// The figures of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotFigures {
    /// The WAL that the server keeps for the slot.
    pub(super) retained: Option<i64>,
    /// The WAL after the slot's confirmed LSN.
    pub(super) unconfirmed: Option<i64>,
    /// The WAL that can be written before the slot may be lost.
    pub(super) safe: Option<i64>,
    pub(super) lost: bool,
}

/// Queries the slot regularly, on a thread. While that fails, the figures are left out.
pub(super) fn watch(shared: &Arc<Shared>, mut config: Config, slot: &str) -> io::Result<()> {
    if config.get_connect_timeout().is_none() {
        config = config.connect_timeout(CONNECT_TIMEOUT);
    }
    let (shared, query) = (Arc::clone(shared), query(slot));
    let watch = move || {
        let mut client = None;
        loop {
            match figures(&config, &mut client, &query) {
                Ok(figures) => *lock(&shared.slot) = figures.map(|found| (Instant::now(), found)),
                Err(()) => client = None,
            }
            thread::sleep(INTERVAL);
        }
    };
    thread::Builder::new().name("pgoutput-metrics-slot".into()).spawn(watch).map(drop)
}

fn query(slot: &str) -> String {
    // Whatever standard_conforming_strings is set to.
    let slot = slot.replace('\\', "\\\\").replace('\'', "''");
    format!("{SLOT}E'{slot}'::pg_catalog.name")
}

/// Returns the figures; `None` if there is no slot.
///
/// # Errors
/// The slot cannot be queried. Why is of no use here: the reader reports its own errors.
fn figures(
    config: &Config,
    client: &mut Option<postgres::Client>,
    query: &str,
) -> Result<Option<SlotFigures>, ()> {
    let client = match client {
        Some(client) => client,
        none => none.insert(config.connect_postgres().map_err(drop)?),
    };
    // Without a prepared statement, which some poolers lose.
    let messages = client.simple_query(query).map_err(drop)?;
    Ok(messages.iter().find_map(|message| {
        let postgres::SimpleQueryMessage::Row(row) = message else { return None };
        let number = |index| row.get(index).and_then(|text: &str| text.parse().ok());
        Some(SlotFigures {
            retained: number(0),
            unconfirmed: number(1),
            safe: number(2),
            lost: row.get(3) == Some("t"),
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_slot_is_quoted() {
        let query = query("a'b\\");
        assert!(query.ends_with(") E'a''b\\\\'::pg_catalog.name"), "{query}");
    }
}
