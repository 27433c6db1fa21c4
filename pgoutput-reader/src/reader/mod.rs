//! A reader: the change events of a database, in commit order.

mod builder;
mod events;
mod non_blocking;

use std::iter::FusedIterator;
use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

pub use builder::ReaderBuilder;
use events::Events;

use crate::catalog::{Published, SlotStatus};
use crate::config::Config;
use crate::delivery::Acknowledger;
use crate::error::{Error, ServerMessage};
use crate::event::ChangeEvent;
use crate::source::{Replication, Started};
use crate::stream::{Health, StopHandle};

/// How long [`Reader::stop`] waits for the Commit of a transaction whose last event was
/// acknowledged. The server sends it directly after the last change.
const SETTLE: Duration = Duration::from_secs(1);

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
/// An event counts as taken when the next one is asked for; once every event of a transaction was taken, the server may
/// forget it ([`Acknowledge`] has the alternatives). After a crash, whole transactions come again, never parts of one
/// from the middle.
///
/// A connection that is lost is made again, visibly and within bounds ([`Reconnect`]), and the iterator goes on where it was: in one process no
/// event comes twice and none is lost. The error that ends the iterator is its last item.
#[derive(Debug)]
pub struct Reader {
    events: Events<Replication>,
    started: Started,
}

/// What came of waiting for an event; see [`Reader::next_timeout`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Next {
    /// An event.
    Event(ChangeEvent),
    /// None came in time. Nothing is lost; ask again.
    TimedOut,
    /// There will be none: the iterator is finished.
    Finished,
}

impl Reader {
    /// Settings for a reader of the server that `dsn` names: a connection URI or `key=value` words, as libpq reads them
    /// (manual, section "Connection Strings"). What it leaves open comes from the `PG*` environment variables.
    pub fn builder(dsn: &str) -> ReaderBuilder {
        ReaderBuilder::new(Config::from_dsn_or_env(Some(dsn)))
    }

    /// Waits for the next event no longer than `timeout`; zero takes only what is there.
    ///
    /// The first event of a table, and of each new description of it, may take longer: as long as the catalogue takes to answer, up to
    /// [`wal_receiver_timeout`](crate::Config::wal_receiver_timeout). A [`StopHandle`] ends that wait too.
    ///
    /// # Errors
    /// Those of the iterator; after the first there is nothing more.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Next, Error> {
        // A timeout beyond the clock's range is none.
        self.events.next(Instant::now().checked_add(timeout))
    }

    /// The handle that events are acknowledged with under [`Acknowledge::Manual`].
    pub fn acknowledger(&self) -> Acknowledger {
        self.events.delivery.acknowledger().clone()
    }

    /// Ends this reader from another thread, or where a signal is handled.
    pub fn stop_handle(&self) -> StopHandle {
        self.events.source.stop_handle()
    }

    /// Notices and warnings that the server sent inside the copy since the last call; the newest hundred are kept.
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.events.source.take_notices()
    }

    /// The server's position, as its last message or keepalive said.
    pub fn server_wal_end(&self) -> Lsn {
        self.events.source.health().server_wal_end
    }

    /// Sends a status update if one is due, and does not wait: for a loop body that is busy for long while
    /// [`heartbeat`](ReaderBuilder::heartbeat) is off. Call it several times in each `wal_sender_timeout`.
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
    /// When the server cannot be told and the connection is not to be made again, which else begins with the next event that is
    /// asked for; after that the reader is finished.
    pub fn tick(&mut self) -> Result<(), Error> {
        let ticked = self.events.source.tick();
        if ticked.is_err() {
            self.events.fail();
        }
        ticked
    }

    /// How far the stream has come and when the server was heard last. Costs no question to the server;
    /// [`slot_status`](Self::slot_status) asks one.
    pub fn health(&self) -> Health {
        let delivery = &self.events.delivery;
        Health {
            last_commit_time: delivery.last_commit_time(),
            drained: self.events.is_idle(),
            acknowledged: delivery.acknowledger().confirmed(),
            ..self.events.source.health()
        }
    }

    /// What the server says of the slot and of the log it keeps for it, asked over the ordinary connection.
    ///
    /// # Errors
    /// What the server answers; [`SetupError::SlotMissing`](crate::SetupError::SlotMissing) when there is no such slot any more;
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) when a [`StopHandle`] was used and the answer takes longer than a moment.
    pub fn slot_status(&mut self) -> Result<SlotStatus, Error> {
        self.events.source.catalog().slot_status(&self.started.slot)
    }

    /// Server, database, slot and position that this reader has started with.
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// Returns how many tables the publications hold, and what is likely to be a mistake in them:
    /// publications without tables, and tables whose UPDATE and DELETE the server refuses. The SQL
    /// connection is asked, for five seconds at most. [`connect`](ReaderBuilder::connect) asks too, and logs the
    /// warnings, where the crate `log` is set up to take warnings.
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
    /// What the server answers; [`ErrorKind::Timeout`](crate::ErrorKind::Timeout); [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) when a
    /// [`StopHandle`] was used. None of them ends the reader.
    pub fn published(&mut self) -> Result<Published, Error> {
        self.events.source.catalog().published(&self.started.publications)
    }

    /// Logs what was started, and what the publications hold if somebody takes warnings: then it costs a query.
    fn log_start(&mut self) {
        log::info!("{}", self.started);
        if log::log_enabled!(log::Level::Warn) {
            match self.published() {
                Ok(published) => {
                    log::info!("{published}");
                    published.warnings().iter().for_each(|warning| log::warn!("{warning}"));
                }
                Err(error) => log::warn!("the published tables could not be asked for: {error}"),
            }
        }
    }

    /// Tells the server what was taken, ends the copy and closes the connection. The slot is free when this returns, but for
    /// the middle of a large transaction: see [`ReplicationStream::stop`](crate::ReplicationStream::stop).
    ///
    /// Under [`Acknowledge::Automatic`] an event whose successor was never asked for does not count as taken.
    ///
    /// # Errors
    /// When the server cannot be told; then it may send again what was taken last.
    pub fn stop(mut self) -> Result<(), Error> {
        self.events.settle(Instant::now() + SETTLE)?;
        self.events.source.stop()
    }
}

impl Iterator for Reader {
    type Item = Result<ChangeEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.events.next(None) {
                Ok(Next::Event(event)) => return Some(Ok(event)),
                Ok(Next::Finished) => return None,
                Ok(Next::TimedOut) => {}
                // An error is handed out once: from now on the reader is finished.
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl FusedIterator for Reader {}
