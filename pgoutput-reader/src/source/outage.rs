//! The time between the loss of a stream and a new one that is stable.

use std::time::{Duration, Instant};

use super::reconnect_policy::{Reconnect, ReconnectAttempt};
use crate::error::{Error, ErrorKind};

/// The attempts of an outage so far, and their errors.
#[derive(Debug)]
pub(super) struct Outage {
    since: Instant,
    /// The error that ended the stream.
    cause: Error,
    /// The error that ended the last attempt.
    last: Option<Error>,
    /// The number of attempts so far.
    attempts: u32,
}

impl Outage {
    pub(super) fn new(cause: Error, now: Instant) -> Self {
        Self { since: now, cause, last: None, attempts: 0 }
    }

    /// Records that an attempt failed, or that its stream was lost before it was stable.
    pub(super) fn failed(&mut self, error: Error) {
        self.last = Some(error);
    }

    /// Returns the delay before the next attempt and counts that attempt; `None` when it is time to
    /// give up.
    pub(super) fn next_delay(
        &mut self,
        policy: &Reconnect,
        now: Instant,
        random: u64,
    ) -> Option<Duration> {
        let delay = policy.delay(self.attempts, self.elapsed(now), random)?;
        self.attempts += 1;
        Some(delay)
    }

    /// Returns the report of an attempt, for before its delay.
    pub(super) fn report(&self, delay: Duration, now: Instant) -> ReconnectAttempt<'_> {
        let cause = self.last.as_ref().unwrap_or(&self.cause);
        ReconnectAttempt { attempt: self.attempts, cause, delay, elapsed: self.elapsed(now) }
    }

    /// Returns the error that ends the reader.
    pub(super) fn into_error(self, now: Instant) -> Error {
        let elapsed = self.elapsed(now);
        let Self { cause, last, attempts, .. } = self;
        if attempts == 0 {
            return cause;
        }
        ErrorKind::GaveUp { cause, attempts, elapsed, last }.into()
    }

    /// The number of the current attempt, from 1.
    pub(super) fn attempt(&self) -> u32 {
        self.attempts
    }

    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn error(text: &str) -> Error {
        Error::usage(text)
    }

    #[test]
    fn attempts_are_counted_and_reported_with_the_latest_cause() {
        let start = Instant::now();
        let policy = Reconnect::default().initial_delay(100 * MS).jitter(0);
        let mut outage = Outage::new(error("first"), start);
        assert_eq!(outage.next_delay(&policy, start, 0), Some(100 * MS));
        let report = outage.report(100 * MS, start + 5 * MS);
        assert_eq!((report.attempt, report.elapsed), (1, 5 * MS));
        assert!(report.cause.to_string().contains("first"));

        outage.failed(error("second"));
        assert!(outage.next_delay(&policy, start + 200 * MS, 0) > Some(100 * MS));
        let report = outage.report(MS, start + 200 * MS);
        assert_eq!((report.attempt, report.elapsed, report.delay), (2, 200 * MS, MS));
        assert!(report.cause.to_string().contains("second"));
        assert_eq!(outage.attempt(), 2);
    }

    #[test]
    fn giving_up_names_the_cause_and_the_last_error() {
        let start = Instant::now();
        let policy = Reconnect::default().max_attempts(Some(1));
        let mut outage = Outage::new(error("first"), start);
        assert!(outage.next_delay(&policy, start, 0).is_some());
        outage.failed(error("second"));
        assert_eq!(outage.next_delay(&policy, start + MS, 0), None);
        let gave_up = outage.into_error(start + 3 * MS).into_kind();
        let ErrorKind::GaveUp { cause, attempts: 1, elapsed, last: Some(last) } = gave_up else {
            panic!("{gave_up:?}")
        };
        assert_eq!(elapsed, 3 * MS);
        assert!(cause.to_string().contains("first") && last.to_string().contains("second"));
    }

    #[test]
    fn without_an_attempt_the_cause_is_the_error() {
        let now = Instant::now();
        let mut outage = Outage::new(error("first"), now);
        assert_eq!(outage.next_delay(&Reconnect::never(), now, 0), None);
        assert!(outage.into_error(now).to_string().contains("first"));
    }
}
