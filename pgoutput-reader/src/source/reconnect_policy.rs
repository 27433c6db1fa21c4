//! When to try again, and when to give up.

use std::time::Duration;

use crate::Error;
use crate::listener::Listener;

/// How a [`Reader`](crate::Reader) gets back a connection that was lost.
///
/// It tries again after a first delay, then after delays that grow by a factor up to the longest, each made shorter by a random part, so that
/// many readers do not come back at once. It gives up after a time or a number of attempts, both counted from the loss; a connection that has
/// delivered an event, that lasted for as long as the longest delay, or on which the server had caught up with its log and which lasted for a second, makes
/// them count again from the start. So an idle stream that is cut again and again goes on.
///
/// Only what can pass by itself is tried again: a network that fails, a server that restarts, is silent or full, a slot that
/// another connection still holds. Everything else ends the reader at once.
///
/// ```
/// use std::time::Duration;
/// use pgoutput_reader::{Reader, Reconnect};
///
/// let patient = Reconnect::default().max_delay(Duration::from_secs(60)).max_elapsed(None);
/// let builder = Reader::builder("postgresql://app@localhost/app").reconnect(patient);
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
    /// After 0.1 s, then after twice the delay before, 30 s at most, a quarter of it random; for five minutes.
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
    /// Not at all: the first error ends the reader.
    pub fn never() -> Self {
        Self { max_attempts: Some(0), ..Self::default() }
    }

    /// The delay before the first attempt.
    #[must_use]
    pub fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self
    }

    /// The longest delay.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// By how much each delay is longer than the one before; 1 keeps them the same.
    #[must_use]
    pub fn factor(mut self, factor: u32) -> Self {
        self.factor = factor;
        self
    }

    /// How much of each delay is random, in percent: with 25, it is between three quarters of itself and the whole. More than 100
    /// is 100.
    #[must_use]
    pub fn jitter(mut self, percent: u32) -> Self {
        self.jitter = percent.min(100);
        self
    }

    /// For how long it is tried. Below `wal_sender_timeout`, 60 s unless set otherwise, a server that has not noticed that its client
    /// is gone may hold the slot for longer. `None`: for ever.
    #[must_use]
    pub fn max_elapsed(mut self, time: Option<Duration>) -> Self {
        self.max_elapsed = time;
        self
    }

    /// How often it is tried; `None`, which is the default, sets no bound.
    #[must_use]
    pub fn max_attempts(mut self, attempts: Option<u32>) -> Self {
        self.max_attempts = attempts;
        self
    }

    pub(crate) fn is_never(&self) -> bool {
        self.max_attempts == Some(0)
    }

    /// How long a connection has to last to be a good one.
    pub(crate) fn good_after(&self) -> Duration {
        self.max_delay
    }

    /// How long to wait before the next attempt, when so many were made and so much time has passed; `None` gives up. The last attempt is
    /// made when the time is over.
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
        // Of 2^16 steps.
        let part = u32::try_from(random % (1 << 16)).unwrap_or(0);
        let shorter = (whole / 100).saturating_mul(self.jitter) / (1 << 16) * part;
        Some(whole.saturating_sub(shorter).min(left))
    }
}

/// An attempt to get a lost connection back, told before its delay.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReconnectAttempt<'a> {
    /// Its number, from 1, since the connection was lost.
    pub attempt: u32,
    /// Why there is need for it: what ended the connection, or what the attempt before failed with. A slot that is
    /// still held is SQLSTATE 55006, whose message names the process that holds it.
    pub cause: &'a Error,
    /// How long is waited before it.
    pub delay: Duration,
    /// How long it has been since the connection was lost.
    pub elapsed: Duration,
}

/// A lost connection that was made again, told before anything is read from it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Reconnected<'a> {
    /// The number of the attempt that succeeded, from 1.
    pub attempt: u32,
    /// How long it has been since the connection was lost.
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
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn plain() -> Reconnect {
        Reconnect::default().initial_delay(100 * MS).max_delay(1000 * MS).jitter(0)
    }

    #[test]
    fn delays_grow_up_to_the_longest() {
        let delays = (0..6).map(|attempts| plain().delay(attempts, MS, 7).unwrap().as_millis());
        assert_eq!(delays.collect::<Vec<_>>(), [100, 200, 400, 800, 1000, 1000]);
        let factor = |factor| plain().factor(factor).delay(u32::MAX, MS, 7);
        assert_eq!(factor(2), Some(1000 * MS));
        assert_eq!(factor(1), Some(100 * MS));
    }

    #[test]
    fn jitter_takes_off_a_random_part_and_no_more() {
        let delays = |random| plain().jitter(25).delay(0, MS, random).unwrap();
        assert_eq!(delays(0), 100 * MS);
        assert!((75 * MS..76 * MS).contains(&delays(0xFFFF)));
        let half = delays(0x8000);
        assert!((87 * MS..88 * MS).contains(&half), "{half:?}");
        let all = plain().jitter(1000).delay(0, MS, 0xFFFF).unwrap();
        assert!(all < MS);
    }

    #[test]
    fn ends_after_so_many_attempts_or_so_long() {
        let thrice = plain().max_attempts(Some(3));
        assert!(thrice.delay(2, MS, 0).is_some());
        assert_eq!(thrice.delay(3, MS, 0), None);
        let short = plain().max_elapsed(Some(150 * MS));
        assert_eq!(short.delay(0, 100 * MS, 0), Some(50 * MS));
        assert_eq!(short.delay(1, 150 * MS, 0), None);
        assert!(plain().max_elapsed(None).delay(9, Duration::MAX, 0).is_some());
        assert_eq!(Reconnect::never().delay(0, Duration::ZERO, 0), None);
        assert!(Reconnect::never().is_never() && !plain().is_never());
    }
}
