//! Opening the first stream with an initial copy.

mod taken;

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use pgoutput_decode::Printable;

use super::initial_copy::CopyPlan;
use super::open::{
    CATALOG_TIMEOUT, CopyJobs, LostStream, Opened, STEP_TIMEOUT, Session, StreamOpener,
    check_not_moved,
};
use super::verify::Stored;
use crate::catalog::Catalog;
use crate::connection::{Connection, OnlyRow, SystemId};
use crate::error::{Error, ServerState, SnapshotError};
use crate::event::Copied;
use crate::event::signature::is_signed;
use crate::io::Waits;
use crate::proto::{CreateSlot, StartReplication};
use crate::setup::{Needs, SlotFacts, SlotWaitOptions};
use crate::snapshot::{CHUNK_PAGES, CopySettings, Selection, Snapshot, TableCopy};
use taken::Taken;

/// The connection on which a copy is prepared.
struct Preparation<'a> {
    opener: &'a StreamOpener,
    connection: Connection,
    catalog: Catalog,
    system: SystemId,
    wait_options: &'a SlotWaitOptions<'a>,
    selection: &'a Selection,
    jobs: Option<NonZeroU32>,
    settings: CopySettings,
    /// Whether no stream follows.
    is_alone: bool,
}

/// The state of a copy when its connection was lost.
#[derive(Debug)]
pub(crate) struct LostCopy {
    pub(crate) stream: LostStream,
    pub(crate) snapshot: Snapshot,
    pub(crate) copied: Copied,
    /// Whether an earlier run may have delivered rows of any table.
    pub(crate) repeats: bool,
    /// The longest wait for the creation of a slot; zero is no limit.
    pub(crate) wait_limit: Duration,
}

impl StreamOpener {
    /// Opens the first stream like [`open`](Self::open), and with it a copy of the tables that are
    /// not finished.
    pub(crate) fn open_with_copy(
        &self,
        snapshot: &Snapshot,
        create: Option<CreateSlot>,
        stored: Option<&Stored>,
        by_stages: bool,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<Opened, Error> {
        if snapshot.is_alone() {
            return Preparation::new(self, snapshot, wait_options, None)?.alone();
        }
        let copied = match stored.map(|stored| stored.position.identity().copied.as_deref()) {
            None => Copied::default(),
            Some(Some(copied)) if !copied.is_complete() => copied.clone(),
            // The position is from after the copy.
            Some(_) => return self.open(create, stored, wait_options),
        };
        let mut preparation = Preparation::new(self, snapshot, wait_options, None)?;
        let create = create.filter(|_| stored.is_none());
        let (taken, repeats) = match preparation.first(create)? {
            Some(taken) => (taken, false),
            None => match preparation.again(stored, by_stages)? {
                // A program may have processed rows after the position that it stored.
                Some(taken) => (taken, true),
                None => return self.open(None, None, wait_options),
            },
        };
        preparation.opened(taken, copied, repeats)
    }

    /// Continues a copy in another snapshot after its connection was lost. A stop of `waits` ends
    /// the wait for it.
    pub(super) fn open_copy_again(&self, lost: &LostCopy, waits: &Waits) -> Result<Opened, Error> {
        let Waits { stop, .. } = waits;
        let wait_options =
            SlotWaitOptions { limit: lost.wait_limit, listener: None, stop: Some(stop) };
        let opener = self.with_connect_timeout();
        let timeout = Some(STEP_TIMEOUT);
        let mut preparation = Preparation::new(&opener, &lost.snapshot, &wait_options, timeout)?;
        let name = &self.start.slot;
        let mut slot = preparation.connection.check_slot(name)?;
        if slot.in_use {
            // By the connection that was lost, until the server notices.
            preparation.connection.wait_for_release(name, &wait_options)?;
            slot = preparation.connection.check_slot(name)?;
        }
        lost.stream.check(&preparation.system, slot, name)?;
        let temporary = CreateSlot::new(temporary_name(name)).temporary(true);
        let taken = preparation.taken(&temporary, false)?;
        preparation.opened(taken, lost.copied.clone(), lost.repeats)
    }
}

impl<'a> Preparation<'a> {
    /// Connects. `timeout` is that of commands that do not wait for locks or transactions.
    fn new(
        opener: &'a StreamOpener,
        snapshot: &'a Snapshot,
        wait_options: &'a SlotWaitOptions<'a>,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let mut connection = Connection::connect(&opener.config)?;
        connection.set_command_timeout(timeout);
        let system = connection.identify_system()?;
        let mut catalog = Catalog::new(connection.sql_connector(&opener.config)?);
        opener.start.plugin_options(connection.server_version())?;
        // A row that the stream can send can be copied.
        connection.with_short_timeout(Connection::set_client_encoding)?;
        catalog.make_ready(CATALOG_TIMEOUT);
        let settings = CopySettings { lock_timeout: wait_options.limit };
        let (selection, jobs) = (snapshot.selection(), snapshot.several_jobs());
        Ok(Self {
            opener,
            connection,
            catalog,
            system,
            wait_options,
            selection,
            jobs,
            settings,
            is_alone: snapshot.is_alone(),
        })
    }

    /// Returns the server of the replication connection, which each job must connect to.
    fn server(&mut self) -> Result<ServerState, Error> {
        server_state(&mut self.connection, &self.system)
    }

    /// Creates the slot and takes its snapshot; `None` if the slot exists.
    fn first(&mut self, create: Option<CreateSlot>) -> Result<Option<Taken>, Error> {
        let start = &self.opener.start;
        let Some(create) = create else { return Ok(None) };
        let is_temporary = create.temporary;
        if !create.temporary && self.connection.slot_exists(&start.slot)? {
            return Ok(None);
        }
        if start.options.two_phase {
            return Err(SnapshotError::TWO_PHASE.into());
        }
        let needs = Needs { slot: &start.slot, publications: &start.publications, creates: true };
        self.connection
            .check_publications(&start.publications)
            .map_err(|error| self.connection.with_all_missing(error, &needs))?;
        match self.taken(&create, true) {
            // Another client was faster and has created it.
            Err(error) if error.sqlstate() == Some("42710") && !is_temporary => Ok(None),
            taken => taken.map(Some),
        }
    }

    /// Takes the snapshot of a copy that no stream follows.
    fn alone(mut self) -> Result<Opened, Error> {
        let start = &self.opener.start;
        let needs = Needs { slot: &start.slot, publications: &start.publications, creates: true };
        self.connection
            .check_publications(&start.publications)
            .map_err(|error| self.connection.with_all_missing(error, &needs))?;
        let create = CreateSlot::new(&*start.slot).temporary(true);
        let taken = self.taken(&create, false)?;
        self.opened(taken, Copied::default(), false)
    }

    /// Checks the slot that exists.
    fn found(&mut self, stored: Option<&Stored>) -> Result<SlotFacts, Error> {
        let start = &self.opener.start;
        let needs = Needs { slot: &start.slot, publications: &start.publications, creates: false };
        let connection = &mut self.connection;
        if let Some(stored) = stored {
            stored
                .verify(connection, &self.system, start)
                .map_err(|error| connection.with_all_missing(error, &needs))?;
        }
        connection.make_ready(&needs, None, &mut self.catalog, self.wait_options)
    }

    /// Takes another snapshot for a copy that was not completed; `None` if it was.
    fn again(&mut self, stored: Option<&Stored>, by_stages: bool) -> Result<Option<Taken>, Error> {
        let start = &self.opener.start;
        let mut slot = self.found(stored)?;
        let was_read = stored.is_none() && is_signed(slot.confirmed);
        if slot.in_use && !was_read {
            // The stream could not start after the copy.
            self.connection.wait_for_release(&start.slot, self.wait_options)?;
            slot = self.found(stored)?;
        }
        if stored.is_none() {
            let (name, confirmed) = (start.slot.clone(), slot.confirmed);
            if slot.waited_for || by_stages {
                return Err(SnapshotError::Unknown { slot: name, confirmed }.into());
            }
            if is_signed(confirmed) {
                log::info!("slot \"{}\" was read before: nothing is copied", Printable(&name));
                return Ok(None);
            }
        }
        if start.options.two_phase || slot.two_phase {
            return Err(SnapshotError::TWO_PHASE.into());
        }
        let temporary = CreateSlot::new(temporary_name(&start.slot)).temporary(true);
        self.taken(&temporary, false).map(Some)
    }

    fn opened(mut self, mut taken: Taken, copied: Copied, repeats: bool) -> Result<Opened, Error> {
        let start = &self.opener.start;
        let (version, tls) = (self.connection.server_version(), self.connection.is_tls());
        let pages = match &taken.keeper {
            Some(_) => NonZeroU32::new(CHUNK_PAGES).unwrap_or(NonZeroU32::MIN),
            None => NonZeroU32::MAX,
        };
        let binary = start.options.binary;
        let copy = |table| {
            let condition = self.selection.condition(&table);
            TableCopy::new(table, pages, binary, version).with_condition(condition)
        };
        let tables = std::mem::take(&mut taken.tables).into_iter().map(copy).collect();
        let SlotFacts { confirmed, waited_for: commits_wait, two_phase, .. } = taken.slot;
        // A new slot has no changes from before its snapshot.
        let slot_created = taken.new_slot.is_own();
        let skips = !slot_created && !self.selection.is_all();
        // If no table is finished, all changes before the snapshot are in the copy, except
        // messages, and changes of tables that are not copied.
        let is_new = copied.is_empty() && !start.options.messages && !skips;
        let stream_lsn = if is_new { taken.point } else { start.start_lsn.max(confirmed) };
        let point = taken.point;
        let plan = CopyPlan { tables, copied, repeats, skips, point, stream_lsn, confirmed };
        let timing = self.connection.timing();
        let timing = timing.map_err(|error| self.failed(error, &taken.new_slot))?;
        let session = if let (Some(keeper), Some(jobs)) = (taken.keeper, self.jobs) {
            let ended = self.end_creation(&taken.new_slot);
            ended.map_err(|error| self.failed(error, &taken.new_slot))?;
            let opener = self.connection.session_opener(&self.opener.config);
            let jobs = Box::new(CopyJobs { keeper, jobs, opener, settings: self.settings });
            if self.is_alone {
                Session::JobsAlone(self.connection, jobs, plan)
            } else {
                let copy = self.connection.start_replication(&StartReplication {
                    start_lsn: stream_lsn,
                    ..start.clone()
                });
                // There is no connection on which the slot could be dropped.
                let copy = copy.map_err(|error| taken.new_slot.named(error))?;
                // Other clients could move the slot until this connection acquired it.
                let status = self.catalog.slot_status(&start.slot);
                let unmoved = status.and_then(|status| {
                    let found = status.confirmed_flush_lsn.unwrap_or_default();
                    Ok(check_not_moved(&start.slot, confirmed, found)?)
                });
                unmoved.map_err(|error| taken.new_slot.named(error))?;
                Session::Jobs(copy, jobs, plan)
            }
        } else {
            let mut temporary_slot = taken.new_slot.temporary_slot();
            if self.is_alone
                && let Some(slot) = temporary_slot.take()
            {
                // It keeps no WAL during the copy.
                self.connection
                    .with_short_timeout(|connection| connection.drop_slot(&slot, false))?;
            }
            Session::Copy(self.connection, temporary_slot, plan)
        };
        Ok(Opened {
            session,
            timing,
            catalog: self.catalog,
            system: self.system,
            confirmed,
            start_lsn: stream_lsn,
            commits_wait,
            two_phase,
            slot_created,
            version,
            tls,
        })
    }
}

/// Returns the server of a connection.
pub(super) fn server_state(
    connection: &mut Connection,
    system: &SystemId,
) -> Result<ServerState, Error> {
    let answers = connection.with_short_timeout(|connection| {
        connection.simple_query(
            "SELECT pg_catalog.pg_is_in_recovery()::pg_catalog.text AS is_in_recovery",
        )
    })?;
    let row = OnlyRow::of(answers, "pg_is_in_recovery")?;
    let is_in_recovery = row.parse("is_in_recovery")?;
    Ok(ServerState { system_identifier: system.system_identifier, is_in_recovery })
}

/// Returns the name of a slot that is created only for its snapshot. It is random: the slot of a
/// process that has died exists until the server notices.
pub(crate) fn temporary_name(slot: &str) -> String {
    const LONGEST: usize = 63;
    let suffix = format!("_copy_{:016x}", RandomState::new().hash_one(slot));
    let kept = slot.get(..LONGEST - suffix.len()).unwrap_or(slot);
    format!("{kept}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_temporary_slot_fits() {
        for slot in ["s".to_owned(), "s".repeat(63)] {
            let name = temporary_name(&slot);
            assert!(name.len() <= 63 && name.starts_with('s') && name.contains("_copy_"), "{name}");
        }
    }
}
