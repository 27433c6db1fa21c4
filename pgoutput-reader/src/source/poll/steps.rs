//! The steps of polling, for the loop of the reader.

use std::time::Instant;

use pgoutput_decode::{Lsn, Printable, Tag, TimestampTz, XLogData};

use super::session::PollStep;
use super::{Phase, PollFrame, Polling, open};
use crate::delivery::Due;
use crate::error::{Error, ErrorKind, is_transient};
use crate::schema::{Facts as CatalogFacts, Need, Schemas};
use crate::source::{Source, Step};
use crate::stream::{StreamEvent, decode_escaped};

impl Source for Polling {
    type Frame = PollFrame;

    fn step(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<Step<PollFrame>, Error> {
        let mut wake_at = Some(wake_at);
        let mut deadline = None;
        loop {
            if let Some(frame) = self.batch.held.take() {
                self.batch.messages += 1;
                return Ok(Step::Message(frame));
            }
            if self.stop.is_stopped() {
                return self.step_stopped();
            }
            if let (Phase::Polling, Some(session)) = (&self.phase, &mut self.session)
                && let Some(step) = session.step_buffered()?
            {
                if let Some(step) = self.polled(step)? {
                    return Ok(step);
                }
                continue;
            }
            let now = Instant::now();
            let until = *deadline.get_or_insert_with(|| wake_at.take().map_or(now, |f| f()));
            match (&mut self.phase, &mut self.session) {
                (Phase::Between { until: next }, Some(_))
                    if *next <= now && self.reads_left == Some(0) =>
                {
                    self.exchange_session(now);
                }
                (Phase::Between { until: next }, Some(session)) if *next <= now => {
                    self.batch.checked_at = now;
                    self.phase = Phase::Polling;
                    session.begin()?;
                }
                (Phase::Between { until: next }, Some(_)) => {
                    if until <= now {
                        return Ok(Step::TimedOut);
                    }
                    let next = until.min(*next);
                    self.wait(next)?;
                }
                (Phase::Polling, Some(_)) => {
                    let at = self.silence_due_at().map_or(until, |at| at.min(until));
                    let Some(session) = &mut self.session else { continue };
                    let step = session.step(|| Some(at))?;
                    let timed_out = matches!(step, PollStep::TimedOut);
                    if let Some(step) = self.polled(step)? {
                        return Ok(step);
                    }
                    if timed_out && until <= Instant::now() {
                        return Ok(Step::TimedOut);
                    }
                }
                _ => {
                    if let Some(step) = self.reconnect(until)? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    fn step_after_stop(&mut self, deadline: Instant) -> Result<Step<PollFrame>, Error> {
        loop {
            if let Some(frame) = self.batch.held.take() {
                self.batch.messages += 1;
                return Ok(Step::Message(frame));
            }
            let (Phase::Polling, Some(session)) = (&self.phase, &mut self.session) else {
                return Ok(Step::Stopped);
            };
            let step = session.step(|| Some(deadline))?;
            match step {
                PollStep::Begun(_) => return Ok(Step::Stopped),
                PollStep::TimedOut => return Ok(Step::TimedOut),
                step => {
                    if let Some(step) = self.polled(step)? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    fn read(&mut self, frame: PollFrame) -> Result<Option<StreamEvent<'_>>, Error> {
        let Some(session) = &self.session else { return Ok(None) };
        let data = session.message(frame);
        let send_time = self.batch.facts.map_or(TimestampTz::default(), |facts| facts.time);
        // A replication connection has no LSN for these.
        let is_described =
            matches!(data.first().copied().map(Tag), Some(Tag::RELATION | Tag::TYPE));
        let wal_start = if is_described { Lsn::ZERO } else { frame.lsn };
        self.health.received = self.health.received.max(frame.lsn);
        self.health.server_wal_end = self.health.server_wal_end.max(frame.lsn);
        self.health.last_send_time = Some(send_time);
        let message = XLogData { wal_start: frame.lsn, wal_end: frame.lsn, send_time, data };
        let event = decode_escaped(&mut self.decoder, &message, &mut self.escaped)?;
        self.batch.is_new |= self.newest.add(&event.message, frame.lsn);
        Ok(Some(StreamEvent { wal_start, wal_end: wal_start, ..event }))
    }

    fn release(&mut self) {
        if let Some(session) = &mut self.session {
            session.release();
        }
        self.escaped = Vec::new();
    }

    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<CatalogFacts, Error> {
        self.catalog.answer(need, schemas, &self.opener.start.publications)
    }

    fn perform(&mut self, due: Due<'_>) -> Result<(), Error> {
        // Each poll reports the position, so nothing is requested in between.
        let Some(prefix) = due.message.filter(|_| self.session.is_some()) else { return Ok(()) };
        match self.catalog.emit_message(prefix) {
            Err(error) if is_transient(&error) => {
                log::warn!("writing an idle message: {error}");
                Ok(())
            }
            written => written,
        }
    }

    fn commits_wait(&self) -> bool {
        // An LSN within a record cannot be confirmed there.
        open::confirms_ends(self.version)
    }

    fn caught_up(&mut self, lsn: Lsn) {
        self.stability.caught_up(lsn);
    }

    fn delivered(&mut self) {
        if self.session.is_some() && self.outage.take().is_some() {
            log::info!("{}: changes arrive again", Printable(&self.address));
        }
    }

    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        self.replace(error)
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn start_lsn(&self) -> Lsn {
        if self.batch.start.is_zero() { self.confirmed } else { self.batch.start }
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    fn is_stop(&self, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::Stopped { .. }) && self.stop.is_stopped()
    }
}
