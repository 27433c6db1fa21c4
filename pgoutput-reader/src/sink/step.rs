//! The loop between a source of events and a sink.

use std::error;
use std::mem;
use std::time::{Duration, Instant};

use super::{BatchLimits, Sink};
use crate::delivery::Acknowledger;
use crate::error::Error;
use crate::event::{ChangeEvent, Position};
use crate::reader::{Next, Reader};

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
    /// A batch was stored and acknowledged: all events since the last one that was stored.
    Stored {
        /// The number of its events, with those that the sink left out.
        events: u64,
        /// Its size, as the sink reported it.
        bytes: usize,
    },
    /// Nothing arrived in time. Nothing is lost; ask again.
    TimedOut,
    /// There are no more events. All complete transactions are stored, unless a part of the next
    /// one was in the same batch; what is not stored is sent again.
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
    /// The error of the sink.
    #[error(transparent)]
    Sink(E),
}

/// Events on their way into a sink.
#[derive(Debug)]
pub(super) struct Steps<R, S> {
    pub(super) events: R,
    pub(super) sink: S,
    pub(super) limits: BatchLimits,
    batch: OpenBatch,
    /// The error of the reader, until what was complete before it is stored.
    failed: Option<Error>,
    finished: bool,
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
            failed: None,
            finished: false,
        }
    }

    pub(super) fn step(&mut self, timeout: Duration) -> Result<PipeStep, PipeError<S::Error>> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        if self.finished {
            return Ok(PipeStep::Finished);
        }
        if self.is_due() {
            return self.store();
        }
        let next = match self.events.next(Duration::ZERO) {
            // Nothing more has arrived.
            Ok(Next::TimedOut) if self.batch.is_complete() && self.sink.pending_bytes() > 0 => {
                return self.store();
            }
            Ok(Next::TimedOut) => self.events.next(self.longest_wait(timeout)),
            next => next,
        };
        match next {
            Ok(Next::Event(event)) => self.write(event),
            Ok(Next::TimedOut) => Ok(PipeStep::TimedOut),
            Ok(Next::Finished) => {
                self.finished = true;
                // The rest of a transaction was not received, so all of it is sent again.
                if self.batch.is_complete() { self.store() } else { Ok(PipeStep::Finished) }
            }
            Err(error) => {
                self.finished = true;
                if !self.batch.is_complete() {
                    return Err(error.into());
                }
                self.failed = Some(error);
                self.store()
            }
        }
    }

    fn write(&mut self, event: ChangeEvent) -> Result<PipeStep, PipeError<S::Error>> {
        if let Err(error) = self.sink.write(&event) {
            return Err(self.sink_failed(error));
        }
        self.batch.add(&event);
        if event.is_last() {
            self.batch.complete_bytes = self.sink.pending_bytes();
        }
        Ok(PipeStep::Event(event))
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

    /// Stores the batch, and then acknowledges its events.
    fn store(&mut self) -> Result<PipeStep, PipeError<S::Error>> {
        let OpenBatch { events, last, in_transaction, .. } = mem::take(&mut self.batch);
        (self.batch.in_transaction, self.batch.continues) = (in_transaction, in_transaction);
        let bytes = self.sink.pending_bytes();
        if let Some((position, _)) = last {
            if let Err(error) = self.sink.commit(&position) {
                return Err(self.sink_failed(error));
            }
            self.events.acknowledge_through(position).inspect_err(|_| self.finished = true)?;
        }
        Ok(PipeStep::Stored { events, bytes })
    }

    fn sink_failed(&mut self, error: S::Error) -> PipeError<S::Error> {
        self.finished = true;
        self.failed = None;
        PipeError::Sink(error)
    }
}

impl OpenBatch {
    fn add(&mut self, event: &ChangeEvent) {
        let since = self.last.take().map_or_else(Instant::now, |(_, since)| since);
        self.last = Some((event.position(), since));
        self.events += 1;
        self.in_transaction = !event.is_last();
    }

    /// Returns whether it has events, and all of their transactions.
    fn is_complete(&self) -> bool {
        self.last.is_some() && !self.in_transaction
    }
}
