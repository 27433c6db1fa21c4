//! The position to stop at.

use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, Message};

/// How soon a quiet server is asked again how far it has come: at first, and at most. The pause doubles: a server that has
/// only just started to read its log needs a moment.
const ASK_AGAIN: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// Where to stop.
#[derive(Debug)]
pub(super) struct Until {
    lsn: Lsn,
    ask_at: Instant,
    delay: Duration,
}

impl Until {
    pub(super) fn new(lsn: Lsn, now: Instant) -> Self {
        Self { lsn, ask_at: now, delay: ASK_AGAIN[0] }
    }

    /// Another connection: its server has only just started to read.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(self.lsn, now);
    }

    /// When to ask a quiet server how far it has come.
    pub(super) fn ask_at(&self) -> Instant {
        self.ask_at
    }

    /// Whether it is time to ask; then the next time is later.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.ask_at <= now;
        if due {
            self.ask_at = now + self.delay;
            self.delay = (self.delay * 2).min(ASK_AGAIN[1]);
        }
        due
    }

    /// Whether the message is the first of something behind the position.
    pub(super) fn is_before(&self, message: &Message<'_>) -> bool {
        match message {
            Message::Begin(begin) => begin.final_lsn >= self.lsn,
            // The position of a message is where its record ends.
            Message::Message(body) => !body.flags.is_transactional() && body.lsn > self.lsn,
            _ => false,
        }
    }

    pub(super) fn is_reached(&self, lsn: Lsn) -> bool {
        lsn >= self.lsn
    }
}
