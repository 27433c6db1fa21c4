//! What acknowledgements have come to, where the thread that sends status updates sees it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgoutput_decode::Lsn;

use crate::proto::feedback::Positions;

/// The positions of the next status update. Each only rises.
#[derive(Debug)]
pub(crate) struct Told {
    /// What was received is not told as written.
    stages: bool,
    written: AtomicU64,
    flushed: AtomicU64,
    applied: AtomicU64,
    /// What is confirmed stays behind the log while nothing comes.
    lags: AtomicBool,
    /// Something that has arrived is still to be taken.
    owed: AtomicBool,
}

impl Told {
    pub(super) const fn new(stages: bool) -> Self {
        let [written, flushed, applied] = [const { AtomicU64::new(0) }; 3];
        let [lags, owed] = [const { AtomicBool::new(false) }; 2];
        Self { stages, written, flushed, applied, lags, owed }
    }

    /// Whether what is confirmed will stay behind the log while nothing comes.
    pub(crate) fn set_lags(&self, lags: bool) {
        self.lags.store(lags, Ordering::Release);
    }

    /// Whether what is confirmed stays behind the log although everything was taken.
    pub(crate) fn rests(&self) -> bool {
        self.lags.load(Ordering::Acquire) && !self.stages && !self.owed.load(Ordering::Acquire)
    }

    /// By one thread at a time.
    pub(super) fn set(&self, written: Lsn, flushed: Lsn, applied: Lsn, owed: bool) {
        self.owed.store(owed, Ordering::Release);
        self.written.store(written.as_u64(), Ordering::Release);
        self.flushed.store(flushed.as_u64(), Ordering::Release);
        self.applied.store(applied.as_u64(), Ordering::Release);
    }

    /// The position that the server may forget everything before.
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
