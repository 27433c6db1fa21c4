//! The policy of when to reconnect and when to give up.

use std::time::Duration;

use crate::error::Error;
use crate::listener::Listener;

/// The longest delay, whatever the settings: a delay of centuries may be beyond the clock's range.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The policy by which a [`Reader`](crate::Reader) replaces a lost connection.
///
/// The reader tries again after a first delay, then after delays that grow by a factor up to the
/// longest. Each is shortened by a random part, so that many readers do not reconnect at once. It
/// gives up after a time or a number of attempts, both counted from the loss.
///
/// A connection restarts both counts if it has delivered an event or has lasted for the longest
/// delay. It also does if it has lasted for a second and the server has caught up with its WAL. So
/// an idle stream that is cut again and again continues.
///
/// The reader tries again only after errors that can pass by themselves: the network failed; the
/// server restarts, is silent or has too many connections; another connection still holds the slot.
/// Every other error ends the reader at once.
///
/// ```
/// use std::time::Duration;
/// use pgoutput_reader::{Reader, Reconnect};
///
/// let policy = Reconnect::default().max_delay(Duration::from_secs(60)).max_elapsed(None);
/// let builder = Reader::builder("postgresql://app@localhost/app").reconnect(policy);
/// let builder = builder.on_reconnect(|attempt| {
///     eprintln!("{}: attempt {} in {:?}", attempt.cause, attempt.attempt, attempt.delay);
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnect {
    initial_delay: Duration,
    max_delay: Duration,
    factor: u32,
    jitter: u32,
    max_elapsed: Option<Duration>,
    max_attempts: Option<u32>,
}

impl Default for Reconnect {
    /// Returns the default: a first delay of 0.1 s, each next one twice as long, at most 30 s, a
    /// quarter of it random; for five minutes.
    fn default() -> Self {
        Self {
            initial_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(30),
            factor: 2,
            jitter: 25,
            max_elapsed: Some(Duration::from_secs(300)),
            max_attempts: None,
        }
    }
}

impl Reconnect {
    /// Returns a policy without attempts: the first error ends the reader.
    pub fn never() -> Self {
        Self { max_attempts: Some(0), ..Self::default() }
    }

    /// Sets the delay before the first attempt.
    #[must_use]
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self
    }

    /// Sets the longest delay.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets the factor by which each delay is longer than the one before; 1 keeps them the same.
    #[must_use]
    pub fn factor(mut self, factor: u32) -> Self {
        self.factor = factor;
        self
    }

    /// Sets how much of each delay is random, in percent: with 25, a delay is between three
    /// quarters and the whole of itself. More than 100 counts as 100.
    #[must_use]
    pub fn jitter(mut self, percent: u32) -> Self {
        self.jitter = percent.min(100);
        self
    }

    /// Sets the time after which the reader gives up; `None` for never. If it is shorter than
    /// `wal_sender_timeout` (60 s by default), a server that has not noticed the loss of its client
    /// may hold the slot for longer.
    #[must_use]
    pub fn max_elapsed(mut self, time: Option<Duration>) -> Self {
        self.max_elapsed = time;
        self
    }

    /// Sets the number of attempts after which the reader gives up; `None`, the default, for no
    /// limit.
    #[must_use]
    pub fn max_attempts(mut self, attempts: Option<u32>) -> Self {
        self.max_attempts = attempts;
        self
    }

    pub(crate) fn is_never(&self) -> bool {
        self.max_attempts == Some(0)
    }

    /// Returns the time after which a connection is stable.
    pub(crate) fn stable_after(&self) -> Duration {
        self.max_delay
    }

    /// Returns the delay before the next attempt after this many attempts and this much time;
    /// `None` to give up. The last attempt follows at the end of the time.
    pub(crate) fn delay(&self, attempts: u32, elapsed: Duration, random: u64) -> Option<Duration> {
        if self.max_attempts.is_some_and(|most| attempts >= most) {
            return None;
        }
        let left = match self.max_elapsed {
            Some(most) => most.checked_sub(elapsed).filter(|left| !left.is_zero())?,
            None => Duration::MAX,
        };
        let factor = self.factor.saturating_pow(attempts);
        let whole = self.initial_delay.saturating_mul(factor).min(self.max_delay);
        // One of 2^16 steps.
        let part = u32::try_from(random % (1 << 16)).unwrap_or(0);
        let shorter = (whole / 100).saturating_mul(self.jitter) / (1 << 16) * part;
        Some(whole.saturating_sub(shorter).min(left).min(LONGEST))
    }
}

/// An attempt to reconnect, reported before its delay.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReconnectAttempt<'a> {
    /// The number of the attempt since the connection was lost, from 1.
    pub attempt: u32,
    /// The error that ended the connection or the attempt before. A slot that is still held is
    /// SQLSTATE 55006; the message names the process that holds it.
    pub cause: &'a Error,
    /// The delay before the attempt.
    pub delay: Duration,
    /// The time since the connection was lost.
    pub elapsed: Duration,
}

/// A reconnection, reported before anything is read from the new connection.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Reconnected<'a> {
    /// The number of the attempt that succeeded, from 1.
    pub attempt: u32,
    /// The time since the connection was lost.
    pub elapsed: Duration,
    /// The server's address, `host:port` or the path of a socket.
    pub address: &'a str,
}

/// A callback for attempts to reconnect.
pub(crate) type OnReconnect = Listener<dyn FnMut(&ReconnectAttempt<'_>) + Send>;

/// A callback for replaced connections.
pub(crate) type OnReconnected = Listener<dyn FnMut(&Reconnected<'_>) + Send>;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn plain() -> Reconnect {
        Reconnect::default().initial_delay(200 * MS).max_delay(1000 * MS).jitter(0)
    }

    #[test]
    fn delays_grow_up_to_the_longest() {
        let delays = (0..6).map(|attempts| plain().delay(attempts, MS, 7).unwrap().as_millis());
        assert_eq!(delays.collect::<Vec<_>>(), [200, 400, 800, 1000, 1000, 1000]);
        let factor = |factor| plain().factor(factor).delay(u32::MAX, MS, 7);
        assert_eq!(factor(2), Some(1000 * MS));
        assert_eq!(factor(1), Some(200 * MS));
        assert_eq!(plain().stable_after(), 1000 * MS);
    }

    #[test]
    fn an_infinite_delay_is_in_the_range_of_the_clock() {
        let endless = Reconnect::default().initial_delay(Duration::MAX).max_delay(Duration::MAX);
        let delay = endless.max_elapsed(None).delay(7, MS, 0xFFFF).unwrap();
        let year = Duration::from_secs(365 * 86_400);
        assert!(delay > year && Instant::now().checked_add(delay).is_some());
    }

    #[test]
    fn jitter_subtracts_a_random_part_and_no_more() {
        let delays = |random| plain().jitter(25).delay(0, MS, random).unwrap();
        assert_eq!(delays(0), 200 * MS);
        assert!((150 * MS..151 * MS).contains(&delays(0xFFFF)));
        let half = delays(0x8000);
        assert_eq!(half.as_millis(), 175);
        assert_eq!(delays(0xABCD_8000), half);
        let all = plain().jitter(1000).delay(0, MS, 0xFFFF).unwrap();
        assert!(all < MS);
    }

    #[test]
    fn ends_at_the_limit_of_attempts_or_of_time() {
        let limited = plain().max_attempts(Some(3));
        assert!(limited.delay(2, MS, 0).is_some());
        assert_eq!(limited.delay(3, MS, 0), None);
        let short = plain().max_elapsed(Some(150 * MS));
        assert_eq!(short.delay(0, 100 * MS, 0), Some(50 * MS));
        assert_eq!(short.delay(1, 150 * MS, 0), None);
        assert!(plain().max_elapsed(None).delay(9, Duration::MAX, 0).is_some());
        assert_eq!(Reconnect::never().delay(0, Duration::ZERO, 0), None);
        assert!(Reconnect::never().is_never() && !plain().is_never());
    }
}
