//! Creation of slots, which waits for open transactions.

use std::fmt;
use std::time::{Duration, Instant};

use pgoutput_decode::Printable;

use crate::catalog::Catalog;
use crate::connection::{Connection, CreatedSlot};
use crate::error::{BlockingSession, Error, ErrorKind, SetupError, SnapshotError, listed};
use crate::io::StopHandle;
use crate::listener::{Listener, REPORTED};
use crate::proto::{CreateSlot, pinned_settings};

/// The time from the start of a wait to its first report, and from one report to the next.
const REPORT_DELAYS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// The interval of checks for a stop.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum wait for a process to release the slot that it has created.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum time the server has to end the creation after it was cancelled.
const CANCEL: Duration = Duration::from_secs(2);

/// A wait for a replication slot that is being created, reported within three seconds, and again
/// every half minute: see [`ReaderBuilder::on_slot_wait`](crate::ReaderBuilder::on_slot_wait).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SlotWait<'a> {
    /// The slot.
    pub slot: &'a str,
    /// The time waited so far.
    pub waited: Duration,
    /// The sessions and prepared transactions that the creation waits for, as far as this role may
    /// see them. Empty if none of them holds the lock: a standby waits for its primary to log a
    /// snapshot (`pg_log_standby_snapshot()`).
    pub sessions: &'a [BlockingSession],
    /// The server process that creates the slot for another client; `None` if it is for this one.
    pub creator: Option<i32>,
}

impl fmt::Display for SlotWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (slot, waited) = (Printable(self.slot), self.waited);
        if let Some(pid) = self.creator {
            write!(f, "replication slot \"{slot}\" is being created by process {pid}; ")?;
        } else {
            write!(f, "creating replication slot \"{slot}\" waits for open transactions; ")?;
        }
        write!(f, "waited {waited:.0?}")?;
        if self.sessions.is_empty() {
            return Ok(());
        }
        write!(f, " for {}", listed(self.sessions))
    }
}

/// A callback for waits for a slot.
pub(crate) type OnSlotWait = Listener<dyn FnMut(&SlotWait<'_>) + Send>;

/// The options of a wait for a slot.
pub(crate) struct SlotWaitOptions<'a> {
    /// The longest wait for each open transaction; zero is no limit.
    pub(crate) limit: Duration,
    pub(crate) listener: Option<&'a OnSlotWait>,
    pub(crate) stop: Option<&'a StopHandle>,
}

/// The state of one wait.
struct SlotWaitState<'a> {
    slot: &'a str,
    wait_options: &'a SlotWaitOptions<'a>,
    since: Instant,
    report_at: Instant,
    sessions: Vec<BlockingSession>,
}

impl<'a> SlotWaitState<'a> {
    fn new(slot: &'a str, wait_options: &'a SlotWaitOptions<'a>) -> Self {
        let since = Instant::now();
        Self {
            slot,
            wait_options,
            since,
            report_at: since + REPORT_DELAYS[0],
            sessions: Vec::new(),
        }
    }

    fn is_stopped(&self) -> bool {
        self.wait_options.stop.is_some_and(StopHandle::is_stopped)
    }

    /// Reports what process `pid`, which creates the slot, waits for, if a report is due.
    fn report(&mut self, catalog: &mut Catalog, pid: i32, is_other: bool) {
        if Instant::now() < self.report_at {
            return;
        }
        self.report_at = Instant::now() + REPORT_DELAYS[1];
        match catalog.blocking_sessions(pid) {
            Ok(sessions) => self.sessions = sessions,
            Err(error) => log::warn!("querying what a slot's creation waits for: {error}"),
        }
        let wait = SlotWait {
            slot: self.slot,
            waited: self.since.elapsed(),
            sessions: &self.sessions,
            creator: is_other.then_some(pid),
        };
        log::warn!(target: REPORTED, "{wait}");
        if let Some(listener) = self.wait_options.listener {
            listener.with(|report| report(&wait));
        }
    }
}

impl Connection {
    /// Creates a slot, and reports the sessions that the creation waits for.
    ///
    /// # Errors
    /// [`SetupError::SlotCreationBlocked`] after the limit, and [`ErrorKind::Stopped`]. In both
    /// cases no slot remains.
    pub(crate) fn create_slot_reporting_waits(
        &mut self,
        slot: &CreateSlot,
        catalog: &mut Catalog,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<CreatedSlot, Error> {
        if self.is_replication() {
            return self.create_slot_here(slot, catalog, wait_options);
        }
        // A pooler gives all of a transaction to one session of the server.
        let pins = pinned_settings::local(self.server_version());
        self.with_short_timeout(|this| this.simple_query(&format!("BEGIN; {pins}")))?;
        let created = self.create_slot_here(slot, catalog, wait_options);
        let end = if created.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.with_short_timeout(|this| this.simple_query(end));
        created.and_then(|created| ended.map(|_| created))
    }

    fn create_slot_here(
        &mut self,
        slot: &CreateSlot,
        catalog: &mut Catalog,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<CreatedSlot, Error> {
        let pid = self.backend_pid()?;
        self.set_lock_timeout(wait_options.limit)?;
        if slot.uses_snapshot() {
            self.simple_query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        }
        let mut wait = SlotWaitState::new(&slot.name, wait_options);
        // The time of the request to cancel it.
        let mut cancelled = None;
        let created = self.create_slot_watched(slot, CHECK_INTERVAL, || {
            if let Some(since) = cancelled {
                return Instant::elapsed(&since) < CANCEL;
            }
            if wait.is_stopped() {
                cancelled = Some(Instant::now());
                // Otherwise the server would notice the stop only at the end of the creation, and
                // keep the slot.
                if let Err(error) = catalog.cancel(pid) {
                    log::warn!("cancelling a slot's creation: {error}");
                }
                return true;
            }
            wait.report(catalog, pid, false);
            true
        });
        let sqlstate = created.as_ref().err().and_then(Error::sqlstate).map(str::to_owned);
        if cancelled.is_some() && created.is_err() {
            return Err(Error::stopped("creating a slot on", self.address()));
        }
        if sqlstate.as_deref() == Some("55P03") {
            let (slot, limit, sessions) = (slot.name.clone(), wait_options.limit, wait.sessions);
            return Err(SetupError::SlotCreationBlocked { slot, limit, sessions }.into());
        }
        // Another command would end an exported snapshot. With one that is used, the limit applies
        // to the locks that follow.
        if created.is_ok() && (slot.exports_snapshot() || slot.uses_snapshot()) {
            return created;
        }
        // This connection then reads the slot, also one that another client has just created.
        let fails = created.is_err() && slot.uses_snapshot();
        if fails && self.simple_query("ROLLBACK").is_err() {
            // The connection was lost, and the first error is the cause.
            return created;
        }
        let is_used_on = created.is_ok() || sqlstate.as_deref() == Some("42710");
        if is_used_on && self.is_replication() {
            self.set_lock_timeout(Duration::ZERO)?;
        }
        created
    }

    /// Resets the limit of a slot's creation that has exported its snapshot.
    pub(crate) fn end_slot_creation(&mut self) -> Result<(), Error> {
        self.set_lock_timeout(Duration::ZERO)
    }

    /// Waits for a slot that another client's process creates, and then a moment for that process
    /// to release it. The caller must check everything again.
    ///
    /// # Errors
    /// `being_created` after the limit; [`ErrorKind::Stopped`].
    pub(crate) fn wait_for_creator(
        &mut self,
        being_created: Error,
        catalog: &mut Catalog,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<(), Error> {
        let (slot, mut creator) = match being_created.kind() {
            ErrorKind::Setup(SetupError::SlotBeingCreated { slot, pid }) => (slot.clone(), *pid),
            _ => return Err(being_created),
        };
        let mut wait = SlotWaitState::new(&slot, wait_options);
        while let Some(pid) = self.slot_creator(&slot)? {
            creator = pid;
            self.wait_for_next_check(&wait)?;
            if !wait_options.limit.is_zero() && wait.since.elapsed() >= wait_options.limit {
                return Err(being_created);
            }
            wait.report(catalog, pid, true);
        }
        let release = Instant::now() + RELEASE_TIMEOUT;
        while Instant::now() < release && self.slot_holder(&slot)? == Some(creator) {
            self.wait_for_next_check(&wait)?;
        }
        Ok(())
    }

    /// Waits a moment for another client to release the slot, as one that has just created it does.
    ///
    /// # Errors
    /// [`SnapshotError::SlotInUse`] if it does not; [`ErrorKind::Stopped`].
    pub(crate) fn wait_for_release(
        &mut self,
        slot: &str,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<(), Error> {
        let wait = SlotWaitState::new(slot, wait_options);
        while let Some(pid) = self.other_holder(slot)? {
            if wait.since.elapsed() >= RELEASE_TIMEOUT {
                return Err(SnapshotError::SlotInUse { slot: slot.to_owned(), pid }.into());
            }
            self.wait_for_next_check(&wait)?;
        }
        Ok(())
    }

    /// Sleeps until the next check of a slot.
    fn wait_for_next_check(&self, wait: &SlotWaitState<'_>) -> Result<(), Error> {
        if wait.is_stopped() {
            return Err(Error::stopped("waiting for a slot on", self.address()));
        }
        std::thread::sleep(CHECK_INTERVAL);
        Ok(())
    }
}
