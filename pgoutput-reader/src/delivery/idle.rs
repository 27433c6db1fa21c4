//! Policies to move the slot while nothing is published.

use std::time::{Duration, Instant};

use pgoutput_decode::message::MessageBody;

/// The time without a keepalive after which the server is asked for its position. With
/// `wal_sender_timeout = 0` it reports its position unasked only after it has sent something.
const REQUEST_INTERVAL: Duration = Duration::from_secs(5);

/// A policy to move the slot while nothing is published, so that WAL of other changes does not fill
/// the server's disk.
///
/// ```no_run
/// use pgoutput_reader::{Idle, Reader, StreamOptions};
///
/// let reader = Reader::builder("host=localhost dbname=app")
///     .slot("my_slot")
///     .publication("my_publication")
///     .options(StreamOptions::new().messages(true))
///     .idle(Idle::message())
///     .connect()?;
/// # Ok::<(), pgoutput_reader::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Idle {
    /// Keepalives of the server move the slot. A keepalive reports that the server has passed an
    /// LSN without finding another event. Once every delivered event is acknowledged, everything
    /// before that LSN counts as acknowledged, up to 1 KiB short of it. The exact LSN identifies
    /// the last event. If none has arrived for five seconds, the reader requests one.
    #[default]
    Keepalives,
    /// Only acknowledgements move the slot. The server keeps all WAL since the last one, until its
    /// disk is full, unless your program stores and acknowledges positions of
    /// [`Reader::idle_position`](crate::Reader::idle_position) while nothing is published. Storing
    /// positions does not need this policy: see
    /// [`ReaderBuilder::resume`](crate::ReaderBuilder::resume).
    Never,
    /// The reader writes a logical decoding message of its own, outside of any transaction, over
    /// the SQL connection once in each `interval`, when nothing else is arriving. Once the message
    /// has arrived and every delivered event is acknowledged, everything before the message counts
    /// as acknowledged. It is not delivered. This works also where keepalives do not arrive, as
    /// through some proxies. It needs [`messages`](crate::StreamOptions::messages) (PostgreSQL 14
    /// and later) and a primary.
    Message {
        /// The prefix of the messages. Every message outside of a transaction with this prefix and
        /// without content counts as the reader's own.
        prefix: String,
        /// The time from the arrival of one of these messages to the next.
        interval: Duration,
    },
}

impl Idle {
    /// Returns [`Idle::Message`] with the prefix `pgoutput.idle` and an interval of five seconds.
    pub fn message() -> Self {
        Self::Message { prefix: "pgoutput.idle".into(), interval: REQUEST_INTERVAL }
    }
}

/// The action that is due on an idle stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdleAction<'a> {
    Nothing,
    /// Ask the server for its position.
    RequestKeepalive,
    /// Write a message with this prefix.
    WriteMessage(&'a str),
}

/// The policy, and the time of its next action.
#[derive(Debug)]
pub(super) struct IdleTimer {
    policy: Idle,
    due_at: Instant,
}

impl IdleTimer {
    pub(super) fn new(policy: Idle, now: Instant) -> Self {
        let mut timer = Self { policy, due_at: now };
        timer.postpone(now);
        timer
    }

    fn interval(&self) -> Duration {
        match &self.policy {
            Idle::Message { interval, .. } => *interval,
            Idle::Keepalives | Idle::Never => REQUEST_INTERVAL,
        }
    }

    /// Postpones the next action: the server has just reported its position.
    pub(super) fn postpone(&mut self, now: Instant) {
        // An interval beyond the clock's range never passes.
        self.due_at = now.checked_add(self.interval()).unwrap_or(now + 1000 * REQUEST_INTERVAL);
    }

    /// Returns the time of the next action.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// Returns what is due now, which then counts as done.
    pub(super) fn take_due(&mut self, now: Instant) -> IdleAction<'_> {
        if now < self.due_at {
            return IdleAction::Nothing;
        }
        self.postpone(now);
        match &self.policy {
            Idle::Keepalives | Idle::Never => IdleAction::RequestKeepalive,
            Idle::Message { prefix, .. } => IdleAction::WriteMessage(prefix),
        }
    }

    /// Returns whether the WAL end in keepalives moves the slot.
    pub(super) fn follows_keepalives(&self) -> bool {
        self.policy == Idle::Keepalives
    }

    /// Returns whether only acknowledgements move the slot.
    pub(super) fn is_never(&self) -> bool {
        self.policy == Idle::Never
    }

    /// Returns whether the message is one that this policy wrote.
    pub(super) fn is_own(&self, body: &MessageBody<'_>) -> bool {
        matches!(&self.policy, Idle::Message { prefix, .. }
            if !body.flags.is_transactional() && body.content.is_empty() && body.prefix == prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_acts_once_an_interval() {
        let start = Instant::now();
        let interval = Duration::from_secs(2);
        let message = Idle::Message { prefix: "p".into(), interval };
        for (policy, interval, due) in [
            (Idle::Keepalives, REQUEST_INTERVAL, IdleAction::RequestKeepalive),
            (Idle::Never, REQUEST_INTERVAL, IdleAction::RequestKeepalive),
            (message, interval, IdleAction::WriteMessage("p")),
        ] {
            let mut timer = IdleTimer::new(policy, start);
            assert_eq!(timer.take_due(start + interval / 2), IdleAction::Nothing);
            assert_eq!(timer.take_due(start + interval), due);
            assert_eq!(timer.take_due(start + interval), IdleAction::Nothing);
            timer.postpone(start + 2 * interval);
            assert_eq!(timer.due_at(), start + 3 * interval);
        }
    }

    #[test]
    fn an_infinite_interval_does_not_panic() {
        let message = Idle::Message { prefix: String::new(), interval: Duration::MAX };
        let now = Instant::now();
        assert_eq!(IdleTimer::new(message, now).take_due(now), IdleAction::Nothing);
    }
}
