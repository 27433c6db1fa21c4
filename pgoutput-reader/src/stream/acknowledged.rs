//! The acknowledged LSNs, where the thread that sends status updates reads them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgoutput_decode::Lsn;

use crate::proto::feedback::Positions;

/// The acknowledged LSNs of the next status update. Each only grows.
#[derive(Debug)]
pub(crate) struct AcknowledgedLsns {
    /// Written, flushed and applied are acknowledged one by one; received is not reported as written.
    stages: bool,
    written: AtomicU64,
    flushed: AtomicU64,
    applied: AtomicU64,
    /// The acknowledged LSN stays below the received one while idle.
    lags: AtomicBool,
    /// An event that was delivered is not acknowledged yet.
    owed: AtomicBool,
}

impl AcknowledgedLsns {
    pub(crate) const fn new(stages: bool) -> Self {
        let [written, flushed, applied] = [const { AtomicU64::new(0) }; 3];
        let [lags, owed] = [const { AtomicBool::new(false) }; 2];
        Self { stages, written, flushed, applied, lags, owed }
    }

    /// Sets whether the acknowledged LSN stays below the received one while idle.
    pub(crate) fn set_lags(&self, lags: bool) {
        self.lags.store(lags, Ordering::Release);
    }

    /// Whether the acknowledged LSN is below the received one although everything is acknowledged.
    pub(crate) fn lags_when_idle(&self) -> bool {
        self.lags.load(Ordering::Acquire) && !self.stages && !self.owed.load(Ordering::Acquire)
    }

    /// Sets the LSNs; by one thread at a time.
    pub(crate) fn set(&self, written: Lsn, flushed: Lsn, applied: Lsn, owed: bool) {
        self.owed.store(owed, Ordering::Release);
        self.written.store(written.as_u64(), Ordering::Release);
        self.flushed.store(flushed.as_u64(), Ordering::Release);
        self.applied.store(applied.as_u64(), Ordering::Release);
    }

    /// The LSN before which the server may discard everything.
    pub(crate) fn flushed(&self) -> Lsn {
        Lsn::new(self.flushed.load(Ordering::Acquire))
    }

    /// Raises `positions` to what was acknowledged.
    pub(crate) fn add_to(&self, positions: &mut Positions) {
        let [written, flushed, applied] = [&self.written, &self.flushed, &self.applied]
            .map(|position| Lsn::new(position.load(Ordering::Acquire)));
        positions.flush = positions.flush.max(flushed);
        positions.apply = positions.apply.max(applied);
        if self.stages {
            (positions.write, positions.write_is_told) = (written, true);
        }
    }
}
