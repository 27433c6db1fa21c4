//! The check of the slot to be read.

#[cfg(feature = "reader")]
use std::time::Duration;

use pgoutput_decode::Lsn;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind, ProtocolError, SetupError};
use crate::proto::quote::sql_name;
use crate::sql::slot::{SlotRow, slot_row};

/// The facts about a slot that can be read.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "reader"), expect(dead_code, reason = "only Reader compares them"))]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct SlotFacts {
    /// The slot's confirmed LSN: the server sends nothing that was committed before it.
    pub(crate) confirmed: Lsn,
    /// The oldest WAL that the server keeps for the slot.
    pub(crate) restart: Option<Lsn>,
    /// Whether the server is a standby.
    pub(crate) standby: bool,
    /// Whether another connection reads it.
    pub(crate) in_use: bool,
    /// Whether commits may wait for this connection, by `synchronous_standby_names`.
    pub(crate) waited_for: bool,
    /// Whether it sends prepared transactions when they are prepared, regardless of the options.
    pub(crate) two_phase: bool,
    /// Whether it was created for this reader.
    pub(crate) created: bool,
}

impl Connection {
    /// Checks that this is a logical slot for pgoutput, of this database, and not lost.
    ///
    /// # Errors
    /// The slot is missing or unsuitable; [`Unsupported`](ErrorKind::Unsupported) on a standby
    /// before PostgreSQL 16.
    pub(crate) fn check_slot(&mut self, slot: &str) -> Result<SlotFacts, Error> {
        let found = self.slot_row(slot)?;
        let slot = slot.to_owned();
        let Some(found) = found else { return Err(SetupError::SlotMissing { slot }.into()) };
        if found.slot_type != "logical" {
            return Err(SetupError::SlotPhysical { slot }.into());
        }
        if found.plugin != "pgoutput" {
            return Err(SetupError::SlotPlugin { slot, plugin: found.plugin }.into());
        }
        if found.database != found.session_database {
            let (database, connected) = (found.database, found.session_database);
            return Err(SetupError::SlotDatabase { slot, database, connected }.into());
        }
        let (standby, in_use, server) = (found.is_standby, found.is_in_use, self.server_version());
        if standby && server.major() < 16 {
            let option = "a standby as the source";
            return Err(ErrorKind::Unsupported { option, needed: 16, server }.into());
        }
        let is_lost = found.wal_status.as_deref() == Some("lost");
        if is_lost || found.invalidation_reason.is_some() || found.conflicting == Some(true) {
            let reason = found.invalidation_reason.unwrap_or_else(|| "wal_status lost".into());
            return Err(SetupError::SlotLost { slot, reason }.into());
        }
        let confirmed = match (found.confirmed_flush_lsn, found.active_pid) {
            (Some(confirmed), _) => confirmed,
            // Its creation has not ended.
            (None, Some(pid)) => return Err(SetupError::SlotBeingCreated { slot, pid }.into()),
            (None, None) => {
                let (command, field) = ("pg_replication_slots", "confirmed_flush_lsn");
                return Err(ProtocolError::Answer { command, field }.into());
            }
        };
        let restart = found.restart_lsn;
        let waited_for = is_named(&found.synchronous_standby_names, &found.application_name);
        // pgoutput of PostgreSQL 14 has no messages for them: there the flag changes nothing.
        let two_phase = found.two_phase == Some(true) && server.major() >= 15;
        let created = false;
        Ok(SlotFacts { confirmed, restart, standby, in_use, waited_for, two_phase, created })
    }

    /// Returns whether a slot of this name exists.
    ///
    /// # Errors
    /// Those of the server and the connection.
    pub fn slot_exists(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.slot_row(name)?.is_some())
    }

    fn slot_row(&mut self, slot: &str) -> Result<Option<SlotRow>, Error> {
        let rows = self.rows(&format!(slot_row!("{}"), sql_name(slot)))?;
        // NULL is the empty string here, and no column is empty otherwise.
        let read = |row: &Vec<String>| {
            SlotRow::read(|index| {
                row.get(index).map(String::as_str).filter(|text| !text.is_empty())
            })
        };
        Ok(rows.first().map(read).transpose()?)
    }
}

#[cfg(feature = "reader")]
impl Connection {
    /// Returns the process that creates the slot; `None` after that, and if there is no slot.
    pub(super) fn slot_creator(&mut self, slot: &str) -> Result<Option<i32>, Error> {
        let creating = self.slot_row(slot)?.filter(|slot| slot.confirmed_flush_lsn.is_none());
        Ok(creating.and_then(|slot| slot.active_pid))
    }

    /// Returns the process that holds the slot, if any.
    pub(super) fn slot_holder(&mut self, slot: &str) -> Result<Option<i32>, Error> {
        Ok(self.slot_row(slot)?.and_then(|slot| slot.active_pid))
    }

    /// Returns the process of another connection that holds the slot, if any.
    pub(super) fn other_holder(&mut self, slot: &str) -> Result<Option<i32>, Error> {
        let held = self.slot_row(slot)?.filter(|slot| slot.is_in_use);
        Ok(held.and_then(|slot| slot.active_pid))
    }

    /// Returns the process that serves this connection.
    pub(crate) fn backend_pid(&mut self) -> Result<i32, Error> {
        let rows = self.rows("SELECT pg_catalog.pg_backend_pid()")?;
        let pid = rows.first().and_then(|row| row.first()).and_then(|pid| pid.parse().ok());
        let (command, field) = ("pg_backend_pid", "pid");
        pid.ok_or_else(|| ProtocolError::Answer { command, field }.into())
    }

    /// Sets the longest wait of this connection for a lock; zero is no limit.
    pub(super) fn set_lock_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        let millis = timeout.as_micros().div_ceil(1000).min(i32::MAX.unsigned_abs().into());
        let set = if self.is_replication() { "SET" } else { "SET LOCAL" };
        self.rows(&format!("{set} lock_timeout = {millis}")).map(drop)
    }
}

/// Returns whether `synchronous_standby_names` may mean a connection of this name. A false positive
/// costs little; a false negative would hold up commits.
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
