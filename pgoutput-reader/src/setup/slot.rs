//! Whether a slot can still be read.

use pgoutput_decode::Lsn;

use super::literal;
use crate::connection::Connection;
use crate::error::{ProtocolError, SetupError};
use crate::{Error, ErrorKind};

/// Columns that came with later servers by way of JSON.
const STANDING: &str = "\
SELECT slot.confirmed_flush_lsn, slot.restart_lsn, pg_catalog.pg_is_in_recovery(), \
       later.columns ->> 'wal_status', later.columns ->> 'invalidation_reason', later.columns ->> 'conflicting' \
FROM pg_catalog.pg_replication_slots AS slot, \
     LATERAL (SELECT pg_catalog.to_jsonb(slot) AS columns) AS later \
WHERE slot.slot_name = ";

/// Where a slot stands that can be read.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "catalog"), expect(dead_code, reason = "only Reader compares them"))]
pub(crate) struct SlotStanding {
    /// Everything before it is forgotten.
    pub(crate) confirmed_flush_lsn: Lsn,
    /// The oldest log that is kept for it.
    pub(crate) restart_lsn: Option<Lsn>,
}

impl Connection {
    /// That a logical slot is not lost, and where it stands.
    ///
    /// # Errors
    /// [`SetupError::SlotLost`]; [`Unsupported`](ErrorKind::Unsupported) on a standby before PostgreSQL 16.
    pub(crate) fn slot_standing(&mut self, slot: &str) -> Result<SlotStanding, Error> {
        let rows = self.rows(&format!("{STANDING}{}", literal(slot)))?;
        let slot = slot.to_owned();
        let Some(row) = rows.first() else { return Err(SetupError::SlotMissing { slot }.into()) };
        let [confirmed, restart, standby, status, reason, conflicting] =
            [0, 1, 2, 3, 4, 5].map(|place| row.get(place).map(String::as_str).unwrap_or_default());
        let server = self.server_version();
        if standby == "t" && server.major() < 16 {
            let option = "a standby as the source";
            return Err(ErrorKind::Unsupported { option, needed: 16, server }.into());
        }
        if status == "lost" || !reason.is_empty() || conflicting == "true" {
            let reason = if reason.is_empty() { "wal_status lost" } else { reason };
            return Err(SetupError::SlotLost { slot, reason: reason.into() }.into());
        }
        let read = |text: &str, field| {
            let unreadable = ProtocolError::Answer { command: "pg_replication_slots", field };
            text.parse::<Lsn>().map_err(|_| unreadable)
        };
        let restart_lsn = (!restart.is_empty()).then(|| read(restart, "restart_lsn"));
        Ok(SlotStanding {
            confirmed_flush_lsn: read(confirmed, "confirmed_flush_lsn")?,
            restart_lsn: restart_lsn.transpose()?,
        })
    }
}
