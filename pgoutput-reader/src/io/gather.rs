//! Whether to let data gather before the next read.
//!
//! The server sends each change by itself, and a reader that waits for each pays a system call and a wake-up for it, as
//! does the server. While the stream is busy, a short rest before each read lets many changes come at once. On a stream
//! that is not busy every change is read as it comes.

use std::time::{Duration, Instant};

/// Reads in a row, each close behind the one before, after which a stream is busy.
const STREAK: u32 = 16;

/// How close that is.
const CLOSE: Duration = Duration::from_micros(100);

/// A read that brings less than this after a rest, in bytes, ends it: resting does not pay.
const LITTLE: usize = 1024;

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
        Self { rest, last_read: None, streak: 0 }
    }

    /// How long to rest before the next read.
    pub(super) fn rest(&self) -> Option<Duration> {
        (self.streak >= STREAK && !self.rest.is_zero()).then_some(self.rest)
    }

    /// A read brought this many bytes; none, where it found nothing.
    pub(super) fn read(&mut self, now: Instant, bytes: usize) {
        let since = self.last_read.map(|last| now.saturating_duration_since(last));
        self.last_read = Some(now);
        let goes_on = match self.rest() {
            Some(_) => bytes >= LITTLE,
            None => since.is_some_and(|since| since < CLOSE),
        };
        self.streak = if goes_on { self.streak.saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_micros(300);

    fn busy(start: Instant) -> Gather {
        let mut gather = Gather::new(REST);
        for n in 0..=STREAK {
            gather.read(start + n * CLOSE / 2, 100);
        }
        gather
    }

    #[test]
    fn reads_close_together_make_a_stream_busy() {
        assert_eq!(busy(Instant::now()).rest(), Some(REST));
    }

    #[test]
    fn one_pause_starts_the_count_again() {
        let start = Instant::now();
        let mut gather = Gather::new(REST);
        for n in 0..STREAK {
            gather.read(start + n * CLOSE / 2, 100);
        }
        assert_eq!(gather.rest(), None);
        gather.read(start + STREAK * CLOSE, 100);
        assert_eq!(gather.rest(), None);
    }

    #[test]
    fn a_rest_that_brings_little_is_the_last() {
        let start = Instant::now();
        let mut gather = busy(start);
        let later = start + Duration::from_secs(1);
        gather.read(later, LITTLE);
        assert_eq!(gather.rest(), Some(REST));
        gather.read(later + REST, LITTLE - 1);
        assert_eq!(gather.rest(), None);
        gather.read(later + 2 * REST, 0);
        assert_eq!(gather.rest(), None);
    }

    #[test]
    fn no_rest_is_none() {
        let start = Instant::now();
        let mut gather = Gather::new(Duration::ZERO);
        for n in 0..100 {
            gather.read(start + n * CLOSE / 2, 100);
        }
        assert_eq!(gather.rest(), None);
    }
}
