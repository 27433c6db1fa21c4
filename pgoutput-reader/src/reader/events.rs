//! The loop: steps a source and returns the change events.

mod copy;

use std::time::{Duration, Instant};

use pgoutput_decode::Message;

use super::SpillOptions;
use super::lookahead::Lookahead;
use crate::assemble::{Arrival, Assembled, Assembler, Replayed};
use crate::delivery::{Delivery, Outcome};
use crate::error::{Error, SpillError};
use crate::event::{ChangeEvent, Position};
use crate::io::SpillFiles;
use crate::schema::Schemas;
use crate::source::{Source, Step};
use crate::stream::is_late;

/// The time that a stop waits for the Commit of a transaction whose newest event is held. The
/// server sends it directly after the last change.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// The change events of a source.
#[derive(Debug)]
pub(crate) struct Events<S: Source> {
    pub(crate) source: S,
    pub(crate) delivery: Delivery,
    schemas: Schemas,
    assembler: Assembler,
    files: SpillFiles,
    /// A message of the source that holds more events.
    unfinished: Option<S::Frame>,
    lookahead: Lookahead,
    /// Whether each transaction ends with an event of its own, so that none need be held.
    delivers_commits: bool,
    /// The error to be returned after the event that was held.
    error: Option<Error>,
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
    pub(crate) fn new(
        source: S,
        mut delivery: Delivery,
        schemas: Schemas,
        spill: SpillOptions,
    ) -> Self {
        delivery.set_commits_wait(source.commits_wait());
        Self {
            delivers_commits: delivery.delivers_commits(),
            delivery,
            schemas,
            assembler: Assembler::new(source.start_lsn(), spill.memory_limit),
            files: SpillFiles::new(spill.dir, spill.limit),
            source,
            unfinished: None,
            lookahead: Lookahead::default(),
            error: None,
            finished: false,
            failed: false,
        }
    }

    /// Returns whether there will be no more events.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished && self.lookahead.held().is_none() && self.error.is_none()
    }

    /// The number of bytes that were written to files so far.
    pub(crate) fn spilled(&self) -> u64 {
        self.files.written()
    }

    /// The number of bytes that these files take now.
    pub(crate) fn spill_size(&self) -> u64 {
        self.files.used()
    }

    /// The number of transactions in progress.
    pub(crate) fn in_progress(&self) -> u64 {
        self.assembler.in_progress()
    }

    /// Returns whether nothing is published at present and everything delivered was acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.unfinished.is_none() && !self.assembler.is_replaying() && self.delivery.is_idle()
    }

    /// The position after everything that was delivered, while nothing is on its way.
    pub(crate) fn idle_position(&self) -> Option<Position> {
        let is_between = self.unfinished.is_none() && !self.assembler.is_replaying();
        self.delivery.idle_position().filter(|_| is_between)
    }

    /// Ends the events after an error.
    pub(crate) fn fail(&mut self) {
        (self.finished, self.failed) = (true, true);
        self.unfinished = None;
    }

    /// Waits for the next event until `deadline`. [`take`](Self::take) returns it.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Waited, Error> {
        if !self.failed {
            self.delivery.next_requested(u64::from(self.lookahead.held().is_some()));
        }
        let waited = match self.error.take() {
            Some(error) => Err(error),
            None => self.run(deadline),
        };
        match &waited {
            Ok(Waited::Finished) => self.finished = true,
            Ok(_) => {}
            Err(_) => self.fail(),
        }
        // Whatever ends the events comes after one that was received before.
        let is_end = !matches!(waited, Ok(Waited::Event | Waited::TimedOut));
        if is_end && self.lookahead.held().is_some() {
            self.error = match waited {
                Err(error) => Some(error),
                Ok(_) => self.complete_held().err(),
            };
            self.failed |= self.error.is_some();
            return Ok(self.release_held());
        }
        waited
    }

    fn run(&mut self, deadline: Option<Instant>) -> Result<Waited, Error> {
        while !self.finished {
            match self.step(deadline) {
                Ok(Some(next)) => return Ok(next),
                Ok(None) => {}
                Err(error) if self.source.is_stop(&error) => {
                    // As after an error: the message that facts were needed for is not delivered.
                    self.fail();
                    return Ok(Waited::Finished);
                }
                Err(error) => {
                    // A new stream sends all of it again.
                    self.unfinished = None;
                    self.assembler.clear();
                    self.remove_released_files();
                    self.source.replace_stream(error)?;
                    if let Some(released) = self.release_copied() {
                        return Ok(released);
                    }
                }
            }
            if !self.finished && is_late(deadline) {
                return Ok(Waited::TimedOut);
            }
        }
        Ok(Waited::Finished)
    }

    fn step(&mut self, deadline: Option<Instant>) -> Result<Option<Waited>, Error> {
        if self.lookahead.holds_last() {
            return Ok(Some(self.release_held()));
        }
        if let Some(frame) = self.unfinished.take() {
            return self.message(frame);
        }
        if self.assembler.is_replaying() {
            return self.replay();
        }
        let mut source_due_at = None;
        if self.lookahead.held().is_none()
            && let Some(between) = self.delivery.between()
        {
            if let Some(identity) = self.source.between(between)? {
                self.delivery.set_identity(identity);
            }
            source_due_at = self.source.due_at();
        }
        let delivery = &self.delivery;
        let wake_at = || {
            let due_at = delivery.due_at(Instant::now());
            let due_at = source_due_at.map_or(due_at, |other| other.min(due_at));
            deadline.map_or(due_at, |deadline| deadline.min(due_at))
        };
        match self.source.step(wake_at)? {
            Step::Message(frame) => return self.message(frame),
            // The server may have read beyond the chunk.
            Step::Keepalive(_) if self.assembler.in_chunk() => {}
            Step::Keepalive(keepalive) => {
                let outcome = self.delivery.keepalive(keepalive.wal_end, Instant::now())?;
                if !self.delivery.in_transaction() {
                    self.source.caught_up(keepalive.wal_end);
                }
                self.finished = matches!(outcome, Outcome::Finished);
            }
            Step::PublicationSkipped => {}
            Step::Copy(step) => return self.copy(step),
            Step::Restarted => {
                self.assembler.restart(self.source.start_lsn());
                self.remove_released_files();
                self.delivery.restart(Instant::now());
                self.schemas.restart();
                self.delivery.set_commits_wait(self.source.commits_wait());
                // The connection may have been lost outside of a step.
                return Ok(self.release_copied());
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

    /// Passes a message of the source in until its next event needs nothing more.
    fn message(&mut self, frame: S::Frame) -> Result<Option<Waited>, Error> {
        loop {
            // Borrowed where it is: a message is expensive to move.
            let read = self.source.read(frame);
            let event = match read {
                Ok(Some(ref event)) => event,
                Ok(None) => return Ok(None),
                Err(error) => return Err(error),
            };
            let arrival = match self.assembler.message(event)? {
                Assembled::Passes(arrival) => arrival,
                Assembled::Kept => {
                    self.source.release();
                    self.spill()?;
                    self.remove_released_files();
                    return Ok(None);
                }
                Assembled::Ended => {
                    self.source.release();
                    self.schemas.start_replay();
                    return Ok(None);
                }
            };
            let (message, schemas) = (&event.message, &mut self.schemas);
            let out = self.lookahead.next_place();
            let outcome = self.delivery.message(message, arrival, schemas, Instant::now, out)?;
            if let Outcome::Needs(need) = outcome {
                if self.lookahead.held().is_some() {
                    // An event of its transaction follows. Its facts may take long.
                    self.unfinished = Some(frame);
                    return Ok(Some(self.release_held()));
                }
                let facts = self.source.answer(&need, &self.schemas)?;
                self.schemas.learn(&need, facts);
                continue;
            }
            if self.delivery.is_unfinished() {
                self.unfinished = Some(frame);
            } else {
                // An event has its own copy of a long message.
                self.source.release();
            }
            return Ok(self.processed(&outcome));
        }
    }

    /// Passes the next message of an assembled transaction in until its next event needs nothing
    /// more.
    fn replay(&mut self) -> Result<Option<Waited>, Error> {
        if self.source.is_stopped() {
            return Ok(Some(Waited::Finished));
        }
        self.source.keep_alive()?;
        loop {
            let (message, arrival) = match self.assembler.replayed()? {
                Replayed::Message(message, arrival) => (message, arrival),
                Replayed::Spilled(block) => {
                    let bytes = self.files.read(block.file.number(), block.offset, block.len)?;
                    self.assembler.load(bytes)?;
                    continue;
                }
                Replayed::End => return Ok(None),
            };
            let (schemas, out) = (&mut self.schemas, self.lookahead.next_place());
            let outcome = self.delivery.message(&message, arrival, schemas, Instant::now, out)?;
            if let Outcome::Needs(need) = outcome {
                if self.lookahead.held().is_some() {
                    return Ok(Some(self.release_held()));
                }
                let facts = self.source.answer(&need, &self.schemas)?;
                self.schemas.learn(&need, facts);
                continue;
            }
            if !self.delivery.is_unfinished() {
                self.assembler.advance();
                if !self.assembler.is_replaying() {
                    self.schemas.end_replay();
                    self.remove_released_files();
                }
            }
            return Ok(self.processed(&outcome));
        }
    }

    /// Returns whether an event is ready after a message was processed.
    fn processed(&mut self, outcome: &Outcome) -> Option<Waited> {
        match outcome {
            Outcome::Event => {
                self.source.delivered();
                let is_last = self.lookahead.ready().is_some_and(|event| event.is_last);
                if !is_last && !self.delivers_commits {
                    self.lookahead.exchange();
                }
            }
            Outcome::Committed { finished } => {
                self.finished = *finished;
                if self.lookahead.ready().is_some() {
                    self.source.delivered();
                }
                if self.lookahead.held().is_some() {
                    // An event that ends the transaction comes after the one that was held.
                    if self.lookahead.ready().is_none() {
                        self.lookahead.mark_last();
                    }
                    self.lookahead.exchange();
                }
            }
            Outcome::Finished => self.finished = true,
            Outcome::Nothing | Outcome::Needs(_) => {}
        }
        self.lookahead.ready().map(|_| Waited::Event)
    }

    /// Returns the event that is held, before anything else is known.
    fn release_held(&mut self) -> Waited {
        self.lookahead.exchange();
        Waited::Event
    }

    /// Takes the event that is ready.
    pub(crate) fn take(&mut self) -> Option<ChangeEvent> {
        self.lookahead.take_ready()
    }

    /// Writes transactions in progress to files, as long as they take too much memory.
    fn spill(&mut self) -> Result<(), SpillError> {
        while let Some(block) = self.assembler.next_to_spill() {
            self.files.write(block.file.number(), block.offset, block.bytes)?;
            self.assembler.spilled();
        }
        Ok(())
    }

    fn remove_released_files(&mut self) {
        for file in self.assembler.take_released() {
            self.files.remove(file.number());
        }
    }

    /// Decides after a stop whether the event that is held is the last of its transaction.
    ///
    /// If its Commit is next, it is read. Otherwise the transaction must never be confirmed: to
    /// the program it is incomplete.
    fn complete_held(&mut self) -> Result<(), Error> {
        // A TRUNCATE may name more tables. During a copy the stream is not read, and nothing is
        // confirmed.
        let is_decided = self.lookahead.holds_last() || self.lookahead.holds_copied();
        if self.failed || self.unfinished.is_some() || is_decided {
            return Ok(());
        }
        let is_complete =
            if self.assembler.is_replaying() { self.replay_commit()? } else { self.read_commit()? };
        if is_complete {
            self.lookahead.mark_last();
        } else {
            self.failed = true;
        }
        Ok(())
    }

    /// Processes the next message of the source if it is a Commit.
    fn read_commit(&mut self) -> Result<bool, Error> {
        let deadline = Instant::now() + COMMIT_TIMEOUT;
        loop {
            match self.source.step_after_stop(deadline)? {
                Step::Message(frame) => {
                    let Some(event) = self.source.read(frame)? else { return Ok(false) };
                    if !matches!(event.message, Message::Commit(_)) {
                        return Ok(false);
                    }
                    let arrival = Arrival { lsn: event.wal_start, order: 0 };
                    let (schemas, out) = (&mut self.schemas, self.lookahead.next_place());
                    self.delivery.message(&event.message, arrival, schemas, Instant::now, out)?;
                    return Ok(true);
                }
                Step::Keepalive(_) if Instant::now() < deadline => {}
                Step::PublicationSkipped => {}
                Step::Keepalive(_)
                | Step::Copy(_)
                | Step::Restarted
                | Step::TimedOut
                | Step::Stopped => return Ok(false),
            }
        }
    }

    /// Processes the next message of an assembled transaction if it is the Commit.
    fn replay_commit(&mut self) -> Result<bool, Error> {
        let Replayed::Message(message @ Message::Commit(_), arrival) = self.assembler.replayed()?
        else {
            return Ok(false);
        };
        let (schemas, out) = (&mut self.schemas, self.lookahead.next_place());
        self.delivery.message(&message, arrival, schemas, Instant::now, out)?;
        Ok(true)
    }
}

#[cfg(test)]
mod copy_laws;
#[cfg(test)]
mod tests;
