//! The delay before a read that lets data accumulate.
//!
//! The server sends each change on its own. If every change is read at once, each costs the client
//! and the server a system call and a wake-up. While the stream is busy, a short delay before each
//! read lets many changes arrive together. On a stream that is not busy every change is read as it
//! arrives.

use std::time::{Duration, Instant};

/// The number of small reads in quick succession after which a stream is busy.
const BUSY_READS: u32 = 16;

/// The longest time between two reads in quick succession.
const CLOSE: Duration = Duration::from_micros(100);

/// A read of this many bytes without a delay reads a backlog, and does not show how the server
/// sends.
const BACKLOG: usize = 4 * 1024;

/// A read of fewer bytes than this after a delay ends the delays, as they bring too little.
const SMALL: usize = 1024;

/// The longest delay, whatever the setting.
const LONGEST: Duration = Duration::from_secs(1);

/// Detects a busy stream by the times and sizes of reads.
#[derive(Debug)]
pub(super) struct ReadDelay {
    delay: Duration,
    last_read: Option<Instant>,
    streak: u32,
}

impl ReadDelay {
    /// Creates it with this delay; zero is none.
    pub(super) fn new(delay: Duration) -> Self {
        Self { delay: delay.min(LONGEST), last_read: None, streak: 0 }
    }

    /// The delay before the next read on a busy stream. The time since the last read counts as part
    /// of it.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.last_read?);
        self.is_busy().then(|| self.delay.saturating_sub(since))
    }

    fn is_busy(&self) -> bool {
        self.streak >= BUSY_READS && !self.delay.is_zero()
    }

    /// Notes that a read received this many bytes; 0 if there were none. `delayed` is whether a
    /// whole delay came just before.
    pub(super) fn read(&mut self, now: Instant, bytes: usize, delayed: bool) {
        let since = self.last_read.map(|last| now.saturating_duration_since(last));
        self.last_read = Some(now);
        let continues = if self.is_busy() {
            !delayed || bytes >= SMALL
        } else {
            since.is_some_and(|since| since < CLOSE) && bytes < BACKLOG
        };
        self.streak = if continues { self.streak.saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
impl ReadDelay {
    /// A busy stream with this delay.
    pub(super) fn busy(delay: Duration) -> Self {
        Self { delay, last_read: Some(Instant::now()), streak: BUSY_READS }
    }

    /// The delay.
    pub(super) fn length(&self) -> Duration {
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_micros(300);

    fn busy(start: Instant) -> ReadDelay {
        let mut delay = ReadDelay::new(DELAY);
        for n in 0..=BUSY_READS {
            delay.read(start + n * CLOSE / 2, 100, false);
        }
        delay
    }

    #[test]
    fn reads_close_together_make_a_stream_busy() {
        assert!(busy(Instant::now()).is_busy());
    }

    #[test]
    fn time_since_the_last_read_counts_as_delay() {
        let start = Instant::now();
        let delay = busy(start);
        let last = start + BUSY_READS * CLOSE / 2;
        assert_eq!(delay.remaining(last), Some(DELAY));
        assert_eq!(delay.remaining(last + DELAY / 3), Some(2 * (DELAY / 3)));
        assert_eq!(delay.remaining(last + 2 * DELAY), Some(Duration::ZERO));
    }

    #[test]
    fn one_pause_restarts_the_count() {
        let start = Instant::now();
        let mut delay = ReadDelay::new(DELAY);
        for n in 0..BUSY_READS {
            delay.read(start + n * CLOSE / 2, 100, false);
        }
        assert!(!delay.is_busy());
        delay.read(start + BUSY_READS * CLOSE, 100, false);
        assert!(!delay.is_busy());
    }

    #[test]
    fn a_backlog_does_not_make_a_stream_busy() {
        let start = Instant::now();
        let mut delay = ReadDelay::new(DELAY);
        for n in 0..2 * BUSY_READS {
            delay.read(
                start + n * CLOSE / 2,
                if n % BUSY_READS == 0 { BACKLOG } else { 100 },
                false,
            );
        }
        assert!(!delay.is_busy());
    }

    #[test]
    fn a_delay_that_gains_little_is_the_last() {
        let start = Instant::now();
        let mut delay = busy(start);
        let later = start + Duration::from_secs(1);
        delay.read(later, SMALL, true);
        assert!(delay.is_busy());
        delay.read(later + DELAY, SMALL - 1, true);
        assert!(!delay.is_busy());
        delay.read(later + 2 * DELAY, 0, false);
        assert!(!delay.is_busy());
    }

    /// The rest of the data that did not fit into the buffer is little, or nothing.
    #[test]
    fn a_read_without_a_delay_does_not_end_the_delays() {
        let start = Instant::now();
        let mut delay = busy(start);
        delay.read(start + DELAY, 0, false);
        delay.read(start + 2 * DELAY, 1, false);
        assert!(delay.is_busy());
        delay.read(start + 3 * DELAY, 0, true);
        assert!(!delay.is_busy());
    }

    #[test]
    fn a_delay_of_zero_is_none() {
        let start = Instant::now();
        let mut delay = ReadDelay::new(Duration::ZERO);
        for n in 0..2 * BUSY_READS {
            delay.read(start + n * CLOSE / 2, 100, false);
        }
        assert!(!delay.is_busy());
    }
}
