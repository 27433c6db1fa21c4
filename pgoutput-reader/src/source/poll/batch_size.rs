//! The number of changes that are requested at a time.

use std::time::Duration;

/// The number at first, and whenever the end of the WAL was reached.
const FIRST: i32 = 10_000;

/// The greatest number while everything is acknowledged.
const GREATEST: i32 = 640_000;

/// A batch that the program took longer for is not followed by a greater one: nothing is confirmed
/// before its end.
const SLOW: Duration = Duration::from_secs(5);

/// The number of changes that are requested at a time.
///
/// Each request decodes the WAL from the slot's `restart_lsn` again. So the number doubles while
/// there is more, and a backlog is not read in many small parts. It also doubles if a batch had
/// nothing new, since the batch starts with all that is not confirmed.
#[derive(Debug)]
pub(super) struct BatchSize {
    changes: i32,
    /// Whether a batch had something new since the last error.
    has_progressed: bool,
}

/// The result of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchEnd {
    /// The number of messages.
    pub(super) messages: u64,
    /// Whether it had the end of a transaction that no batch had before.
    pub(super) is_new: bool,
    /// The time from its first message to its end.
    pub(super) took: Duration,
}

impl BatchSize {
    pub(super) fn new() -> Self {
        Self { changes: FIRST, has_progressed: true }
    }

    /// The number of changes to request.
    pub(super) fn changes(&self) -> i32 {
        self.changes
    }

    /// Returns whether a batch was ended by the number of changes, so that more may follow.
    pub(super) fn is_full(&self, messages: u64) -> bool {
        messages >= u64::from(self.changes.unsigned_abs())
    }

    /// Chooses the number for the next batch.
    pub(super) fn ended(&mut self, end: BatchEnd) {
        self.has_progressed |= end.is_new;
        let may_grow = !end.is_new || (end.took < SLOW && self.changes < GREATEST);
        if !self.is_full(end.messages) {
            self.changes = FIRST;
        } else if may_grow {
            self.changes = self.changes.saturating_mul(2);
        }
    }

    /// Chooses a smaller number after the server has failed to decode a change: it then returns
    /// nothing of the batch, although the transactions before that change can be read. Returns
    /// false if that does not help any more.
    pub(super) fn failed(&mut self) -> bool {
        let helps = self.changes > 1 && self.has_progressed;
        (self.changes, self.has_progressed) = (1, false);
        helps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(size: &BatchSize, is_new: bool, took: Duration) -> BatchEnd {
        BatchEnd { messages: u64::try_from(size.changes()).unwrap(), is_new, took }
    }

    #[test]
    fn a_backlog_is_read_in_greater_and_greater_parts() {
        let mut size = BatchSize::new();
        let mut numbers = Vec::new();
        for _ in 0..8 {
            numbers.push(size.changes() / FIRST);
            size.ended(full(&size, true, Duration::ZERO));
        }
        assert_eq!(numbers, [1, 2, 4, 8, 16, 32, 64, 64]);
        size.ended(BatchEnd { messages: 5, is_new: true, took: Duration::ZERO });
        assert_eq!(size.changes(), FIRST);
        size.ended(full(&size, true, SLOW));
        assert_eq!(size.changes(), FIRST);
    }

    #[test]
    fn a_batch_without_news_is_followed_by_a_greater_one() {
        let mut size = BatchSize::new();
        for _ in 0..40 {
            size.ended(full(&size, false, SLOW));
        }
        assert_eq!(size.changes(), i32::MAX);
    }

    #[test]
    fn a_failure_is_final_if_nothing_before_it_is_new() {
        let mut size = BatchSize::new();
        assert!(size.failed());
        assert_eq!(size.changes(), 1);
        size.ended(full(&size, true, Duration::ZERO));
        assert!(size.failed(), "after progress");
        assert!(!size.failed(), "of one change");
        size.ended(full(&size, false, Duration::ZERO));
        assert!(!size.failed(), "of two changes, the first of which was delivered before");
    }
}
