//! What the catalogue says of a replication slot.

use std::time::Duration;

use pgoutput_decode::Lsn;
use postgres::Row;

use super::client::SqlParameters;
use super::{Catalog, name};
use crate::Error;
use crate::error::{ProtocolError, SetupError};
use crate::setup::BlockingSession;
use crate::setup::names::bytes;

/// Positions as text, whatever the server's version; columns that came later by way of JSON.
const SLOT: &str = "\
SELECT position.wal_end::pg_catalog.text, slot.restart_lsn::pg_catalog.text,
       slot.confirmed_flush_lsn::pg_catalog.text, slot.active,
       later.columns OPERATOR(pg_catalog.->>) 'wal_status'::pg_catalog.text,
       (later.columns OPERATOR(pg_catalog.->>) 'safe_wal_size'::pg_catalog.text)::pg_catalog.int8,
       later.columns OPERATOR(pg_catalog.->>) 'invalidation_reason'::pg_catalog.text,
       (later.columns OPERATOR(pg_catalog.->>) 'failover'::pg_catalog.text)::pg_catalog.bool,
       (later.columns OPERATOR(pg_catalog.->>) 'synced'::pg_catalog.text)::pg_catalog.bool
FROM pg_catalog.pg_replication_slots AS slot,
     (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                  ELSE pg_catalog.pg_current_wal_lsn() END AS wal_end) AS position,
     LATERAL (SELECT pg_catalog.to_jsonb(slot) AS columns) AS later
WHERE slot.slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name";

/// The end of the log, as the slot's `wal_end`.
const WAL_END: &str = "\
SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
             ELSE pg_catalog.pg_current_wal_lsn() END)::pg_catalog.text";

/// How long a question beside a command that waits may take.
const ASIDE: Duration = Duration::from_secs(1);

/// A lock on a transaction id is held by its transaction alone; a prepared one has no process.
const BLOCKING: &str = concat!(
    "SELECT holder.pid, ",
    bytes!("prepared.gid"),
    ", ",
    bytes!("coalesce(activity.datname, prepared.database)"),
    ", ",
    bytes!("coalesce(activity.usename, prepared.owner)"),
    ", ",
    bytes!("activity.application_name"),
    ", activity.state,
       coalesce(activity.xact_start, prepared.prepared)::pg_catalog.text
FROM pg_catalog.pg_locks AS waiting
JOIN pg_catalog.pg_locks AS holder
     ON holder.transactionid OPERATOR(pg_catalog.=) waiting.transactionid AND holder.granted
LEFT JOIN pg_catalog.pg_stat_activity AS activity
     ON activity.pid OPERATOR(pg_catalog.=) holder.pid
LEFT JOIN pg_catalog.pg_prepared_xacts AS prepared
     ON prepared.transaction OPERATOR(pg_catalog.=) waiting.transactionid
WHERE waiting.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4 AND NOT waiting.granted"
);

/// A replication slot as the server sees it (manual, section "pg_replication_slots").
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotStatus {
    /// The end of the server's log: written on a primary, replayed on a standby.
    pub wal_end: Lsn,
    /// The oldest log that the slot keeps; `None` for a slot that keeps none.
    pub restart_lsn: Option<Lsn>,
    /// Everything before it is forgotten.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// Whether a connection reads it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost` (PostgreSQL 13 and later).
    pub wal_status: Option<String>,
    /// Bytes of log that can still be written before the slot may be lost; `None` where there is no limit (PostgreSQL 13 and later).
    pub safe_wal_size: Option<i64>,
    /// Why the slot was invalidated, such as `wal_removed` or `idle_timeout`; `None` if it was not (PostgreSQL 17 and later).
    pub invalidation_reason: Option<String>,
    /// Whether it is kept on standbys too (PostgreSQL 17 and later).
    pub failover: Option<bool>,
    /// Whether it is the copy, on a standby, of a slot of the primary (PostgreSQL 17 and later).
    pub synced: Option<bool>,
}

impl SlotStatus {
    /// Bytes of log that the server keeps for the slot: they fill its disk when this only rises.
    pub fn retained_bytes(&self) -> Option<u64> {
        Some(self.wal_end.as_u64().saturating_sub(self.restart_lsn?.as_u64()))
    }

    /// Bytes of log that were written and not confirmed.
    pub fn unconfirmed_bytes(&self) -> Option<u64> {
        Some(self.wal_end.as_u64().saturating_sub(self.confirmed_flush_lsn?.as_u64()))
    }

    /// Whether the server has invalidated the slot: what it had not sent is lost to it for good.
    pub fn is_lost(&self) -> bool {
        self.wal_status.as_deref() == Some("lost") || self.invalidation_reason.is_some()
    }
}

impl Catalog {
    /// The slot as it is now.
    pub(crate) fn slot_status(&mut self, slot: &str) -> Result<SlotStatus, Error> {
        status(slot, &self.sql.query(SLOT, named(slot))?)
    }

    /// The same, asked for no longer than this.
    pub(crate) fn slot_status_within(
        &mut self,
        limit: Duration,
        slot: &str,
    ) -> Result<SlotStatus, Error> {
        status(slot, &self.sql.query_within(Some(limit), SLOT, named(slot))?)
    }

    /// How far the server's log goes: written on a primary, replayed on a standby.
    pub(crate) fn wal_end(&mut self) -> Result<Lsn, Error> {
        let rows = self.sql.query(WAL_END, vec![])?;
        let lsn = rows.first().and_then(|row| row.get::<_, Option<&str>>(0)?.parse().ok());
        let (command, field) = ("pg_current_wal_lsn", "wal_end");
        lsn.ok_or_else(|| ProtocolError::Answer { command, field }.into())
    }

    /// The sessions and prepared transactions that hold the transaction id that a process waits for.
    pub(crate) fn blocking_sessions(&mut self, pid: i32) -> Result<Vec<BlockingSession>, Error> {
        let rows = self.sql.query_within(Some(ASIDE), BLOCKING, vec![Box::new(pid)])?;
        Ok(rows
            .iter()
            .map(|row| BlockingSession {
                pid: row.get(0),
                gid: name(row, 1),
                database: name(row, 2),
                user: name(row, 3),
                application_name: name(row, 4),
                state: row.get(5),
                since: row.get(6),
            })
            .collect())
    }

    /// Ends what a process of this role is doing.
    pub(crate) fn cancel(&mut self, pid: i32) -> Result<(), Error> {
        let query = "SELECT pg_catalog.pg_cancel_backend($1)";
        self.sql.query_within(Some(ASIDE), query, vec![Box::new(pid)]).map(drop)
    }

    /// Writes a logical decoding message without content, outside of any transaction.
    pub(crate) fn emit_message(&mut self, prefix: &str) -> Result<(), Error> {
        let query = "SELECT pg_catalog.pg_logical_emit_message(false, $1::pg_catalog.text, ''::pg_catalog.text)";
        self.sql.query(query, vec![Box::new(prefix.to_owned())]).map(drop)
    }
}

fn named(slot: &str) -> SqlParameters {
    vec![Box::new(slot.to_owned())]
}

fn status(slot: &str, rows: &[Row]) -> Result<SlotStatus, Error> {
    let row = rows.first().ok_or_else(|| SetupError::SlotMissing { slot: slot.into() })?;
    let lsn = |place, field| match row.get::<_, Option<&str>>(place).map(str::parse::<Lsn>) {
        None => Ok(None),
        Some(Ok(lsn)) => Ok(Some(lsn)),
        Some(Err(_)) => {
            Err(Error::from(ProtocolError::Answer { command: "pg_replication_slots", field }))
        }
    };
    Ok(SlotStatus {
        wal_end: lsn(0, "wal_end")?.unwrap_or_default(),
        restart_lsn: lsn(1, "restart_lsn")?,
        confirmed_flush_lsn: lsn(2, "confirmed_flush_lsn")?,
        active: row.get(3),
        wal_status: row.get(4),
        safe_wal_size: row.get(5),
        invalidation_reason: row.get(6),
        failover: row.get(7),
        synced: row.get(8),
    })
}
