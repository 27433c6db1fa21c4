//! Opening a copy of tables that are added while the stream is open.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, Oid};

use super::lock_watch::{LockWatch, WaitingSession};
use super::open::{CopyJobs, Opened, STEP_TIMEOUT, Session, StreamOpener};
use super::open_copy::{server_state, temporary_name};
use super::publication_watch::PublicationWatch;
use super::stream_settings::StreamSettings;
use crate::catalog::Catalog;
use crate::connection::{Connection, SystemId};
use crate::error::{Error, ErrorKind, HistoryError, ProtocolError, SnapshotError};
use crate::event::{Copied, KnownTables, Position};
use crate::io::{StopHandle, Waits, WakePipe, Waker, worker};
use crate::proto::{CreateSlot, SlotSnapshot};
use crate::setup::SlotWaitOptions;
use crate::snapshot::{CHUNK_PAGES, CopySettings, Keeper, Selection, Snapshot, TableCopy};

/// The number of snapshots that are tried while the tables are being altered.
const SNAPSHOTS: u32 = 5;

/// The tables to be copied.
#[derive(Debug)]
pub(super) struct AdditionRequest {
    pub(super) opener: StreamOpener,
    /// The cluster and the timeline of the stream.
    pub(super) system_identifier: u64,
    pub(super) timeline: u32,
    pub(super) tables: BTreeSet<Oid>,
    pub(super) jobs: NonZeroU32,
    /// The longest wait for the creation of a slot; zero is no limit.
    pub(super) wait_limit: Duration,
}

/// Tables in a snapshot of their own.
pub(super) struct Addition {
    pub(super) jobs: CopyJobs,
    /// Those of the requested tables that are published in the snapshot.
    pub(super) tables: Vec<TableCopy>,
    /// The LSN of the snapshot.
    pub(super) point: Lsn,
}

/// The settings of copies of tables that are added.
#[derive(Debug)]
pub(crate) struct AdditionSettings {
    /// The number of jobs that copy.
    pub(super) jobs: NonZeroU32,
    /// The longest wait for the creation of a slot; zero is no limit.
    pub(super) wait_limit: Duration,
    /// Whether the slot sends prepared transactions when they are prepared.
    pub(super) two_phase: bool,
    /// The tables of a copy that was interrupted, some of which are not finished.
    pub(super) interrupted: Option<Copied>,
    /// Further tables, to be added once the stream has reached this LSN.
    pub(super) joined: Option<(Lsn, BTreeSet<Oid>)>,
    /// The tables that are known, if those that join the publications are added.
    pub(crate) known: Option<KnownTables>,
    /// The search for them.
    pub(super) watch: Option<PublicationWatch>,
}

/// An attempt to open a copy, on a thread of its own. After a drop it ends by itself.
#[derive(Debug)]
pub(super) struct AdditionAttempt {
    result: Receiver<Result<Addition, Error>>,
    /// Whether the slot was created, or will never be.
    has_slot: Arc<AtomicBool>,
    abandoned: StopHandle,
}

/// Sets a value when it is dropped, which a panic does too.
struct SetAtEnd(Arc<AtomicBool>);

impl Drop for SetAtEnd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl AdditionAttempt {
    /// Starts an attempt. `done` is woken when there is a result.
    pub(super) fn start(request: AdditionRequest, done: Waker) -> Result<Self, Error> {
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", "connecting", error))?;
        let abandoned = StopHandle::new(wake.waker());
        let waits = Waits { wake, stop: abandoned.clone() };
        let has_slot = Arc::new(AtomicBool::new(false));
        let set_at_end = SetAtEnd(Arc::clone(&has_slot));
        let open = move || request.open(&waits, &set_at_end.0);
        let result = worker::start("pgoutput-add", "connecting", Some(done), open)?;
        Ok(Self { result, has_slot, abandoned })
    }

    /// Returns whether the snapshot exists, or there is an error: the stream must stop.
    pub(super) fn has_slot(&self) -> bool {
        self.has_slot.load(Ordering::Acquire)
    }

    /// Returns the result, once there is one.
    pub(super) fn result(&self) -> Option<Result<Addition, Error>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(ErrorKind::ThreadPanicked { doing: "adding tables" }.into()))
            }
        }
    }
}

impl Drop for AdditionAttempt {
    fn drop(&mut self) {
        self.abandoned.stop();
    }
}

impl AdditionRequest {
    /// Takes a snapshot, and another one if a table was altered before it was locked.
    fn open(&self, waits: &Waits, has_slot: &AtomicBool) -> Result<Addition, Error> {
        let mut left = SNAPSHOTS;
        loop {
            left -= 1;
            match self.open_once(waits, has_slot) {
                Err(error) if left > 0 && is_changed(&error) => log::info!("{error}"),
                opened => return opened,
            }
        }
    }

    fn open_once(&self, waits: &Waits, has_slot: &AtomicBool) -> Result<Addition, Error> {
        let StreamOpener { config, start } = self.opener.with_connect_timeout();
        let mut connection = Connection::connect(&config)?;
        connection.set_command_timeout(Some(STEP_TIMEOUT));
        let system = connection.identify_system()?;
        self.check(&system)?;
        let mut catalog = Catalog::new(connection.sql_connector(&config)?);
        connection.set_client_encoding()?;
        let slot = connection.check_slot(&start.slot)?;
        if start.options.two_phase || slot.two_phase {
            return Err(SnapshotError::TWO_PHASE.into());
        }
        let server = server_state(&mut connection, &system)?;
        let create = CreateSlot::new(temporary_name(&start.slot))
            .temporary(true)
            .snapshot(SlotSnapshot::Export);
        let (limit, stop) = (self.wait_limit, Some(&waits.stop));
        let wait_options = SlotWaitOptions { limit, listener: None, stop };
        // The creation waits for open transactions.
        let created = connection.with_timeout(None, |connection| {
            connection.create_slot_reporting_waits(&create, &mut catalog, &wait_options)
        })?;
        has_slot.store(true, Ordering::Release);
        let (command, field) = ("CREATE_REPLICATION_SLOT", "snapshot_name");
        let exported = created.snapshot_name.ok_or(ProtocolError::Answer { command, field })?;
        let opener = connection.session_opener(&config);
        let settings = CopySettings { lock_timeout: limit };
        let mut keeper = Keeper::open(&opener, settings, &exported, server)?;
        let selection = Selection::of_oids(self.tables.clone());
        let (pid, waker) = keeper.process()?;
        let session = WaitingSession { pid, waker, address: &opener.address() };
        let watch = LockWatch { catalog: &mut catalog, stop, limit };
        let tables = watch.run(&session, || keeper.lock(&start.publications, &selection))?;
        let pages = NonZeroU32::new(CHUNK_PAGES).unwrap_or(NonZeroU32::MIN);
        let (binary, version) = (start.options.binary, connection.server_version());
        let tables =
            tables.into_iter().map(|table| TableCopy::new(table, pages, binary, version)).collect();
        // The temporary slot ends with the connection.
        let jobs = CopyJobs { keeper, jobs: self.jobs, opener, settings };
        Ok(Addition { jobs, tables, point: created.consistent_point })
    }

    /// Checks that it is the server of the stream, or another one with the same WAL.
    fn check(&self, system: &SystemId) -> Result<(), HistoryError> {
        if system.system_identifier != self.system_identifier {
            let (expected, found) = (self.system_identifier, system.system_identifier);
            return Err(HistoryError::OtherCluster { expected, found });
        }
        let (expected, found) = (self.timeline, system.timeline);
        if found > expected {
            return Err(HistoryError::TimelineChanged { expected, found });
        }
        if found < expected {
            return Err(HistoryError::TimelineBehind { expected, found });
        }
        Ok(())
    }
}

impl StreamOpener {
    /// Returns the settings of a reader with these. `position` is the one that it resumes from.
    pub(crate) fn additions(
        &self,
        snapshot: Option<&Snapshot>,
        wait_limit: Duration,
        opened: &Opened,
        position: Option<&Position>,
    ) -> Result<AdditionSettings, Error> {
        let two_phase = opened.two_phase || self.start.options.two_phase;
        let copied = position.and_then(|position| position.identity().copied.as_deref());
        let mut additions = AdditionSettings {
            jobs: snapshot.map_or(NonZeroU32::MIN, Snapshot::job_count),
            wait_limit,
            two_phase,
            interrupted: copied.filter(|copied| copied.to_add().next().is_some()).cloned(),
            joined: None,
            known: None,
            watch: None,
        };
        if !snapshot.is_some_and(Snapshot::is_added) {
            return Ok(additions);
        }
        if two_phase {
            return Err(SnapshotError::TWO_PHASE.into());
        }
        let mut session = None;
        let published = self.published_now(&mut session)?;
        let now = published.tables();
        let stored = position.and_then(|position| position.identity().known.as_deref());
        additions.known = Some(match (&opened.session, stored) {
            (Session::Stream(_), Some(known)) => {
                additions.joined = Some((published.lsn, now.not_in(known).collect()));
                known.also_in(&now)
            }
            // No stream follows the copy alone.
            (Session::Stream(_) | Session::JobsAlone(..), None) => now,
            // The tables that are not finished are known once they are.
            (_, Some(known)) => known.clone(),
            (Session::Copy(.., plan) | Session::Jobs(.., plan), None) => {
                let finished = published.names.iter().filter(|name| plan.copied.has(name.oid));
                finished.map(|name| (name.oid, name.entries_id)).collect()
            }
        });
        additions.watch = Some(PublicationWatch::new(session, Instant::now()));
        Ok(additions)
    }
}

impl Opened {
    /// Returns a function that adds the name of the slot to an error if the slot of a copy remains,
    /// and keeps WAL.
    pub(crate) fn naming(
        &self,
        settings: &StreamSettings,
        slot: &str,
    ) -> impl Fn(Error) -> Error + use<> {
        let is_copy = !matches!(self.session, Session::Stream(_));
        let remains = is_copy && !settings.temporary && !settings.ends_after_copy();
        let slot = remains.then(|| slot.to_owned());
        move |error| match &slot {
            Some(slot) => SnapshotError::interrupted(slot, error),
            None => error,
        }
    }

    /// Returns the LSN before which everything is delivered if a reader resumes from this position.
    pub(crate) fn read_lsn(&self, position: Option<&Position>) -> Lsn {
        // The commit of the position starts at its LSN.
        let after_commit = position.is_some_and(|last| last.raw_index().is_some());
        let read = self.start_lsn.as_u64() + u64::from(after_commit);
        self.confirmed.max(Lsn::new(read))
    }
}

fn is_changed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Snapshot(SnapshotError::TableChanged { .. }))
}
