//! Destinations that store the position together with the changes.

mod limits;
mod pipe;
mod step;
#[cfg(test)]
mod tests;

use std::error;
use std::time::Duration;

pub use limits::BatchLimits;
pub use pipe::Pipe;
pub use step::{PipeError, PipeStep};

use crate::event::{ChangeEvent, Position};

/// A destination that stores changes and the position of the last one in one step, so that it has
/// each change exactly once. [`ReaderBuilder::pipe`](crate::ReaderBuilder::pipe) connects it with a
/// reader.
///
/// Events arrive one at a time with [`write`](Self::write) and form a *batch*: whole transactions,
/// or a part of one that is larger than the [limit](BatchLimits::max_transaction_bytes). Then
/// [`commit`](Self::commit) stores the batch. A batch that is not committed is discarded with the
/// sink, and its events are delivered again.
///
/// The example `sink` stores changes in SQLite.
///
/// ```
/// use std::convert::Infallible;
///
/// use pgoutput_reader::{ChangeEvent, Position, Sink};
///
/// /// Counts changes. The position is of use as long as the value lives.
/// #[derive(Debug, Default)]
/// struct Counter {
///     stored: (u64, Option<Position>),
///     pending: u64,
/// }
///
/// impl Sink for Counter {
///     type Error = Infallible;
///
///     fn position(&mut self) -> Result<Option<Position>, Infallible> {
///         Ok(self.stored.1.clone())
///     }
///
///     fn write(&mut self, _: &ChangeEvent) -> Result<(), Infallible> {
///         self.pending += 1;
///         Ok(())
///     }
///
///     fn pending_bytes(&self) -> usize {
///         usize::try_from(8 * self.pending).unwrap_or(usize::MAX)
///     }
///
///     fn commit(&mut self, position: &Position) -> Result<(), Infallible> {
///         self.stored = (self.stored.0 + self.pending, Some(position.clone()));
///         self.pending = 0;
///         Ok(())
///     }
/// }
/// ```
pub trait Sink {
    /// The error of the destination.
    type Error: error::Error + 'static;

    /// Returns the position that was stored with the last batch; `None` if nothing was ever stored.
    ///
    /// # Errors
    /// The position cannot be read, or the destination lost changes.
    fn position(&mut self) -> Result<Option<Position>, Self::Error>;

    /// Adds an event to the batch. A sink may leave out events: they count as processed.
    ///
    /// # Errors
    /// The event cannot be stored. The batch is as before: the events before it may be committed.
    fn write(&mut self, event: &ChangeEvent) -> Result<(), Self::Error>;

    /// Returns the size of the batch in bytes, which [`BatchLimits`] bounds; 0 if every event was
    /// left out.
    fn pending_bytes(&self) -> usize;

    /// Stores the batch and the position of its last event in one step. What was stored is durable
    /// when this returns, as far as the destination promises, unless the sink implements
    /// [`wait_stored`](Self::wait_stored).
    ///
    /// # Errors
    /// It is not known whether the batch was stored; the sink is not used again.
    fn commit(&mut self, position: &Position) -> Result<(), Self::Error>;

    /// Waits for at most `timeout` until the batch that was committed is stored, and returns
    /// whether it is. A sink that stores batches in another thread implements this, so that the
    /// next events are read and [written](Self::write) meanwhile. They are acknowledged, and the next batch is
    /// committed, only after this returned true.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    fn wait_stored(&mut self, timeout: Duration) -> Result<bool, Self::Error> {
        let _ = timeout;
        Ok(true)
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    type Error = S::Error;

    fn position(&mut self) -> Result<Option<Position>, S::Error> {
        (**self).position()
    }

    fn write(&mut self, event: &ChangeEvent) -> Result<(), S::Error> {
        (**self).write(event)
    }

    fn pending_bytes(&self) -> usize {
        (**self).pending_bytes()
    }

    fn commit(&mut self, position: &Position) -> Result<(), S::Error> {
        (**self).commit(position)
    }

    fn wait_stored(&mut self, timeout: Duration) -> Result<bool, S::Error> {
        (**self).wait_stored(timeout)
    }
}
