//! The slot, with what the server knows of its age and of the process that holds it.

use pgoutput_decode::Xid;

use super::{column, optional, setting, shown, xid};
use crate::catalog::Catalog;
use crate::error::Error;
use crate::sql::names::bytes;
use crate::sql::slot::{SlotRow, slot_row};

const SLOT: &str = slot_row!("$1::pg_catalog.text::pg_catalog.name");

/// One row. Times are seconds. Of the process, other roles see only its number.
const MORE: &str = concat!(
    "SELECT slot.temporary,
    pg_catalog.date_part('epoch'::pg_catalog.text, pg_catalog.clock_timestamp()
        OPERATOR(pg_catalog.-) (pg_catalog.to_jsonb(slot) OPERATOR(pg_catalog.->>)
            'inactive_since'::pg_catalog.text)::pg_catalog.timestamptz),
    pg_catalog.age(slot.catalog_xmin)::pg_catalog.int8,
    slot.catalog_xmin::pg_catalog.text::pg_catalog.int8,
    ",
    bytes!("activity.usename"),
    ", ",
    bytes!("activity.application_name"),
    ", pg_catalog.host(activity.client_addr),
    pg_catalog.date_part('epoch'::pg_catalog.text, sender.flush_lag),
    ",
    setting!("max_slot_wal_keep_size"),
    "::pg_catalog.int8,
    ",
    setting!("max_wal_size"),
    "::pg_catalog.int8,
    ",
    setting!("idle_replication_slot_timeout"),
    "::pg_catalog.int8,
    ",
    setting!("autovacuum_freeze_max_age"),
    "::pg_catalog.int8
FROM pg_catalog.pg_replication_slots AS slot
LEFT JOIN pg_catalog.pg_stat_activity AS activity
     ON activity.pid OPERATOR(pg_catalog.=) slot.active_pid
LEFT JOIN pg_catalog.pg_stat_replication AS sender
     ON sender.pid OPERATOR(pg_catalog.=) slot.active_pid
WHERE slot.slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name"
);

/// The slot.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Slot {
    pub(in crate::doctor) row: SlotRow,
    pub(in crate::doctor) is_temporary: bool,
    /// The seconds since something last read it (PostgreSQL 17 and later).
    pub(in crate::doctor) inactive_for: Option<f64>,
    /// The number of transactions since the oldest one whose catalogue rows are kept for it.
    pub(in crate::doctor) catalog_age: Option<i64>,
    /// That transaction.
    pub(in crate::doctor) catalog_xmin: Option<Xid>,
    pub(in crate::doctor) process: ActiveProcess,
    pub(in crate::doctor) settings: SlotSettings,
}

/// Whether there is a slot of the name.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) enum SlotLookup {
    /// None was asked for, or the answer is not known.
    #[default]
    Unknown,
    Missing,
    Found(Box<Slot>),
}

impl SlotLookup {
    /// Returns the slot, if it exists.
    pub(in crate::doctor) fn found(&self) -> Option<&Slot> {
        match self {
            Self::Found(slot) => Some(slot),
            Self::Unknown | Self::Missing => None,
        }
    }
}

/// What is known of the process that holds a slot.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct ActiveProcess {
    pub(in crate::doctor) user: Option<String>,
    pub(in crate::doctor) application_name: Option<String>,
    pub(in crate::doctor) address: Option<String>,
    /// The seconds by which its reader lags.
    pub(in crate::doctor) lag: Option<f64>,
}

/// The settings that limit what a server keeps for a slot.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::doctor) struct SlotSettings {
    /// In bytes; `None` is no limit.
    pub(in crate::doctor) max_keep: Option<u64>,
    /// In bytes.
    pub(in crate::doctor) max_wal_size: u64,
    /// In seconds; `None` is no limit.
    pub(in crate::doctor) idle_timeout: Option<u64>,
    /// In transactions.
    pub(in crate::doctor) freeze_max_age: i64,
}

pub(super) fn query(catalog: &mut Catalog, name: &str) -> Result<SlotLookup, Error> {
    let rows = catalog.examine(SLOT, vec![Box::new(name.to_owned())])?;
    let Some(row) = rows.first() else { return Ok(SlotLookup::Missing) };
    let slot = SlotRow::read(|index| row.get(index))?;
    let rows = catalog.examine(MORE, vec![Box::new(name.to_owned())])?;
    let Some(row) = rows.first() else { return Ok(SlotLookup::Missing) };
    let megabytes = |index| -> Result<Option<u64>, Error> {
        let size: Option<i64> = optional(row, index)?;
        Ok(size.and_then(|size| u64::try_from(size).ok()).map(|size| size << 20))
    };
    let idle_timeout: Option<i64> = optional(row, 10)?;
    Ok(SlotLookup::Found(Box::new(Slot {
        row: slot,
        is_temporary: column(row, 0)?,
        inactive_for: optional(row, 1)?,
        catalog_age: optional(row, 2)?,
        catalog_xmin: xid(row, 3)?,
        process: ActiveProcess {
            user: shown(row, 4)?,
            application_name: shown(row, 5)?,
            address: optional(row, 6)?,
            lag: optional(row, 7)?,
        },
        settings: SlotSettings {
            max_keep: megabytes(8)?,
            max_wal_size: megabytes(9)?.unwrap_or_default(),
            idle_timeout: idle_timeout.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0),
            freeze_max_age: column(row, 11)?,
        },
    })))
}
