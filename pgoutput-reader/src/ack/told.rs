//! What acknowledgements have come to, where the thread that sends status updates sees it.

use std::sync::atomic::{AtomicU64, Ordering};

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
}

impl Told {
    pub(super) const fn new(stages: bool) -> Self {
        let [written, flushed, applied] = [const { AtomicU64::new(0) }; 3];
        Self { stages, written, flushed, applied }
    }

    /// By one thread at a time.
    pub(super) fn set(&self, written: Lsn, flushed: Lsn, applied: Lsn) {
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
