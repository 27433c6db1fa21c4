//! The schedule of status updates, as a function of the time and the positions.

use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

/// The interval of status updates if nothing else causes one.
pub(crate) const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// The shortest time between status updates about a changed position. The server answers an update
/// whose positions lag its own with a keepalive at once, so immediate answers would flood both
/// sides.
pub(crate) const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// The LSNs of a status update; see [`StandbyStatusUpdate`](pgoutput_decode::StandbyStatusUpdate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Positions {
    pub(crate) write: Lsn,
    pub(crate) flush: Lsn,
    pub(crate) apply: Lsn,
    /// Whether `write` is the LSN that the program acknowledged as written, not the received LSN. A
    /// commit may wait for its report.
    pub(crate) write_is_reported: bool,
}

/// The schedule of status updates.
#[derive(Debug, Clone)]
pub(crate) struct Feedback {
    interval: Duration,
    sent_at: Instant,
    sent: Positions,
    is_requested: bool,
}

/// A third of the server's timeout, at most ten seconds. A timeout of zero is off.
pub(crate) fn interval(wal_sender_timeout: Option<Duration>) -> Duration {
    match wal_sender_timeout {
        None | Some(Duration::ZERO) => STATUS_INTERVAL,
        Some(timeout) => (timeout / 3).min(STATUS_INTERVAL),
    }
}

impl Feedback {
    /// Feedback for a copy that started at `now`.
    pub(crate) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, sent_at: now, sent: Positions::default(), is_requested: false }
    }

    /// The positions of the last status update.
    pub(crate) fn reported(&self) -> Positions {
        self.sent
    }

    /// Notes that the server asked for a status update.
    pub(crate) fn request(&mut self) {
        self.is_requested = true;
    }

    /// Returns whether the server waits for a status update that it asked for.
    #[cfg(feature = "reader")]
    pub(crate) fn is_requested(&self) -> bool {
        self.is_requested
    }

    /// The time at which a status update with these positions is due. It may be in the past.
    pub(crate) fn due_at(&self, positions: &Positions) -> Instant {
        // The received LSN changes with every message. It is reported together with something else.
        let write_moved = positions.write_is_reported && positions.write != self.sent.write;
        let moved =
            write_moved || (positions.flush, positions.apply) != (self.sent.flush, self.sent.apply);
        let wait = match (self.is_requested, moved) {
            (true, _) => Duration::ZERO,
            (false, true) => self.interval.min(SHORTEST_INTERVAL),
            (false, false) => self.interval,
        };
        self.sent_at + wait
    }

    /// Returns whether a status update is due.
    pub(crate) fn due(&self, now: Instant, positions: &Positions) -> bool {
        self.due_at(positions) <= now
    }

    /// Notes that a status update with these positions was sent.
    pub(crate) fn sent(&mut self, now: Instant, positions: Positions) {
        *self =
            Self { interval: self.interval, sent_at: now, sent: positions, is_requested: false };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(lsn: u64) -> Positions {
        let lsn = Lsn::new(lsn);
        Positions { write: lsn, flush: lsn, apply: lsn, write_is_reported: false }
    }

    #[test]
    fn the_interval_is_a_third_of_the_timeout_within_bounds() {
        for (timeout, expected) in [
            (None, 10_000),
            (Some(0), 10_000),
            (Some(60_000), 10_000),
            (Some(30_000), 10_000),
            (Some(1_500), 500),
        ] {
            let interval = interval(timeout.map(Duration::from_millis));
            assert_eq!(interval, Duration::from_millis(expected));
        }
    }

    #[test]
    fn an_idle_stream_sends_one_status_an_interval() {
        let start = Instant::now();
        let mut feedback = Feedback::new(10 * SECOND, start);
        feedback.sent(start, at(7));
        let sent = (0..=60).filter(|second| {
            let now = start + *second * SECOND;
            let due = feedback.due(now, &at(7));
            if due {
                feedback.sent(now, at(7));
            }
            due
        });
        assert_eq!(sent.collect::<Vec<_>>(), [10, 20, 30, 40, 50, 60]);
    }

    #[test]
    fn a_request_for_a_status_update_is_answered_immediately_and_once() {
        let start = Instant::now();
        let mut feedback = Feedback::new(10 * SECOND, start);
        #[cfg(feature = "reader")]
        assert!(!feedback.is_requested());
        feedback.request();
        #[cfg(feature = "reader")]
        assert!(feedback.is_requested());
        assert!(feedback.due(start, &at(0)));
        feedback.sent(start, at(7));
        #[cfg(feature = "reader")]
        assert!(!feedback.is_requested());
        assert!(!feedback.due(start, &at(7)));
        assert_eq!(feedback.reported(), at(7));
    }

    #[test]
    fn a_changed_position_is_reported_after_the_shortest_interval() {
        let start = Instant::now();
        let mut feedback = Feedback::new(10 * SECOND, start);
        feedback.sent(start, at(1));
        assert_eq!(feedback.due_at(&at(2)), start + SHORTEST_INTERVAL);
        let received_only = Positions { write: Lsn::new(9), ..at(1) };
        assert_eq!(feedback.due_at(&received_only), start + 10 * SECOND);
        let written = Positions { write_is_reported: true, ..received_only };
        assert_eq!(feedback.due_at(&written), start + SHORTEST_INTERVAL);
        let quick = Feedback::new(SECOND / 2, start);
        assert_eq!(quick.due_at(&at(2)), start + SECOND / 2);
    }
}
