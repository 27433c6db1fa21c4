//! The LSN to stop at.

use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, Message};

use crate::event::TransactionStart;

/// The first and the longest delay between two requests for the position of an idle server. The
/// delay doubles, because a server that has just started to read its WAL needs a moment.
const REQUEST_DELAYS: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];

/// The LSN to stop at, and the time of the next request.
#[derive(Debug)]
pub(super) struct Until {
    lsn: Lsn,
    request_at: Instant,
    delay: Duration,
}

impl Until {
    pub(super) fn new(lsn: Lsn, now: Instant) -> Self {
        Self { lsn, request_at: now, delay: REQUEST_DELAYS[0] }
    }

    /// Starts over with a new connection, whose server has just started to read.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(self.lsn, now);
    }

    /// Returns the time of the next request for the server's position.
    pub(super) fn request_at(&self) -> Instant {
        self.request_at
    }

    /// Returns whether a request is due, which then counts as made.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.request_at <= now;
        if due {
            self.request_at = now + self.delay;
            self.delay = (self.delay * 2).min(REQUEST_DELAYS[1]);
        }
        due
    }

    /// Returns whether the LSN is before this message and everything that follows.
    pub(super) fn is_before(&self, message: &Message<'_>) -> bool {
        match message {
            Message::Begin(begin) => begin.final_lsn >= self.lsn,
            Message::BeginPrepare(begin) => begin.prepare_lsn >= self.lsn,
            Message::CommitPrepared(commit) => commit.commit_lsn >= self.lsn,
            Message::RollbackPrepared(rollback) => {
                TransactionStart::from(rollback).commit_lsn >= self.lsn
            }
            // The LSN of a message is the end of its record.
            Message::Message(body) => !body.flags.is_transactional() && body.lsn > self.lsn,
            _ => false,
        }
    }

    /// Returns whether `lsn` is at or after the LSN to stop at.
    pub(super) fn is_reached(&self, lsn: Lsn) -> bool {
        lsn >= self.lsn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_between_requests_doubles_up_to_a_second() {
        let mut until = Until::new(Lsn::MAX, Instant::now());
        let mut delays = Vec::new();
        for _ in 0..9 {
            let now = until.request_at();
            assert!(!until.take_due(now.checked_sub(Duration::from_millis(1)).unwrap()));
            assert!(until.take_due(now));
            delays.push((until.request_at() - now).as_millis());
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }
}
