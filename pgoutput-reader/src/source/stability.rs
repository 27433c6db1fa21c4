//! Whether a connection was stable, so that its loss starts a new outage.

use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

/// The shortest life of a stable connection. It limits how often a connection that is cut again and
/// again is replaced.
const SHORTEST: Duration = Duration::from_secs(1);

/// The life of a connection so far. Time is an argument.
///
/// The change that broke the connection before was in the server's WAL when this one was opened. A
/// server that has decoded its WAL up to there has passed it, even if no event was published. A
/// connection that breaks at the same change never gets there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stability {
    opened_at: Instant,
    /// The server's WAL end when the connection was opened.
    log_end: Lsn,
    caught_up: bool,
}

impl Stability {
    pub(super) fn new(opened_at: Instant, log_end: Lsn) -> Self {
        Self { opened_at, log_end, caught_up: false }
    }

    /// Records that the server has decoded everything before `lsn`.
    pub(super) fn caught_up(&mut self, lsn: Lsn) {
        self.caught_up |= lsn >= self.log_end;
    }

    /// Returns whether the connection was stable when it ended: it lasted for `stable_after`, or
    /// caught up and lasted for a moment.
    pub(super) fn is_stable(&self, now: Instant, stable_after: Duration) -> bool {
        let lasted = now.saturating_duration_since(self.opened_at);
        lasted >= stable_after || (self.caught_up && lasted >= SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STABLE_AFTER: Duration = Duration::from_secs(30);

    fn is_stable_after(reached: Option<u64>, lasted: Duration) -> bool {
        let start = Instant::now();
        let mut stability = Stability::new(start, Lsn::new(100));
        if let Some(lsn) = reached {
            stability.caught_up(Lsn::new(lsn));
            // A later keepalive with an earlier LSN does not undo it.
            stability.caught_up(Lsn::new(1));
        }
        stability.is_stable(start + lasted, STABLE_AFTER)
    }

    #[test]
    fn an_idle_connection_is_stable_once_the_server_has_caught_up() {
        assert!(is_stable_after(Some(100), SHORTEST));
        assert!(is_stable_after(Some(200), 5 * SHORTEST));
    }

    #[test]
    fn a_connection_that_fails_before_the_end_of_the_log_is_not_stable() {
        assert!(!is_stable_after(Some(99), 29 * SHORTEST));
        assert!(!is_stable_after(None, 29 * SHORTEST));
        assert!(is_stable_after(None, STABLE_AFTER));
    }

    #[test]
    fn a_connection_that_fails_immediately_is_not_stable() {
        assert!(!is_stable_after(Some(100), SHORTEST / 2));
    }
}
