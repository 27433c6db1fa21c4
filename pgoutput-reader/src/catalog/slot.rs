//! The state of a replication slot, and the end of the WAL.

use std::time::Duration;

use pgoutput_decode::Lsn;
use postgres::Row;

use super::Catalog;
use super::client::SqlParameters;
use crate::error::{Error, ProtocolError, SetupError};
use crate::sql::slot::{SlotRow, slot_row, wal_end};

/// The longest time that writing a logical decoding message may take.
const MESSAGE_LIMIT: Duration = Duration::from_secs(5);

const SLOT: &str = slot_row!("$1::pg_catalog.text::pg_catalog.name");

const WAL_END: &str = concat!("SELECT (", wal_end!(), ")::pg_catalog.text");

/// SQL: the slot of this name, if it is held by this process.
macro_rules! reader {
    () => {
        "SELECT slot.active_pid FROM pg_catalog.pg_replication_slots AS slot
WHERE slot.slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name
  AND slot.active_pid OPERATOR(pg_catalog.=) $2::pg_catalog.int4"
    };
}

const READER: &str = reader!();

/// A replication slot as the server sees it (manual, section "pg_replication_slots").
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotStatus {
    /// The end of the server's WAL: written on a primary, replayed on a standby.
    pub wal_end: Lsn,
    /// The oldest WAL that the server keeps for the slot; `None` if it keeps none.
    pub restart_lsn: Option<Lsn>,
    /// The slot's confirmed LSN: the server sends nothing that was committed before it.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// Whether a process of the server holds it, for a connection that reads it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost` (PostgreSQL 13 and later).
    pub wal_status: Option<String>,
    /// Bytes of WAL that can still be written before the slot may be lost; `None` if there is no
    /// limit (PostgreSQL 13 and later).
    pub safe_wal_size: Option<i64>,
    /// The reason why the slot was invalidated, such as `wal_removed` or `idle_timeout`; `None` if
    /// it was not (PostgreSQL 17 and later).
    pub invalidation_reason: Option<String>,
    /// Whether it is synchronized to standbys (PostgreSQL 17 and later).
    pub failover: Option<bool>,
    /// Whether it is the copy, on a standby, of a slot of the primary (PostgreSQL 17 and later).
    pub synced: Option<bool>,
}

impl SlotStatus {
    /// Returns the bytes of WAL that the server keeps for the slot. If this only grows, the WAL
    /// fills the server's disk.
    pub fn retained_bytes(&self) -> Option<u64> {
        Some(self.wal_end.as_u64().saturating_sub(self.restart_lsn?.as_u64()))
    }

    /// Returns the bytes of WAL that were written and not confirmed.
    pub fn unconfirmed_bytes(&self) -> Option<u64> {
        Some(self.wal_end.as_u64().saturating_sub(self.confirmed_flush_lsn?.as_u64()))
    }

    /// Returns whether the server has invalidated the slot. Changes that it had not sent cannot be
    /// read from it any more.
    pub fn is_lost(&self) -> bool {
        self.wal_status.as_deref() == Some("lost") || self.invalidation_reason.is_some()
    }
}

impl Catalog {
    /// Returns the current state of the slot.
    pub(crate) fn slot_status(&mut self, slot: &str) -> Result<SlotStatus, Error> {
        status(slot, &self.sql.query(SLOT, named(slot))?)
    }

    /// Returns the current state of the slot, queried for at most `limit`.
    pub(crate) fn slot_status_within(
        &mut self,
        limit: Duration,
        slot: &str,
    ) -> Result<SlotStatus, Error> {
        status(slot, &self.sql.query_within(Some(limit), SLOT, named(slot))?)
    }

    /// Returns the end of the server's WAL: written on a primary, replayed on a standby.
    pub(crate) fn wal_end(&mut self) -> Result<Lsn, Error> {
        let rows = self.sql.query(WAL_END, vec![])?;
        let lsn = rows.first().and_then(|row| row.get::<_, Option<&str>>(0)?.parse().ok());
        let (command, field) = ("pg_current_wal_lsn", "wal_end");
        lsn.ok_or_else(|| ProtocolError::Answer { command, field }.into())
    }

    /// Writes a logical decoding message without content, outside of any transaction. It waits for
    /// a few seconds at most, as the replication stream is not read meanwhile.
    pub(crate) fn emit_message(&mut self, prefix: &str) -> Result<(), Error> {
        let query = "\
SELECT pg_catalog.pg_logical_emit_message(false, $1::pg_catalog.text, ''::pg_catalog.text)";
        let parameters: SqlParameters = vec![Box::new(prefix.to_owned())];
        self.sql.query_within(Some(MESSAGE_LIMIT), query, parameters).map(drop)
    }
}

/// Queries for a slot that is read by polling.
impl Catalog {
    /// Returns whether this server process is reading the slot.
    pub(crate) fn is_reading(&mut self, slot: &str, pid: i32) -> Result<bool, Error> {
        let parameters: SqlParameters = vec![Box::new(slot.to_owned()), Box::new(pid)];
        Ok(!self.sql.query(READER, parameters)?.is_empty())
    }

    /// Ends the query of this server process if it is reading the slot.
    pub(crate) fn cancel_reading(&mut self, slot: &str, pid: i32) -> Result<(), Error> {
        let query = concat!(
            "SELECT pg_catalog.pg_cancel_backend(held.active_pid) FROM (",
            reader!(),
            ") AS held"
        );
        let parameters: SqlParameters = vec![Box::new(slot.to_owned()), Box::new(pid)];
        self.sql.query_within(Some(MESSAGE_LIMIT), query, parameters).map(drop)
    }
}

fn named(slot: &str) -> SqlParameters {
    vec![Box::new(slot.to_owned())]
}

fn status(slot: &str, rows: &[Row]) -> Result<SlotStatus, Error> {
    let row = rows.first().ok_or_else(|| SetupError::SlotMissing { slot: slot.into() })?;
    let slot = SlotRow::read(|index| row.get(index))?;
    Ok(SlotStatus {
        wal_end: slot.wal_end.unwrap_or_default(),
        restart_lsn: slot.restart_lsn,
        confirmed_flush_lsn: slot.confirmed_flush_lsn,
        active: slot.active_pid.is_some(),
        wal_status: slot.wal_status,
        safe_wal_size: slot.safe_wal_size,
        invalidation_reason: slot.invalidation_reason,
        failover: slot.failover,
        synced: slot.synced,
    })
}
