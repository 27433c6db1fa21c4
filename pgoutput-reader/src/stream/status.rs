//! Status updates, sent by the thread that reads and by a heartbeat while that one is busy.

use std::fmt;
#[cfg(feature = "reader")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use pgoutput_decode::{Lsn, StandbyStatusUpdate, TimestampTz};

#[cfg(feature = "reader")]
use super::acknowledged::AcknowledgedLsns;
use crate::connection::{CopyBoth, CopySender};
use crate::error::Error;
use crate::io::Waker;
use crate::proto::feedback::{Feedback, Positions, SHORTEST_INTERVAL};

/// The shortest sleep of the heartbeat, whatever the server's timeout.
const SHORTEST: Duration = Duration::from_millis(1);

/// The sending side of a stream: LSNs, and when they are reported.
#[derive(Debug, Clone)]
pub(super) struct Status(Arc<SharedStatus>);

struct SharedStatus {
    sender: CopySender,
    waker: Waker,
    // Only the thread that reads changes these two.
    received: AtomicU64,
    acknowledged: AtomicU64,
    /// The acknowledged LSNs of a reader, which any thread may change.
    #[cfg(feature = "reader")]
    followed: OnceLock<Arc<AcknowledgedLsns>>,
    clock: Mutex<FeedbackState>,
    ended: Condvar,
}

struct FeedbackState {
    feedback: Feedback,
    /// Whether the heartbeat must end.
    ended: bool,
    /// The error that ended the heartbeat, until the thread that reads takes it.
    failed: Option<Error>,
}

impl Status {
    /// `interval` is the time between two status updates while nothing changes.
    pub(super) fn new(copy: &CopyBoth, interval: Duration) -> Self {
        let feedback = Feedback::new(interval, Instant::now());
        Self(Arc::new(SharedStatus {
            sender: copy.sender(),
            waker: copy.waker(),
            received: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            #[cfg(feature = "reader")]
            followed: OnceLock::new(),
            clock: Mutex::new(FeedbackState { feedback, ended: false, failed: None }),
            ended: Condvar::new(),
        }))
    }

    /// Raises the received LSN.
    pub(super) fn received(&self, lsn: Lsn) {
        raise(&self.0.received, lsn);
    }

    /// Raises the acknowledged LSN.
    pub(super) fn acknowledge(&self, lsn: Lsn) {
        raise(&self.0.acknowledged, lsn);
    }

    /// Also reports these acknowledged LSNs from now on.
    #[cfg(feature = "reader")]
    pub(super) fn report_also(&self, acknowledged: &Arc<AcknowledgedLsns>) {
        // A stream belongs to one reader.
        let _ = self.0.followed.set(Arc::clone(acknowledged));
    }

    pub(super) fn positions(&self) -> Positions {
        self.0.positions()
    }

    /// The positions of the last status update.
    pub(super) fn reported(&self) -> Positions {
        self.0.lock().feedback.reported()
    }

    /// Records that the server asked for a status update.
    pub(super) fn request(&self) {
        self.0.lock().feedback.request();
    }

    /// Sends a status update if one is due.
    ///
    /// # Errors
    /// Those of sending, and the error that ended the heartbeat.
    pub(super) fn send_due(&self, now: Instant) -> Result<(), Error> {
        let mut clock = self.0.lock();
        match clock.failed.take() {
            Some(error) => Err(error),
            None => self.0.send_due(&mut clock, now),
        }
    }

    /// Sends a status update now; `reply` asks the server to answer with a keepalive.
    pub(super) fn send(&self, reply: bool) -> Result<(), Error> {
        self.0.send(&mut self.0.lock(), reply)
    }

    /// The time of the next status update.
    pub(super) fn due_at(&self) -> Instant {
        self.0.lock().feedback.due_at(&self.positions())
    }
}

impl SharedStatus {
    fn positions(&self) -> Positions {
        // In this order, so that the acknowledged LSN is never beyond the received one.
        let flush = Lsn::new(self.acknowledged.load(Ordering::Acquire));
        let mut positions =
            Positions { write: Lsn::ZERO, flush, apply: flush, write_is_reported: false };
        #[cfg(feature = "reader")]
        if let Some(followed) = self.followed.get() {
            followed.add_to(&mut positions);
        }
        if !positions.write_is_reported {
            let received = Lsn::new(self.received.load(Ordering::Acquire));
            positions.write = received.max(positions.flush);
        }
        positions
    }

    /// Returns whether the acknowledged LSN is below the received one although everything is
    /// acknowledged.
    #[cfg(feature = "reader")]
    fn lags_when_idle(&self) -> bool {
        self.followed.get().is_some_and(|followed| followed.lags_when_idle())
    }

    fn send_due(&self, clock: &mut FeedbackState, now: Instant) -> Result<(), Error> {
        if clock.feedback.due(now, &self.positions()) {
            return self.send(clock, false);
        }
        Ok(())
    }

    fn send(&self, clock: &mut FeedbackState, reply: bool) -> Result<(), Error> {
        let positions = self.positions();
        let Positions { write, flush, apply, .. } = positions;
        // A server that shuts down asks, and waits until its whole WAL is flushed here. If flush is
        // zero it waits for write instead. A zero does not move the slot.
        #[cfg(feature = "reader")]
        let lags = clock.feedback.is_requested()
            && flush == clock.feedback.reported().flush
            && self.lags_when_idle();
        #[cfg(feature = "reader")]
        let flush = if lags { Lsn::ZERO } else { flush };
        let status = StandbyStatusUpdate {
            write,
            flush,
            apply,
            client_time: clock_time(),
            reply: reply.into(),
        };
        self.sender.send_copy_data(&status.to_bytes())?;
        clock.feedback.sent(Instant::now(), positions);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, FeedbackState> {
        // No code that holds the lock can panic half-way through a change.
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is due, and what the socket did not accept before, until the heartbeat must end.
    fn send_heartbeats(&self) {
        let mut clock = self.lock();
        while !clock.ended {
            let now = Instant::now();
            if let Err(error) = self.send_due(&mut clock, now).and_then(|()| self.sender.push()) {
                clock.failed = Some(error);
                // The thread that reads finds the error now if it waits, otherwise before its next
                // wait.
                self.waker.wake();
                return;
            }
            // A change of an LSN wakes no thread, so they are read as often as they may be
            // reported.
            let due = clock.feedback.due_at(&self.positions());
            let wait = due.saturating_duration_since(now).clamp(SHORTEST, SHORTEST_INTERVAL);
            let waited = self.ended.wait_timeout(clock, wait);
            clock = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl fmt::Debug for SharedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("positions", &self.positions()).finish_non_exhaustive()
    }
}

/// The heartbeat: a thread that sends status updates. It never reads, and reports only LSNs that
/// other threads have set. Dropping this ends the thread and waits for its end, which is soon: it
/// blocks only to sleep.
#[derive(Debug)]
pub(super) struct Heartbeat {
    status: Status,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    pub(super) fn start(status: &Status, address: &str) -> Result<Self, Error> {
        let shared = Arc::clone(&status.0);
        shared.lock().ended = false;
        let thread = thread::Builder::new()
            .name("pgoutput-status".into())
            .spawn(move || shared.send_heartbeats())
            .map_err(|error| Error::io("starting a thread for", address, error))?;
        Ok(Self { status: status.clone(), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.status.0.lock().ended = true;
        self.status.0.ended.notify_all();
        // The thread does not panic, and a drop has no caller to report to.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Raises an LSN; it never decreases. Only one thread changes each, so nothing is lost between load
/// and store.
fn raise(position: &AtomicU64, lsn: Lsn) {
    if lsn.as_u64() > position.load(Ordering::Relaxed) {
        position.store(lsn.as_u64(), Ordering::Release);
    }
}

/// Returns the time of this machine, in the protocol's form.
fn clock_time() -> TimestampTz {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
    TimestampTz::from_unix_micros(micros).unwrap_or_default()
}
