//! Non-blocking queries on a reader.

use std::time::Duration;

use super::{Next, Reader};
use crate::error::Error;
use crate::event::{ChangeEvent, Position};

impl Reader {
    /// Returns the next event if it has arrived, without waiting; `None` if there is none now or
    /// the reader [is finished](Self::is_finished).
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
    /// The errors of the iterator; the first one finishes it.
    pub fn try_next(&mut self) -> Result<Option<ChangeEvent>, Error> {
        match self.next_timeout(Duration::ZERO)? {
            Next::Event(event) => Ok(Some(event)),
            Next::TimedOut | Next::Finished => Ok(None),
        }
    }

    /// Returns whether there are no more events.
    pub fn is_finished(&self) -> bool {
        self.returned.is_empty() && self.events.is_finished()
    }

    /// Returns the position of an idle reader, after everything that was delivered, to store and
    /// then acknowledge while nothing is published, under [`Idle::Never`](crate::Idle::Never) or
    /// [`Acknowledge::Stages`](crate::Acknowledge::Stages). `None` while events may be on their
    /// way: the server must have reported its position since the last message, and it must be
    /// beyond everything that was delivered.
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
        self.events.idle_position().filter(|_| self.returned.is_empty())
    }
}
