//! What a delivery wants done when time passes and no message arrives.

use std::time::{Duration, Instant};

use super::Delivery;
use super::idle::IdleAction;

/// How long an acknowledgement from another thread may go unnoticed while the stream is quiet. A
/// status update is sent at most once a second anyway.
const NOTICE_ACKNOWLEDGEMENT: Duration = Duration::from_secs(1);

/// What is to be done at a point in time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due<'a> {
    /// Ask the server for its position.
    pub(crate) keepalive: bool,
    /// Write a logical decoding message with this prefix.
    pub(crate) message: Option<&'a str>,
}

impl Delivery {
    /// The time at which to ask for what is [due](Self::take_due), at the latest.
    pub(crate) fn due_at(&self, now: Instant) -> Instant {
        let notice = self.acknowledger.is_owed().then(|| now + NOTICE_ACKNOWLEDGEMENT);
        let until = self.until.as_ref().map(super::Until::ask_at);
        [notice, until].into_iter().flatten().fold(self.idle.due_at(), Ord::min)
    }

    /// What is due now; it counts as done.
    pub(crate) fn take_due(&mut self, now: Instant) -> Due<'_> {
        let in_transaction = self.in_transaction();
        let asked = self.until.as_mut().is_some_and(|until| until.take_due(now));
        match self.idle.take_due(now) {
            // More of a transaction is on its way.
            _ if in_transaction => Due { keepalive: asked, message: None },
            IdleAction::Nothing => Due { keepalive: asked, message: None },
            IdleAction::RequestKeepalive => Due { keepalive: true, message: None },
            IdleAction::WriteMessage(prefix) => Due { keepalive: asked, message: Some(prefix) },
        }
    }
}
