//! Replication commands (manual, section "Streaming Replication Protocol"; the grammar is
//! PostgreSQL's `repl_gram.y`).

use std::fmt::Write as _;

use super::quote::slot_name;
#[cfg(feature = "reader")]
use super::quote::sql_name;
use super::start_replication::StartReplication;
use crate::error::{Error, ErrorKind};
use crate::server_version::ServerVersion;

pub(crate) const IDENTIFY_SYSTEM: &str = "IDENTIFY_SYSTEM";

pub(crate) fn timeline_history(timeline: u32) -> String {
    format!("TIMELINE_HISTORY {timeline}")
}

/// The settings for creating a logical slot for pgoutput.
///
/// ```
/// use pgoutput_reader::{CreateSlot, SlotSnapshot};
///
/// let create = CreateSlot::new("my_slot").snapshot(SlotSnapshot::Export);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSlot {
    pub(crate) name: String,
    pub(crate) temporary: bool,
    snapshot: SlotSnapshot,
    two_phase: bool,
    pub(crate) failover: bool,
}

/// Use of the snapshot taken when a slot is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SlotSnapshot {
    /// No snapshot.
    #[default]
    Nothing,
    /// Export it: other sessions may import it until this connection runs its next command.
    Export,
    /// Use it in the open transaction of this connection.
    Use,
}

impl CreateSlot {
    /// Returns the settings for a permanent slot that starts at the current WAL position. Its name
    /// consists of lower-case letters, digits and underscores, at most 63.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            temporary: false,
            snapshot: SlotSnapshot::Nothing,
            two_phase: false,
            failover: false,
        }
    }

    /// Sets whether the server drops the slot at the end of the connection.
    #[must_use]
    pub fn temporary(mut self, temporary: bool) -> Self {
        self.temporary = temporary;
        self
    }

    /// Sets the use of the snapshot taken when the slot is created.
    #[must_use]
    pub fn snapshot(mut self, snapshot: SlotSnapshot) -> Self {
        self.snapshot = snapshot;
        self
    }

    /// Sets whether prepared transactions are decoded when they are prepared. PostgreSQL 15 and
    /// later, whose pgoutput has messages for them.
    #[must_use]
    pub fn two_phase(mut self, two_phase: bool) -> Self {
        self.two_phase = two_phase;
        self
    }

    /// Sets whether the slot is synchronized to standbys. PostgreSQL 17 and later.
    #[must_use]
    pub fn failover(mut self, failover: bool) -> Self {
        self.failover = failover;
        self
    }

    /// Returns whether the snapshot is exported.
    #[cfg(feature = "reader")]
    pub(crate) fn exports_snapshot(&self) -> bool {
        self.snapshot == SlotSnapshot::Export
    }

    /// Returns whether the snapshot is used in the transaction of the connection.
    #[cfg(feature = "reader")]
    pub(crate) fn uses_snapshot(&self) -> bool {
        self.snapshot == SlotSnapshot::Use
    }

    fn check(&self, server: ServerVersion) -> Result<(), Error> {
        for (option, needed, wanted) in
            [("two_phase", 15, self.two_phase), ("failover", 17, self.failover)]
        {
            if wanted && server.major() < needed {
                return Err(ErrorKind::Unsupported { option, needed, server }.into());
            }
        }
        Ok(())
    }

    /// Returns SQL that creates the slot, without its snapshot, and returns the same columns as the
    /// command.
    #[cfg(feature = "reader")]
    pub(crate) fn sql(&self, server: ServerVersion) -> Result<String, Error> {
        self.check(server)?;
        slot_name(&self.name)?;
        let mut arguments = format!("{}, 'pgoutput', {}", sql_name(&self.name), self.temporary);
        if server.major() >= 15 {
            let _ = write!(arguments, ", {}", self.two_phase);
        }
        if server.major() >= 17 {
            let _ = write!(arguments, ", {}", self.failover);
        }
        Ok(format!(
            "SELECT created.slot_name::pg_catalog.text AS slot_name, \
             created.lsn::pg_catalog.text AS consistent_point \
             FROM pg_catalog.pg_create_logical_replication_slot({arguments}) \
             AS created (slot_name, lsn)"
        ))
    }

    pub(crate) fn command(&self, server: ServerVersion) -> Result<String, Error> {
        self.check(server)?;
        let mut command = format!("CREATE_REPLICATION_SLOT {}", slot_name(&self.name)?);
        if self.temporary {
            command += " TEMPORARY";
        }
        command += " LOGICAL pgoutput ";
        // Options in parentheses exist since 15.
        if server.major() < 15 {
            command += match self.snapshot {
                SlotSnapshot::Nothing => "NOEXPORT_SNAPSHOT",
                SlotSnapshot::Export => "EXPORT_SNAPSHOT",
                SlotSnapshot::Use => "USE_SNAPSHOT",
            };
            return Ok(command);
        }
        command += match self.snapshot {
            SlotSnapshot::Nothing => "(SNAPSHOT 'nothing'",
            SlotSnapshot::Export => "(SNAPSHOT 'export'",
            SlotSnapshot::Use => "(SNAPSHOT 'use'",
        };
        if self.two_phase {
            command += ", TWO_PHASE";
        }
        if self.failover {
            command += ", FAILOVER";
        }
        command.push(')');
        Ok(command)
    }
}

pub(crate) fn drop_slot(name: &str, wait: bool) -> Result<String, Error> {
    let wait = if wait { " WAIT" } else { "" };
    Ok(format!("DROP_REPLICATION_SLOT {}{wait}", slot_name(name)?))
}

pub(crate) fn start_replication(
    start: &StartReplication,
    server: ServerVersion,
) -> Result<String, Error> {
    let mut command =
        format!("START_REPLICATION SLOT {} LOGICAL {} (", slot_name(&start.slot)?, start.start_lsn);
    for (position, (name, value)) in start.plugin_options(server)?.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(command, "{comma}\"{name}\" {value}");
    }
    command.push(')');
    Ok(command)
}

#[cfg(test)]
mod tests;
