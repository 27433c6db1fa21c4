//! The initial copy of a source, before its first stream.

use std::time::{Duration, Instant};

use super::Replication;
use crate::error::{Error, ErrorKind, SetupError, SnapshotError};
use crate::listener::REPORTED;
use crate::proto::StartReplication;
use crate::snapshot::SnapshotProgress;
use crate::source::Step;
use crate::source::initial_copy::CopyStep;
use crate::source::open::check_not_moved;
use crate::stream::Frame;

/// The longest wait for the state of the slot, during which no row is read.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

impl Replication {
    /// The progress of the initial copy, until the stream is read.
    pub(crate) fn copy_progress(&self) -> Option<SnapshotProgress> {
        self.copy.as_ref().map(|copy| copy.progress())
    }

    /// Performs the next step of the initial copy. After the end, the stream starts.
    pub(super) fn copy(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<Step<Frame>, Error> {
        let Some(copy) = &mut self.copy else { return Ok(Step::Stopped) };
        // Rows may arrive faster than they are read.
        if self.stop.is_stopped() {
            return Ok(Step::Stopped);
        }
        if !self.settings.heartbeat
            && let Some(stream) = &mut self.stream
        {
            stream.tick()?;
        }
        if copy.is_complete() {
            if self.additions.is_running() {
                self.finish_addition();
                return Ok(Step::TimedOut);
            }
            return if self.settings.ends_after_copy() {
                Ok(Step::Stopped)
            } else {
                self.start_stream()
            };
        }
        if self.slot_watch.as_mut().is_some_and(|watch| watch.is_due(Instant::now)) {
            self.check_slot()?;
        }
        let Some(copy) = &mut self.copy else { return Ok(Step::Stopped) };
        let watch = &mut self.slot_watch;
        let wake_at = || match watch {
            Some(watch) => watch.waits_until(wake_at()),
            None => wake_at(),
        };
        Ok(match copy.step(wake_at)? {
            CopyStep::Woken if self.stop.is_stopped() => Step::Stopped,
            CopyStep::TimedOut | CopyStep::Woken => Step::TimedOut,
            step => Step::Copy(step),
        })
    }

    /// Reports that the server is about to invalidate the slot. Without an answer in time, the next
    /// query may have one.
    ///
    /// # Errors
    /// The slot is lost or was dropped, so that the copy is of no use.
    fn check_slot(&mut self) -> Result<(), Error> {
        let slot = &self.opener.start.slot;
        let status = match self.catalog.slot_status_within(STATUS_TIMEOUT, slot) {
            Ok(status) => status,
            Err(error) if matches!(error.kind(), ErrorKind::Setup(_)) => return Err(error),
            Err(error) => {
                log::debug!("querying the slot during the copy: {error}");
                return Ok(());
            }
        };
        if status.is_lost() {
            let reason = status.invalidation_reason.unwrap_or_else(|| "wal_status lost".into());
            return Err(SetupError::SlotLost { slot: slot.clone(), reason }.into());
        }
        let observed = self.slot_watch.as_mut().and_then(|watch| watch.observe(slot, &status));
        if let Some(at_risk) = observed {
            log::warn!(target: REPORTED, "{at_risk}");
            if let Some(listener) = &self.settings.on_slot_at_risk {
                listener.with(|report| report(&at_risk));
            }
        }
        Ok(())
    }

    /// Starts the stream after the initial copy, on its connection.
    fn start_stream(&mut self) -> Result<Step<Frame>, Error> {
        let Some(copy) = self.copy.take() else { return Ok(Step::Stopped) };
        self.identity = copy.identity();
        let connection = copy.into_connection();
        let Some(mut connection) = connection else { return Ok(Step::Restarted) };
        // Nobody held it during the copy. The server would skip the changes that another client
        // has read.
        let slot = &self.opener.start.slot;
        let found = connection.check_slot(slot)?.confirmed;
        let confirmed = self.confirmed.max(self.settings.acknowledged.flushed());
        check_not_moved(slot, confirmed, found)?;
        let timing = connection.timing()?;
        let start = StartReplication { start_lsn: self.start_lsn, ..self.opener.start.clone() };
        let mut copy = connection.start_replication(&start)?;
        copy.set_wake_pipe(self.wake.clone());
        let mut stream = self.settings.stream(copy, timing)?;
        stream.stopped_by(self.stop.clone());
        self.stream = Some(stream);
        Ok(Step::Restarted)
    }
}

/// Returns whether a copy can go on in another snapshot: it has ended with the session that kept
/// it, or a job waits for a session that waits for the end of the copy.
pub(super) fn needs_other_snapshot(error: &Error) -> bool {
    let ErrorKind::Snapshot(error) = error.kind() else { return false };
    matches!(error, SnapshotError::SnapshotLost { .. } | SnapshotError::LockTimeout { .. })
}
