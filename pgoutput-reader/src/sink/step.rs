//! The loop between a source of events and a sink.

use std::error;
use std::mem;
use std::time::{Duration, Instant};

use super::{BatchLimits, Sink};
use crate::delivery::Acknowledger;
use crate::error::Error;
use crate::event::{ChangeEvent, Position};
use crate::reader::{Next, Reader};

/// A wait without limit in effect.
pub(super) const INDEFINITELY: Duration = Duration::from_secs(u32::MAX as u64);

/// The time after which the position is stored although every event since was left out.
pub(super) const LEFT_OUT: Duration = Duration::from_secs(5);

/// A source of events: a reader, or in tests something else.
pub(super) trait Events {
    /// Waits for the next event for at most `timeout`.
    fn next(&mut self, timeout: Duration) -> Result<Next, Error>;

    /// Acknowledges every event up to this one.
    fn acknowledge_through(&self, position: Position) -> Result<(), Error>;
}

/// The events of a reader.
#[derive(Debug)]
pub(super) struct ReaderEvents {
    pub(super) reader: Reader,
    pub(super) acknowledger: Acknowledger,
}

impl Events for ReaderEvents {
    fn next(&mut self, timeout: Duration) -> Result<Next, Error> {
        self.reader.next_timeout(timeout)
    }

    fn acknowledge_through(&self, position: Position) -> Result<(), Error> {
        self.acknowledger.acknowledge_through(position)
    }
}

/// The result of [`Pipe::step`](super::Pipe::step).
#[derive(Debug)]
#[non_exhaustive]
pub enum PipeStep {
    /// An event was added to the batch.
    Event(ChangeEvent),
    /// A batch was given to the sink, which stores it in another thread. The next events are of
    /// another batch. [`Stored`](Self::Stored) follows.
    Storing,
    /// A batch was stored and acknowledged.
    Stored {
        /// The number of its events, with those that the sink left out.
        events: u64,
        /// Its size, as the sink reported it.
        bytes: usize,
    },
    /// Nothing arrived in time. Nothing is lost; ask again.
    TimedOut,
    /// There are no more events, or an error was returned before. Complete transactions are stored,
    /// unless a part of the next one was in the same batch, or storing them was the error. What is
    /// not stored is sent again.
    Finished,
}

/// The error of a [`Pipe`](super::Pipe).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError<E: error::Error + 'static> {
    /// The error of the reader. Complete transactions before it are stored, unless a part of the
    /// next one was in the same batch; what is not stored is sent again.
    #[error(transparent)]
    Reader(#[from] Error),
    /// The error of the sink. If an event cannot be stored, complete transactions before it are, as
    /// with an error of the reader.
    #[error(transparent)]
    Sink(E),
}

/// Events on their way into a sink.
#[derive(Debug)]
pub(super) struct Steps<R, S: Sink> {
    pub(super) events: R,
    pub(super) sink: S,
    pub(super) limits: BatchLimits,
    batch: OpenBatch,
    /// The batch that was committed, until the sink has stored it.
    storing: Option<Storing>,
    end: Option<End<S::Error>>,
}

#[derive(Debug)]
struct Storing {
    events: u64,
    bytes: usize,
    position: Position,
}

/// What follows the last batch. What is complete is stored first.
#[derive(Debug)]
enum End<E: error::Error + 'static> {
    Failed(PipeError<E>),
    Finished,
}

/// The batch that is being written.
#[derive(Debug, Default)]
struct OpenBatch {
    events: u64,
    /// The position of the last event, and the arrival of the first.
    last: Option<(Position, Instant)>,
    /// Whether more events of the last one's transaction follow.
    in_transaction: bool,
    /// Whether it started in the middle of a transaction.
    continues: bool,
    /// The size of the transactions before the one that is open.
    complete_bytes: usize,
}

impl<R: Events, S: Sink> Steps<R, S> {
    pub(super) fn new(events: R, sink: S) -> Self {
        Self {
            events,
            sink,
            limits: BatchLimits::default(),
            batch: OpenBatch::default(),
            storing: None,
            end: None,
        }
    }

    pub(super) fn step(&mut self, timeout: Duration) -> Result<PipeStep, PipeError<S::Error>> {
        if self.end.is_some() || self.is_due() {
            return self.store();
        }
        if let Some(step) = self.stored(Duration::ZERO)? {
            return Ok(step);
        }
        let next = match self.events.next(Duration::ZERO) {
            // Nothing more has arrived.
            Ok(Next::TimedOut) if self.storing.is_some() => {
                return Ok(self.stored(timeout)?.unwrap_or(PipeStep::TimedOut));
            }
            Ok(Next::TimedOut) if self.batch.is_complete() && self.sink.pending_bytes() > 0 => {
                return self.store();
            }
            Ok(Next::TimedOut) => self.events.next(self.longest_wait(timeout)),
            next => next,
        };
        match next {
            Ok(Next::Event(event)) => match self.sink.write(&event) {
                Ok(()) => {
                    let complete_bytes = event.is_last().then(|| self.sink.pending_bytes());
                    self.batch.add(&event, complete_bytes);
                    Ok(PipeStep::Event(event))
                }
                Err(error) => self.end(End::Failed(PipeError::Sink(error))),
            },
            Ok(Next::TimedOut) => Ok(PipeStep::TimedOut),
            Ok(Next::Finished) => self.end(End::Finished),
            Err(error) => self.end(End::Failed(error.into())),
        }
    }

    /// Ends after what is complete. The rest of a transaction was not written, so all of it is sent
    /// again.
    fn end(&mut self, end: End<S::Error>) -> Result<PipeStep, PipeError<S::Error>> {
        self.end = Some(end);
        self.store()
    }

    /// Returns whether a limit of the batch is reached.
    fn is_due(&self) -> bool {
        let Some((_, since)) = &self.batch.last else { return false };
        let bytes = self.sink.pending_bytes();
        if self.batch.in_transaction {
            let open = bytes.saturating_sub(self.batch.complete_bytes);
            return open >= self.limits.transaction_bytes.max(1);
        }
        // The next transaction may be stored in parts too, and then no batch would end with one.
        self.batch.continues
            || bytes >= self.limits.bytes.max(1)
            || bytes > 0 && self.batch.events >= self.limits.events
            || since.elapsed() >= if bytes > 0 { self.limits.delay } else { LEFT_OUT }
    }

    /// Returns the time to wait for an event.
    fn longest_wait(&self, timeout: Duration) -> Duration {
        match &self.batch.last {
            // Every event was left out.
            Some((_, since)) if !self.batch.in_transaction => {
                timeout.min(LEFT_OUT.saturating_sub(since.elapsed()))
            }
            _ => timeout,
        }
    }

    /// Stores the batch, once the one before it is stored. At the end only what is complete.
    fn store(&mut self) -> Result<PipeStep, PipeError<S::Error>> {
        if self.storing.is_some() {
            return Ok(self.stored(INDEFINITELY)?.unwrap_or(PipeStep::TimedOut));
        }
        if self.end.is_none() || self.batch.is_complete() {
            return self.commit();
        }
        match self.end.replace(End::Finished) {
            Some(End::Failed(error)) => Err(error),
            _ => Ok(PipeStep::Finished),
        }
    }

    fn commit(&mut self) -> Result<PipeStep, PipeError<S::Error>> {
        let OpenBatch { events, last, in_transaction, .. } = mem::take(&mut self.batch);
        (self.batch.in_transaction, self.batch.continues) = (in_transaction, in_transaction);
        let bytes = self.sink.pending_bytes();
        let Some((position, _)) = last else { return Ok(PipeStep::TimedOut) };
        self.sink.commit(&position).map_err(|error| self.break_off(PipeError::Sink(error)))?;
        self.storing = Some(Storing { events, bytes, position });
        Ok(self.stored(Duration::ZERO)?.unwrap_or(PipeStep::Storing))
    }

    /// Waits for at most `timeout` until the committed batch is stored, if there is one, and then
    /// acknowledges its events.
    fn stored(&mut self, timeout: Duration) -> Result<Option<PipeStep>, PipeError<S::Error>> {
        if self.storing.is_none() {
            return Ok(None);
        }
        let is_stored = self.sink.wait_stored(timeout);
        if !is_stored.map_err(|error| self.break_off(PipeError::Sink(error)))? {
            return Ok(None);
        }
        let Some(Storing { events, bytes, position }) = self.storing.take() else {
            return Ok(None);
        };
        let acknowledged = self.events.acknowledge_through(position);
        acknowledged.map_err(|error| self.break_off(error.into()))?;
        Ok(Some(PipeStep::Stored { events, bytes }))
    }

    /// Ends at once: nothing more is stored.
    fn break_off(&mut self, error: PipeError<S::Error>) -> PipeError<S::Error> {
        self.batch = OpenBatch::default();
        self.storing = None;
        self.end = Some(End::Finished);
        error
    }
}

impl OpenBatch {
    /// Adds an event. `complete_bytes` is the size of the batch if its transaction is complete.
    fn add(&mut self, event: &ChangeEvent, complete_bytes: Option<usize>) {
        let since = self.last.take().map_or_else(Instant::now, |(_, since)| since);
        self.last = Some((event.position(), since));
        self.events += 1;
        self.in_transaction = complete_bytes.is_none();
        self.complete_bytes = complete_bytes.unwrap_or(self.complete_bytes);
    }

    /// Returns whether it has events, and all of their transactions.
    fn is_complete(&self) -> bool {
        self.last.is_some() && !self.in_transaction
    }
}
