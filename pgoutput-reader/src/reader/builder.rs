//! Settings of a reader.

mod capture;
mod connect;
mod create_slot;
mod output;
mod pipe;
mod poll;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgoutput_decode::Lsn;
#[cfg(feature = "json")]
use pgoutput_decode::value::JsonOptions;

use crate::capture::{Capture, MaskedColumn};
use crate::config::{Config, ConfigError};
use crate::delivery::{Acknowledge, Idle, OutputSettings};
use crate::error::Error;
use crate::event::Position;
use crate::io::{StopHandle, WakePipe};
use crate::listener::Listener;
use crate::proto::{StartReplication, StreamOptions};
use crate::reader::{SlotCreation, SpillOptions};
use crate::setup::{OnSlotWait, SlotWait};
use crate::snapshot::{SlotAtRisk, Snapshot};
use crate::source::{
    OnReconnect, OnReconnected, OnSkipped, OnSlotAtRisk, Reconnect, ReconnectAttempt, Reconnected,
};
use crate::stream::SkippedPublication;

/// The default of [`slot_wait_limit`](ReaderBuilder::slot_wait_limit).
const SLOT_WAIT: Duration = Duration::from_secs(300);

/// Settings of a [`Reader`](crate::Reader), created by [`Reader::builder`](crate::Reader::builder)
/// or from a [`Config`]. The `Config` has the settings of the connection: timeouts, limits,
/// [`max_read_delay`](Config::max_read_delay).
#[derive(Debug, Clone)]
pub struct ReaderBuilder {
    config: Result<Config, ConfigError>,
    start: StartReplication,
    slot_creation: SlotCreation,
    slot_wait_limit: Duration,
    on_slot_wait: Option<OnSlotWait>,
    stop: Option<(WakePipe, StopHandle)>,
    acknowledge: Acknowledge,
    idle: Idle,
    resume: Option<Position>,
    trust_slot: bool,
    /// Whether a slot of which an event was acknowledged is refused, unless it is trusted.
    refuse_read_slot: bool,
    until: Option<Lsn>,
    output: OutputSettings,
    heartbeat: bool,
    reconnect: Reconnect,
    on_reconnect: Option<OnReconnect>,
    described_tables: usize,
    on_reconnected: Option<OnReconnected>,
    on_skipped: Option<OnSkipped>,
    on_slot_at_risk: Option<OnSlotAtRisk>,
    spill: SpillOptions,
    snapshot: Option<Snapshot>,
    capture: Option<Capture>,
    poll: Option<Duration>,
    masks: Vec<MaskedColumn>,
    #[cfg(feature = "json")]
    json_options: JsonOptions,
}

/// The default of [`described_tables`](ReaderBuilder::described_tables): more tables than most
/// databases have, in less than 100 MB.
pub(super) const DESCRIBED_TABLES: usize = 32_768;

impl ReaderBuilder {
    pub(crate) fn new(config: Result<Config, ConfigError>) -> Self {
        Self {
            config,
            start: StartReplication::new(String::new(), [] as [&str; 0]),
            slot_creation: SlotCreation::default(),
            slot_wait_limit: SLOT_WAIT,
            on_slot_wait: None,
            stop: None,
            acknowledge: Acknowledge::default(),
            idle: Idle::default(),
            resume: None,
            trust_slot: false,
            refuse_read_slot: false,
            until: None,
            output: OutputSettings::default(),
            heartbeat: true,
            reconnect: Reconnect::default(),
            on_reconnect: None,
            described_tables: DESCRIBED_TABLES,
            on_reconnected: None,
            on_skipped: None,
            on_slot_at_risk: None,
            spill: SpillOptions::default(),
            snapshot: None,
            capture: None,
            poll: None,
            masks: Vec::new(),
            #[cfg(feature = "json")]
            json_options: JsonOptions::default(),
        }
    }

    /// Sets the replication slot to read.
    #[must_use]
    pub fn slot(mut self, name: impl Into<String>) -> Self {
        self.start.slot = name.into();
        self
    }

    /// Adds a publication to read.
    #[must_use]
    pub fn publication(mut self, name: impl Into<String>) -> Self {
        self.start.publications.push(name.into());
        self
    }

    /// Sets the options of the replication stream.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Reader, StreamOptions};
    ///
    /// let reader = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .options(StreamOptions::new().binary(true))
    ///     .connect()?;
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn options(mut self, options: StreamOptions) -> Self {
        self.start.options = options;
        self
    }

    /// Sets how transactions are kept that the server sends while they are in progress.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Reader, SpillOptions};
    ///
    /// let reader = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .spill(SpillOptions::new().memory_limit(16 << 20).dir("/var/tmp"))
    ///     .connect()?;
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn spill(mut self, options: SpillOptions) -> Self {
        self.spill = options;
        self
    }

    /// Sets that the published tables are copied before their changes are read. By default nothing
    /// is copied.
    #[must_use]
    pub fn snapshot(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// Sets whether and how the slot is created; [`SlotCreation::Never`] by default.
    ///
    /// The server first waits for every transaction that is open: see
    /// [`on_slot_wait`](Self::on_slot_wait) and [`slot_wait_limit`](Self::slot_wait_limit).
    #[must_use]
    pub fn slot_creation(mut self, creation: SlotCreation) -> Self {
        self.slot_creation = creation;
        self
    }

    /// Sets the longest wait of a slot's creation for each open transaction, five minutes by
    /// default; zero is no limit. After that the error is
    /// [`SetupError::SlotCreationBlocked`](crate::SetupError::SlotCreationBlocked), and no slot
    /// remains.
    ///
    /// It also limits the wait for a slot that another process is still creating; after that the
    /// error is [`SetupError::SlotBeingCreated`](crate::SetupError::SlotBeingCreated). The reader
    /// waits for such a slot regardless of [`slot_creation`](Self::slot_creation), but not with
    /// [`resume`](Self::resume): a new slot cannot have the changes after a position.
    ///
    /// It limits the wait of an [initial copy](Self::snapshot) for each lock, too; after that the
    /// error is [`SnapshotError::LockTimeout`](crate::SnapshotError::LockTimeout).
    #[must_use]
    pub fn slot_wait_limit(mut self, limit: Duration) -> Self {
        self.slot_wait_limit = limit;
        self
    }

    /// Calls `listener` while the creation of a slot, by this reader or by another process, waits:
    /// within three seconds and then every half minute, with the sessions that it waits for. The
    /// crate `log` gets the same as a warning.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Reader, SlotCreation};
    ///
    /// let reader = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .slot_creation(SlotCreation::IfMissing)
    ///     .on_slot_wait(|wait| eprintln!("{wait}"))
    ///     .connect()?;
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn on_slot_wait(mut self, listener: impl FnMut(&SlotWait<'_>) + Send + 'static) -> Self {
        self.on_slot_wait = Some(Listener::new(Arc::new(Mutex::new(listener))));
        self
    }

    /// Returns a handle that stops the future reader, and before that [`connect`](Self::connect)
    /// while it waits for a slot to be created, or for the locks of an initial copy. The server
    /// then ends the wait, no new slot remains, and the error is
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped). A stop that arrives later leaves the slot,
    /// and stops the reader. Each reader needs its own.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if the system cannot create a pipe.
    pub fn stop_handle(&mut self) -> Result<StopHandle, Error> {
        if let Some((_, stop)) = &self.stop {
            return Ok(stop.clone());
        }
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", "connecting", error))?;
        let stop = StopHandle::new(wake.waker());
        self.stop = Some((wake, stop.clone()));
        Ok(stop)
    }

    /// Sets how values are written in the JSON of events. By default `numeric` is a number with all
    /// its digits.
    ///
    /// ```no_run
    /// use pgoutput_reader::decode::value::JsonOptions;
    /// # let builder = pgoutput_reader::Reader::builder("");
    ///
    /// // For readers whose numbers are floats: {"price":"12.50"}
    /// let builder = builder.json_options(JsonOptions::default().numeric_as_string(true));
    /// ```
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json_options(mut self, options: JsonOptions) -> Self {
        self.json_options = options;
        self
    }

    /// Replaces the values of a column in all events, in new rows, old rows and keys, as
    /// [`Capture::mask`] does it in a capture, which is not affected by this.
    ///
    /// ```no_run
    /// # let builder = pgoutput_reader::Reader::builder("");
    /// let reader = builder.mask("public.people.email".parse()?).connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`connect`](Self::connect) refuses a mask whose table is not published under this name. A
    /// table without the column, or one that is renamed while the reader runs, ends the reader:
    /// [`CaptureError::MaskedColumnMissing`](crate::CaptureError::MaskedColumnMissing),
    /// [`StreamError::MaskedTableRenamed`](crate::StreamError::MaskedTableRenamed).
    #[must_use]
    pub fn mask(mut self, column: MaskedColumn) -> Self {
        self.masks.push(column);
        self
    }

    /// Sets the number of tables that are kept with their descriptions from the catalogue, some
    /// kilobytes each; 32,768 by default. Beyond that they are queried again.
    #[must_use]
    pub fn described_tables(mut self, tables: usize) -> Self {
        self.described_tables = tables;
        self
    }

    /// Starts at this LSN, or at the slot's confirmed LSN if that is later.
    ///
    /// The slot loses transactions skipped in this way once a later one is confirmed.
    #[must_use]
    pub fn start_lsn(mut self, lsn: Lsn) -> Self {
        self.start.start_lsn = lsn;
        self
    }

    /// Resumes after a stored position: the first event is the one that follows it. This reports
    /// nothing to the server: the slot advances with whole transactions that are acknowledged from
    /// here on.
    ///
    /// The position must be of the same cluster, slot, publications and options, and of the
    /// server's timeline, or of an earlier one before it was left. So a standby that was promoted
    /// after the position is accepted, and one that was promoted before it is refused. A missing
    /// slot is never recreated here.
    ///
    /// A slot that advanced beyond the position while idle is recognised by the LSN that was
    /// confirmed, and accepted. One that was recreated, or confirmed after another event than the
    /// position's, is refused; [`trust_slot`](Self::trust_slot) skips this check. Readers with
    /// [`Acknowledge::Stages`], and those that `synchronous_standby_names` names, confirm whole
    /// LSNs, which identify no event: after an idle time their slot may be refused unless
    /// [`Reader::idle_position`](crate::Reader::idle_position) is stored and acknowledged.
    ///
    /// # Errors
    /// [`connect`](Self::connect) returns the reason as a [`PositionError`](crate::PositionError),
    /// or as a [`HistoryError`](crate::HistoryError) if the server does not continue what was read.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Acknowledge, Position, Reader};
    ///
    /// let mut builder = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .acknowledge(Acknowledge::Manual);
    /// if let Ok(stored) = std::fs::read_to_string("position") {
    ///     builder = builder.resume(stored.parse::<Position>()?);
    /// }
    /// let mut reader = builder.connect()?;
    /// let acknowledger = reader.acknowledger();
    /// for event in &mut reader {
    ///     let position = event?.position();
    ///     // … deal with the event; then, best in one transaction with that:
    ///     std::fs::write("position", position.to_string())?;
    ///     acknowledger.acknowledge(position)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn resume(mut self, position: Position) -> Self {
        self.resume = Some(position);
        self
    }

    /// Sets whether [`resume`](Self::resume) and [`pipe`](Self::pipe) assume that everything that
    /// the slot has confirmed after the position, or without one, was processed. With a slot that
    /// was recreated, this loses changes silently.
    #[must_use]
    pub fn trust_slot(mut self, trust: bool) -> Self {
        self.trust_slot = trust;
        self
    }

    /// Sets the policy that advances the slot while the stream is idle; [`Idle::Keepalives`] by
    /// default.
    #[must_use]
    pub fn idle(mut self, idle: Idle) -> Self {
        self.idle = idle;
        self
    }

    /// Ends the iterator once every transaction whose commit record starts before `lsn` was
    /// delivered, also when nothing more arrives.
    #[must_use]
    pub fn until_lsn(mut self, lsn: Lsn) -> Self {
        self.until = Some(lsn);
        self
    }

    /// Sets when events are acknowledged; [`Acknowledge::Automatic`] by default.
    #[must_use]
    pub fn acknowledge(mut self, acknowledge: Acknowledge) -> Self {
        self.acknowledge = acknowledge;
        self
    }

    /// Sets whether a thread sends status updates while the loop body is busy, which is the
    /// default. Without it, the loop body must return, or call
    /// [`Reader::tick`](crate::Reader::tick), within the server's `wal_sender_timeout` (60 s by
    /// default). With it, a loop body that never returns delays a fast shutdown of the server.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: bool) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Sets the policy after the loss of a connection; [`Reconnect::default`] by default. A reader
    /// continues with the next event: no event is lost and none is delivered twice.
    ///
    /// A [temporary slot](SlotCreation::Temporary) is gone with its connection, so a reader of one
    /// never reconnects.
    #[must_use]
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Calls `listener` for each attempt to reconnect before its delay, on the thread that reads.
    /// The crate `log` gets the same as a warning.
    #[must_use]
    pub fn on_reconnect(
        mut self,
        listener: impl FnMut(&ReconnectAttempt<'_>) + Send + 'static,
    ) -> Self {
        self.on_reconnect = Some(Listener::new(Arc::new(Mutex::new(listener))));
        self
    }

    /// Calls `listener` after a reconnection, on the thread that reads, before the next event. The
    /// crate `log` gets the same at level info.
    #[must_use]
    pub fn on_reconnected(
        mut self,
        listener: impl FnMut(&Reconnected<'_>) + Send + 'static,
    ) -> Self {
        self.on_reconnected = Some(Listener::new(Arc::new(Mutex::new(listener))));
        self
    }

    /// Calls `listener` each time that a publication is skipped under
    /// [`MissingPublication::Skip`](crate::MissingPublication::Skip), on the thread that reads,
    /// before any later event is delivered. The crate `log` gets the same as a warning.
    ///
    /// ```no_run
    /// use pgoutput_reader::{MissingPublication, Reader, StreamOptions};
    ///
    /// let reader = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .options(StreamOptions::new().missing_publication(MissingPublication::Skip))
    ///     .on_skipped_publication(|skipped| eprintln!("{skipped}"))
    ///     .connect()?;
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn on_skipped_publication(
        mut self,
        listener: impl FnMut(&SkippedPublication) + Send + 'static,
    ) -> Self {
        self.on_skipped = Some(Listener::new(Arc::new(Mutex::new(listener))));
        self
    }

    /// Calls `listener` if the server is about to invalidate the slot during an initial copy, and
    /// again when the risk has become greater, on the thread that reads. The slot is queried every
    /// ten seconds while events are requested. The crate `log` gets the same as a warning.
    ///
    /// There is a risk only with `max_slot_wal_keep_size` (PostgreSQL 13 and later): once less than
    /// half of it is left, or the WAL kept for the slot exceeds `max_wal_size`.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Reader, SlotCreation, Snapshot};
    ///
    /// let reader = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .slot_creation(SlotCreation::IfMissing)
    ///     .snapshot(Snapshot::initial())
    ///     .on_slot_at_risk(|slot| eprintln!("{slot}"))
    ///     .connect()?;
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn on_slot_at_risk(mut self, listener: impl FnMut(&SlotAtRisk) + Send + 'static) -> Self {
        self.on_slot_at_risk = Some(Listener::new(Arc::new(Mutex::new(listener))));
        self
    }
}

impl From<Config> for ReaderBuilder {
    fn from(config: Config) -> Self {
        Self::new(Ok(config))
    }
}
