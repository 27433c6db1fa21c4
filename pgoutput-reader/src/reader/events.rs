//! The loop: steps a source and returns the change events.

use std::time::Instant;

use pgoutput_decode::Message;

use crate::delivery::{Delivery, Outcome};
use crate::error::Error;
use crate::event::{ChangeEvent, Position};
use crate::schema::Schemas;
use crate::source::{Source, Step};
use crate::stream::is_late;

/// The change events of a source.
#[derive(Debug)]
pub(crate) struct Events<S: Source> {
    pub(crate) source: S,
    pub(crate) delivery: Delivery,
    schemas: Schemas,
    /// A message that holds more events.
    unfinished: Option<S::Frame>,
    finished: bool,
    /// Whether an error was returned, or a stop ended a lookup. The message was then not delivered
    /// and must never be acknowledged.
    failed: bool,
}

/// The result of waiting for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// There is an event.
    Event,
    TimedOut,
    Finished,
}

impl<S: Source> Events<S> {
    pub(crate) fn new(source: S, mut delivery: Delivery, schemas: Schemas) -> Self {
        delivery.set_commits_wait(source.commits_wait());
        Self { source, delivery, schemas, unfinished: None, finished: false, failed: false }
    }

    /// Returns whether there will be no more events.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Returns whether nothing is published at present and everything delivered was acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.unfinished.is_none() && self.delivery.is_idle()
    }

    /// The position after everything that was delivered, while nothing is on its way.
    pub(crate) fn idle_position(&self) -> Option<Position> {
        self.delivery.idle_position().filter(|_| self.unfinished.is_none())
    }

    /// Ends the events after an error.
    pub(crate) fn fail(&mut self) {
        (self.finished, self.failed) = (true, true);
        self.unfinished = None;
    }

    /// Waits for the next event until `deadline`, and puts it in `out`.
    pub(crate) fn next(
        &mut self,
        deadline: Option<Instant>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Waited, Error> {
        if !self.failed {
            self.delivery.next_requested();
        }
        let next = self.run(deadline, out);
        match &next {
            Ok(Waited::Finished) => self.finished = true,
            Ok(_) => {}
            Err(_) => self.fail(),
        }
        next
    }

    fn run(
        &mut self,
        deadline: Option<Instant>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Waited, Error> {
        while !self.finished {
            match self.step(deadline, out) {
                Ok(Some(next)) => return Ok(next),
                Ok(None) => {}
                Err(error) if self.source.is_stop(&error) => {
                    // As after an error: the message that facts were needed for is not delivered.
                    self.fail();
                    return Ok(Waited::Finished);
                }
                Err(error) => {
                    self.unfinished = None;
                    self.source.replace_stream(error)?;
                }
            }
            if !self.finished && is_late(deadline) {
                return Ok(Waited::TimedOut);
            }
        }
        Ok(Waited::Finished)
    }

    fn step(
        &mut self,
        deadline: Option<Instant>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Option<Waited>, Error> {
        if let Some(frame) = self.unfinished.take() {
            return self.message(frame, out);
        }
        let delivery = &self.delivery;
        let wake_at = || {
            let due_at = delivery.due_at(Instant::now());
            deadline.map_or(due_at, |deadline| deadline.min(due_at))
        };
        match self.source.step(wake_at)? {
            Step::Message(frame) => return self.message(frame, out),
            Step::Keepalive(keepalive) => {
                let outcome = self.delivery.keepalive(keepalive.wal_end, Instant::now())?;
                if !self.delivery.in_transaction() {
                    self.source.caught_up(keepalive.wal_end);
                }
                self.finished = matches!(outcome, Outcome::Finished);
            }
            Step::PublicationSkipped => {}
            Step::Restarted => {
                self.delivery.restart(Instant::now());
                self.schemas.restart();
                self.delivery.set_commits_wait(self.source.commits_wait());
            }
            Step::Stopped => return Ok(Some(Waited::Finished)),
            Step::TimedOut => {
                let now = Instant::now();
                // Also for a program that only polls: this comes before its own deadline.
                self.source.perform(self.delivery.take_due(now))?;
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return Ok(Some(Waited::TimedOut));
                }
            }
        }
        Ok(None)
    }

    /// Passes a message in until its next event needs nothing more.
    fn message(
        &mut self,
        frame: S::Frame,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Option<Waited>, Error> {
        loop {
            let Some(event) = self.source.read(frame)? else { return Ok(None) };
            match self.delivery.message(&event, &mut self.schemas, Instant::now, out)? {
                Outcome::Needs(need) => {
                    let facts = self.source.answer(&need, &self.schemas)?;
                    self.schemas.learn(&need, facts);
                    continue;
                }
                Outcome::Event => {
                    self.finish_message(frame);
                    self.source.delivered();
                    return Ok(Some(Waited::Event));
                }
                Outcome::Finished => self.finished = true,
                Outcome::Nothing => {}
            }
            self.finish_message(frame);
            return Ok(None);
        }
    }

    fn finish_message(&mut self, frame: S::Frame) {
        if self.delivery.is_unfinished() {
            self.unfinished = Some(frame);
        } else {
            // An event has its own copy of a long message.
            self.source.release();
        }
    }

    /// Waits for the Commit of a transaction whose last event was acknowledged: only then is the
    /// transaction complete.
    pub(crate) fn await_commit(&mut self, deadline: Instant) -> Result<(), Error> {
        if self.failed {
            return Ok(());
        }
        while self.unfinished.is_none() && self.delivery.awaits_commit() {
            match self.source.step_after_stop(deadline)? {
                Step::Message(frame) => {
                    let Some(event) = self.source.read(frame)? else { break };
                    if matches!(event.message, Message::Commit(_)) {
                        let (schemas, out) = (&mut self.schemas, &mut None);
                        self.delivery.message(&event, schemas, Instant::now, out)?;
                    }
                    break;
                }
                Step::Keepalive(_) if Instant::now() < deadline => {}
                Step::PublicationSkipped => {}
                Step::Keepalive(_) | Step::Restarted | Step::TimedOut | Step::Stopped => break,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
