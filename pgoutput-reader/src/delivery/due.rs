//! The actions that are due when time passes and no message arrives.

use std::time::{Duration, Instant};

use super::Delivery;
use super::idle::IdleAction;

/// The time after which the loop notices an acknowledgement from another thread while the stream is
/// idle. A status update is sent at most once a second anyway.
const NOTICE_ACKNOWLEDGEMENT: Duration = Duration::from_secs(1);

/// The actions that are due at a point in time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due<'a> {
    /// Ask the server for its position.
    pub(crate) keepalive: bool,
    /// Write a logical decoding message with this prefix.
    pub(crate) message: Option<&'a str>,
}

impl Delivery {
    /// Returns the time of the next call of [`take_due`](Self::take_due), at the latest.
    pub(crate) fn due_at(&self, now: Instant) -> Instant {
        let notice = self.acknowledger.is_pending().then(|| now + NOTICE_ACKNOWLEDGEMENT);
        let until = self.until.as_ref().map(super::Until::request_at);
        [notice, until].into_iter().flatten().fold(self.idle.due_at(), Ord::min)
    }

    /// Returns what is due now, which then counts as done.
    pub(crate) fn take_due(&mut self, now: Instant) -> Due<'_> {
        let in_transaction = self.in_transaction();
        let keepalive = self.until.as_mut().is_some_and(|until| until.take_due(now));
        match self.idle.take_due(now) {
            // More of a transaction is on its way.
            _ if in_transaction => Due { keepalive, message: None },
            IdleAction::Nothing => Due { keepalive, message: None },
            IdleAction::RequestKeepalive => Due { keepalive: true, message: None },
            IdleAction::WriteMessage(prefix) => Due { keepalive, message: Some(prefix) },
        }
    }
}
