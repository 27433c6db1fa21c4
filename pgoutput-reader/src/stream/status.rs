//! What the server is told of how far we are, by whoever reads and by a thread while nobody does.

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
use crate::proto::feedback::{Feedback, PAUSE, Positions};
use crate::{Error, Waker};

/// The least that the thread sleeps, whatever the server's timeout.
const SHORTEST: Duration = Duration::from_millis(1);

/// The writing side of a stream: positions, and when they are told.
#[derive(Debug, Clone)]
pub(super) struct Status(Arc<SharedStatus>);

struct SharedStatus {
    sender: CopySender,
    waker: Waker,
    // Moved by the reading side only.
    received: AtomicU64,
    confirmed: AtomicU64,
    /// What acknowledgements confirm, from whatever thread.
    #[cfg(feature = "reader")]
    acknowledged: OnceLock<Arc<AcknowledgedLsns>>,
    clock: Mutex<FeedbackState>,
    ended: Condvar,
}

struct FeedbackState {
    feedback: Feedback,
    /// The thread has to end.
    ended: bool,
    /// Why the thread could not go on, until the reading side takes it.
    failed: Option<Error>,
}

impl Status {
    /// `interval` is how often the server wants to hear of us.
    pub(super) fn new(copy: &CopyBoth, interval: Duration) -> Self {
        let feedback = Feedback::new(interval, Instant::now());
        Self(Arc::new(SharedStatus {
            sender: copy.sender(),
            waker: copy.waker(),
            received: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            #[cfg(feature = "reader")]
            acknowledged: OnceLock::new(),
            clock: Mutex::new(FeedbackState { feedback, ended: false, failed: None }),
            ended: Condvar::new(),
        }))
    }

    /// Everything before `lsn` has arrived.
    pub(super) fn received(&self, lsn: Lsn) {
        raise(&self.0.received, lsn);
    }

    /// Everything before `lsn` may be forgotten by the server.
    pub(super) fn confirm(&self, lsn: Lsn) {
        raise(&self.0.confirmed, lsn);
    }

    /// Tells from now on also what is acknowledged there.
    #[cfg(feature = "reader")]
    pub(super) fn follow(&self, acknowledged: &Arc<AcknowledgedLsns>) {
        // A stream belongs to one reader.
        let _ = self.0.acknowledged.set(Arc::clone(acknowledged));
    }

    pub(super) fn positions(&self) -> Positions {
        self.0.positions()
    }

    /// What the server was told last.
    pub(super) fn told(&self) -> Positions {
        self.0.lock().feedback.told()
    }

    /// The server asked for a status.
    pub(super) fn asked(&self) {
        self.0.lock().feedback.asked();
    }

    /// Sends a status if one is due.
    ///
    /// # Errors
    /// Also what ended the thread.
    pub(super) fn send_due(&self, now: Instant) -> Result<(), Error> {
        let mut clock = self.0.lock();
        match clock.failed.take() {
            Some(error) => Err(error),
            None => self.0.send_due(&mut clock, now),
        }
    }

    /// Sends a status now; `reply` asks the server to answer with a keepalive.
    pub(super) fn send(&self, reply: bool) -> Result<(), Error> {
        self.0.send(&mut self.0.lock(), reply)
    }

    /// When the next status is due.
    pub(super) fn due_at(&self) -> Instant {
        self.0.lock().feedback.due_at(&self.positions())
    }
}

impl SharedStatus {
    fn positions(&self) -> Positions {
        // In this order, so that what is confirmed is never told to be beyond what was received.
        let flush = Lsn::new(self.confirmed.load(Ordering::Acquire));
        let mut positions =
            Positions { write: Lsn::ZERO, flush, apply: flush, write_is_told: false };
        #[cfg(feature = "reader")]
        if let Some(told) = self.acknowledged.get() {
            told.add_to(&mut positions);
        }
        if !positions.write_is_told {
            let received = Lsn::new(self.received.load(Ordering::Acquire));
            positions.write = received.max(positions.flush);
        }
        positions
    }

    /// Whether what is confirmed stays behind the log although everything was taken.
    #[cfg(feature = "reader")]
    fn rests(&self) -> bool {
        self.acknowledged.get().is_some_and(|told| told.lags_when_idle())
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
        // A server that shuts down asks, and waits until its log is flushed here; told no position,
        // until it is written. No slot moves by that.
        #[cfg(feature = "reader")]
        let rests =
            clock.feedback.is_asked() && flush == clock.feedback.told().flush && self.rests();
        #[cfg(feature = "reader")]
        let flush = if rests { Lsn::ZERO } else { flush };
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

    /// Until the end is asked for: sends what is due, and what the socket did not take before.
    fn beat(&self) {
        let mut clock = self.lock();
        while !clock.ended {
            let now = Instant::now();
            if let Err(error) = self.send_due(&mut clock, now).and_then(|()| self.sender.push()) {
                clock.failed = Some(error);
                // Whoever waits for the server finds it; whoever does not, before the next wait.
                self.waker.wake();
                return;
            }
            // Positions move without a word: they are looked at as often as they may be told.
            let due = clock.feedback.due_at(&self.positions());
            let wait = due.saturating_duration_since(now).clamp(SHORTEST, PAUSE);
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

/// The thread that sends status updates on their own clock. It never reads, and tells only positions that the reading side has
/// set. Dropping this ends it and waits for its end, which nothing holds up: it never blocks but to sleep.
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
            .spawn(move || shared.beat())
            .map_err(|error| Error::io("starting a thread for", address, error))?;
        Ok(Self { status: status.clone(), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.status.0.lock().ended = true;
        self.status.0.ended.notify_all();
        // It has nothing to panic with, and nobody to tell here.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Positions only rise. One thread moves each, so that nothing is lost between load and store.
fn raise(position: &AtomicU64, lsn: Lsn) {
    if lsn.as_u64() > position.load(Ordering::Relaxed) {
        position.store(lsn.as_u64(), Ordering::Release);
    }
}

/// This machine's clock, as the protocol counts it.
fn clock_time() -> TimestampTz {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
    TimestampTz::from_unix_micros(micros).unwrap_or_default()
}
