//! When a server that says nothing is asked whether it is there, and when it is given up.

use std::time::{Duration, Instant};

/// Tells how long the server has said nothing. Time is an argument.
///
/// What counts is the time since something came, measured when nothing was left to read. So it is the same for a
/// caller that waits and for one that only polls, and a pause of the caller is no silence of the server.
#[derive(Debug, Clone)]
pub(crate) struct Silence {
    /// Zero is without limit.
    limit: Duration,
    heard_at: Instant,
    asked_at: Option<Instant>,
}

/// What to do about a server of which nothing is left to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LivenessAction {
    /// Wait on.
    Wait,
    /// Ask the server for a sign of life.
    Ask,
    /// It has not given one.
    Over,
}

impl Silence {
    /// The server is asked after half of `limit`, and given up after all of it. Zero is without limit.
    pub(crate) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, heard_at: now, asked_at: None }
    }

    /// How long a silence may be; zero is without limit.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Something came at this time, which may have been told before.
    pub(crate) fn heard(&mut self, at: Instant) {
        if at > self.heard_at {
            *self = Self { limit: self.limit, heard_at: at, asked_at: None };
        }
    }

    /// Each silence is asked about once.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// When there is something to do, if nothing comes until then; it may have passed.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        if self.limit.is_zero() {
            return None;
        }
        let half = self.limit / 2;
        // However late the question was, there is as much time for the answer.
        let since = self.asked_at.unwrap_or(self.heard_at);
        since.checked_add(half)
    }

    /// What to do at `now`, when nothing was left to read.
    pub(crate) fn action(&self, now: Instant) -> LivenessAction {
        match self.due_at() {
            Some(due_at) if due_at <= now => match self.asked_at {
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

    /// What a silent server sees of one who looks every `step` seconds, and how long until it is given up.
    fn silent(silence: &mut Silence, from: Instant, step: u32) -> (Vec<u32>, Option<u32>) {
        let mut questions = Vec::new();
        for second in (0..1000).step_by(step as usize) {
            let now = from + second * SECOND;
            match silence.action(now) {
                LivenessAction::Wait => {}
                LivenessAction::Over => return (questions, Some(second)),
                LivenessAction::Ask => {
                    questions.push(second);
                    silence.asked(now);
                }
            }
        }
        (questions, None)
    }

    #[test]
    fn asks_once_at_half_time_and_gives_up_at_full_time() {
        let start = Instant::now();
        let mut silence = Silence::new(60 * SECOND, start);
        assert_eq!(silent(&mut silence, start, 1), (vec![30], Some(60)));
        silence.heard(start + 100 * SECOND);
        assert_eq!(silent(&mut silence, start + 100 * SECOND, 1), (vec![30], Some(60)));
        silence.heard(start + 200 * SECOND);
        assert_eq!(silent(&mut silence, start + 201 * SECOND, 1), (vec![29], Some(59)));
    }

    #[test]
    fn says_when_to_look() {
        let start = Instant::now();
        let mut silence = Silence::new(60 * SECOND, start);
        assert_eq!(silence.due_at(), Some(start + 30 * SECOND));
        silence.asked(start + 30 * SECOND);
        assert_eq!(silence.due_at(), Some(start + 60 * SECOND));
        silence.heard(start + 40 * SECOND);
        assert_eq!(silence.due_at(), Some(start + 70 * SECOND));
        // The same again is no news.
        silence.asked(start + 70 * SECOND);
        silence.heard(start + 40 * SECOND);
        assert_eq!(silence.due_at(), Some(start + 100 * SECOND));
    }

    /// Who looks seldom asks late, and leaves as much time for the answer as others do.
    #[test]
    fn a_late_question_leaves_time_for_the_answer() {
        let start = Instant::now();
        let mut silence = Silence::new(60 * SECOND, start);
        assert_eq!(silence.action(start + 100 * SECOND), LivenessAction::Ask);
        silence.asked(start + 100 * SECOND);
        assert_eq!(silence.action(start + 129 * SECOND), LivenessAction::Wait);
        assert_eq!(silence.action(start + 130 * SECOND), LivenessAction::Over);
        assert_eq!(silent(&mut Silence::new(60 * SECOND, start), start, 50), (vec![50], Some(100)));
    }

    #[test]
    fn zero_is_without_limit() {
        let start = Instant::now();
        let mut silence = Silence::new(Duration::ZERO, start);
        assert_eq!(silent(&mut silence, start, 1), (vec![], None));
        let mut endless = Silence::new(Duration::MAX, start);
        assert_eq!(silent(&mut endless, start, 1), (vec![], None));
    }
}
