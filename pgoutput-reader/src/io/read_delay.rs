//! Whether to let data gather before the next read.
//!
//! The server sends each change by itself, and a reader that waits for each pays a system call and a wake-up for it, as
//! does the server. While the stream is busy, a short rest before each read lets many changes come at once. On a stream
//! that is not busy every change is read as it comes.

use std::time::{Duration, Instant};

/// Small reads in a row, each close behind the one before, after which a stream is busy.
const STREAK: u32 = 16;

/// How close that is.
const CLOSE: Duration = Duration::from_micros(100);

/// A read of this many bytes, without a rest, takes in a backlog: it does not tell how the server sends.
const MUCH: usize = 4 * 1024;

/// A read that brings less than this after a rest, in bytes, ends it: resting does not pay.
const LITTLE: usize = 1024;

/// No rest is longer, whatever the setting.
const LONGEST: Duration = Duration::from_secs(1);

/// Tells a busy stream from another by the times and sizes of reads.
#[derive(Debug)]
pub(super) struct Gather {
    rest: Duration,
    last_read: Option<Instant>,
    streak: u32,
}

impl Gather {
    /// Rests of this length; zero for none.
    pub(super) fn new(rest: Duration) -> Self {
        Self { rest: rest.min(LONGEST), last_read: None, streak: 0 }
    }

    /// How long to rest before the next read on a busy stream: nothing, where the caller has worked for as long on what the last one brought.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.last_read?);
        self.is_busy().then(|| self.rest.saturating_sub(since))
    }

    fn is_busy(&self) -> bool {
        self.streak >= STREAK && !self.rest.is_zero()
    }

    /// A read brought this many bytes; none, where it found nothing. `rested` is whether a rest was taken just before.
    pub(super) fn read(&mut self, now: Instant, bytes: usize, rested: bool) {
        let since = self.last_read.map(|last| now.saturating_duration_since(last));
        self.last_read = Some(now);
        let goes_on = if self.is_busy() {
            !rested || bytes >= LITTLE
        } else {
            since.is_some_and(|since| since < CLOSE) && bytes < MUCH
        };
        self.streak = if goes_on { self.streak.saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
impl Gather {
    /// A busy stream that is left to gather for so long.
    pub(super) fn busy(rest: Duration) -> Self {
        Self { rest, last_read: Some(Instant::now()), streak: STREAK }
    }

    /// How long rests are.
    pub(super) fn length(&self) -> Duration {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_micros(300);

    fn busy(start: Instant) -> Gather {
        let mut gather = Gather::new(REST);
        for n in 0..=STREAK {
            gather.read(start + n * CLOSE / 2, 100, false);
        }
        gather
    }

    #[test]
    fn reads_close_together_make_a_stream_busy() {
        assert!(busy(Instant::now()).is_busy());
    }

    #[test]
    fn work_done_since_the_last_read_counts_as_rest() {
        let start = Instant::now();
        let gather = busy(start);
        let last = start + STREAK * CLOSE / 2;
        assert_eq!(gather.rest(last), Some(REST));
        assert_eq!(gather.rest(last + REST / 3), Some(2 * (REST / 3)));
        assert_eq!(gather.rest(last + 2 * REST), Some(Duration::ZERO));
    }

    #[test]
    fn one_pause_starts_the_count_again() {
        let start = Instant::now();
        let mut gather = Gather::new(REST);
        for n in 0..STREAK {
            gather.read(start + n * CLOSE / 2, 100, false);
        }
        assert!(!gather.is_busy());
        gather.read(start + STREAK * CLOSE, 100, false);
        assert!(!gather.is_busy());
    }

    #[test]
    fn a_backlog_does_not_make_a_stream_busy() {
        let start = Instant::now();
        let mut gather = Gather::new(REST);
        for n in 0..2 * STREAK {
            gather.read(start + n * CLOSE / 2, if n % STREAK == 0 { MUCH } else { 100 }, false);
        }
        assert!(!gather.is_busy());
    }

    #[test]
    fn a_rest_that_brings_little_is_the_last() {
        let start = Instant::now();
        let mut gather = busy(start);
        let later = start + Duration::from_secs(1);
        gather.read(later, LITTLE, true);
        assert!(gather.is_busy());
        gather.read(later + REST, LITTLE - 1, true);
        assert!(!gather.is_busy());
        gather.read(later + 2 * REST, 0, false);
        assert!(!gather.is_busy());
    }

    /// The rest of what did not fit into the buffer is little, or nothing.
    #[test]
    fn a_read_without_a_rest_does_not_end_it() {
        let start = Instant::now();
        let mut gather = busy(start);
        gather.read(start + REST, 0, false);
        gather.read(start + 2 * REST, 1, false);
        assert!(gather.is_busy());
        gather.read(start + 3 * REST, 0, true);
        assert!(!gather.is_busy());
    }

    #[test]
    fn no_rest_is_none() {
        let start = Instant::now();
        let mut gather = Gather::new(Duration::ZERO);
        for n in 0..2 * STREAK {
            gather.read(start + n * CLOSE / 2, 100, false);
        }
        assert!(!gather.is_busy());
    }
}
