//! The stream of a reader, or what is being done to get it back.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Printable};

use super::open_stream::{Dialer, Opened, ReconnectionAttempt, Standing};
use super::reconnect_policy::{
    OnReconnect, OnReconnected, Reconnect, ReconnectAttempt, Reconnected,
};
use super::skipped_publications::OnSkipped;
use super::stability::Trial;
use super::transient::may_pass;
use crate::ack::Told;
use crate::catalog::{Catalog, Waits};
use crate::connection::CopyBoth;
use crate::io::WakePipe;
use crate::setup::Pace;
use crate::stream::{
    Frame, Health, NOTICES_KEPT, Publications, ReplicationStream, Step, StopHandle, StreamEvent,
};
use crate::{Error, ErrorKind, ServerMessage, SystemId};

/// One stream after another, each going on where the one before was lost.
#[derive(Debug)]
pub(super) struct Link {
    dialer: Dialer,
    system: SystemId,
    settings: StreamSettings,
    /// What every stream is woken by, and the waits between them.
    wake: WakePipe,
    stop: StopHandle,
    address: String,
    stream: Option<ReplicationStream>,
    trial: Trial,
    /// Since a stream was lost, until another has proved to be good.
    outage: Option<Box<Outage>>,
    /// The furthest that the slot can have been confirmed by this reader, or was at the start.
    bound: Lsn,
    /// The server's commits may wait for this connection.
    waited_for: bool,
    /// Of the streams before: how far they came, and what they were told and nobody has taken.
    before: Health,
    notices: Vec<ServerMessage>,
}

/// What a reader wants of its stream.
#[derive(Debug)]
pub(super) struct StreamSettings {
    pub(super) heartbeat: bool,
    /// The slot is gone with its connection.
    pub(super) temporary: bool,
    pub(super) reconnect: Reconnect,
    pub(super) on_reconnect: Option<OnReconnect>,
    pub(super) on_reconnected: Option<OnReconnected>,
    pub(super) publications: Publications,
    pub(super) on_skipped: Option<OnSkipped>,
    /// What is acknowledged, from whatever thread.
    pub(super) told: Arc<Told>,
}

/// What a turn came to.
pub(super) enum Turn {
    Step(Step),
    /// A stream was started again; everything that came before is of another one. With it, the catalogue of its server.
    Again(Box<Catalog>),
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// What ended the stream.
    cause: Error,
    /// What the last attempt failed with.
    last: Option<Error>,
    /// The number of the attempt that is waited for, under way or through.
    attempt: u32,
    phase: OutagePhase,
}

#[derive(Debug)]
enum OutagePhase {
    Waiting {
        until: Instant,
    },
    Trying(ReconnectionAttempt),
    /// There is a stream, which has to prove itself.
    Open,
}

impl StreamSettings {
    fn stream(&self, copy: CopyBoth, pace: Pace) -> Result<ReplicationStream, Error> {
        let mut stream = ReplicationStream::new(copy, pace, self.publications.clone())?;
        stream.set_heartbeat(self.heartbeat)?;
        stream.follow(&self.told);
        Ok(stream)
    }
}

impl Link {
    pub(super) fn new(
        dialer: Dialer,
        opened: Opened,
        settings: StreamSettings,
        stop: Option<(WakePipe, StopHandle)>,
    ) -> Result<(Self, Catalog), Error> {
        let Opened { mut copy, pace, catalog, system, confirmed, waited_for, .. } = opened;
        // One that was given out before stops this reader too.
        let stop = stop.map(|(wake, stop)| {
            copy.set_wake_pipe(wake);
            stop
        });
        let wake = copy.wake_pipe();
        let address = copy.address().to_owned();
        let mut stream = settings.stream(copy, pace)?;
        if let Some(stop) = stop {
            stream.stopped_by(stop);
        }
        let trial = Trial::new(Instant::now(), system.xlogpos);
        let link = Self {
            dialer,
            system,
            settings,
            wake,
            stop: stream.stop_handle(),
            address,
            before: stream.health(),
            stream: Some(stream),
            trial,
            outage: None,
            bound: confirmed,
            waited_for,
            notices: Vec::new(),
        };
        Ok((link, catalog))
    }

    pub(super) fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// This catalogue, whose answers are waited for like the stream from now on.
    pub(super) fn catalog(&self, mut catalog: Catalog) -> Catalog {
        catalog.wait_with(Waits { wake: self.wake.clone(), stop: self.stop.clone() });
        catalog
    }

    /// Whether this is what came of a [`StopHandle`].
    pub(super) fn is_stop(&self, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::Stopped { .. }) && self.stop.is_stopped()
    }

    pub(super) fn system(&self) -> &SystemId {
        &self.system
    }

    /// Whether commits of the server may wait for what it is told here.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waited_for
    }

    /// Whether there is a stream.
    pub(super) fn is_up(&self) -> bool {
        self.stream.is_some()
    }

    /// The next step of the stream, or of getting it back. After an error, see [`lost`](Self::lost).
    pub(super) fn turn(&mut self, deadline: Option<Instant>) -> Result<Turn, Error> {
        match &mut self.stream {
            Some(stream) => {
                let step = stream.step(deadline)?;
                if matches!(step, Step::PublicationSkipped) {
                    self.tell_skipped();
                }
                Ok(Turn::Step(step))
            }
            None => self.get_back(deadline),
        }
    }

    fn tell_skipped(&mut self) {
        let skipped = self.stream.as_mut().map(ReplicationStream::take_skipped_publications);
        for skipped in skipped.unwrap_or_default() {
            log::warn!("{skipped}");
            if let Some(listener) = &self.settings.on_skipped {
                listener.tell(&skipped);
            }
        }
    }

    /// The message of the last step; none when there is no stream.
    pub(super) fn read(&mut self, frame: Frame) -> Option<Result<StreamEvent<'_>, Error>> {
        self.stream.as_mut().map(|stream| stream.read_escaped(frame))
    }

    /// The message of the last step is not needed any more.
    pub(super) fn release(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.release();
        }
    }

    /// Asks the server how far it has come.
    pub(super) fn ask(&mut self) -> Result<(), Error> {
        self.stream.as_mut().map_or(Ok(()), |stream| stream.send_status(true))
    }

    pub(super) fn tick(&mut self) -> Result<(), Error> {
        self.stream.as_mut().map_or(Ok(()), ReplicationStream::tick)
    }

    /// The stream has delivered something: whatever comes next is another matter.
    pub(super) fn proved(&mut self) {
        if self.outage.take().is_some() {
            log::info!("{}: changes come again", Printable(&self.address));
        }
    }

    /// The server has decoded everything before `lsn`, and nothing of it is on its way.
    pub(super) fn reached(&mut self, lsn: Lsn) {
        self.trial.reached(lsn);
    }

    /// After an error: goes about getting the stream back.
    ///
    /// # Errors
    /// This one, if it cannot pass, or is not to be waited out; [`GaveUp`](ErrorKind::GaveUp) at the end of the patience.
    pub(super) fn lost(&mut self, error: Error) -> Result<(), Error> {
        let policy = &self.settings.reconnect;
        if policy.is_never() || !may_pass(&error) {
            if self.settings.temporary && may_pass(&error) {
                let slot = self.dialer.start.slot.clone();
                return Err(ErrorKind::TemporarySlotLost { slot, cause: error }.into());
            }
            return Err(error);
        }
        if let Some(stream) = self.stream.take() {
            self.leave(stream);
            if self.trial.is_passed(Instant::now(), self.settings.reconnect.good_after()) {
                self.outage = None;
            }
        }
        let outage = match self.outage.take() {
            Some(mut outage) => {
                outage.last = Some(error);
                outage
            }
            None => Box::new(Outage {
                since: Instant::now(),
                cause: error,
                last: None,
                attempt: 0,
                phase: OutagePhase::Open,
            }),
        };
        self.schedule(outage)
    }

    /// Keeps what a stream knew.
    fn leave(&mut self, mut stream: ReplicationStream) {
        self.before = merged(&self.before, stream.health());
        self.notices.append(&mut stream.take_notices());
        let surplus = self.notices.len().saturating_sub(NOTICES_KEPT);
        self.notices.drain(..surplus);
    }

    fn schedule(&mut self, mut outage: Box<Outage>) -> Result<(), Error> {
        let elapsed = outage.since.elapsed();
        let random = RandomState::new().hash_one(outage.attempt);
        let Some(delay) = self.settings.reconnect.delay(outage.attempt, elapsed, random) else {
            let Outage { cause, last, attempt: attempts, .. } = *outage;
            if attempts == 0 {
                return Err(cause);
            }
            return Err(ErrorKind::GaveUp { cause, attempts, elapsed, last }.into());
        };
        outage.attempt += 1;
        outage.phase = OutagePhase::Waiting { until: Instant::now() + delay };
        let cause = outage.last.as_ref().unwrap_or(&outage.cause);
        let attempt = ReconnectAttempt { attempt: outage.attempt, cause, delay, elapsed };
        log::warn!("{cause}; attempt {} to reconnect in {delay:.1?}", attempt.attempt);
        if let Some(listener) = &self.settings.on_reconnect {
            listener.tell(&attempt);
        }
        self.outage = Some(outage);
        Ok(())
    }

    fn get_back(&mut self, deadline: Option<Instant>) -> Result<Turn, Error> {
        loop {
            // Given up: nothing more comes.
            let Some(outage) = &mut self.outage else { return Ok(Turn::Step(Step::Stopped)) };
            if self.stop.is_stopped() {
                // With it, an attempt that is under way is given up.
                self.outage = None;
                return Ok(Turn::Step(Step::Stopped));
            }
            let now = Instant::now();
            let wake_at = match &outage.phase {
                OutagePhase::Waiting { until } if *until > now => Some(*until),
                OutagePhase::Trying(attempt) => match attempt.result() {
                    Some(result) => return self.opened(result?).map(Turn::Again),
                    None => None,
                },
                OutagePhase::Waiting { .. } | OutagePhase::Open => {
                    let confirmed = self.settings.told.flushed();
                    let standing = Standing {
                        system_identifier: self.system.system_identifier.clone(),
                        timeline: self.system.timeline,
                        confirmed: self.bound.max(confirmed),
                        received: self.before.received,
                        start_lsn: self.dialer.start.start_lsn.max(confirmed),
                    };
                    let dialer = self.dialer.clone();
                    let attempt = ReconnectionAttempt::start(dialer, standing, self.wake.waker())?;
                    outage.phase = OutagePhase::Trying(attempt);
                    continue;
                }
            };
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(Turn::Step(Step::TimedOut));
            }
            let wake_at = [wake_at, deadline].into_iter().flatten().min();
            self.wake
                .wait(wake_at)
                .map_err(|error| Error::io("waiting for", &self.address, error))?;
        }
    }

    fn opened(&mut self, opened: Opened) -> Result<Box<Catalog>, Error> {
        let Opened { mut copy, pace, catalog, system, waited_for, .. } = opened;
        self.waited_for = waited_for;
        copy.set_wake_pipe(self.wake.clone());
        copy.address().clone_into(&mut self.address);
        let mut stream = self.settings.stream(copy, pace)?;
        stream.stopped_by(self.stop.clone());
        self.stream = Some(stream);
        self.trial = Trial::new(Instant::now(), system.xlogpos);
        self.before.reconnects += 1;
        if let Some(outage) = &mut self.outage {
            let address = Printable(&self.address);
            log::info!("connected to {address} again, at attempt {}", outage.attempt);
            outage.phase = OutagePhase::Open;
            if let Some(listener) = &self.settings.on_reconnected {
                let (attempt, elapsed) = (outage.attempt, outage.since.elapsed());
                listener.tell(&Reconnected { attempt, elapsed, address: &self.address });
            }
        }
        Ok(Box::new(catalog))
    }

    pub(super) fn health(&self) -> Health {
        match &self.stream {
            Some(stream) => merged(&self.before, stream.health()),
            None => Health { connected: false, ..self.before },
        }
    }

    pub(super) fn take_notices(&mut self) -> Vec<ServerMessage> {
        let mut notices = std::mem::take(&mut self.notices);
        if let Some(stream) = &mut self.stream {
            notices.append(&mut stream.take_notices());
        }
        notices
    }

    /// Reads on after the stop handle was used, for the end of the last transaction.
    pub(super) fn settle(&mut self, deadline: Instant) -> Result<Step, Error> {
        match &mut self.stream {
            Some(stream) => {
                stream.forget_stop();
                let step = stream.step(Some(deadline));
                self.tell_skipped();
                step
            }
            None => Ok(Step::Stopped),
        }
    }

    /// Tells the server what was confirmed and ends.
    pub(super) fn stop(mut self) -> Result<(), Error> {
        match self.stream.take() {
            Some(stream) => stream.stop(),
            None if self.settings.told.flushed() <= self.before.flushed => Ok(()),
            None => {
                let source = io::ErrorKind::NotConnected.into();
                Err(Error::io("confirming what was taken to", &self.address, source))
            }
        }
    }
}

/// How far things have come on all streams up to this one.
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
