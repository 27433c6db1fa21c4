//! The server: its version, its settings, and what is left of its limits.

use super::{column, count, optional, setting};
use crate::catalog::Catalog;
use crate::error::{Error, ProtocolError};
use crate::server_version::ServerVersion;

/// One row. The walsender of the check itself, `$1`, is not counted.
const SERVER: &str = concat!(
    "SELECT pg_catalog.current_setting('server_version_num'::pg_catalog.text)::pg_catalog.int4,
    ",
    setting!("wal_level"),
    ",
    ",
    setting!("effective_wal_level"),
    ",
    pg_catalog.pg_is_in_recovery(),
    ",
    setting!("max_replication_slots"),
    "::pg_catalog.int8,
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
    ARRAY(SELECT slot.slot_name::pg_catalog.text FROM pg_catalog.pg_replication_slots AS slot
          WHERE NOT slot.active ORDER BY slot.slot_name LIMIT 10),
    ",
    setting!("max_wal_senders"),
    "::pg_catalog.int8,
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_wal_senders() AS sender
     WHERE sender.pid OPERATOR(pg_catalog.<>) $1::pg_catalog.int4),
    ",
    setting!("hot_standby_feedback")
);

/// The server.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Server {
    pub(in crate::doctor) version: ServerVersion,
    pub(in crate::doctor) wal_level: String,
    /// The level that the server writes, which it raises by itself (PostgreSQL 19 and later).
    pub(in crate::doctor) effective_wal_level: Option<String>,
    pub(in crate::doctor) is_standby: bool,
    pub(in crate::doctor) max_slots: u64,
    pub(in crate::doctor) slots: u64,
    /// Slots that nothing reads, ten at most.
    pub(in crate::doctor) inactive_slots: Vec<String>,
    pub(in crate::doctor) max_walsenders: u64,
    /// Without that of the check.
    pub(in crate::doctor) walsenders: u64,
    pub(in crate::doctor) has_standby_feedback: bool,
}

pub(super) fn query(catalog: &mut Catalog, walsender: Option<i32>) -> Result<Server, Error> {
    let rows = catalog.examine(SERVER, vec![Box::new(walsender.unwrap_or_default())])?;
    let (command, field) = ("pg_settings", "row");
    let row = rows.first().ok_or(ProtocolError::Answer { command, field })?;
    Ok(Server {
        version: ServerVersion::new(column::<i32>(row, 0)?.unsigned_abs()),
        wal_level: column(row, 1)?,
        effective_wal_level: optional(row, 2)?,
        is_standby: column(row, 3)?,
        max_slots: count(row, 4)?,
        slots: count(row, 5)?,
        inactive_slots: column(row, 6)?,
        max_walsenders: count(row, 7)?,
        walsenders: count(row, 8)?,
        has_standby_feedback: column::<String>(row, 9)? == "on",
    })
}
