//! Detection of a silent server: when to ask it for a reply, and when to give up.

use std::time::{Duration, Instant};

/// Measures how long the server has been silent. Time is an argument.
///
/// It counts the time since bytes were received, checked when nothing is left to read. So it is the
/// same for a caller that waits and for one that polls, and a pause of the caller is not a silence
/// of the server.
#[derive(Debug, Clone)]
pub(crate) struct Liveness {
    /// Zero is no limit.
    limit: Duration,
    received_at: Instant,
    requested_at: Option<Instant>,
}

/// The schedule of status updates, and the detection of a server that is silent for too long.
#[derive(Debug, Clone)]
pub(crate) struct UpdateTiming {
    pub(crate) interval: Duration,
    pub(crate) silence: Liveness,
}

/// The action for a server from which nothing is left to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LivenessAction {
    /// Continue waiting.
    Wait,
    /// Ask the server for a reply.
    Ask,
    /// Give up: the server has not replied.
    Over,
}

impl Liveness {
    /// The server is asked after half of `limit` and given up after all of it. Zero is no limit.
    pub(crate) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, received_at: now, requested_at: None }
    }

    /// The longest silence; zero is no limit.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Notes that bytes were received at this time, which may have been noted before.
    pub(crate) fn received(&mut self, at: Instant) {
        if at > self.received_at {
            *self = Self { limit: self.limit, received_at: at, requested_at: None };
        }
    }

    /// Notes that the server was asked, once in each silence.
    pub(crate) fn request_sent(&mut self, now: Instant) {
        self.requested_at = Some(now);
    }

    /// The time of the next action if nothing is received until then. It may be in the past.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        if self.limit.is_zero() {
            return None;
        }
        let half = self.limit / 2;
        // However late the server was asked, it has as much time for its reply.
        let since = self.requested_at.unwrap_or(self.received_at);
        since.checked_add(half)
    }

    /// The action at `now`, when nothing is left to read.
    pub(crate) fn action(&self, now: Instant) -> LivenessAction {
        match self.due_at() {
            Some(due_at) if due_at <= now => match self.requested_at {
                None => LivenessAction::Ask,
                Some(_) => LivenessAction::Over,
            },
            _ => LivenessAction::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The seconds at which a silent server is asked by a caller that checks every `step` seconds,
    /// and the one at which it is given up.
    fn silent(liveness: &mut Liveness, from: Instant, step: u32) -> (Vec<u32>, Option<u32>) {
        let mut requests = Vec::new();
        for second in (0..1000).step_by(step as usize) {
            let now = from + second * SECOND;
            match liveness.action(now) {
                LivenessAction::Wait => {}
                LivenessAction::Over => return (requests, Some(second)),
                LivenessAction::Ask => {
                    requests.push(second);
                    liveness.request_sent(now);
                }
            }
        }
        (requests, None)
    }

    #[test]
    fn asks_once_at_half_the_limit_and_fails_at_the_limit() {
        let start = Instant::now();
        let mut liveness = Liveness::new(60 * SECOND, start);
        assert_eq!(silent(&mut liveness, start, 1), (vec![30], Some(60)));
        liveness.received(start + 100 * SECOND);
        assert_eq!(silent(&mut liveness, start + 100 * SECOND, 1), (vec![30], Some(60)));
        liveness.received(start + 200 * SECOND);
        assert_eq!(silent(&mut liveness, start + 201 * SECOND, 1), (vec![29], Some(59)));
    }

    #[test]
    fn the_next_check_follows_the_last_reply() {
        let start = Instant::now();
        let mut liveness = Liveness::new(60 * SECOND, start);
        assert_eq!(liveness.due_at(), Some(start + 30 * SECOND));
        liveness.request_sent(start + 30 * SECOND);
        assert_eq!(liveness.due_at(), Some(start + 60 * SECOND));
        liveness.received(start + 40 * SECOND);
        assert_eq!(liveness.due_at(), Some(start + 70 * SECOND));
        // The same time again changes nothing.
        liveness.request_sent(start + 70 * SECOND);
        liveness.received(start + 40 * SECOND);
        assert_eq!(liveness.due_at(), Some(start + 100 * SECOND));
    }

    /// A caller that checks rarely asks late, and leaves as much time for the reply as others do.
    #[test]
    fn a_late_request_leaves_time_for_the_reply() {
        let start = Instant::now();
        let mut liveness = Liveness::new(60 * SECOND, start);
        assert_eq!(liveness.action(start + 100 * SECOND), LivenessAction::Ask);
        liveness.request_sent(start + 100 * SECOND);
        assert_eq!(liveness.action(start + 129 * SECOND), LivenessAction::Wait);
        assert_eq!(liveness.action(start + 130 * SECOND), LivenessAction::Over);
        assert_eq!(
            silent(&mut Liveness::new(60 * SECOND, start), start, 50),
            (vec![50], Some(100))
        );
    }

    #[test]
    fn zero_is_no_limit() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Duration::ZERO, start);
        assert_eq!(silent(&mut liveness, start, 1), (vec![], None));
        let mut endless = Liveness::new(Duration::MAX, start);
        assert_eq!(silent(&mut endless, start, 1), (vec![], None));
    }
}
