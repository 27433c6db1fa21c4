//! A replication connection that is replaced when it is lost, and the SQL connection.

mod added;
mod copy;
mod replace;

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Printable, XLogData};

use super::initial_copy::InitialCopy;
use super::open::{LostStream, Opened, ReconnectionAttempt, Session, StreamOpener};
use super::open_copy::LostCopy;
use super::outage::Outage;
use super::reconnect_policy::Reconnected;
use super::stability::Stability;
use super::stream_settings::StreamSettings;
use super::{CopyPart, Source, Step};
use crate::catalog::Catalog;
use crate::connection::SystemId;
use crate::delivery::{Between, Due};
use crate::error::{Error, ErrorKind, ServerMessage, is_transient};
use crate::event::{Copied, StreamIdentity};
use crate::io::{StopHandle, Waits, WakePipe};
use crate::listener::REPORTED;
use crate::schema::{Facts, Need, Schemas};
use crate::snapshot::SlotWatch;
use crate::stream::{self, Frame, Health, NOTICES_KEPT, ReplicationStream, StreamEvent};
use added::Additions;

/// One replication stream after another, each a continuation of the one before.
#[derive(Debug)]
pub(crate) struct Replication {
    opener: StreamOpener,
    system: SystemId,
    settings: StreamSettings,
    /// The pipe that wakes every stream, and the waits between them.
    wake: WakePipe,
    stop: StopHandle,
    address: String,
    stream: Option<ReplicationStream>,
    /// The initial copy, before the first stream.
    copy: Option<Box<InitialCopy>>,
    /// The tables that were copied when the connection of the copy was lost, and whether rows of
    /// any other table may have been delivered before.
    lost_copy: Option<(Copied, bool)>,
    /// The slot during the copy.
    slot_watch: Option<SlotWatch>,
    /// The tables that are copied while the stream is open.
    additions: Additions,
    identity: Arc<StreamIdentity>,
    catalog: Catalog,
    stability: Stability,
    /// The outage, from the loss of a stream until another one is stable.
    outage: Option<Box<Outage>>,
    phase: Phase,
    /// The greatest LSN that the slot was found confirmed at when a stream was started.
    confirmed: Lsn,
    /// The LSN from which the stream was started.
    start_lsn: Lsn,
    /// Whether commits on the server may wait for this connection.
    commits_wait: bool,
    /// The state of the earlier streams.
    before: Health,
    notices: Vec<ServerMessage>,
}

/// The phase of an outage.
#[derive(Debug)]
enum Phase {
    /// There is a stream.
    Open,
    Waiting {
        until: Instant,
    },
    Trying(ReconnectionAttempt),
}

impl Replication {
    pub(crate) fn new(
        mut opener: StreamOpener,
        opened: Opened,
        settings: StreamSettings,
        identity: Arc<StreamIdentity>,
        stop: Option<(WakePipe, StopHandle)>,
    ) -> Result<Self, Error> {
        let Opened { session, timing, mut catalog, system, confirmed, commits_wait, .. } = opened;
        let slot_watch =
            SlotWatch::new(opened.version, Instant::now()).filter(|_| !settings.ends_after_copy());
        let address = session.address().to_owned();
        let wake_and_stop = |own: WakePipe| {
            // A handle that the program already has stops this reader too.
            stop.unwrap_or_else(|| {
                let stop = StopHandle::new(own.waker());
                (own, stop)
            })
        };
        let (wake, stop) = wake_and_stop(session.wake_pipe());
        let is_copy = !matches!(session, Session::Stream(_));
        let waits = Waits { wake: wake.clone(), stop: stop.clone() };
        let (copy, stream) = settings.session(session, timing, &identity, &waits)?;
        if is_copy {
            // Every stream starts there, since the copy contains the changes before it.
            opener.start.start_lsn = opened.start_lsn;
        }
        catalog.wait_with(waits);
        let stability = Stability::new(Instant::now(), system.xlogpos);
        Ok(Self {
            start_lsn: opener.start.start_lsn.max(confirmed),
            opener,
            system,
            settings,
            wake,
            stop,
            address,
            before: stream
                .as_ref()
                .map_or_else(|| Health::at_start(Instant::now()), ReplicationStream::health),
            stream,
            copy,
            lost_copy: None,
            slot_watch,
            additions: Additions::default(),
            identity,
            catalog,
            stability,
            outage: None,
            phase: Phase::Open,
            confirmed,
            commits_wait,
            notices: Vec::new(),
        })
    }

    pub(crate) fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Queries over the SQL connection.
    pub(crate) fn catalog(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    /// Returns the message of the last step as it was received.
    pub(crate) fn message(&self, frame: Frame) -> Option<XLogData<'_>> {
        self.stream.as_ref().map(|stream| stream.message(frame))
    }

    /// Sends a status update if one is due.
    pub(crate) fn tick(&mut self) -> Result<(), Error> {
        let ticked = self.stream.as_mut().map_or(Ok(()), ReplicationStream::tick);
        // Without querying the catalogue for the cause, which would wait.
        ticked.or_else(|error| self.replace(error))
    }

    pub(crate) fn health(&self) -> Health {
        match &self.stream {
            Some(stream) => merged(&self.before, stream.health()),
            None => Health { connected: self.copy.is_some(), ..self.before },
        }
    }

    pub(crate) fn take_notices(&mut self) -> Vec<ServerMessage> {
        let mut notices = std::mem::take(&mut self.notices);
        if let Some(stream) = &mut self.stream {
            notices.append(&mut stream.take_notices());
        }
        notices
    }

    /// Reports what was acknowledged and closes the connection.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        match self.stream.take() {
            Some(stream) => stream.stop(),
            None if self.settings.ends_after_copy() => Ok(()),
            // What was sent over a lost stream may not have reached the server.
            None if self.settings.acknowledged.flushed() <= self.confirmed => Ok(()),
            None => {
                let source = io::ErrorKind::NotConnected.into();
                Err(Error::io("reporting what was acknowledged to", &self.address, source))
            }
        }
    }

    fn report_skipped(&mut self) {
        let skipped = self.stream.as_mut().map(ReplicationStream::take_skipped_publications);
        for skipped in skipped.unwrap_or_default() {
            log::warn!(target: REPORTED, "{skipped}");
            if let Some(listener) = &self.settings.on_skipped {
                listener.with(|report| report(&skipped));
            }
        }
    }

    /// Keeps the state of a lost stream.
    fn keep_state(&mut self, mut stream: ReplicationStream) {
        self.before = merged(&self.before, stream.health());
        self.notices.append(&mut stream.take_notices());
        let excess = self.notices.len().saturating_sub(NOTICES_KEPT);
        self.notices.drain(..excess);
    }

    fn schedule(&mut self, mut outage: Box<Outage>) -> Result<(), Error> {
        let now = Instant::now();
        let random = RandomState::new().hash_one(outage.attempt());
        let Some(delay) = outage.next_delay(&self.settings.reconnect, now, random) else {
            return Err(outage.into_error(now));
        };
        self.phase = Phase::Waiting { until: now + delay };
        let attempt = outage.report(delay, now);
        let (cause, number) = (attempt.cause, attempt.attempt);
        log::warn!(target: REPORTED, "{cause}; attempt {number} to reconnect in {delay:.1?}");
        if let Some(listener) = &self.settings.on_reconnect {
            listener.with(|report| report(&attempt));
        }
        self.outage = Some(outage);
        Ok(())
    }

    /// Performs the next step towards a new stream.
    fn reconnect(&mut self, deadline: Instant) -> Result<Step<Frame>, Error> {
        loop {
            if self.outage.is_none() || self.stop.is_stopped() {
                // An attempt in progress is abandoned.
                (self.outage, self.phase) = (None, Phase::Open);
                return Ok(Step::Stopped);
            }
            let now = Instant::now();
            let wake_at = match &self.phase {
                Phase::Waiting { until } if *until > now => deadline.min(*until),
                Phase::Trying(attempt) => match attempt.result() {
                    Some(result) => {
                        self.opened(result?)?;
                        return Ok(Step::Restarted);
                    }
                    None => deadline,
                },
                Phase::Waiting { .. } | Phase::Open => {
                    self.phase = Phase::Trying(self.attempt()?);
                    continue;
                }
            };
            if deadline <= now {
                return Ok(Step::TimedOut);
            }
            self.wake
                .wait(Some(wake_at))
                .map_err(|error| Error::io("waiting for", &self.address, error))?;
        }
    }

    fn attempt(&self) -> Result<ReconnectionAttempt, Error> {
        let acknowledged = self.settings.acknowledged.flushed();
        let lost = LostStream {
            system_identifier: self.system.system_identifier,
            timeline: self.system.timeline,
            confirmed: self.confirmed.max(acknowledged),
            received: self.before.received,
            start_lsn: self.opener.start.start_lsn.max(acknowledged),
        };
        let (opener, done) = (self.opener.clone(), self.wake.waker());
        match (self.lost_copy.clone(), &self.settings.copy) {
            (Some((copied, repeats)), Some((snapshot, wait_limit))) => {
                let (snapshot, wait_limit) = (snapshot.clone(), *wait_limit);
                let lost = LostCopy { stream: lost, snapshot, copied, repeats, wait_limit };
                ReconnectionAttempt::start_copy(opener, lost, done)
            }
            _ => ReconnectionAttempt::start(opener, lost, done),
        }
    }

    fn opened(&mut self, opened: Opened) -> Result<(), Error> {
        let Opened { session, timing, mut catalog, system, commits_wait, .. } = opened;
        self.commits_wait = commits_wait;
        self.confirmed = self.confirmed.max(opened.confirmed);
        self.start_lsn = opened.start_lsn.max(opened.confirmed);
        session.address().clone_into(&mut self.address);
        let waits = Waits { wake: self.wake.clone(), stop: self.stop.clone() };
        if !matches!(session, Session::Stream(_)) {
            self.opener.start.start_lsn = opened.start_lsn;
        }
        (self.copy, self.stream) =
            self.settings.session(session, timing, &self.identity, &waits)?;
        self.lost_copy = None;
        catalog.wait_with(waits);
        self.catalog = catalog;
        self.stability = Stability::new(Instant::now(), system.xlogpos);
        self.before.reconnects += 1;
        self.phase = Phase::Open;
        if let Some(outage) = &self.outage {
            let (attempt, elapsed) = (outage.attempt(), outage.elapsed(Instant::now()));
            let address = Printable(&self.address);
            log::info!(target: REPORTED, "connected to {address} again, at attempt {attempt}");
            if let Some(listener) = &self.settings.on_reconnected {
                let reconnected = Reconnected { attempt, elapsed, address: &self.address };
                listener.with(|report| report(&reconnected));
            }
        }
        Ok(())
    }
}

impl Source for Replication {
    type Frame = Frame;

    fn step(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<Step<Frame>, Error> {
        if self.copy.is_some() {
            return self.copy(wake_at);
        }
        if self.additions.is_held() {
            return self.open_addition(wake_at());
        }
        let Some(stream) = &mut self.stream else { return self.reconnect(wake_at()) };
        let step = stream.step_until(|| Some(wake_at()))?;
        if matches!(step, stream::Step::PublicationSkipped) {
            self.report_skipped();
        }
        Ok(step.into())
    }

    fn step_after_stop(&mut self, deadline: Instant) -> Result<Step<Frame>, Error> {
        // A row of a copy has no Commit.
        let Some(stream) = self.stream.as_mut().filter(|_| self.copy.is_none()) else {
            return Ok(Step::Stopped);
        };
        stream.clear_stop();
        let step = stream.step(Some(deadline));
        self.report_skipped();
        step.map(Step::from)
    }

    fn between(&mut self, between: Between<'_>) -> Result<Option<Arc<StreamIdentity>>, Error> {
        let identity = self.find_added_tables()?;
        self.start_addition(between)?;
        Ok(identity)
    }

    fn due_at(&self) -> Option<Instant> {
        self.addition_due_at()
    }

    fn read(&mut self, frame: Frame) -> Result<Option<StreamEvent<'_>>, Error> {
        match &mut self.stream {
            Some(stream) => stream.read_escaped(frame).map(Some),
            None => Ok(None),
        }
    }

    fn copy_part(&self) -> Option<CopyPart<'_>> {
        self.copy.as_ref().and_then(|copy| copy.part())
    }

    fn release(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.release();
        }
    }

    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error> {
        self.catalog.answer(need, schemas, &self.opener.start.publications)
    }

    fn perform(&mut self, due: Due<'_>) -> Result<(), Error> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if due.keepalive {
            stream.send_status(true)?;
        }
        let Some(prefix) = due.message else { return Ok(()) };
        match self.catalog.emit_message(prefix) {
            // The replication stream goes on without it, and the next message is written in time.
            Err(error) if is_transient(&error) => {
                log::warn!("writing an idle message: {error}");
                Ok(())
            }
            written => written,
        }
    }

    fn commits_wait(&self) -> bool {
        self.commits_wait
    }

    fn caught_up(&mut self, lsn: Lsn) {
        self.stability.caught_up(lsn);
    }

    fn delivered(&mut self) {
        // Messages that were kept may be delivered while there is no stream.
        if self.stream.is_some() && self.outage.take().is_some() {
            log::info!("{}: changes arrive again", Printable(&self.address));
        }
    }

    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        let replaced = self.replaced(error).map_err(|error| self.explained(error));
        replaced.map_err(|error| self.named(error))
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        // The heartbeat does it otherwise.
        if self.settings.heartbeat { Ok(()) } else { self.tick() }
    }

    fn start_lsn(&self) -> Lsn {
        self.start_lsn
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    fn is_stop(&self, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::Stopped { .. }) && self.stop.is_stopped()
    }
}

impl From<stream::Step> for Step<Frame> {
    fn from(step: stream::Step) -> Self {
        match step {
            stream::Step::Message(frame) => Self::Message(frame),
            stream::Step::Keepalive(keepalive) => Self::Keepalive(keepalive),
            stream::Step::PublicationSkipped => Self::PublicationSkipped,
            stream::Step::TimedOut => Self::TimedOut,
            stream::Step::Stopped => Self::Stopped,
        }
    }
}

/// The state of all streams up to this one.
fn merged(before: &Health, now: Health) -> Health {
    Health {
        received: now.received.max(before.received),
        acknowledged: now.acknowledged.max(before.acknowledged),
        flushed: now.flushed.max(before.flushed),
        server_wal_end: now.server_wal_end.max(before.server_wal_end),
        last_send_time: now.last_send_time.or(before.last_send_time),
        reconnects: before.reconnects,
        ..now
    }
}

#[cfg(test)]
mod tests;
