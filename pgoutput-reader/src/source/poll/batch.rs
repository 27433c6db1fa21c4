//! The batch that is arriving, and what the next one repeats.

use std::time::Instant;

use pgoutput_decode::{Lsn, Message};

use super::facts::Facts;
use super::session::PollFrame;

/// The batch that is arriving.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) facts: Option<Facts>,
    /// The slot's confirmed LSN, at which the batch starts.
    pub(super) start: Lsn,
    pub(super) reads: bool,
    pub(super) messages: u64,
    pub(super) first_at: Option<Instant>,
    /// When the server was last found to be at work without sending anything.
    pub(super) checked_at: Instant,
    /// Whether it starts with what was delivered before, unless a new stream was announced.
    pub(super) repeats: bool,
    /// The first message, while a new stream is announced.
    pub(super) held: Option<PollFrame>,
    pub(super) is_new: bool,
}

impl Batch {
    pub(super) fn new(now: Instant, repeats: bool) -> Self {
        Self {
            facts: None,
            start: Lsn::ZERO,
            reads: false,
            messages: 0,
            first_at: None,
            checked_at: now,
            repeats,
            held: None,
            is_new: false,
        }
    }
}

/// The newest transaction or message outside of transactions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Newest {
    pub(super) end: Lsn,
    /// A slot that is confirmed beyond this does not repeat it.
    pub(super) start: Lsn,
    /// Whether the last batch had a part of a transaction in progress.
    pub(super) in_progress: bool,
}

impl Newest {
    /// Adds a message, and returns whether it ends a transaction that is new.
    pub(super) fn add(&mut self, message: &Message<'_>, lsn: Lsn) -> bool {
        let start = match message {
            Message::Commit(commit) => commit.commit_lsn,
            Message::StreamCommit(commit) => commit.commit_lsn,
            Message::Message(body) if !body.flags.is_transactional() => {
                // The confirmed LSN is one byte before the end.
                Lsn::new(lsn.as_u64().saturating_sub(2))
            }
            Message::Prepare(_)
            | Message::StreamPrepare(_)
            | Message::CommitPrepared(_)
            | Message::RollbackPrepared(_) => lsn,
            Message::StreamStart(_) => {
                self.in_progress = true;
                return false;
            }
            _ => return false,
        };
        let is_new = lsn > self.end;
        if is_new {
            (self.end, self.start) = (lsn, start);
        }
        is_new
    }

    /// Returns whether a batch from this confirmed LSN on repeats some of it.
    pub(super) fn is_repeated_from(self, confirmed: Lsn) -> bool {
        self.in_progress || (!self.end.is_zero() && self.start >= confirmed)
    }
}

#[cfg(test)]
mod tests;
