//! When a server that says nothing is asked whether it is there, and when it is given up.

use std::time::Duration;

/// Counts the time that somebody waited for the server and nothing came.
#[derive(Debug, Clone)]
pub(crate) struct Silence {
    /// Zero is without limit.
    limit: Duration,
    waited: Duration,
    asked: bool,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Wait on, so long at most; without limit where there is none.
    Wait(Option<Duration>),
    /// Ask the server for a sign of life.
    Ask,
    /// It has not given one.
    Over,
}

impl Silence {
    /// The server is asked after half of `limit`, and given up after all of it. Zero is without limit.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, waited: Duration::ZERO, asked: false }
    }

    /// How long a silence may be; zero is without limit.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Something came, this long ago.
    pub(crate) fn heard(&mut self, ago: Duration) {
        *self = Self { limit: self.limit, waited: ago, asked: false };
    }

    /// Somebody waited for so long, and nothing came. Time in which nobody waits does not count: what came in it was not read.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time);
    }

    /// Each silence is asked about once.
    pub(crate) fn asked(&mut self) {
        self.asked = true;
    }

    pub(crate) fn patience(&self) -> Patience {
        if self.limit.is_zero() {
            return Patience::Wait(None);
        }
        let ask_at = self.limit / 2;
        if !self.asked && self.waited >= ask_at {
            Patience::Ask
        } else if self.waited >= self.limit {
            Patience::Over
        } else {
            let until = if self.asked { self.limit } else { ask_at };
            Patience::Wait(Some(until.saturating_sub(self.waited)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What a silent server sees of one who waits a second at a time, and how long until it is given up.
    fn silent(silence: &mut Silence) -> (Vec<u32>, Option<u32>) {
        let mut questions = Vec::new();
        for second in 0..1000 {
            match silence.patience() {
                Patience::Wait(_) => silence.waited(SECOND),
                Patience::Over => return (questions, Some(second)),
                Patience::Ask => {
                    questions.push(second);
                    silence.asked();
                    silence.waited(SECOND);
                }
            }
        }
        (questions, None)
    }

    #[test]
    fn asks_once_at_half_time_and_gives_up_at_full_time() {
        let mut silence = Silence::new(60 * SECOND);
        assert_eq!(silent(&mut silence), (vec![30], Some(60)));
        silence.heard(Duration::ZERO);
        assert_eq!(silent(&mut silence), (vec![30], Some(60)));
        silence.heard(SECOND);
        assert_eq!(silent(&mut silence), (vec![29], Some(59)));
    }

    #[test]
    fn says_how_long_to_wait() {
        let mut silence = Silence::new(60 * SECOND);
        assert_eq!(silence.patience(), Patience::Wait(Some(30 * SECOND)));
        silence.waited(29 * SECOND);
        assert_eq!(silence.patience(), Patience::Wait(Some(SECOND)));
        // A wait that took longer than it should is no reason not to ask.
        silence.waited(100 * SECOND);
        assert_eq!(silence.patience(), Patience::Ask);
    }

    #[test]
    fn an_answer_starts_it_anew() {
        let mut silence = Silence::new(60 * SECOND);
        for _ in 0..10 {
            silence.waited(30 * SECOND);
            assert_eq!(silence.patience(), Patience::Ask);
            silence.asked();
            assert_eq!(silence.patience(), Patience::Wait(Some(30 * SECOND)));
            silence.heard(Duration::ZERO);
        }
        assert_eq!(silence.patience(), Patience::Wait(Some(30 * SECOND)));
    }

    #[test]
    fn zero_is_without_limit() {
        assert_eq!(silent(&mut Silence::new(Duration::ZERO)), (vec![], None));
    }
}
