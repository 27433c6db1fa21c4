//! What moves the slot while nothing comes.

use std::time::{Duration, Instant};

use pgoutput_decode::message::MessageBody;

/// How often a quiet server is asked how far it has come. With `wal_sender_timeout = 0` it says so on its own only when it has sent something.
const ASK: Duration = Duration::from_secs(5);

/// What moves the slot of a database in which nothing happens that is to be read, while the log of others fills the server's disk.
///
/// ```no_run
/// use pgoutput_reader::{Idle, Reader};
///
/// let reader = Reader::builder("host=localhost dbname=app")
///     .slot("my_slot")
///     .publication("my_publication")
///     .messages(true)
///     .idle(Idle::message())
///     .connect()?;
/// # Ok::<(), pgoutput_reader::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Idle {
    /// When every event so far was taken, and the server says that it has come further without finding one, it may forget
    /// what is before: up to 1 KiB before there, at an LSN that says which event was the last. A server that says nothing for five seconds is asked.
    #[default]
    WhenDrained,
    /// Nothing: the slot moves only with what is acknowledged. The server keeps all log since then, until its disk is full, unless the program stores and
    /// acknowledges positions of [`Reader::idle_position`](crate::Reader::idle_position) while nothing comes. Storing positions does not need this:
    /// see [`ReaderBuilder::resume`](crate::ReaderBuilder::resume).
    Never,
    /// A logical decoding message of this reader's own, outside of any transaction, written over the ordinary connection whenever
    /// nothing has come for `interval`; what it comes back behind may be forgotten. It is not handed out. Works also where the
    /// server says nothing of itself, as behind some proxies; needs [`messages`](crate::ReaderBuilder::messages) (PostgreSQL 14 and later) and a
    /// primary.
    Message {
        /// The messages' prefix. Every message outside a transaction with this prefix and without content counts as this reader's own.
        prefix: String,
        /// How long nothing has to have come.
        interval: Duration,
    },
}

impl Idle {
    /// [`Idle::Message`] with the prefix `pgoutput.idle`, every five seconds.
    pub fn message() -> Self {
        Self::Message { prefix: "pgoutput.idle".into(), interval: ASK }
    }
}

/// What is to be done about a quiet server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdleAction<'a> {
    Nothing,
    /// To be asked how far it has come.
    RequestKeepalive,
    /// To be given something to send: a message with this prefix.
    WriteMessage(&'a str),
}

/// The policy and its clock.
#[derive(Debug)]
pub(super) struct IdleTimer {
    policy: Idle,
    due_at: Instant,
}

impl IdleTimer {
    pub(super) fn new(policy: Idle, now: Instant) -> Self {
        let mut clock = Self { policy, due_at: now };
        clock.postpone(now);
        clock
    }

    fn interval(&self) -> Duration {
        match &self.policy {
            Idle::Message { interval, .. } => *interval,
            Idle::WhenDrained | Idle::Never => ASK,
        }
    }

    /// Something has come that says how far the server is.
    pub(super) fn postpone(&mut self, now: Instant) {
        // An interval beyond the clock's range never passes.
        self.due_at = now.checked_add(self.interval()).unwrap_or(now + 1000 * ASK);
    }

    /// When to look again.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// What is due now; counts as done.
    pub(super) fn take_due(&mut self, now: Instant) -> IdleAction<'_> {
        if now < self.due_at {
            return IdleAction::Nothing;
        }
        self.postpone(now);
        match &self.policy {
            Idle::WhenDrained | Idle::Never => IdleAction::RequestKeepalive,
            Idle::Message { prefix, .. } => IdleAction::WriteMessage(prefix),
        }
    }

    /// Whether the server's own word for how far it is moves the slot.
    pub(super) fn follows_keepalives(&self) -> bool {
        self.policy == Idle::WhenDrained
    }

    /// Whether only what is acknowledged moves the slot.
    pub(super) fn is_never(&self) -> bool {
        self.policy == Idle::Never
    }

    /// Whether the message is one that this policy wrote.
    pub(super) fn is_own(&self, body: &MessageBody<'_>) -> bool {
        matches!(&self.policy, Idle::Message { prefix, .. }
            if !body.flags.is_transactional() && body.content.is_empty() && body.prefix == prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_does_its_own_once_an_interval() {
        let start = Instant::now();
        let interval = Duration::from_secs(2);
        let message = Idle::Message { prefix: "p".into(), interval };
        for (policy, interval, due) in [
            (Idle::WhenDrained, ASK, IdleAction::RequestKeepalive),
            (Idle::Never, ASK, IdleAction::RequestKeepalive),
            (message, interval, IdleAction::WriteMessage("p")),
        ] {
            let mut clock = IdleTimer::new(policy, start);
            assert_eq!(clock.take_due(start + interval / 2), IdleAction::Nothing);
            assert_eq!(clock.take_due(start + interval), due);
            assert_eq!(clock.take_due(start + interval), IdleAction::Nothing);
            clock.postpone(start + 2 * interval);
            assert_eq!(clock.due_at(), start + 3 * interval);
        }
    }

    #[test]
    fn an_interval_without_end_is_no_panic() {
        let message = Idle::Message { prefix: String::new(), interval: Duration::MAX };
        let now = Instant::now();
        assert_eq!(IdleTimer::new(message, now).take_due(now), IdleAction::Nothing);
    }
}
