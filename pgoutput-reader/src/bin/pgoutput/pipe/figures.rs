//! Figures of a destination.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What was stored since the start. The thread of the metrics reads it while a batch is stored.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    batches: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    /// The time of the last batch in milliseconds of Unix time; 0 before the first.
    stored_at: AtomicU64,
}

/// The figures of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) batches: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// The errors after which storing was tried again.
    pub(crate) errors: u64,
    /// The time of the last batch in milliseconds of Unix time.
    pub(crate) stored_at: Option<u64>,
}

impl Figures {
    /// Counts a batch that was stored.
    pub(crate) fn stored(&self, records: usize, bytes: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.stored_at.store(u64::try_from(now.as_millis()).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Counts an error.
    pub(crate) fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the figures of this moment.
    pub(crate) fn counts(&self) -> Counts {
        let stored_at = self.stored_at.load(Ordering::Relaxed);
        Counts {
            batches: self.batches.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            stored_at: (stored_at > 0).then_some(stored_at),
        }
    }
}
