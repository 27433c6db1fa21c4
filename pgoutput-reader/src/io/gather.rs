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

/// The first rest on a busy stream: one that pays is followed by one twice as long, so that what ends soon, as a transaction of some
/// tens of changes, is not held up for long.
const FIRST: Duration = Duration::from_micros(100);

/// A rest that brings less than this, in bytes, is the last: it does not pay. Of a rest shorter than [`LONG`] less is expected.
const LITTLE: usize = 1024;
const LONG: Duration = Duration::from_micros(800);

/// No rest is longer, whatever the setting.
const LONGEST: Duration = Duration::from_secs(1);

/// Tells a busy stream from another by the times and sizes of reads.
#[derive(Debug)]
pub(super) struct Gather {
    longest: Duration,
    next: Duration,
    last_read: Option<Instant>,
    streak: u32,
}

impl Gather {
    /// Rests of this length at most; zero for none.
    pub(super) fn new(longest: Duration) -> Self {
        let longest = longest.min(LONGEST);
        Self { longest, next: FIRST.min(longest), last_read: None, streak: 0 }
    }

    /// How long to rest before the next read on a busy stream: nothing, where the caller has worked for as long on what the last one brought.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.last_read?);
        self.is_busy().then(|| self.next.saturating_sub(since))
    }

    fn is_busy(&self) -> bool {
        self.streak >= STREAK && !self.longest.is_zero()
    }

    /// A read brought this many bytes; none, where it found nothing. `rested` is whether what [`rest`](Self::rest) said was
    /// taken just before.
    pub(super) fn read(&mut self, now: Instant, bytes: usize, rested: bool) {
        let since = self.last_read.map(|last| now.saturating_duration_since(last));
        self.last_read = Some(now);
        let goes_on = if self.is_busy() {
            !rested || self.pays(bytes)
        } else {
            since.is_some_and(|since| since < CLOSE) && bytes < MUCH
        };
        self.next = match (goes_on, rested) {
            (true, true) => self.next.saturating_mul(2).min(self.longest),
            (true, false) => self.next,
            (false, _) => FIRST.min(self.longest),
        };
        self.streak = if goes_on { self.streak.saturating_add(1) } else { 0 };
    }

    fn pays(&self, bytes: usize) -> bool {
        // Multiplied instead of divided: as many bytes to the rest as `LITTLE` to `LONG`.
        let scaled = LONG.as_micros().saturating_mul(bytes as u128);
        bytes >= LITTLE || scaled >= self.next.as_micros().saturating_mul(LITTLE as u128)
    }
}

#[cfg(test)]
impl Gather {
    /// A busy stream whose next rest is this long.
    pub(super) fn busy(rest: Duration) -> Self {
        Self { longest: rest, next: rest, last_read: Some(Instant::now()), streak: STREAK }
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
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
        assert_eq!(gather.rest(last), Some(FIRST));
        assert_eq!(gather.rest(last + FIRST / 4), Some(3 * (FIRST / 4)));
        assert_eq!(gather.rest(last + 2 * FIRST), Some(Duration::ZERO));
    }

    #[test]
    fn a_rest_that_pays_is_followed_by_a_longer_one() {
        let start = Instant::now();
        let mut gather = busy(start);
        let rests: Vec<_> = (0..4)
            .map(|_| {
                let rest = gather.rest(start).unwrap();
                gather.read(start, LITTLE, true);
                rest
            })
            .collect();
        assert_eq!(rests, [FIRST, 2 * FIRST, REST, REST]);
        // And the next busy time begins with the first again.
        gather.read(start, 0, true);
        assert!(!gather.is_busy());
        for _ in 0..=STREAK {
            gather.read(start, 100, false);
        }
        assert_eq!(gather.rest(start), Some(FIRST));
    }

    #[test]
    fn a_short_setting_bounds_the_first_rest() {
        let start = Instant::now();
        let mut gather = Gather::new(FIRST / 2);
        for _ in 0..=STREAK {
            gather.read(start, 100, false);
        }
        assert_eq!(gather.rest(start), Some(FIRST / 2));
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
    fn a_rest_that_brings_little_for_its_length_is_the_last() {
        let start = Instant::now();
        let share = LITTLE * FIRST.as_micros() as usize / LONG.as_micros() as usize;
        for (bytes, goes_on) in [(share, true), (share - 1, false), (0, false)] {
            let mut gather = busy(start);
            gather.read(start + REST, bytes, true);
            assert_eq!(gather.is_busy(), goes_on, "{bytes}");
        }
        let mut long = Gather { longest: 10 * LONG, next: 10 * LONG, ..busy(start) };
        long.read(start + REST, LITTLE, true);
        assert!(long.is_busy());
        long.read(start + REST, LITTLE - 1, true);
        assert!(!long.is_busy());
    }

    /// The rest of what did not fit into the buffer is little, or nothing.
    #[test]
    fn a_read_without_a_rest_does_not_end_it() {
        let start = Instant::now();
        let mut gather = busy(start);
        gather.read(start + REST, 0, false);
        gather.read(start + 2 * REST, 1, false);
        assert!(gather.is_busy());
        assert_eq!(gather.rest(start + 2 * REST), Some(FIRST));
    }

    #[test]
    fn no_rest_is_none() {
        let start = Instant::now();
        let mut gather = Gather::new(Duration::ZERO);
        for n in 0..2 * STREAK {
            gather.read(start + n * CLOSE / 2, 100, false);
        }
        assert_eq!(gather.rest(start), None);
    }
}
