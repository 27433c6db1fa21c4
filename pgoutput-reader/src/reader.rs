//! The reader: change events of a database, in commit order.

mod add_tables;
mod builder;
mod capture;
mod events;
mod lookahead;
mod masks;
mod non_blocking;
mod replay;
mod slot_creation;
mod spill_options;
mod transaction;

use std::collections::VecDeque;
use std::iter::FusedIterator;
use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

pub use builder::ReaderBuilder;
use events::{Events, Waited};
use masks::RowMasks;
pub use replay::ReplayBuilder;
pub use slot_creation::SlotCreation;
pub use spill_options::SpillOptions;
pub use transaction::{OwnedTransaction, OwnedTransactions, Transaction};

use crate::catalog::{Published, SlotStatus};
use crate::config::Config;
use crate::delivery::Acknowledger;
use crate::error::{Error, ServerMessage};
use crate::event::ChangeEvent;
use crate::io::StopHandle;
use crate::listener::REPORTED;
#[cfg(doc)]
use crate::snapshot::Snapshot;
use crate::snapshot::SnapshotProgress;
use crate::source::{AnySource, Started};
use crate::stream::Health;

/// The changes of a database, in commit order: a plain blocking [`Iterator`].
///
/// ```no_run
/// use pgoutput_reader::Reader;
///
/// let mut reader = Reader::builder("postgresql://app@localhost/app")
///     .slot("my_slot")
///     .publication("my_publication")
///     .connect()?;
/// for event in &mut reader {
///     println!("{}", serde_json::to_string(&event?)?);
/// }
/// reader.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An event counts as acknowledged when the next one is requested. Once every event of a
/// transaction is acknowledged, the server may discard it ([`Acknowledge`](crate::Acknowledge) has
/// the alternatives). After a crash, complete transactions are delivered again, and never only the
/// end of one.
///
/// A reader replaces a lost connection, visibly and within bounds
/// ([`Reconnect`](crate::Reconnect)), and the iterator continues: within one process, every event
/// is delivered exactly once. The error that ends the iterator is its last item.
#[derive(Debug)]
pub struct Reader {
    events: Events<AnySource>,
    started: Started,
    /// Events that were read and given back, before all others.
    returned: VecDeque<ChangeEvent>,
    /// Whether the last event that was read is not the last of its transaction.
    in_transaction: bool,
    masks: Option<RowMasks>,
}

/// The result of waiting for an event; see [`Reader::next_timeout`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Next {
    /// An event.
    Event(ChangeEvent),
    /// None arrived in time. Nothing is lost; ask again.
    TimedOut,
    /// There are no more events: the iterator is finished.
    Finished,
}

impl Reader {
    fn new(events: Events<AnySource>, started: Started, masks: Option<RowMasks>) -> Self {
        Self { events, started, returned: VecDeque::new(), in_transaction: false, masks }
    }

    /// Returns the settings of a reader of the server that `dsn` names: a connection URI or
    /// `key=value` words, as libpq reads them (manual, section "Connection Strings"). The `PG*`
    /// environment variables supply settings that it does not contain.
    pub fn builder(dsn: &str) -> ReaderBuilder {
        ReaderBuilder::new(Config::from_dsn_or_env(Some(dsn)))
    }

    /// Waits for the next event for at most `timeout`; zero returns only an event that has arrived.
    /// An event counts as arrived once the message after it has, which shows whether it
    /// [is the last](ChangeEvent::is_last) of its transaction.
    ///
    /// The first event of a table, and the first after a change of its description, may take
    /// longer: until the catalogue answers, for at most
    /// [`wal_receiver_timeout`](crate::Config::wal_receiver_timeout). A [`StopHandle`] ends that
    /// wait too.
    ///
    /// # Errors
    /// The errors of the iterator; the first one finishes it.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Next, Error> {
        // A timeout beyond the range of the clock never passes.
        let waited = self.next_until(Instant::now().checked_add(timeout))?;
        Ok(match (waited, self.take()?) {
            (_, Some(event)) => Next::Event(event),
            (Waited::TimedOut, None) => Next::TimedOut,
            (Waited::Event | Waited::Finished, None) => Next::Finished,
        })
    }

    /// Waits until [`take`](Self::take) can return an event.
    fn next_until(&mut self, deadline: Option<Instant>) -> Result<Waited, Error> {
        if self.returned.is_empty() { self.events.next(deadline) } else { Ok(Waited::Event) }
    }

    fn take(&mut self) -> Result<Option<ChangeEvent>, Error> {
        let event = match self.returned.pop_front() {
            Some(returned) => Some(returned),
            None => self.taken()?,
        };
        if let Some(event) = &event {
            self.in_transaction = !event.is_last();
        }
        Ok(event)
    }

    /// Takes the event that is ready, with its masks.
    fn taken(&mut self) -> Result<Option<ChangeEvent>, Error> {
        let mut event = self.events.take();
        if let (Some(masks), Some(event)) = (&mut self.masks, &mut event)
            && let Err(error) = masks.apply(event)
        {
            self.events.fail();
            return Err(error);
        }
        Ok(event)
    }

    /// Returns the handle that acknowledges events under
    /// [`Acknowledge::Manual`](crate::Acknowledge::Manual).
    pub fn acknowledger(&self) -> Acknowledger {
        self.events.delivery.acknowledger().clone()
    }

    /// Returns a handle that ends this reader from another thread or a signal handler.
    pub fn stop_handle(&self) -> StopHandle {
        self.events.source.stop_handle()
    }

    /// Returns the notices and warnings that the server sent inside the copy since the last call;
    /// the newest hundred are kept.
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.events.source.take_notices()
    }

    /// Returns the WAL end that the server reported with its last message or keepalive.
    pub fn server_wal_end(&self) -> Lsn {
        self.events.source.health().server_wal_end
    }

    /// Sends a status update if one is due, without waiting: for a loop body that is busy for long
    /// while [`heartbeat`](ReaderBuilder::heartbeat) is off. Call it several times in each
    /// `wal_sender_timeout`.
    ///
    /// ```no_run
    /// # use pgoutput_reader::{Config, Reader};
    /// # fn steps() -> [(); 3] { [(); 3] }
    /// # let builder = Reader::builder("");
    /// let mut reader = builder.heartbeat(false).connect()?;
    /// while let Some(event) = reader.next() {
    ///     let event = event?;
    ///     for step in steps() {
    ///         // … a part of the work …
    ///         reader.tick()?;
    ///     }
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// # Errors
    /// The status update cannot be sent, and the policy does not allow a reconnection; the reader
    /// is then finished. Otherwise it reconnects when the next event is requested.
    pub fn tick(&mut self) -> Result<(), Error> {
        let ticked = self.events.source.tick();
        if ticked.is_err() {
            self.events.fail();
        }
        ticked
    }

    /// Returns the LSNs of the reader and the time of the last message, without a query;
    /// [`slot_status`](Self::slot_status) asks the server.
    pub fn health(&self) -> Health {
        let delivery = &self.events.delivery;
        Health {
            last_commit_time: delivery.last_commit_time(),
            idle: self.returned.is_empty() && self.events.is_idle(),
            acknowledged: delivery.acknowledger().acknowledged(),
            spilled: self.events.spilled(),
            spill: self.events.spill_size(),
            in_progress: self.events.in_progress(),
            ..self.events.source.health()
        }
    }

    /// Returns the progress of the [copy of tables](Snapshot), without a query; `None` if there is
    /// none, while its connection is lost, and after the first change was requested. After an
    /// interruption it is that of the new snapshot.
    ///
    /// ```no_run
    /// # let mut reader = pgoutput_reader::Reader::builder("").connect()?;
    /// while let Some(event) = reader.next() {
    ///     let event = event?;
    ///     // … store it …
    ///     if let Some(progress) = reader.snapshot_progress()
    ///         && progress.rows % 100_000 == 0
    ///     {
    ///         eprintln!("{progress}");
    ///     }
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    pub fn snapshot_progress(&self) -> Option<SnapshotProgress> {
        self.events.source.copy_progress()
    }

    /// Returns the state of the slot and the WAL that the server keeps for it, queried over the SQL
    /// connection.
    ///
    /// # Errors
    /// Errors of the query; [`SetupError::SlotMissing`](crate::SetupError::SlotMissing) if the slot
    /// no longer exists; [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) if a [`StopHandle`] was
    /// used and the answer is not there within a quarter of a second.
    pub fn slot_status(&mut self) -> Result<SlotStatus, Error> {
        self.events.source.catalog()?.slot_status(&self.started.slot)
    }

    /// Returns the server, database, slot and LSN that this reader has started with.
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// Returns the number of tables in the publications, and likely mistakes in them: publications
    /// without tables, and tables whose UPDATE and DELETE the server refuses. It queries the SQL
    /// connection, for at most five seconds. [`connect`](ReaderBuilder::connect) does so too and
    /// logs the warnings, if a logger for the crate `log` takes warnings.
    ///
    /// ```no_run
    /// # let builder = pgoutput_reader::Reader::builder("");
    /// let mut reader = builder.connect()?;
    /// let published = reader.published()?;
    /// eprintln!("{}, {published}", reader.started());
    /// for warning in published.warnings() {
    ///     eprintln!("warning: {warning}");
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the query; [`ErrorKind::Timeout`](crate::ErrorKind::Timeout);
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) if a [`StopHandle`] was used. None of them
    /// finishes the reader.
    pub fn published(&mut self) -> Result<Published, Error> {
        self.events.source.catalog()?.published(&self.started.publications)
    }

    /// Logs what the reader has started with and, with a query, what the publications hold if a
    /// logger takes warnings.
    fn log_start(&mut self) {
        log::info!(target: REPORTED, "{}", self.started);
        if log::log_enabled!(target: REPORTED, log::Level::Warn) {
            match self.published() {
                Ok(published) => {
                    log::info!(target: REPORTED, "{published}");
                    for warning in published.warnings() {
                        log::warn!(target: REPORTED, "{warning}");
                    }
                }
                Err(error) => log::warn!("the published tables could not be queried: {error}"),
            }
        }
    }

    /// Reports the acknowledged LSN, ends the copy and closes the connection. The slot is free when
    /// this returns, except in the middle of a large transaction: see
    /// [`ReplicationStream::stop`](crate::ReplicationStream::stop).
    ///
    /// Under [`Acknowledge::Automatic`](crate::Acknowledge::Automatic) an event does not count as
    /// acknowledged if the next one was not requested.
    ///
    /// # Errors
    /// The acknowledged LSN cannot be reported, because the connection fails or was lost before.
    /// The server may then send again what was acknowledged.
    pub fn stop(self) -> Result<(), Error> {
        self.events.source.stop()
    }
}

impl Iterator for Reader {
    type Item = Result<ChangeEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_until(None) {
                Ok(Waited::Event | Waited::Finished) => return self.take().transpose(),
                Ok(Waited::TimedOut) => {}
                // An error is returned once: the reader is finished.
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl FusedIterator for Reader {}
