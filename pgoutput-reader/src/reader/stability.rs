//! Whether a connection has proved to be good, so that its loss is a new matter.

use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

/// The least that a connection has to last. It bounds how often one that is cut again and again is made.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a connection has shown so far. Time is an argument.
///
/// Whatever broke the connection before was in the server's log when this one was made. So a server that has decoded its
/// log up to there has passed it, although no event was published; one that breaks at the same change never does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    opened_at: Instant,
    /// The end of the server's log when the connection was made.
    log_end: Lsn,
    caught_up: bool,
}

impl Trial {
    pub(super) fn new(opened_at: Instant, log_end: Lsn) -> Self {
        Self { opened_at, log_end, caught_up: false }
    }

    /// The server has decoded everything before `lsn`.
    pub(super) fn reached(&mut self, lsn: Lsn) {
        self.caught_up |= lsn >= self.log_end;
    }

    /// Whether it counts as good at its end: it lasted for `good_after`, or caught up and lasted for a moment.
    pub(super) fn is_passed(&self, now: Instant, good_after: Duration) -> bool {
        let lasted = now.saturating_duration_since(self.opened_at);
        lasted >= good_after || (self.caught_up && lasted >= SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD_AFTER: Duration = Duration::from_secs(30);

    fn passes(reached: Option<u64>, lasted: Duration) -> bool {
        let start = Instant::now();
        let mut trial = Trial::new(start, Lsn::new(100));
        if let Some(lsn) = reached {
            trial.reached(Lsn::new(lsn));
            // A later keepalive of an earlier position takes nothing back.
            trial.reached(Lsn::new(1));
        }
        trial.is_passed(start + lasted, GOOD_AFTER)
    }

    #[test]
    fn an_idle_connection_is_good_once_the_server_has_caught_up() {
        assert!(passes(Some(100), SHORTEST));
        assert!(passes(Some(200), 5 * SHORTEST));
    }

    #[test]
    fn one_that_breaks_before_the_end_of_the_log_is_not() {
        assert!(!passes(Some(99), 29 * SHORTEST));
        assert!(!passes(None, 29 * SHORTEST));
        assert!(passes(None, GOOD_AFTER));
    }

    #[test]
    fn one_that_is_cut_at_once_is_not() {
        assert!(!passes(Some(100), SHORTEST / 2));
    }
}
