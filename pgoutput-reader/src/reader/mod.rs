//! The front door: change events in commit order.

mod builder;
mod changes;
mod confirm;
mod dropped_tables;
mod idle;
mod money;
mod non_blocking;
mod open_stream;
mod reconnect_policy;
mod reconnecting_stream;
mod resume;
mod skipped_publications;
mod slot_loss;
mod stability;
mod started;
mod tables;
mod transient;
mod type_drift;
mod until;
mod verify;

use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, Message};

pub use builder::ReaderBuilder;
use changes::{Changes, TransactionProgress};
pub use idle::Idle;
pub(crate) use reconnect_policy::OnSlotWait;
pub use reconnect_policy::{Reconnect, ReconnectAttempt, Reconnected};
use reconnecting_stream::{Link, Turn};
use resume::Resume;
use slot_loss::explain;
pub use started::Started;
use tables::Tables;
use until::Until;

use crate::ack::{Acknowledge, Acknowledger};
use crate::catalog::{Catalog, Published, SlotStatus};
use crate::event::{ChangeEvent, Fingerprint, StreamIdentity};
use crate::stream::{Frame, Health, Step, StopHandle, is_late};
use crate::{Config, Error, ServerMessage};

/// How long [`Reader::stop`] waits for the Commit of a transaction whose last event was taken. The server sends
/// it right behind the last change.
const SETTLE: Duration = Duration::from_secs(1);

/// How long an acknowledgement given elsewhere may wait to be seen while the stream is quiet. The server is
/// not told more often than once a second anyway.
const LOOK: Duration = Duration::from_secs(1);

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
    link: Link,
    tables: Tables,
    changes: Changes,
    acknowledger: Acknowledger,
    mode: Acknowledge,
    until: Option<Until>,
    idle: idle::IdleTimer,
    /// How far the server had come when it last said so with nothing further on its way.
    drained_at: Option<Lsn>,
    slot: String,
    started: Started,
    finished: bool,
    /// An error was handed out, or a stop ended a look-up: what came with it or after it was not, and must never be confirmed.
    failed: bool,
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

struct Setup {
    link: Link,
    catalog: Catalog,
    identity: Arc<StreamIdentity>,
    resume: Resume,
    /// Commit LSN and index of the position gone on from.
    newest: Option<(Lsn, Option<u64>)>,
    acknowledger: Acknowledger,
    acknowledge: Acknowledge,
    idle: Idle,
    until: Option<Lsn>,
    started: Started,
    described_tables: usize,
    #[cfg(feature = "json")]
    json_options: pgoutput_decode::value::JsonOptions,
}

impl Reader {
    /// Settings for a reader of the server that `dsn` names: a connection URI or `key=value` words, as libpq reads them
    /// (manual, section "Connection Strings"). What it leaves open comes from the `PG*` environment variables.
    pub fn builder(dsn: &str) -> ReaderBuilder {
        ReaderBuilder::new(Config::from_dsn_or_env(Some(dsn)))
    }

    fn start(setup: Setup) -> Self {
        let Setup { link, catalog, identity, resume, acknowledger, acknowledge, .. } = setup;
        let system = link.system();
        let database = system.dbname.as_deref().unwrap_or_default();
        let fingerprint = Fingerprint::new(&system.system_identifier, database);
        let catalog = link.catalog(catalog);
        let tables =
            Tables::new(database, &setup.started.publications, setup.described_tables, catalog);
        #[cfg(feature = "json")]
        let tables = tables.with_json_options(setup.json_options);
        let reader = Self {
            tables,
            link,
            changes: Changes::new(fingerprint, identity, resume, setup.newest),
            acknowledger,
            mode: acknowledge,
            until: setup.until.map(Until::new),
            idle: idle::IdleTimer::new(setup.idle, Instant::now()),
            drained_at: None,
            slot: setup.started.slot.clone(),
            started: setup.started,
            finished: false,
            failed: false,
        };
        reader.set_lags();
        reader
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
        self.advance(Instant::now().checked_add(timeout))
    }

    /// The handle that events are acknowledged with under [`Acknowledge::Manual`].
    pub fn acknowledger(&self) -> Acknowledger {
        self.acknowledger.clone()
    }

    /// Ends this reader from another thread, or where a signal is handled.
    pub fn stop_handle(&self) -> StopHandle {
        self.link.stop_handle()
    }

    /// Notices and warnings that the server sent inside the copy since the last call; the newest hundred are kept.
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.link.take_notices()
    }

    /// The server's position, as its last message or keepalive said.
    pub fn server_wal_end(&self) -> Lsn {
        self.link.health().server_wal_end
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
        let ticked = self.link.tick().or_else(|error| self.link.lost(error));
        if ticked.is_err() {
            (self.finished, self.failed) = (true, true);
            self.changes.ready.clear();
        }
        ticked
    }

    /// How far the stream has come and when the server was heard last. Costs no question to the server;
    /// [`slot_status`](Self::slot_status) asks one.
    pub fn health(&self) -> Health {
        Health {
            last_commit_time: self.changes.last_commit_time(),
            drained: self.drained_at.is_some()
                && self.changes.ready.is_empty()
                && self.acknowledger.has_taken(self.changes.delivered()),
            acknowledged: self.acknowledger.confirmed(),
            ..self.link.health()
        }
    }

    /// What the server says of the slot and of the log it keeps for it, asked over the ordinary connection.
    ///
    /// # Errors
    /// What the server answers; [`SetupError::SlotMissing`](crate::SetupError::SlotMissing) when there is no such slot any more;
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped) when a [`StopHandle`] was used and the answer takes longer than a moment.
    pub fn slot_status(&mut self) -> Result<SlotStatus, Error> {
        self.tables.catalog().slot_status(&self.slot)
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
        self.tables.catalog().published(&self.started.publications)
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
        if !self.failed {
            self.settle()?;
        }
        self.link.stop()
    }

    /// The Commit behind a last event that was taken is waited for: only then is its transaction whole.
    fn settle(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + SETTLE;
        while self.changes.in_transaction()
            && self.changes.ready.is_empty()
            && self.acknowledger.has_taken(self.changes.delivered())
        {
            match self.link.settle(deadline)? {
                Step::Message(frame) => {
                    let Some(event) = self.link.read(frame).transpose()? else { break };
                    if let Message::Commit(_) = event.message {
                        let progress = self.changes.take(&event, &mut self.tables)?;
                        self.mark_progress(progress);
                    }
                    break;
                }
                Step::Keepalive(_) if Instant::now() < deadline => {}
                Step::PublicationSkipped => {}
                Step::Keepalive(_) | Step::TimedOut | Step::Stopped => break,
            }
        }
        Ok(())
    }

    fn advance(&mut self, deadline: Option<Instant>) -> Result<Next, Error> {
        if self.mode == Acknowledge::Automatic && !self.failed {
            let waiting = self.changes.ready.len() as u64;
            self.acknowledger.take_through(self.changes.delivered() - waiting);
        }
        let result =
            self.next_event(deadline).map_err(|error| explain(error, &mut self.tables, &self.slot));
        self.finished |= matches!(result, Ok(Next::Finished));
        if result.is_err() {
            (self.finished, self.failed) = (true, true);
            // A TRUNCATE of several tables may have failed at the second.
            self.changes.ready.clear();
        }
        result
    }

    fn next_event(&mut self, deadline: Option<Instant>) -> Result<Next, Error> {
        loop {
            if let Some(event) = self.changes.ready.pop_front() {
                return Ok(Next::Event(event));
            }
            if self.finished {
                return Ok(Next::Finished);
            }
            match self.turn(deadline) {
                Ok(None) => {}
                Ok(Some(next)) => return Ok(next),
                Err(error) if self.link.is_stop(&error) => {
                    // As after an error: what the catalogue was asked for is not handed out.
                    (self.finished, self.failed) = (true, true);
                    self.changes.ready.clear();
                    return Ok(Next::Finished);
                }
                Err(error) => self.link.lost(error)?,
            }
            if self.changes.ready.is_empty() && !self.finished && is_late(deadline) {
                return Ok(Next::TimedOut);
            }
        }
    }

    /// One turn of the stream: the events that it makes are ready then.
    fn turn(&mut self, deadline: Option<Instant>) -> Result<Option<Next>, Error> {
        let look_at = self.acknowledger.is_owed().then(|| Instant::now() + LOOK);
        let ask_at = self.until.as_ref().map(Until::ask_at);
        let tend_at = Some(self.idle.due_at());
        let wake_at = [deadline, look_at, ask_at, tend_at].into_iter().flatten().min();
        let turn = self.link.turn(wake_at)?;
        match turn {
            Turn::Step(Step::Message(frame)) => {
                self.finished = !self.take(frame)?;
                // An event has its own copy of a long message.
                self.link.release();
                if !self.changes.ready.is_empty() {
                    self.link.proved();
                }
            }
            Turn::Step(Step::Keepalive(keepalive)) if !self.changes.in_transaction() => {
                self.changes.reached(keepalive.wal_end)?;
                self.drained_at = Some(keepalive.wal_end);
                self.link.reached(keepalive.wal_end);
                if self.idle.keepalives_count() {
                    self.idle.put_off(Instant::now());
                    self.mark_idle(keepalive.wal_end);
                }
                self.finished = self.is_reached(keepalive.wal_end);
            }
            Turn::Step(Step::Keepalive(_) | Step::PublicationSkipped) => {}
            Turn::Step(Step::Stopped) => return Ok(Some(Next::Finished)),
            Turn::Step(Step::TimedOut) => {
                let now = Instant::now();
                // Also for a caller that only polls: this comes before its own deadline.
                if self.until.as_mut().is_some_and(|until| until.is_due(now)) {
                    self.link.ask()?;
                }
                self.tend_idle(now)?;
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return Ok(Some(Next::TimedOut));
                }
            }
            Turn::Again(catalog) => {
                self.drained_at = None;
                self.changes.cut();
                self.tables.restart(self.link.catalog(*catalog));
                self.set_lags();
                if let Some(until) = &mut self.until {
                    until.restart();
                }
            }
        }
        Ok(None)
    }

    /// Takes a message in; false when it is beyond the position to stop at.
    fn take(&mut self, frame: Frame) -> Result<bool, Error> {
        let Some(event) = self.link.read(frame).transpose()? else { return Ok(true) };
        self.drained_at = None;
        if let Message::Message(body) = &event.message
            && self.idle.is_own(body)
        {
            let lsn = body.lsn;
            self.idle.put_off(Instant::now());
            self.changes.reached(lsn)?;
            self.mark_idle(lsn);
            return Ok(!self.is_reached(lsn));
        }
        if self.until.as_ref().is_some_and(|until| until.is_before(&event.message)) {
            if let Message::Begin(begin) = &event.message {
                self.changes.reached(begin.final_lsn)?;
            }
            return Ok(false);
        }
        let progress = self.changes.take(&event, &mut self.tables)?;
        self.mark_progress(progress);
        match progress {
            TransactionProgress::Committed { end_lsn, .. } => Ok(!self.is_reached(end_lsn)),
            TransactionProgress::Inside | TransactionProgress::Alone(_) => Ok(true),
        }
    }

    fn is_reached(&self, lsn: Lsn) -> bool {
        self.until.as_ref().is_some_and(|until| until.is_reached(lsn))
    }
}

impl Iterator for Reader {
    type Item = Result<ChangeEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.advance(None) {
                Ok(Next::Event(event)) => return Some(Ok(event)),
                Ok(Next::Finished) => return None,
                Ok(Next::TimedOut) => {}
                // An error is handed out once: from now on `advance` finds the reader finished.
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl FusedIterator for Reader {}
