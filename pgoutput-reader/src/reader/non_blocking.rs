//! What can be had of a reader without waiting.

use std::time::Duration;

use super::{Next, Reader};
use crate::event::Position;
use crate::{ChangeEvent, Error};

impl Reader {
    /// The next event if it is there; waits for nothing. `None` when there is none now, or none any more:
    /// [`is_finished`](Self::is_finished) tells these apart.
    ///
    /// ```no_run
    /// # fn other_work() {}
    /// # let mut reader = pgoutput_reader::Reader::builder("").connect()?;
    /// while !reader.is_finished() {
    ///     match reader.try_next()? {
    ///         Some(event) => println!("{event:?}"),
    ///         None => other_work(),
    ///     }
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the iterator; after the first there is nothing more.
    pub fn try_next(&mut self) -> Result<Option<ChangeEvent>, Error> {
        match self.next_timeout(Duration::ZERO)? {
            Next::Event(event) => Ok(Some(event)),
            Next::TimedOut | Next::Finished => Ok(None),
        }
    }

    /// Whether there will be no event any more.
    pub fn is_finished(&self) -> bool {
        self.events.is_finished()
    }

    /// Where the reader stands when nothing is left to hand out and the server has said since how far it has come: a position to store and then
    /// acknowledge while nothing comes, under [`Idle::Never`](crate::Idle::Never) or [`Acknowledge::Stages`](crate::Acknowledge::Stages). `None` while events may be on their way.
    ///
    /// ```no_run
    /// # use pgoutput_reader::{Acknowledge, Error, Idle, Next, Position, Reader};
    /// # fn store(position: &Position) {}
    /// # use std::time::Duration;
    /// # let builder = Reader::builder("");
    /// let mut reader = builder.acknowledge(Acknowledge::Manual).idle(Idle::Never).connect()?;
    /// let acknowledger = reader.acknowledger();
    /// loop {
    ///     let position = match reader.next_timeout(Duration::from_secs(10))? {
    ///         Next::Event(event) => Some(event.position()),
    ///         Next::TimedOut => reader.idle_position(),
    ///         _ => break,
    ///     };
    ///     if let Some(position) = position {
    ///         store(&position);
    ///         acknowledger.acknowledge(position)?;
    ///     }
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn idle_position(&self) -> Option<Position> {
        self.events.idle_position()
    }
}
