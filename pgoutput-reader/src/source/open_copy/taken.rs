//! The snapshot of a copy, taken with a slot, and the locks of its tables.

use std::time::Duration;

use pgoutput_decode::Lsn;

use super::Preparation;
use crate::connection::{Connection, CreatedSlot};
use crate::error::{Error, ErrorKind, ProtocolError, ServerState, SnapshotError};
use crate::proto::{CreateSlot, SlotSnapshot};
use crate::setup::SlotFacts;
use crate::snapshot::{Keeper, PublishedTable};
use crate::source::lock_watch::{LockWatch, WaitingSession};

/// The time that the server has to drop a slot after an error.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of snapshots that are taken if tables are changed before they can be locked.
const ATTEMPTS: u32 = 5;

/// A snapshot, and the published tables as they are in it.
pub(super) struct Taken {
    pub(super) slot: SlotFacts,
    /// The LSN of the snapshot.
    pub(super) point: Lsn,
    pub(super) new_slot: NewSlot,
    pub(super) keeper: Option<Keeper>,
    pub(super) tables: Vec<PublishedTable>,
}

/// The slot that was created with the snapshot.
#[derive(Debug)]
pub(super) struct NewSlot {
    name: String,
    /// Whether it is the slot of the stream.
    is_own: bool,
    /// Whether it ends with its connection.
    is_temporary: bool,
}

impl NewSlot {
    pub(super) fn is_own(&self) -> bool {
        self.is_own
    }

    /// Returns the name of a slot that was created only for the snapshot.
    pub(super) fn temporary_slot(self) -> Option<String> {
        (!self.is_own).then_some(self.name)
    }

    /// Adds the name of a slot that remains to an error.
    pub(super) fn named(&self, error: Error) -> Error {
        if self.is_temporary { error } else { SnapshotError::interrupted(&self.name, error) }
    }
}

impl Preparation<'_> {
    /// Creates a slot and locks the published tables in its snapshot. `is_own` is whether it is the
    /// slot of the stream. If a table was changed in between, it starts again.
    ///
    /// # Errors
    /// The slot was dropped again, or the error names it.
    pub(super) fn taken(&mut self, create: &CreateSlot, is_own: bool) -> Result<Taken, Error> {
        if !self.selection.is_all() {
            // What is not published is found before anything is created.
            let publications = &self.opener.start.publications;
            let (selection, settings) = (self.selection, self.settings);
            self.watched(|connection| {
                connection.check_selected(publications, selection, settings)
            })?;
        }
        for attempt in 1..ATTEMPTS {
            match self.take(create.clone(), is_own) {
                Err(error) if is_changed_table(&error) => {
                    log::info!("{error}; attempt {attempt} of {ATTEMPTS}");
                    if create.temporary {
                        self.drop_new_slot(&create.name)?;
                    }
                }
                taken => return taken,
            }
        }
        self.take(create.clone(), is_own)
    }

    fn take(&mut self, create: CreateSlot, is_own: bool) -> Result<Taken, Error> {
        let new_slot =
            NewSlot { name: create.name.clone(), is_own, is_temporary: create.temporary };
        let use_of = self.jobs.map(|_| SlotSnapshot::Export);
        let create = create.snapshot(use_of.unwrap_or(SlotSnapshot::Use));
        let server = self.jobs.map(|_| self.server()).transpose()?;
        if server.is_none() {
            self.settings.apply(&mut self.connection)?;
        }
        let (catalog, wait_options) = (&mut self.catalog, self.wait_options);
        // The creation waits for open transactions.
        let created = self.connection.with_timeout(None, |connection| {
            connection.create_slot_reporting_waits(&create, catalog, wait_options)
        })?;
        let point = created.consistent_point;
        match self.locked(created, server) {
            Ok((slot, keeper, tables)) => Ok(Taken { slot, point, new_slot, keeper, tables }),
            Err(error) => Err(self.failed(error, &new_slot)),
        }
    }

    /// Locks the tables, on the connection that has the snapshot. `server` is given if another
    /// session keeps it.
    fn locked(
        &mut self,
        created: CreatedSlot,
        server: Option<ServerState>,
    ) -> Result<(SlotFacts, Option<Keeper>, Vec<PublishedTable>), Error> {
        let (publications, settings) = (&self.opener.start.publications, self.settings);
        let selection = self.selection;
        let limit = settings.lock_timeout;
        let (keeper, tables) = if let Some(server) = server {
            let (command, field) = ("CREATE_REPLICATION_SLOT", "snapshot_name");
            let exported = created.snapshot_name.ok_or(ProtocolError::Answer { command, field })?;
            let opener = self.connection.session_opener(&self.opener.config);
            let mut keeper = Keeper::open(&opener, settings, &exported, server)?;
            let (pid, waker) = keeper.process()?;
            let session = WaitingSession { pid, waker, address: &opener.address() };
            let (catalog, stop) = (&mut self.catalog, self.wait_options.stop);
            let tables = LockWatch { catalog, stop, limit }
                .run(&session, || keeper.lock(publications, selection))?;
            (Some(keeper), tables)
        } else {
            let tables = self.watched(|connection| {
                connection.lock_published(publications, selection, settings)
            })?;
            (None, tables)
        };
        let slot = self.connection.check_slot(&self.opener.start.slot)?;
        Ok((slot, keeper, tables))
    }

    /// Does what may wait for locks on the connection itself, until a stop.
    fn watched<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let limit = self.settings.lock_timeout;
        let connection = &mut self.connection;
        let (pid, waker) = (connection.backend_pid()?, connection.waker());
        let address = connection.address().to_owned();
        let session = WaitingSession { pid, waker, address: &address };
        let (catalog, stop) = (&mut self.catalog, self.wait_options.stop);
        LockWatch { catalog, stop, limit }.run(&session, || work(connection))
    }

    /// Ends the creation of a slot whose snapshot another session keeps.
    pub(super) fn end_creation(&mut self, new_slot: &NewSlot) -> Result<(), Error> {
        self.connection.end_slot_creation()?;
        if new_slot.is_own {
            return Ok(());
        }
        self.connection.with_short_timeout(|connection| connection.drop_slot(&new_slot.name, false))
    }

    /// Drops the slot of a copy that could not start, or names it.
    pub(super) fn failed(&mut self, error: Error, new_slot: &NewSlot) -> Error {
        if new_slot.is_temporary {
            return error;
        }
        match self.drop_new_slot(&new_slot.name) {
            Ok(()) => error,
            Err(_) => new_slot.named(error),
        }
    }

    /// Ends the transaction of a new slot's snapshot and drops the slot.
    fn drop_new_slot(&mut self, name: &str) -> Result<(), Error> {
        let in_transaction = self.jobs.is_none();
        self.connection.with_timeout(Some(DROP_TIMEOUT), |connection| {
            if in_transaction {
                connection.simple_query("ROLLBACK")?;
            }
            connection.drop_slot(name, false)
        })
    }
}

fn is_changed_table(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Snapshot(SnapshotError::TableChanged { .. }))
}
