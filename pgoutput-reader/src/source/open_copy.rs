//! Opening the first stream with an initial copy.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use pgoutput_decode::{Lsn, Printable};

use super::initial_copy::CopyPlan;
use super::open::{CATALOG_TIMEOUT, CopyJobs, LostStream, Opened, Session, StreamOpener};
use super::verify::Stored;
use crate::catalog::Catalog;
use crate::connection::{Connection, CreatedSlot, SystemId};
use crate::error::{Error, ProtocolError, SnapshotError};
use crate::event::Copied;
use crate::event::signature::is_signed;
use crate::io::Waits;
use crate::proto::{CreateSlot, SlotSnapshot, StartReplication};
use crate::setup::{Needs, SlotFacts, SlotWaitOptions};
use crate::snapshot::{CHUNK_PAGES, CopySettings, Keeper, PublishedTable, Snapshot, TableCopy};

/// The connection on which a copy is prepared.
struct Preparation<'a> {
    opener: &'a StreamOpener,
    connection: Connection,
    catalog: Catalog,
    system: SystemId,
    wait_options: &'a SlotWaitOptions<'a>,
    jobs: Option<NonZeroU32>,
    settings: CopySettings,
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

/// A snapshot, and the published tables as they are in it.
struct Taken {
    slot: SlotFacts,
    /// The LSN of the snapshot.
    point: Lsn,
    /// The slot that was created only for the snapshot.
    temporary_slot: Option<String>,
    keeper: Option<Keeper>,
    tables: Vec<PublishedTable>,
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
        let copied = match stored.map(|stored| stored.position.identity().copied.as_deref()) {
            None => Copied::default(),
            Some(Some(copied)) if !copied.is_complete() => copied.clone(),
            // The position is from after the copy.
            Some(_) => return self.open(create, stored, wait_options),
        };
        let mut preparation = Preparation::new(self, snapshot, wait_options)?;
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
        let mut preparation = Preparation::new(self, &lost.snapshot, &wait_options)?;
        let start = &self.start;
        let slot = preparation.connection.check_slot(&start.slot)?;
        lost.stream.check(&preparation.system, slot, &start.slot)?;
        let temporary = CreateSlot::new(temporary_name(&start.slot)).temporary(true);
        let taken = preparation.taken(temporary, false)?;
        preparation.opened(taken, lost.copied.clone(), lost.repeats)
    }
}

impl<'a> Preparation<'a> {
    fn new(
        opener: &'a StreamOpener,
        snapshot: &Snapshot,
        wait_options: &'a SlotWaitOptions<'a>,
    ) -> Result<Self, Error> {
        let mut connection = Connection::connect(&opener.config)?;
        let system = connection.identify_system()?;
        let mut catalog = Catalog::new(connection.sql_connector(&opener.config)?);
        opener.start.plugin_options(connection.server_version())?;
        // A row that the stream can send can be copied.
        connection.with_short_timeout(Connection::set_client_encoding)?;
        catalog.make_ready(CATALOG_TIMEOUT);
        let settings = CopySettings { lock_timeout: wait_options.limit };
        let jobs = snapshot.several_jobs();
        Ok(Self { opener, connection, catalog, system, wait_options, jobs, settings })
    }

    fn start(&self) -> &StartReplication {
        &self.opener.start
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
        match self.taken(create, true) {
            // Another client was faster and has created it.
            Err(error) if error.sqlstate() == Some("42710") && !is_temporary => Ok(None),
            taken => taken.map(Some),
        }
    }

    /// Takes another snapshot for a copy that was not completed; `None` if it was.
    fn again(&mut self, stored: Option<&Stored>, by_stages: bool) -> Result<Option<Taken>, Error> {
        let start = &self.opener.start;
        let needs = Needs { slot: &start.slot, publications: &start.publications, creates: false };
        let connection = &mut self.connection;
        if let Some(stored) = stored {
            stored
                .verify(connection, &self.system, start)
                .map_err(|error| connection.with_all_missing(error, &needs))?;
        }
        let slot = connection.make_ready(&needs, None, &mut self.catalog, self.wait_options)?;
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
        self.taken(temporary, false).map(Some)
    }

    /// Creates a slot and locks the published tables in its snapshot. `is_own` is whether it is the
    /// slot of the stream.
    fn taken(&mut self, create: CreateSlot, is_own: bool) -> Result<Taken, Error> {
        let (name, use_of) = (create.name.clone(), self.jobs.map(|_| SlotSnapshot::Export));
        let create = create.snapshot(use_of.unwrap_or(SlotSnapshot::Use));
        if self.jobs.is_none() {
            self.settings.apply(&mut self.connection)?;
        }
        let created = self.connection.create_slot_reporting_waits(
            &create,
            &mut self.catalog,
            self.wait_options,
        )?;
        let point = created.consistent_point;
        if self.jobs.is_none() {
            self.settings.limit_locks(&mut self.connection)?;
        }
        let locked = self.locked(created);
        let (keeper, tables) = locked.map_err(|error| self.failed(error, is_own))?;
        let slot = self.connection.check_slot(&self.opener.start.slot)?;
        let temporary_slot = (!is_own).then_some(name);
        Ok(Taken { slot, point, temporary_slot, keeper, tables })
    }

    fn locked(
        &mut self,
        created: CreatedSlot,
    ) -> Result<(Option<Keeper>, Vec<PublishedTable>), Error> {
        let publications = &self.opener.start.publications;
        if self.jobs.is_none() {
            return Ok((None, self.connection.lock_published(publications)?));
        }
        let (command, field) = ("CREATE_REPLICATION_SLOT", "snapshot_name");
        let exported = created.snapshot_name.ok_or(ProtocolError::Answer { command, field })?;
        let opener = self.connection.session_opener(&self.opener.config);
        let system_identifier = self.system.system_identifier;
        let mut keeper = Keeper::open(&opener, self.settings, &exported, system_identifier)?;
        let tables = keeper.lock(publications)?;
        Ok((Some(keeper), tables))
    }

    /// Drops the slot of a copy that could not start.
    fn failed(&mut self, error: Error, is_own: bool) -> Error {
        let slot = &self.start().slot.clone();
        if is_own {
            let rolled_back = self.connection.simple_query("ROLLBACK");
            let dropped = rolled_back.and_then(|_| self.connection.drop_slot(slot, false));
            if dropped.is_err() {
                let (slot, cause) = (slot.clone(), error.to_string());
                return SnapshotError::Interrupted { slot, cause }.into();
            }
        }
        error
    }

    fn opened(mut self, taken: Taken, copied: Copied, repeats: bool) -> Result<Opened, Error> {
        let Taken { slot, point, temporary_slot, keeper, tables } = taken;
        let start = &self.opener.start;
        let (version, tls) = (self.connection.server_version(), self.connection.is_tls());
        let pages = match &keeper {
            Some(_) => NonZeroU32::new(CHUNK_PAGES).unwrap_or(NonZeroU32::MIN),
            None => NonZeroU32::MAX,
        };
        let binary = start.options.binary;
        let tables =
            tables.into_iter().map(|table| TableCopy::new(table, pages, binary, version)).collect();
        let SlotFacts { confirmed, waited_for: commits_wait, two_phase, .. } = slot;
        // If no table is finished, all changes before the snapshot are in the copy, except
        // messages.
        let is_new = copied.is_empty() && !start.options.messages;
        let stream_lsn = if is_new { point } else { start.start_lsn.max(confirmed) };
        let plan = CopyPlan { tables, copied, repeats, point, stream_lsn, confirmed };
        let timing = self.connection.timing()?;
        let session = match (keeper, self.jobs) {
            (Some(keeper), Some(jobs)) => {
                self.connection.end_slot_creation()?;
                if let Some(slot) = &temporary_slot {
                    self.connection.drop_slot(slot, false)?;
                }
                let opener = self.connection.session_opener(&self.opener.config);
                let jobs = Box::new(CopyJobs { keeper, jobs, opener, settings: self.settings });
                let again = StartReplication { start_lsn: stream_lsn, ..start.clone() };
                let copy = self.connection.start_replication(&again)?;
                Session::Jobs(copy, jobs, plan)
            }
            _ => Session::Copy(self.connection, temporary_slot, plan),
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
            version,
            tls,
        })
    }
}

/// Returns the name of a slot that is created only for its snapshot. It is random: the slot of a
/// process that has died exists until the server notices.
fn temporary_name(slot: &str) -> String {
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
