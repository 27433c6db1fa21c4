//! The replacement of a session that was lost.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Instant;

use pgoutput_decode::Printable;

use super::open::{is_worn_out, reads_of_session};
use super::{Batch, Phase, PollFrame, PollOpened, PollSession, Polling};
use crate::error::{Error, ErrorKind, SetupError, SpillError, StreamError, is_transient};
use crate::io::Waits;
use crate::proto::Streaming;
use crate::source::open::LostStream;
use crate::source::outage::Outage;
use crate::source::stability::Stability;
use crate::source::{Reconnected, Step};

impl Polling {
    /// Waits until `deadline`, or until something wakes it.
    pub(super) fn wait(&self, deadline: Instant) -> Result<(), Error> {
        let waited = self.wake.wait(Some(deadline));
        waited.map(drop).map_err(|error| Error::io("waiting for", &self.address, error))
    }

    /// Starts to replace the session, which ended with this error.
    ///
    /// # Errors
    /// This error, if retrying cannot help or the policy forbids it.
    pub(super) fn replace(&mut self, error: Error) -> Result<(), Error> {
        let error = self.settings.publications.explain(error, self.version, self.health.received);
        if self.is_of_batch(&error) && self.size.failed() {
            // The transactions before the change that failed can be read one by one.
            log::debug!("{error}; reading one transaction at a time");
            self.start_again();
            // PostgreSQL 18 only warns of a missing publication, and sends the batch.
            let is_over = matches!(error.kind(), ErrorKind::Server(_)) || self.version.major() < 18;
            if is_over && self.session.as_mut().is_some_and(|session| session.roll_back().is_ok()) {
                self.phase = Phase::Polling;
            } else {
                self.exchange_session(Instant::now());
            }
            return Ok(());
        }
        if is_worn_out(&error) && self.has_read {
            // A new session can read again, also through a pooler.
            self.start_again();
            self.exchange_session(Instant::now());
            return Ok(());
        }
        let without_streaming = self.can_do_without_streaming(&error);
        if !(is_transient(&error) || without_streaming) {
            return Err(self.explained(error));
        }
        if self.settings.reconnect.is_never() {
            return Err(error);
        }
        if without_streaming {
            log::warn!("{error}; the reader continues with streaming off");
            self.opener.start.options.streaming = Some(Streaming::Off);
        }
        let now = Instant::now();
        if let Some(session) = self.session.take() {
            self.health.last_received = session.received_at();
            if self.stability.is_stable(now, self.settings.reconnect.stable_after()) {
                self.outage = None;
            }
        }
        self.start_again();
        let outage = match self.outage.take() {
            Some(mut outage) => {
                outage.failed(error);
                outage
            }
            None => Box::new(Outage::new(error, now)),
        };
        self.schedule(outage)
    }

    /// Replaces a session that works, or has just ended as expected. This is no outage.
    pub(super) fn exchange_session(&mut self, now: Instant) {
        self.session = None;
        self.has_read = false;
        self.phase = Phase::Waiting { until: now };
    }

    /// Forgets the batch: the next one repeats it.
    fn start_again(&mut self) {
        self.batch = Batch::new(Instant::now(), true);
        self.read_through = None;
    }

    /// Returns whether the server has failed to decode a change of the batch.
    fn is_of_batch(&self, error: &Error) -> bool {
        let is_decoding = self.batch.facts.is_some() && self.batch.messages == 0;
        let is_error = match error.kind() {
            ErrorKind::Server(message) => {
                message.sqlstate().is_some_and(|state| !state.starts_with("57P"))
            }
            ErrorKind::Stream(StreamError::PublicationMissing { .. }) => true,
            _ => false,
        };
        is_decoding && is_error && !is_transient(error)
    }

    fn can_do_without_streaming(&self, error: &Error) -> bool {
        let helps = match error.kind() {
            ErrorKind::Spill(SpillError::Limit { .. } | SpillError::Write { .. }) => {
                self.settings.falls_back
            }
            ErrorKind::Stream(StreamError::MessageInChunk { .. }) => true,
            _ => false,
        };
        let streaming = self.opener.start.options.streaming;
        helps && streaming.is_some_and(|streaming| streaming != Streaming::Off)
    }

    /// Replaces an error that the server reports only in general terms, if the catalogue has the
    /// cause: the slot was invalidated.
    fn explained(&mut self, error: Error) -> Error {
        if error.sqlstate() != Some("55000") {
            return error;
        }
        let slot = &self.opener.start.slot;
        match self.catalog.slot_status(slot) {
            Ok(status) if status.is_lost() => {
                let reason = status.invalidation_reason.unwrap_or_else(|| "wal_status lost".into());
                SetupError::SlotLost { slot: slot.clone(), reason }.into()
            }
            // Without an answer of the catalogue, the server's error stays.
            _ => error,
        }
    }

    fn schedule(&mut self, mut outage: Box<Outage>) -> Result<(), Error> {
        let now = Instant::now();
        let random = RandomState::new().hash_one(outage.attempt());
        let Some(delay) = outage.next_delay(&self.settings.reconnect, now, random) else {
            return Err(outage.into_error(now));
        };
        self.phase = Phase::Waiting { until: now + delay };
        let attempt = outage.report(delay, now);
        log::warn!("{}; attempt {} to reconnect in {delay:.1?}", attempt.cause, attempt.attempt);
        if let Some(listener) = &self.settings.on_reconnect {
            listener.with(|report| report(&attempt));
        }
        self.outage = Some(outage);
        Ok(())
    }

    /// Performs the next step towards a new session.
    pub(super) fn reconnect(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Step<PollFrame>>, Error> {
        loop {
            if self.stop.is_stopped() {
                // An attempt in progress is abandoned.
                return Ok(Some(Step::Stopped));
            }
            let now = Instant::now();
            let wake_at = match &self.phase {
                Phase::Waiting { until } if *until > now => deadline.min(*until),
                Phase::Trying(attempt) => match attempt.result() {
                    Some(result) => {
                        let opened = result?;
                        let Some(outage) = self.outage.take() else {
                            self.exchanged(opened);
                            return Ok(None);
                        };
                        self.opened(opened, &outage);
                        self.outage = Some(outage);
                        return Ok(Some(Step::Restarted));
                    }
                    None => deadline,
                },
                _ => {
                    let (lost, done) = (self.lost(), self.wake.waker());
                    self.phase = Phase::Trying(self.opener.open_again(lost, done)?);
                    continue;
                }
            };
            if deadline <= now {
                return Ok(Some(Step::TimedOut));
            }
            self.wait(wake_at)?;
        }
    }

    fn lost(&self) -> LostStream {
        let unknown = super::open::confirms_ends(self.version) && self.requested > self.confirmed;
        // On PostgreSQL 10 the confirmed LSN may be after what was requested, by a record.
        let confirmed = if unknown {
            self.requested.max(self.health.server_wal_end)
        } else {
            self.known_confirmed()
        };
        LostStream {
            system_identifier: self.system.system_identifier,
            timeline: self.system.timeline,
            confirmed,
            received: self.health.received,
            start_lsn: self.confirmed,
        }
    }

    /// Continues with the session that replaces one without an outage.
    fn exchanged(&mut self, opened: PollOpened) {
        let repeats = self.batch.repeats;
        self.confirmed = self.confirmed.max(opened.confirmed);
        self.session =
            Some(PollSession::new(opened.connection, opened.statements, self.wake.clone()));
        self.reads_left = reads_of_session(self.version);
        self.phase = Phase::Between { until: Instant::now() };
        self.batch = Batch::new(Instant::now(), repeats);
    }

    fn opened(&mut self, opened: PollOpened, outage: &Outage) {
        let now = Instant::now();
        let PollOpened { connection, statements, mut catalog, system, confirmed, .. } = opened;
        connection.address().clone_into(&mut self.address);
        catalog.wait_with(Waits { wake: self.wake.clone(), stop: self.stop.clone() });
        self.catalog = catalog;
        self.confirmed = self.confirmed.max(confirmed);
        self.stability = Stability::new(now, system.xlogpos);
        self.session = Some(PollSession::new(connection, statements, self.wake.clone()));
        self.reads_left = reads_of_session(self.version);
        self.phase = Phase::Between { until: now };
        // The new stream is announced.
        self.batch = Batch::new(now, false);
        self.newest.in_progress = false;
        self.health.reconnects += 1;
        let (attempt, elapsed) = (outage.attempt(), outage.elapsed(now));
        log::info!("connected to {} again, at attempt {attempt}", Printable(&self.address));
        if let Some(listener) = &self.settings.on_reconnected {
            let reconnected = Reconnected { attempt, elapsed, address: &self.address };
            listener.with(|report| report(&reconnected));
        }
    }
}
