//! The copy of tables that are added while the stream is open.
//!
//! The stream is kept alive and not read meanwhile. It continues where it was, without the changes
//! that the copy contains.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, Oid};

use super::Replication;
use crate::delivery::Between;
use crate::error::{Error, ErrorKind, SnapshotError};
use crate::event::{Copied, StreamIdentity};
use crate::snapshot::{JobRows, PublishedNow, Rows};
use crate::source::Step;
use crate::source::initial_copy::{CopyPlan, InitialCopy};
use crate::source::open::CopyJobs;
use crate::source::open_added::{Addition, AdditionAttempt, AdditionRequest, AdditionSettings};
use crate::source::publication_watch::PublicationWatch;
use crate::stream::Frame;

/// The time after which the server is asked for its position again.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// The time after which the creation of a slot is looked at again.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The time after the first attempt to start a copy that failed. It is doubled after each further
/// one.
const SHORTEST_DELAY: Duration = Duration::from_secs(1);

/// The longest time between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// The tables that are added.
#[derive(Debug)]
pub(super) struct Additions {
    jobs: NonZeroU32,
    wait_limit: Duration,
    /// The tables that are not finished.
    tables: BTreeSet<Oid>,
    /// Tables that are to be added later.
    joining: Vec<Joining>,
    /// The time at which the server is asked for its position again.
    ask_at: Instant,
    /// The tables that were finished when a copy was interrupted.
    interrupted: Option<Copied>,
    opening: Option<Opening>,
    /// The delay after the last attempt to start a copy, if it failed.
    delay: Duration,
    /// The time of the next attempt, if the last one failed.
    retry_at: Option<Instant>,
    /// The tables that are copied now, if the current copy is one of added tables. Those that have
    /// left the publications are left out, also if these are all.
    running: Option<BTreeSet<Oid>>,
    /// The search for tables that join the publications.
    watch: Option<PublicationWatch>,
    /// Whether the slot sends prepared transactions when they are prepared.
    two_phase: bool,
}

/// Tables that are added once the stream has reached an LSN.
#[derive(Debug)]
struct Joining {
    lsn: Lsn,
    tables: Vec<Oid>,
}

/// A copy whose snapshot is being taken. The stream is read until there is a slot, whose creation
/// may wait for long transactions.
#[derive(Debug)]
struct Opening {
    attempt: AdditionAttempt,
    tables: BTreeSet<Oid>,
    /// The place at which the stream stopped.
    hold: Option<Hold>,
}

/// The place at which tables are added.
#[derive(Debug)]
struct Hold {
    copied: Copied,
    /// The LSN at which the stream continues.
    stream_lsn: Lsn,
    /// The commit LSN of the last transaction before.
    commit_lsn: Lsn,
    /// Whether a part of the copy was delivered, so that nothing of the stream may be read before
    /// its end.
    is_interrupted: bool,
}

impl Opening {
    fn is_interrupted(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.is_interrupted)
    }
}

impl Default for Additions {
    fn default() -> Self {
        Self {
            jobs: NonZeroU32::MIN,
            wait_limit: Duration::ZERO,
            tables: BTreeSet::new(),
            joining: Vec::new(),
            ask_at: Instant::now(),
            interrupted: None,
            opening: None,
            delay: Duration::ZERO,
            retry_at: None,
            running: None,
            watch: None,
            two_phase: false,
        }
    }
}

impl Additions {
    /// Returns whether the stream must not be read until the snapshot is taken.
    pub(super) fn is_held(&self) -> bool {
        self.opening.as_ref().is_some_and(|opening| opening.hold.is_some())
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Returns whether the next copy will contain this table. A snapshot that was requested before
    /// may lack changes of a table that has joined again.
    fn is_waiting(&self, table: Oid) -> bool {
        let is_requested = self.opening.is_some() || self.is_running();
        !is_requested && self.tables.contains(&table)
            || self.joining.iter().any(|joining| joining.tables.contains(&table))
    }

    /// Returns the time of the next attempt if it is not due yet.
    fn delayed_until(&self, now: Instant) -> Option<Instant> {
        self.retry_at.filter(|at| *at > now)
    }

    /// Returns the time at which there is something to do between two transactions.
    fn due_at(&self) -> Option<Instant> {
        if self.opening.is_some() {
            return Some(Instant::now() + LOOK_INTERVAL);
        }
        let watch = self.watch.as_ref().map(PublicationWatch::due_at);
        let ask = Some(self.ask_at).filter(|_| !self.joining.is_empty());
        let retry = self.retry_at.filter(|_| !self.tables.is_empty());
        watch.into_iter().chain(ask).chain(retry).min()
    }
}

impl Replication {
    /// Sets how tables that are added are copied, and which are.
    pub(crate) fn set_additions(&mut self, settings: AdditionSettings) {
        let AdditionSettings { jobs, wait_limit, two_phase, joined, watch, .. } = settings;
        self.additions = Additions {
            jobs,
            wait_limit,
            tables: settings.interrupted.iter().flat_map(Copied::to_add).collect(),
            interrupted: settings.interrupted,
            watch,
            two_phase,
            ..Additions::default()
        };
        if let Some((lsn, tables)) = joined {
            self.add_tables(lsn, tables);
        }
    }

    /// Returns whether the slot sends prepared transactions, of which a copy may miss changes.
    pub(crate) fn is_two_phase(&self) -> bool {
        self.additions.two_phase
    }

    /// Returns the tables that are published now.
    pub(crate) fn published_now(&self) -> Result<PublishedNow, Error> {
        self.opener.published_now(&mut None)
    }

    /// Adds tables, which are copied between two transactions, once the stream has reached this
    /// LSN. Before that it may have changes of other tables that had the same names.
    pub(crate) fn add_tables(&mut self, lsn: Lsn, tables: impl IntoIterator<Item = Oid>) {
        let additions = &mut self.additions;
        let tables: Vec<Oid> =
            tables.into_iter().filter(|table| !additions.is_waiting(*table)).collect();
        if !tables.is_empty() {
            additions.joining.push(Joining { lsn, tables });
        }
    }

    /// Returns the tables to be copied now.
    fn take_joined(&mut self, read: Lsn) -> Result<(), Error> {
        let additions = &mut self.additions;
        for joined in additions.joining.extract_if(.., |joining| joining.lsn <= read) {
            additions.tables.extend(joined.tables);
        }
        let now = Instant::now();
        if !additions.joining.is_empty() && additions.ask_at <= now {
            additions.ask_at = now + ASK_INTERVAL;
            // An idle server reports its position only if it is asked.
            if let Some(stream) = &mut self.stream {
                stream.send_status(true)?;
            }
        }
        Ok(())
    }

    /// Returns whether a copy can be started.
    fn may_add(&self) -> bool {
        self.stream.is_some() && self.copy.is_none() && self.additions.opening.is_none()
    }

    /// Returns the time at which there is something to do between two transactions.
    pub(super) fn addition_due_at(&self) -> Option<Instant> {
        let is_due = self.stream.is_some() && self.copy.is_none();
        self.additions.due_at().filter(|_| is_due)
    }

    /// Searches from time to time for published tables that are not known, to add them. Returns the
    /// identity without the tables that have left if there are any.
    pub(super) fn find_added_tables(&mut self) -> Result<Option<Arc<StreamIdentity>>, Error> {
        if !self.may_add() {
            return Ok(None);
        }
        let Some(watch) = &mut self.additions.watch else { return Ok(None) };
        let Some(published) = watch.poll(&self.opener, Instant::now())? else { return Ok(None) };
        let Some(known) = self.identity.known.clone() else { return Ok(None) };
        let now = published.tables();
        let joined: Vec<Oid> = now.not_in(&known).collect();
        self.add_tables(published.lsn, joined);
        let left = known.also_in(&now);
        if left == *known {
            return Ok(None);
        }
        self.identity = Arc::new(self.identity.with_known(Some(left)));
        Ok(Some(Arc::clone(&self.identity)))
    }

    /// Starts to copy the tables that are to be added.
    pub(super) fn start_addition(&mut self, between: Between<'_>) -> Result<(), Error> {
        let Between { lsn: stream_lsn, commit_lsn, .. } = between;
        let copied = || between.copied.and_then(|copied| copied.after(stream_lsn));
        if let Some(opening) = &mut self.additions.opening
            && opening.hold.is_none()
            && opening.attempt.has_slot()
        {
            let copied = copied().unwrap_or_default().adding(opening.tables.iter().copied());
            opening.hold = Some(Hold { copied, stream_lsn, commit_lsn, is_interrupted: false });
        }
        if !self.may_add() {
            return Ok(());
        }
        self.take_joined(stream_lsn)?;
        let tables = self.additions.tables.clone();
        // After an interruption, the end is still to be delivered, and nothing of the stream may be
        // read before that.
        let interrupted = self.additions.interrupted.take();
        let is_delayed = || self.additions.delayed_until(Instant::now()).is_some();
        if interrupted.is_none() && (tables.is_empty() || is_delayed()) {
            return Ok(());
        }
        self.additions.retry_at = None;
        let hold = interrupted.map(|copied| Hold {
            copied: copied.adding(tables.iter().copied()),
            stream_lsn,
            commit_lsn,
            is_interrupted: true,
        });
        let attempt = self.addition_attempt(&tables)?;
        self.additions.opening = Some(Opening { attempt, tables, hold });
        Ok(())
    }

    fn addition_attempt(&self, tables: &BTreeSet<Oid>) -> Result<AdditionAttempt, Error> {
        let request = AdditionRequest {
            opener: self.opener.clone(),
            system_identifier: self.system.system_identifier,
            timeline: self.system.timeline,
            tables: tables.clone(),
            jobs: self.additions.jobs,
            wait_limit: self.additions.wait_limit,
        };
        AdditionAttempt::start(request, self.wake.waker())
    }

    /// Waits for the snapshot of the tables that are added.
    pub(super) fn open_addition(&mut self, deadline: Instant) -> Result<Step<Frame>, Error> {
        loop {
            if self.stop.is_stopped() {
                return Ok(Step::Stopped);
            }
            if !self.settings.heartbeat
                && let Some(stream) = &mut self.stream
            {
                stream.tick()?;
            }
            let Some(opening) = &self.additions.opening else { return Ok(Step::TimedOut) };
            let now = Instant::now();
            let delayed_until = self.additions.delayed_until(now);
            if self.additions.retry_at.is_some() {
                if delayed_until.is_none() {
                    self.retry_addition()?;
                    continue;
                }
            } else if let Some(result) = opening.attempt.result() {
                match result {
                    Ok(addition) => {
                        if let Some(opening) = self.additions.opening.take() {
                            self.copy_addition(addition, opening)?;
                        }
                    }
                    Err(error) => self.postpone_addition(error)?,
                }
                continue;
            }
            if deadline <= now {
                return Ok(Step::TimedOut);
            }
            self.wake
                .wait(Some(delayed_until.map_or(deadline, |at| at.min(deadline))))
                .map_err(|error| Error::io("waiting for", &self.address, error))?;
        }
    }

    /// Lets the stream go on, and tries later again to start the copy. After an interruption the
    /// stream is not read.
    ///
    /// # Errors
    /// The stream cannot go on either, or no attempt can succeed.
    fn postpone_addition(&mut self, error: Error) -> Result<(), Error> {
        if is_final(&error) {
            return Err(error);
        }
        let additions = &mut self.additions;
        let delay = next_delay(additions.delay);
        log::warn!(
            "the copy of tables that are added cannot start: {error}; the next attempt is in \
             {delay:.1?}"
        );
        (additions.delay, additions.retry_at) = (delay, Some(Instant::now() + delay));
        additions.opening.take_if(|opening| !opening.is_interrupted());
        Ok(())
    }

    /// Tries again to start a copy that was interrupted.
    fn retry_addition(&mut self) -> Result<(), Error> {
        self.additions.retry_at = None;
        let Some(mut opening) = self.additions.opening.take() else { return Ok(()) };
        opening.attempt = self.addition_attempt(&opening.tables)?;
        self.additions.opening = Some(opening);
        Ok(())
    }

    fn copy_addition(&mut self, addition: Addition, opening: Opening) -> Result<(), Error> {
        let Addition { jobs, tables, point } = addition;
        let Opening { tables: requested, hold, .. } = opening;
        let Some(hold) = hold else { return Ok(()) };
        if point <= hold.commit_lsn {
            // Changes after the snapshot may have been delivered before the stream stopped.
            let attempt = self.addition_attempt(&requested)?;
            let hold = Some(hold);
            self.additions.opening = Some(Opening { attempt, tables: requested, hold });
            return Ok(());
        }
        self.additions.delay = Duration::ZERO;
        let Hold { copied, stream_lsn, .. } = hold;
        let CopyJobs { keeper, jobs, opener, settings } = jobs;
        let rows = JobRows::new(keeper, opener, settings, jobs, self.wake.clone());
        // Changes of these tables may have been delivered before.
        let repeats = true;
        let plan = CopyPlan {
            tables,
            copied,
            repeats,
            skips: false,
            point,
            stream_lsn,
            confirmed: stream_lsn,
        };
        let rows = Rows::Jobs(Box::new(rows));
        let copy = InitialCopy::new(rows, plan, Arc::clone(&self.identity));
        self.copy = Some(Box::new(copy));
        self.additions.running = Some(requested);
        Ok(())
    }

    /// Ends the copy of the tables that were added.
    pub(super) fn finish_addition(&mut self) {
        let Some(finished) = self.additions.running.take() else { return };
        self.additions.tables.retain(|table| !finished.contains(table));
        if let Some(copy) = self.copy.take() {
            self.identity = copy.identity();
        }
        // An answer that is on its way may lack the tables.
        if let Some(watch) = &mut self.additions.watch {
            watch.restart(Instant::now());
        }
    }

    /// Keeps what a copy of added tables has finished when it is interrupted. Returns whether there
    /// was one.
    pub(super) fn interrupt_addition(&mut self) -> bool {
        if let Some(opening) = self.additions.opening.take() {
            let interrupted = opening.hold.filter(|hold| hold.is_interrupted);
            self.additions.interrupted = interrupted.map(|hold| hold.copied);
            return true;
        }
        if self.copy.as_ref().is_some_and(|copy| copy.is_complete()) {
            self.finish_addition();
        }
        let Some(running) = self.additions.running.take() else { return false };
        if let Some(copy) = self.copy.take() {
            let copied = copy.copied();
            let left: BTreeSet<Oid> = copied.to_add().collect();
            self.additions.tables.retain(|table| left.contains(table) || !running.contains(table));
            self.additions.interrupted = Some(copied);
            self.identity = copy.identity();
        }
        true
    }
}

/// Returns the delay after a further attempt that failed.
fn next_delay(last: Duration) -> Duration {
    (last * 2).clamp(SHORTEST_DELAY, LONGEST_DELAY)
}

/// Returns whether an attempt to start a copy shows another server or history, or no other attempt
/// can succeed.
fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::History(_)
            | ErrorKind::ThreadPanicked { .. }
            | ErrorKind::Snapshot(
                SnapshotError::OtherServer { .. } | SnapshotError::Excluded { .. }
            )
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::HistoryError;

    #[test]
    fn the_delay_grows_up_to_a_limit() {
        let delays = std::iter::successors(Some(Duration::ZERO), |last| Some(next_delay(*last)));
        let seconds: Vec<u64> = delays.skip(1).take(8).map(|delay| delay.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn another_history_ends_the_reader() {
        assert!(is_final(&HistoryError::OtherCluster { expected: 1, found: 2 }.into()));
        let timeout = ErrorKind::Timeout { doing: "connecting to", address: String::new() };
        assert!(!is_final(&timeout.into()));
    }

    #[test]
    fn a_table_is_requested_again_once_its_snapshot_was() {
        let (table, tables) = (Oid::new(7), BTreeSet::from([Oid::new(7)]));
        let mut additions = Additions { tables: tables.clone(), ..Additions::default() };
        assert!(additions.is_waiting(table));
        additions.running = Some(tables);
        assert!(!additions.is_waiting(table));
        additions.joining.push(Joining { lsn: Lsn::ZERO, tables: vec![table] });
        assert!(additions.is_waiting(table));
    }
}
