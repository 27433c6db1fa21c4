//! The loop between a reader and a sink.

use std::error;
use std::time::{Duration, Instant};

use super::{BatchLimits, Sink};
use crate::catalog::Published;
use crate::delivery::{Acknowledge, Acknowledger};
use crate::error::{Error, ServerMessage};
use crate::event::{ChangeEvent, Position};
use crate::reader::{Next, Reader, ReaderBuilder};

/// The time after which the position is stored although every event since was left out.
const LEFT_OUT: Duration = Duration::from_secs(5);

/// A wait without limit in effect.
const INDEFINITELY: Duration = Duration::from_secs(u32::MAX as u64);

/// A reader whose events are stored in a [`Sink`], created by [`ReaderBuilder::pipe`].
///
/// ```no_run
/// # use std::convert::Infallible;
/// # use pgoutput_reader::{ChangeEvent, Position, Sink};
/// # struct MySink;
/// # impl Sink for MySink {
/// #     type Error = Infallible;
/// #     fn position(&mut self) -> Result<Option<Position>, Infallible> { Ok(None) }
/// #     fn write(&mut self, _: &ChangeEvent) -> Result<(), Infallible> { Ok(()) }
/// #     fn pending_bytes(&self) -> usize { 0 }
/// #     fn commit(&mut self, _: &Position) -> Result<(), Infallible> { Ok(()) }
/// # }
/// use pgoutput_reader::Reader;
///
/// let mut pipe = Reader::builder("postgresql://app@localhost/app")
///     .slot("my_slot")
///     .publication("my_publication")
///     .pipe(MySink)?;
/// pipe.run()?;
/// # Ok::<(), pgoutput_reader::PipeError<Infallible>>(())
/// ```
#[derive(Debug)]
pub struct Pipe<S> {
    reader: Reader,
    acknowledger: Acknowledger,
    sink: S,
    limits: BatchLimits,
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
}

/// The result of [`Pipe::step`].
#[derive(Debug)]
#[non_exhaustive]
pub enum PipeStep {
    /// An event was added to the batch.
    Event(ChangeEvent),
    /// A batch was stored and acknowledged.
    Stored {
        /// The number of its events, with those that the sink left out.
        events: u64,
        /// Its size, as the sink reported it.
        bytes: usize,
    },
    /// Nothing arrived in time. Nothing is lost; ask again.
    TimedOut,
    /// There are no more events, and all complete transactions are stored.
    Finished,
}

/// The error of a [`Pipe`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError<E: error::Error + 'static> {
    /// The error of the reader. Complete transactions before it are stored.
    #[error(transparent)]
    Reader(#[from] Error),
    /// The error of the sink.
    #[error("{0}")]
    Sink(#[source] E),
}

impl ReaderBuilder {
    /// Connects, and resumes after the position that the sink has stored. Events are acknowledged
    /// once the sink has stored them.
    ///
    /// If the sink has no position, reading starts at the slot's confirmed LSN. A slot of which a
    /// reader has acknowledged an event is then refused, since the sink lacks what was acknowledged
    /// before; [`trust_slot`](Self::trust_slot) skips this check.
    ///
    /// # Errors
    /// Errors of [`Sink::position`] and of [`connect`](Self::connect), among them
    /// [`PositionError::NothingStored`](crate::PositionError::NothingStored).
    pub fn pipe<S: Sink>(self, mut sink: S) -> Result<Pipe<S>, PipeError<S::Error>> {
        let builder = self.acknowledge(Acknowledge::Manual);
        let builder = match sink.position().map_err(PipeError::Sink)? {
            Some(position) => builder.resume(position),
            None => builder.refuse_read_slot(),
        };
        let reader = builder.connect()?;
        Ok(Pipe {
            acknowledger: reader.acknowledger(),
            reader,
            sink,
            limits: BatchLimits::default(),
            batch: OpenBatch::default(),
            failed: None,
            finished: false,
        })
    }
}

impl<S: Sink> Pipe<S> {
    /// Sets the limits of a batch.
    #[must_use]
    pub fn limits(mut self, limits: BatchLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Stores events until there are no more, or the reader is [stopped](crate::StopHandle).
    ///
    /// # Errors
    /// The first error of the reader or the sink.
    pub fn run(&mut self) -> Result<(), PipeError<S::Error>> {
        while !matches!(self.step(INDEFINITELY)?, PipeStep::Finished) {}
        Ok(())
    }

    /// Adds one event to the batch, or stores the batch. Waits for at most `timeout` for an event.
    ///
    /// # Errors
    /// The errors of the reader and the sink. After an error the pipe is finished.
    pub fn step(&mut self, timeout: Duration) -> Result<PipeStep, PipeError<S::Error>> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        if self.finished {
            return Ok(PipeStep::Finished);
        }
        if self.is_due() {
            return self.store();
        }
        let next = match self.reader.next_timeout(Duration::ZERO) {
            Ok(Next::TimedOut) if self.batch.is_complete() && self.sink.pending_bytes() > 0 => {
                return self.store();
            }
            Ok(Next::TimedOut) => self.reader.next_timeout(self.longest_wait(timeout)),
            next => next,
        };
        match next {
            Ok(Next::Event(event)) => {
                self.sink.write(&event).map_err(|error| self.sink_failed(error))?;
                self.batch.add(&event);
                Ok(PipeStep::Event(event))
            }
            Ok(Next::TimedOut) => Ok(PipeStep::TimedOut),
            Ok(Next::Finished) => {
                self.finished = true;
                // The rest of a transaction was not received, so all of it is sent again.
                if self.batch.is_complete() { self.store() } else { Ok(PipeStep::Finished) }
            }
            Err(error) if self.batch.is_complete() => {
                self.finished = true;
                self.failed = Some(error);
                self.store()
            }
            Err(error) => {
                self.finished = true;
                Err(error.into())
            }
        }
    }

    /// Returns whether a limit of the batch is reached.
    fn is_due(&self) -> bool {
        let Some((_, since)) = &self.batch.last else { return false };
        let bytes = self.sink.pending_bytes();
        if self.batch.in_transaction {
            return bytes >= self.limits.transaction_bytes.max(1);
        }
        bytes >= self.limits.bytes.max(1)
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
        let OpenBatch { events, last, in_transaction } = std::mem::take(&mut self.batch);
        self.batch.in_transaction = in_transaction;
        let bytes = self.sink.pending_bytes();
        if let Some((position, _)) = last {
            self.sink.commit(&position).map_err(|error| self.sink_failed(error))?;
            self.acknowledger.acknowledge_through(position)?;
        }
        Ok(PipeStep::Stored { events, bytes })
    }

    fn sink_failed(&mut self, error: S::Error) -> PipeError<S::Error> {
        self.finished = true;
        PipeError::Sink(error)
    }

    /// Returns the reader.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Queries the published tables: see [`Reader::published`].
    ///
    /// # Errors
    /// Those of [`Reader::published`].
    pub fn published(&mut self) -> Result<Published, Error> {
        self.reader.published()
    }

    /// Returns the notices of the server: see [`Reader::take_notices`].
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.reader.take_notices()
    }

    /// Returns the sink.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Ends the stream in an orderly way, as [`Reader::stop`] does. A batch that was not stored is
    /// discarded, and its events are sent again.
    ///
    /// # Errors
    /// Those of [`Reader::stop`].
    pub fn stop(self) -> Result<S, Error> {
        self.reader.stop()?;
        Ok(self.sink)
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
