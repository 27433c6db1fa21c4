//! Opening a replication stream for the first time, and again after it was lost.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use pgoutput_decode::Lsn;

use super::initial_copy::CopyPlan;
use super::open_copy::LostCopy;
use super::started::Started;
use super::verify::Stored;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::connection::{Connection, CopyBoth, SessionOpener, SystemId};
use crate::error::{Error, ErrorKind, HistoryError, SetupError};
use crate::io::{StopHandle, Waits, WakePipe, Waker, worker};
use crate::proto::liveness::UpdateTiming;
use crate::proto::{CreateSlot, StartReplication};
use crate::server_version::ServerVersion;
use crate::setup::{Needs, SlotFacts, SlotWaitOptions};
use crate::snapshot::{CopySettings, Keeper};

/// The timeout of each step of an attempt without a setting.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// The time that the start of the stream waits for the SQL connection, so that the first change
/// need not wait.
pub(super) const CATALOG_TIMEOUT: Duration = Duration::from_secs(1);

/// The server and the settings that streams are opened with.
#[derive(Debug, Clone)]
pub(crate) struct StreamOpener {
    pub(crate) config: Config,
    pub(crate) start: StartReplication,
}

/// A stream that was started, and the facts found on the way.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) timing: UpdateTiming,
    pub(crate) catalog: Catalog,
    pub(crate) system: SystemId,
    /// The slot's confirmed LSN.
    pub(crate) confirmed: Lsn,
    /// The LSN that was requested as the start.
    pub(crate) start_lsn: Lsn,
    /// Whether commits may wait for this connection, by `synchronous_standby_names`.
    pub(crate) commits_wait: bool,
    /// Whether the slot sends prepared transactions when they are prepared.
    pub(crate) two_phase: bool,
    /// Whether the slot was created for this reader.
    pub(super) slot_created: bool,
    pub(super) version: ServerVersion,
    pub(super) tls: bool,
}

/// The replication connection of a stream that was opened.
pub(crate) enum Session {
    /// The stream has started.
    Stream(CopyBoth),
    /// The tables are copied first, in a snapshot that the connection has.
    Copy(Connection, Option<TemporarySlot>, CopyPlan),
    /// The tables are copied first, by jobs, while the stream is open.
    Jobs(CopyBoth, Box<CopyJobs>, CopyPlan),
    /// The tables are copied by jobs, and no stream follows.
    JobsAlone(Connection, Box<CopyJobs>, CopyPlan),
}

/// The slot that was created only for a snapshot.
pub(crate) type TemporarySlot = String;

/// The jobs of a copy.
#[derive(Debug)]
pub(crate) struct CopyJobs {
    pub(crate) keeper: Keeper,
    pub(crate) jobs: NonZeroU32,
    pub(crate) opener: SessionOpener,
    pub(crate) settings: CopySettings,
}

impl Session {
    pub(super) fn wake_pipe(&self) -> WakePipe {
        match self {
            Self::Stream(copy) | Self::Jobs(copy, ..) => copy.wake_pipe(),
            Self::Copy(connection, ..) | Self::JobsAlone(connection, ..) => connection.wake_pipe(),
        }
    }

    pub(super) fn address(&self) -> &str {
        match self {
            Self::Copy(connection, ..) | Self::JobsAlone(connection, ..) => connection.address(),
            Self::Stream(copy) | Self::Jobs(copy, ..) => copy.address(),
        }
    }
}

impl Opened {
    /// Returns the LSN before which nothing is confirmed. If all tables are copied, their copies
    /// contain the changes before the start.
    pub(crate) fn floor(&self) -> Lsn {
        match &self.session {
            Session::Stream(_) => self.confirmed,
            Session::Copy(..) | Session::Jobs(..) | Session::JobsAlone(..) => {
                self.confirmed.max(self.start_lsn)
            }
        }
    }

    /// Returns what a reader with these settings has started with.
    pub(crate) fn started(&self, start: &StartReplication) -> Started {
        Started {
            server_version: self.version,
            address: self.session.address().to_owned(),
            tls: self.tls,
            database: self.system.dbname.clone().unwrap_or_default(),
            system_identifier: self.system.system_identifier,
            timeline: self.system.timeline,
            slot: start.slot.clone(),
            slot_created: self.slot_created,
            publications: start.publications.clone(),
            start_lsn: start.start_lsn.max(self.confirmed),
        }
    }
}

/// The state of a stream when it was lost.
#[derive(Debug, Clone)]
pub(crate) struct LostStream {
    pub(crate) system_identifier: u64,
    pub(crate) timeline: u32,
    /// The greatest LSN that this reader can have confirmed the slot at.
    pub(crate) confirmed: Lsn,
    /// The received LSN.
    pub(crate) received: Lsn,
    /// The LSN to start from.
    pub(crate) start_lsn: Lsn,
}

impl StreamOpener {
    /// Opens the first stream. A missing slot is created if `create` is given, unless a stored
    /// position is resumed.
    pub(crate) fn open(
        &self,
        create: Option<CreateSlot>,
        stored: Option<&Stored>,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<Opened, Error> {
        let mut connection = Connection::connect(&self.config)?;
        let system = connection.identify_system()?;
        let create = create.filter(|_| stored.is_none());
        let needs = Needs {
            slot: &self.start.slot,
            publications: &self.start.publications,
            creates: create.is_some(),
        };
        if let Some(stored) = stored {
            stored
                .verify(&mut connection, &system, &self.start)
                .map_err(|error| connection.with_all_missing(error, &needs))?;
        }
        if self.start.start_lsn > system.xlogpos {
            if stored.is_some() {
                let (lsn, ends) = (self.start.start_lsn, system.xlogpos);
                return Err(HistoryError::WalEndsEarly { lsn, ends }.into());
            }
            // The server would silently skip everything committed before that LSN.
            return Err(Error::usage(format!(
                "start_lsn {} is ahead of the server's WAL, which ends at {}",
                self.start.start_lsn, system.xlogpos
            )));
        }
        let mut catalog = Catalog::new(connection.sql_connector(&self.config)?);
        if create.is_some() {
            // Invalid options are found before a slot is created that would be left over.
            self.start.plugin_options(connection.server_version())?;
        }
        let slot = connection.make_ready(&needs, create.as_ref(), &mut catalog, wait_options)?;
        let mut opened = start(connection, &self.start, catalog, system, slot, None)?;
        if let Some(stored) = stored {
            // Other clients could move the slot until this connection acquired it.
            let slot = opened.catalog.slot_status(&self.start.slot)?;
            let confirmed = slot.confirmed_flush_lsn.unwrap_or_default();
            stored.verify_slot(confirmed, slot.restart_lsn, opened.commits_wait)?;
            opened.confirmed = confirmed;
        }
        Ok(opened)
    }

    /// Returns the same with a timeout of connecting, for an attempt that nobody waits for.
    pub(super) fn with_connect_timeout(&self) -> Self {
        let mut opener = self.clone();
        if opener.config.get_connect_timeout().is_none() {
            opener.config = opener.config.connect_timeout(STEP_TIMEOUT);
        }
        opener
    }

    /// Opens another stream after one was lost, if the server and the slot continue without a gap.
    /// A stop of `waits` before the slot is acquired leaves the slot alone.
    fn open_again(&self, lost: &LostStream, waits: Waits) -> Result<Opened, Error> {
        let Self { config, .. } = self.with_connect_timeout();
        let mut connection = Connection::connect(&config)?;
        connection.set_command_timeout(Some(STEP_TIMEOUT));
        let system = connection.identify_system()?;
        let mut catalog = Catalog::new(connection.sql_connector(&config)?);
        let slot = connection.check_slot(&self.start.slot)?;
        lost.check(&system, slot, &self.start.slot)?;
        let again = StartReplication { start_lsn: lost.start_lsn, ..self.start.clone() };
        let abandoned = waits.stop.clone();
        catalog.wait_with(waits);
        let mut opened = start(connection, &again, catalog, system, slot, Some(&abandoned))?;
        // Other clients could move the slot until this connection acquired it. The server would
        // then skip the changes that they have read.
        let slot = opened.catalog.slot_status_within(STEP_TIMEOUT, &self.start.slot)?;
        opened.confirmed = slot.confirmed_flush_lsn.unwrap_or_default();
        lost.check_slot(opened.confirmed, &self.start.slot)?;
        Ok(opened)
    }
}

fn start(
    mut connection: Connection,
    start: &StartReplication,
    mut catalog: Catalog,
    system: SystemId,
    slot: SlotFacts,
    abandoned: Option<&StopHandle>,
) -> Result<Opened, Error> {
    // Publications were checked before the first stream. Later a missing one is an error of the
    // stream, which names the position, and only if there are changes.
    let timing = connection.timing()?;
    // If another connection still uses the slot, the start probably fails anyway.
    if !slot.in_use {
        catalog.make_ready(CATALOG_TIMEOUT);
    }
    if abandoned.is_some_and(StopHandle::is_stopped) {
        return Err(Error::stopped("connecting to", connection.address()));
    }
    let (version, tls) = (connection.server_version(), connection.is_tls());
    let session = Session::Stream(connection.start_replication(start)?);
    let SlotFacts { confirmed, waited_for: commits_wait, two_phase, created, .. } = slot;
    let start_lsn = start.start_lsn;
    Ok(Opened {
        session,
        timing,
        catalog,
        system,
        confirmed,
        start_lsn,
        commits_wait,
        two_phase,
        slot_created: created,
        version,
        tls,
    })
}

impl LostStream {
    /// Checks that the server and the slot continue without a gap.
    pub(super) fn check(
        &self,
        system: &SystemId,
        slot: SlotFacts,
        name: &str,
    ) -> Result<(), Error> {
        self.check_history(system, slot.standby)?;
        Ok(self.check_slot(slot.confirmed, name)?)
    }

    /// Checks that the server continues what was received.
    fn check_history(&self, system: &SystemId, standby: bool) -> Result<(), HistoryError> {
        if system.system_identifier != self.system_identifier {
            let (expected, found) = (self.system_identifier, system.system_identifier);
            return Err(HistoryError::OtherCluster { expected, found });
        }
        let (expected, found) = (self.timeline, system.timeline);
        match found.cmp(&expected) {
            Ordering::Less => return Err(HistoryError::TimelineBehind { expected, found }),
            Ordering::Greater => return Err(HistoryError::TimelineChanged { expected, found }),
            Ordering::Equal => {}
        }
        // A standby that was restarted replays again what it had replayed before.
        if system.xlogpos < self.received && !standby {
            let (lsn, ends) = (self.received, system.xlogpos);
            return Err(HistoryError::WalEndsEarly { lsn, ends });
        }
        Ok(())
    }

    /// Checks that the slot is not ahead of what this reader can have confirmed.
    fn check_slot(&self, found: Lsn, name: &str) -> Result<(), SetupError> {
        check_not_moved(name, self.confirmed, found)
    }
}

/// Checks that nobody else has moved the slot beyond what this reader knows of.
pub(super) fn check_not_moved(name: &str, confirmed: Lsn, found: Lsn) -> Result<(), SetupError> {
    if found > confirmed {
        return Err(SetupError::SlotMoved { slot: name.into(), confirmed, found });
    }
    Ok(())
}

/// An attempt in progress, on a thread of its own, so that the waits of the caller end in time,
/// however long a name server or the network takes. After a drop it ends by itself and acquires no
/// slot, or soon releases one that it is just acquiring.
pub(crate) struct ReconnectionAttempt<T = Opened> {
    result: Receiver<Result<T, Error>>,
    abandoned: StopHandle,
}

impl ReconnectionAttempt {
    /// Starts an attempt to continue an initial copy.
    pub(crate) fn start_copy(
        opener: StreamOpener,
        lost: LostCopy,
        done: Waker,
    ) -> Result<Self, Error> {
        Self::run(done, move |waits| opener.open_copy_again(&lost, &waits))
    }

    /// Starts an attempt. `done` is woken when there is a result.
    pub(crate) fn start(
        opener: StreamOpener,
        lost: LostStream,
        done: Waker,
    ) -> Result<Self, Error> {
        Self::run(done, move |waits| opener.open_again(&lost, waits))
    }
}

impl<T: Send + 'static> ReconnectionAttempt<T> {
    /// Runs `open` on a thread.
    pub(super) fn run(
        done: Waker,
        open: impl FnOnce(Waits) -> Result<T, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", "connecting", error))?;
        let abandoned = StopHandle::new(wake.waker());
        let waits = Waits { wake, stop: abandoned.clone() };
        let open = move || open(waits);
        let result = worker::start("pgoutput-connect", "connecting", Some(done), open)?;
        Ok(Self { result, abandoned })
    }

    /// Returns the result, once there is one.
    pub(crate) fn result(&self) -> Option<Result<T, Error>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(ErrorKind::ThreadPanicked { doing: "connecting" }.into()))
            }
        }
    }
}

impl<T> fmt::Debug for ReconnectionAttempt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectionAttempt").finish_non_exhaustive()
    }
}

impl<T> Drop for ReconnectionAttempt<T> {
    fn drop(&mut self) {
        self.abandoned.stop();
    }
}

#[cfg(test)]
mod tests;
