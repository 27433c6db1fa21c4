//! A reader and a sink, connected.

use std::time::Duration;

use super::step::{INDEFINITELY, ReaderEvents, Steps};
use super::{BatchLimits, PipeError, PipeStep, Sink};
use crate::catalog::Published;
use crate::error::{Error, ServerMessage};
use crate::reader::{Reader, ReaderBuilder};

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
/// let stop_handle = pipe.reader().stop_handle(); // for another thread
/// pipe.run()?;
/// pipe.stop()?;
/// # Ok::<(), pgoutput_reader::PipeError<Infallible>>(())
/// ```
///
/// An error ends the pipe. Start again with a new one: it continues after what the sink has stored,
/// so that nothing is missing and nothing is stored twice.
#[derive(Debug)]
pub struct Pipe<S: Sink> {
    steps: Steps<ReaderEvents, S>,
}

impl<S: Sink> Pipe<S> {
    pub(crate) fn new(reader: Reader, sink: S) -> Self {
        let acknowledger = reader.acknowledger();
        Self { steps: Steps::new(ReaderEvents { reader, acknowledger }, sink) }
    }

    /// Sets the limits of a batch.
    #[must_use]
    pub fn limits(mut self, limits: BatchLimits) -> Self {
        self.steps.limits = limits;
        self
    }

    /// Stores events until there are no more, or the reader is [stopped](crate::StopHandle).
    ///
    /// # Errors
    /// The first error of the reader or the sink. After an error the pipe is finished, and further
    /// calls return `Ok`.
    pub fn run(&mut self) -> Result<(), PipeError<S::Error>> {
        while !matches!(self.step(INDEFINITELY)?, PipeStep::Finished) {}
        Ok(())
    }

    /// Adds one event to the batch, or stores the batch. Waits for at most `timeout` for an event,
    /// but for [`Sink::commit`] as long as it takes.
    ///
    /// # Errors
    /// The errors of the reader and the sink. After an error the pipe is finished.
    pub fn step(&mut self, timeout: Duration) -> Result<PipeStep, PipeError<S::Error>> {
        self.steps.step(timeout)
    }

    /// Returns the reader.
    pub fn reader(&self) -> &Reader {
        &self.steps.events.reader
    }

    /// Queries the published tables: see [`Reader::published`].
    ///
    /// # Errors
    /// Those of [`Reader::published`].
    pub fn published(&mut self) -> Result<Published, Error> {
        self.steps.events.reader.published()
    }

    /// Returns the notices of the server: see [`Reader::take_notices`].
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.steps.events.reader.take_notices()
    }

    /// Returns the sink.
    pub fn sink(&self) -> &S {
        &self.steps.sink
    }

    /// Returns the sink, which may have events of a batch.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.steps.sink
    }

    /// Ends the stream in an orderly way, as [`Reader::stop`] does. Events that were not stored are
    /// sent again to the next reader of the slot.
    ///
    /// # Errors
    /// Those of [`Reader::stop`].
    pub fn stop(self) -> Result<S, Error> {
        self.steps.events.reader.stop()?;
        Ok(self.steps.sink)
    }
}

impl ReaderBuilder {
    /// Connects, and resumes after the position that the sink has stored. Events are acknowledged
    /// once the sink has stored them.
    ///
    /// If the sink has no position, reading starts at the slot's confirmed LSN, or at
    /// [`start_lsn`](Self::start_lsn). A slot of which a reader has acknowledged an event is then
    /// refused, since the sink lacks what was acknowledged before;
    /// [`trust_slot`](Self::trust_slot) skips this check. If the sink has a position, `start_lsn`
    /// counts only if it is after that, and skips what is in between.
    ///
    /// [`Acknowledge::Manual`] takes the place of [`Acknowledge::Automatic`].
    /// [`Acknowledge::Stages`] remains: what the sink has stored counts as written, flushed and
    /// applied. A [temporary slot](crate::SlotCreation::Temporary) is refused: no later reader can resume
    /// after a position of it. A [`Snapshot::alone`](crate::Snapshot::alone) is stored once, in a
    /// sink without a position.
    ///
    /// # Errors
    /// Errors of [`Sink::position`] and of [`connect`](Self::connect), among them
    /// [`PositionError::NothingStored`](crate::PositionError::NothingStored).
    ///
    /// [`Acknowledge::Manual`]: crate::Acknowledge::Manual
    /// [`Acknowledge::Automatic`]: crate::Acknowledge::Automatic
    /// [`Acknowledge::Stages`]: crate::Acknowledge::Stages
    /// [`SlotCreation::Temporary`]: crate::SlotCreation::Temporary
    pub fn pipe<S: Sink>(self, mut sink: S) -> Result<Pipe<S>, PipeError<S::Error>> {
        self.check_pipe()?;
        let stored = sink.position().map_err(PipeError::Sink)?;
        let reader = self.after_stored(stored).connect()?;
        Ok(Pipe::new(reader, sink))
    }
}
