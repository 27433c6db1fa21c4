//! The limits of a batch.

use std::time::Duration;

/// The limits of a batch of a [`Pipe`](super::Pipe). The first one that is reached ends the batch,
/// at the end of a transaction. When nothing more has arrived, the batch ends at once. With a limit
/// of 0, every transaction is a batch.
///
/// A batch all of whose events the sink left out ends after five seconds, since it has only a
/// position to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    pub(super) bytes: usize,
    pub(super) events: u64,
    pub(super) delay: Duration,
    pub(super) transaction_bytes: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            bytes: 1024 * 1024,
            events: 10_000,
            delay: Duration::from_millis(200),
            transaction_bytes: 8 * 1024 * 1024,
        }
    }
}

impl BatchLimits {
    /// Returns the default limits: 1 MiB, 10,000 events, 200 ms, transactions of 8 MiB.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the size of a batch in bytes, as the sink reports it.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the number of events in a batch.
    #[must_use]
    pub fn max_events(mut self, events: u64) -> Self {
        self.events = events;
        self
    }

    /// Sets the time from the first event of a batch to its end, on a busy stream.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the size in bytes from which on a transaction is stored in parts of this size; with 0,
    /// each event is a part. Each part has the position of its last event, so that a restart
    /// continues in the middle of the transaction. The batch with its last part ends with it.
    #[must_use]
    pub fn max_transaction_bytes(mut self, bytes: usize) -> Self {
        self.transaction_bytes = bytes;
        self
    }
}
