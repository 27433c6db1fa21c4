//! Polling: the messages of a slot over plain SQL, in batches.
//!
//! A batch is a stream that starts at the slot's confirmed LSN and ends after a number of changes.
//! The next one repeats what is not confirmed, as a new replication stream does.

mod batch;
mod batch_size;
mod facts;
mod open;
mod outages;
mod session;
mod sql;
mod steps;
mod stop;

use std::time::{Duration, Instant};

use pgoutput_decode::{Decoder, Lsn, PrimaryKeepalive, TimestampTz};

use super::Step;
use super::open::ReconnectionAttempt;
use super::outage::Outage;
use super::stability::Stability;
use super::stream_settings::StreamSettings;
use crate::catalog::Catalog;
use crate::connection::SystemId;
use crate::error::{Error, ErrorKind, ServerMessage, SetupError};
use crate::io::{StopHandle, Waits, WakePipe};
use crate::server_version::ServerVersion;
use crate::stream::{Health, NOTICES_KEPT};
use batch::{Batch, Newest};
use batch_size::{BatchEnd, BatchSize};
use facts::Facts;
pub(crate) use open::{PollOpened, PollOpener};
pub(crate) use session::PollFrame;
use session::{PollSession, PollStep};

/// The longest interval: a longer one may be beyond the range of the clock.
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A session that polls, replaced when it is lost, and the SQL connection.
#[derive(Debug)]
pub(crate) struct Polling {
    opener: PollOpener,
    version: ServerVersion,
    system: SystemId,
    settings: StreamSettings,
    /// The pipe that wakes every wait.
    wake: WakePipe,
    stop: StopHandle,
    address: String,
    session: Option<PollSession>,
    catalog: Catalog,
    phase: Phase,
    outage: Option<Box<Outage>>,
    stability: Stability,
    size: BatchSize,
    batch: Batch,
    /// The newest transaction of all batches.
    newest: Newest,
    decoder: Decoder,
    escaped: Vec<u8>,
    /// The greatest LSN that the slot was found confirmed at.
    confirmed: Lsn,
    /// The greatest LSN that the server was asked to confirm.
    requested: Lsn,
    /// The end of the WAL at which nothing more was found.
    read_through: Option<Lsn>,
    /// Whether this session has ended a batch.
    has_read: bool,
    /// Whether any session has: until then the slot may be read by another program, and move.
    has_started: bool,
    /// The number of times that the session can still read changes, if that is limited.
    reads_left: Option<u32>,
    health: Health,
    notices: Vec<ServerMessage>,
}

/// What is being waited for.
#[derive(Debug)]
enum Phase {
    /// The time of the next poll.
    Between {
        until: Instant,
    },
    /// The server.
    Polling,
    /// The time of the next attempt to reconnect.
    Waiting {
        until: Instant,
    },
    Trying(ReconnectionAttempt<PollOpened>),
}

impl Polling {
    pub(crate) fn new(
        opener: PollOpener,
        opened: PollOpened,
        settings: StreamSettings,
        stop: Option<(WakePipe, StopHandle)>,
    ) -> Self {
        let now = Instant::now();
        let PollOpened { connection, statements, mut catalog, system, confirmed, .. } = opened;
        let (wake, stop) = stop.unwrap_or_else(|| {
            let wake = connection.wake_pipe();
            let stop = StopHandle::new(wake.waker());
            (wake, stop)
        });
        catalog.wait_with(Waits { wake: wake.clone(), stop: stop.clone() });
        let (version, address) = (connection.server_version(), connection.address().to_owned());
        Self {
            session: Some(PollSession::new(connection, statements, wake.clone())),
            stability: Stability::new(now, system.xlogpos),
            requested: confirmed,
            opener,
            version,
            system,
            settings,
            wake,
            stop,
            address,
            catalog,
            phase: Phase::Between { until: now },
            outage: None,
            size: BatchSize::new(),
            batch: Batch::new(now, false),
            newest: Newest::default(),
            decoder: Decoder::new(),
            escaped: Vec::new(),
            confirmed,
            read_through: None,
            has_read: false,
            has_started: false,
            reads_left: open::reads_of_session(version),
            health: Health { flushed: confirmed, ..Health::at_start(now) },
            notices: Vec::new(),
        }
    }

    pub(crate) fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Queries over the SQL connection.
    pub(crate) fn catalog(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    pub(crate) fn health(&self) -> Health {
        let last_received = self.session.as_ref().map(PollSession::received_at);
        Health {
            connected: self.session.is_some(),
            last_received: last_received.unwrap_or(self.health.last_received),
            ..self.health
        }
    }

    pub(crate) fn take_notices(&mut self) -> Vec<ServerMessage> {
        std::mem::take(&mut self.notices)
    }

    /// Returns the LSN that the slot may be advanced to.
    fn acknowledged(&self) -> Lsn {
        let lsn = self.settings.acknowledged.flushed();
        // A stored position needs nothing skipped: its transaction is recognised.
        if self.opener.advances_to_start { lsn.max(self.opener.start.start_lsn) } else { lsn }
    }

    /// Returns the greatest LSN that the slot may be confirmed at, unless another program has read
    /// from it. A stored position must fit the slot as it was when this reader connected.
    fn known_confirmed(&self) -> Lsn {
        let may_start_anywhere = !self.has_started && self.opener.advances_to_start;
        if may_start_anywhere { Lsn::MAX } else { self.confirmed.max(self.requested) }
    }

    /// Starts the batch of the transaction that has begun.
    fn begun(&mut self, facts: Facts) -> Result<(), Error> {
        let slot = &self.opener.start.slot;
        let found = facts
            .confirmed
            .ok_or_else(|| Error::from(SetupError::SlotMissing { slot: slot.clone() }))?;
        let known = self.known_confirmed();
        // PostgreSQL 10 confirms the end of a record, which may be after what was requested.
        let is_unknown = open::confirms_ends(self.version) && self.requested > self.confirmed;
        if found > known && !is_unknown {
            let slot = slot.clone();
            return Err(SetupError::SlotMoved { slot, confirmed: known, found }.into());
        }
        self.confirmed = self.confirmed.max(found);
        let target = self.acknowledged();
        let advance = (target > found).then_some(target);
        let reads = self.read_through != Some(facts.wal_end);
        self.requested = self.requested.max(target);
        if let Some(left) = &mut self.reads_left {
            let decodes = u32::from(reads) + u32::from(advance.is_some());
            *left = left.saturating_sub(decodes);
        }
        self.batch = Batch::new(Instant::now(), self.batch.repeats);
        (self.batch.facts, self.batch.start, self.batch.reads) = (Some(facts), found, reads);
        let Some(session) = &mut self.session else { return Ok(()) };
        session.batch(advance, reads.then(|| self.size.changes()))
    }

    fn advanced(&mut self, confirmed: Lsn) {
        self.confirmed = self.confirmed.max(confirmed);
        self.batch.start = confirmed;
        self.health.flushed = self.health.flushed.max(confirmed);
    }

    /// Announces a new stream before the first message if the batch repeats others.
    fn message(&mut self, frame: PollFrame) -> Result<Step<PollFrame>, Error> {
        if self.batch.messages == 0 {
            self.has_started = true;
            self.process_notices()?;
            self.batch.first_at = Some(Instant::now());
            self.decoder = Decoder::new();
            let repeats = self.batch.repeats || self.newest.is_repeated_from(self.batch.start);
            (self.batch.repeats, self.newest.in_progress) = (false, false);
            if repeats {
                self.batch.held = Some(frame);
                return Ok(Step::Restarted);
            }
        }
        self.batch.messages += 1;
        Ok(Step::Message(frame))
    }

    /// Ends the batch. Without a keepalive, more may follow.
    fn ended(&mut self) -> Result<Option<PrimaryKeepalive>, Error> {
        self.process_notices()?;
        let now = Instant::now();
        let Some(facts) = self.batch.facts.take() else {
            // After a failed batch.
            self.phase = Phase::Between { until: now };
            return Ok(None);
        };
        (self.has_read, self.has_started) = (true, true);
        if self.batch.reads {
            let messages = self.batch.messages;
            let took = self.batch.first_at.map_or(Duration::ZERO, |first| now - first);
            let is_full = self.size.is_full(messages);
            self.size.ended(BatchEnd { messages, is_new: self.batch.is_new, took });
            if is_full {
                self.phase = Phase::Between { until: now };
                return Ok(None);
            }
            self.read_through = Some(facts.wal_end);
        }
        let until = now.checked_add(self.opener.interval).unwrap_or(now + YEAR);
        self.phase = Phase::Between { until };
        self.received(facts.wal_end, facts.time);
        Ok(Some(PrimaryKeepalive { wal_end: facts.wal_end, send_time: facts.time, reply: 0 }))
    }

    fn received(&mut self, lsn: Lsn, time: TimestampTz) {
        self.health.received = self.health.received.max(lsn);
        self.health.server_wal_end = self.health.server_wal_end.max(lsn);
        self.health.last_send_time = Some(time);
    }

    /// Reports publications that the server left out in this batch, and keeps other notices.
    fn process_notices(&mut self) -> Result<(), Error> {
        let notices = self.session.as_mut().map(PollSession::take_notices).unwrap_or_default();
        for notice in notices {
            let publications = &self.settings.publications;
            let skipped = publications.parse_warning(&notice, self.health.received);
            self.notices.push(notice);
            let Some(skipped) = skipped else { continue };
            let skipped = publications.apply_policy(skipped, self.version)?;
            log::warn!("{skipped}");
            if let Some(listener) = &self.settings.on_skipped {
                listener.with(|report| report(&skipped));
            }
        }
        let excess = self.notices.len().saturating_sub(NOTICES_KEPT);
        self.notices.drain(..excess);
        Ok(())
    }

    /// Checks a server that has sent nothing for long: it decodes a batch before it sends any of
    /// it.
    fn check_silence(&mut self) -> Result<(), Error> {
        let limit = self.opener.config.get_wal_receiver_timeout();
        let Some(silent_since) = self.silent_since().filter(|_| !limit.is_zero()) else {
            return Ok(());
        };
        if silent_since.elapsed() < limit {
            return Ok(());
        }
        if let Some(facts) = self.batch.facts
            && self.batch.messages == 0
            && self.catalog.is_reading(&self.opener.start.slot, facts.pid)?
        {
            self.batch.checked_at = Instant::now();
            return Ok(());
        }
        Err(ErrorKind::ServerSilent { address: self.address.clone(), limit }.into())
    }

    fn silent_since(&self) -> Option<Instant> {
        let received_at = self.session.as_ref()?.received_at();
        Some(received_at.max(self.batch.checked_at))
    }

    /// The time of the next check of a silent server.
    fn silence_due_at(&self) -> Option<Instant> {
        let limit = self.opener.config.get_wal_receiver_timeout();
        self.silent_since().filter(|_| !limit.is_zero())?.checked_add(limit)
    }

    /// Processes a step of the session.
    fn polled(&mut self, step: PollStep) -> Result<Option<Step<PollFrame>>, Error> {
        match step {
            PollStep::Begun(facts) => self.begun(facts)?,
            PollStep::Advanced(confirmed) => self.advanced(confirmed),
            PollStep::Message(frame) => return self.message(frame).map(Some),
            PollStep::Ended => return Ok(self.ended()?.map(Step::Keepalive)),
            PollStep::TimedOut => self.check_silence()?,
            PollStep::Woken => {}
        }
        Ok(None)
    }

    /// Returns the next message that has arrived, after a stop.
    fn step_stopped(&mut self) -> Result<Step<PollFrame>, Error> {
        while let (Phase::Polling, Some(session)) = (&self.phase, &mut self.session) {
            let Some(step) = session.step_buffered()? else { break };
            // Nothing is started any more.
            if matches!(step, PollStep::Begun(_)) {
                break;
            }
            if let Some(step) = self.polled(step)? {
                return Ok(step);
            }
        }
        Ok(Step::Stopped)
    }
}
