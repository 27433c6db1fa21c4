//! The acknowledged LSNs, shared with the thread that sends status updates.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgoutput_decode::Lsn;

use crate::proto::feedback::Positions;

/// The acknowledged LSNs of the next status update. Each only grows.
#[derive(Debug)]
pub(crate) struct AcknowledgedLsns {
    /// Whether written, flushed and applied are acknowledged one by one. If so, the received LSN is
    /// not reported as written.
    stages: bool,
    written: AtomicU64,
    flushed: AtomicU64,
    applied: AtomicU64,
    /// Whether the acknowledged LSN stays below the received one while idle.
    lags: AtomicBool,
    /// Whether a delivered event is not acknowledged yet.
    pending: AtomicBool,
}

impl AcknowledgedLsns {
    pub(crate) const fn new(stages: bool) -> Self {
        let [written, flushed, applied] = [const { AtomicU64::new(0) }; 3];
        let [lags, pending] = [const { AtomicBool::new(false) }; 2];
        Self { stages, written, flushed, applied, lags, pending }
    }

    /// Sets whether the acknowledged LSN stays below the received one while idle.
    pub(crate) fn set_lags(&self, lags: bool) {
        self.lags.store(lags, Ordering::Release);
    }

    /// Returns whether the acknowledged LSN is below the received one although everything is
    /// acknowledged.
    pub(crate) fn lags_when_idle(&self) -> bool {
        self.lags.load(Ordering::Acquire) && !self.stages && !self.pending.load(Ordering::Acquire)
    }

    /// Sets the LSNs. Only one thread may do so at a time.
    pub(crate) fn set(&self, written: Lsn, flushed: Lsn, applied: Lsn, pending: bool) {
        self.pending.store(pending, Ordering::Release);
        self.written.store(written.as_u64(), Ordering::Release);
        self.flushed.store(flushed.as_u64(), Ordering::Release);
        self.applied.store(applied.as_u64(), Ordering::Release);
    }

    /// Returns the acknowledged LSN of the stage that moves the slot.
    pub(crate) fn flushed(&self) -> Lsn {
        Lsn::new(self.flushed.load(Ordering::Acquire))
    }

    /// Raises `positions` to the acknowledged LSNs.
    pub(crate) fn add_to(&self, positions: &mut Positions) {
        let [written, flushed, applied] = [&self.written, &self.flushed, &self.applied]
            .map(|position| Lsn::new(position.load(Ordering::Acquire)));
        positions.flush = positions.flush.max(flushed);
        positions.apply = positions.apply.max(applied);
        if self.stages {
            (positions.write, positions.write_is_reported) = (written, true);
        }
    }
}
