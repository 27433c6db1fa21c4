//! Whether a slot is one to read, and where it stands.

#[cfg(feature = "reader")]
use std::time::Duration;

use pgoutput_decode::Lsn;

use super::name;
use super::names::{self, hex};
use crate::connection::Connection;
use crate::error::{ProtocolError, SetupError};
use crate::{Error, ErrorKind};

/// Columns that came with later servers by way of JSON.
const FACTS: &str = concat!(
    "SELECT slot.slot_type, slot.plugin, ",
    hex!("slot.database"),
    ", ",
    hex!("pg_catalog.current_database()"),
    ", \
       slot.confirmed_flush_lsn, slot.restart_lsn, pg_catalog.pg_is_in_recovery(), \
       later.columns OPERATOR(pg_catalog.->>) 'wal_status'::pg_catalog.text, \
       later.columns OPERATOR(pg_catalog.->>) 'invalidation_reason'::pg_catalog.text, \
       later.columns OPERATOR(pg_catalog.->>) 'conflicting'::pg_catalog.text, \
       slot.active_pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid(), \
",
    hex!("pg_catalog.current_setting('synchronous_standby_names'::pg_catalog.text)"),
    ", ",
    hex!("pg_catalog.current_setting('application_name'::pg_catalog.text)"),
    ", \
       slot.active_pid, \
       later.columns OPERATOR(pg_catalog.->>) 'two_phase'::pg_catalog.text \
FROM pg_catalog.pg_replication_slots AS slot, \
     LATERAL (SELECT pg_catalog.to_jsonb(slot) AS columns) AS later \
WHERE slot.slot_name OPERATOR(pg_catalog.=) "
);

/// What is known of a slot that fits.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "reader"), expect(dead_code, reason = "only Reader compares them"))]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct SlotFacts {
    /// Everything before it is forgotten.
    pub(crate) confirmed: Lsn,
    /// The oldest log that is kept for it.
    pub(crate) restart: Option<Lsn>,
    /// The server is a standby.
    pub(crate) standby: bool,
    /// Another connection reads it.
    pub(crate) in_use: bool,
    /// Commits may wait for this connection, by `synchronous_standby_names`.
    pub(crate) waited_for: bool,
    /// It sends prepared transactions when they are prepared, whatever the options say.
    pub(crate) two_phase: bool,
}

impl Connection {
    /// A logical slot of pgoutput and this database that is not lost, and what else is to be known of it.
    ///
    /// # Errors
    /// What does not fit; [`Unsupported`](ErrorKind::Unsupported) on a standby before PostgreSQL 16.
    pub(crate) fn check_slot(&mut self, slot: &str) -> Result<SlotFacts, Error> {
        let rows = self.rows(&format!("{FACTS}{}", name(slot)))?;
        let slot = slot.to_owned();
        let Some(row) = rows.first() else { return Err(SetupError::SlotMissing { slot }.into()) };
        let text = |place: usize| row.get(place).map(String::as_str).unwrap_or_default();
        let [slot_type, plugin, database, connected] = [0, 1, 2, 3].map(text);
        if slot_type != "logical" {
            return Err(SetupError::SlotPhysical { slot }.into());
        }
        if plugin != "pgoutput" {
            return Err(SetupError::SlotPlugin { slot, plugin: plugin.into() }.into());
        }
        if database != connected {
            let (database, connected) = (names::shown(database), names::shown(connected));
            return Err(SetupError::SlotDatabase { slot, database, connected }.into());
        }
        let [confirmed, restart, standby, status, reason, conflicting, in_use, two_phase] =
            [4, 5, 6, 7, 8, 9, 10, 14].map(text);
        let (standby, in_use, server) = (standby == "t", in_use == "t", self.server_version());
        if standby && server.major() < 16 {
            let option = "a standby as the source";
            return Err(ErrorKind::Unsupported { option, needed: 16, server }.into());
        }
        if status == "lost" || !reason.is_empty() || conflicting == "true" {
            let reason = if reason.is_empty() { "wal_status lost" } else { reason };
            return Err(SetupError::SlotLost { slot, reason: reason.into() }.into());
        }
        // The server is not through with creating it.
        if confirmed.is_empty()
            && let Ok(pid) = text(13).parse()
        {
            return Err(SetupError::SlotBeingCreated { slot, pid }.into());
        }
        let read = |text: &str, field| {
            let unreadable = ProtocolError::Answer { command: "pg_replication_slots", field };
            text.parse::<Lsn>().map_err(|_| unreadable)
        };
        let restart = (!restart.is_empty()).then(|| read(restart, "restart_lsn")).transpose()?;
        let confirmed = read(confirmed, "confirmed_flush_lsn")?;
        let [names, name] = [11, 12].map(|place| names::shown(text(place)));
        let waited_for = is_named(&names, &name);
        // pgoutput of PostgreSQL 14 has no messages for them: there the flag changes nothing.
        let two_phase = two_phase == "true" && server.major() >= 15;
        Ok(SlotFacts { confirmed, restart, standby, in_use, waited_for, two_phase })
    }
}

#[cfg(feature = "reader")]
impl Connection {
    /// The process that creates the slot; `None` when it is through, or there is no slot.
    pub(super) fn slot_creator(&mut self, slot: &str) -> Result<Option<i32>, Error> {
        let rows = self.rows(&format!(
            "SELECT slot.active_pid FROM pg_catalog.pg_replication_slots AS slot \
             WHERE slot.confirmed_flush_lsn IS NULL \
               AND slot.slot_name OPERATOR(pg_catalog.=) {}",
            name(slot)
        ))?;
        Ok(rows.first().and_then(|row| row.first()).and_then(|pid| pid.parse().ok()))
    }

    /// The process that holds the slot, if any.
    pub(super) fn slot_holder(&mut self, slot: &str) -> Result<Option<i32>, Error> {
        let rows = self.rows(&format!(
            "SELECT slot.active_pid FROM pg_catalog.pg_replication_slots AS slot \
             WHERE slot.slot_name OPERATOR(pg_catalog.=) {}",
            name(slot)
        ))?;
        Ok(rows.first().and_then(|row| row.first()).and_then(|pid| pid.parse().ok()))
    }

    /// The process that serves this connection.
    pub(super) fn backend_pid(&mut self) -> Result<i32, Error> {
        let rows = self.rows("SELECT pg_catalog.pg_backend_pid()")?;
        let pid = rows.first().and_then(|row| row.first()).and_then(|pid| pid.parse().ok());
        let (command, field) = ("pg_backend_pid", "pid");
        pid.ok_or_else(|| ProtocolError::Answer { command, field }.into())
    }

    /// How long this connection waits for a lock; zero is without limit.
    pub(super) fn set_lock_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        let millis = timeout.as_micros().div_ceil(1000).min(i32::MAX.unsigned_abs().into());
        self.rows(&format!("SET lock_timeout = {millis}")).map(drop)
    }
}

/// Whether `synchronous_standby_names` may mean a connection of this name. One that it only seems to mean
/// costs little, one that is overlooked holds up commits.
fn is_named(names: &str, application_name: &str) -> bool {
    let (names, name) = (names.to_lowercase(), application_name.to_lowercase());
    names.contains('*') || (!name.is_empty() && names.contains(&name.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn names_of_synchronous_standbys_are_recognised() {
        for names in ["me", "*", "FIRST 1 (other, Me)", "ANY 2 (\"me\", b)", "2 (a, *)", "some"] {
            assert!(is_named(names, "me"), "{names}");
        }
        assert!(is_named("\"a\"\"b\"", "a\"b"));
        for (names, name) in [("", "me"), ("", ""), ("a, b", "me"), ("FIRST 1 (a)", "")] {
            assert!(!is_named(names, name), "{names} {name}");
        }
    }
}
