//! A capture as a source.

use std::time::Instant;

use pgoutput_decode::{Decoder, Lsn, TimestampTz};

use super::{Source, Step};
use crate::capture::{Ahead, CapturedMessage, KnownFacts, Played};
use crate::delivery::Due;
use crate::error::{CaptureError, Error, ErrorKind};
use crate::io::{StopHandle, WakePipe};
use crate::schema::{Facts, Need, Schemas};
use crate::stream::{Health, StreamEvent, decode_escaped};

/// A source that delivers what was captured, as fast as it is read.
#[derive(Debug)]
pub(crate) struct Replayed {
    played: Played,
    facts: KnownFacts,
    message: CapturedMessage,
    decoder: Decoder,
    /// The last message, if its names had to be escaped.
    escaped: Vec<u8>,
    start_lsn: Lsn,
    stop: StopHandle,
    /// The other end of the pipe of the handle.
    _wake: WakePipe,
    /// Whether the capture ends before the answer to a need.
    is_cut: bool,
    health: Health,
}

/// A message of a capture: the last one that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplayedFrame(());

impl Replayed {
    pub(crate) fn new(played: Played, start_lsn: Lsn) -> Result<Self, Error> {
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", played.name(), error))?;
        Ok(Self {
            played,
            facts: KnownFacts::default(),
            message: CapturedMessage::default(),
            decoder: Decoder::new(),
            escaped: Vec::new(),
            start_lsn,
            stop: StopHandle::new(wake.waker()),
            _wake: wake,
            is_cut: false,
            health: Health { connected: false, ..Health::at_start(Instant::now()) },
        })
    }

    pub(crate) fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    pub(crate) fn health(&self) -> Health {
        self.health
    }

    fn received(&mut self, lsn: Lsn, send_time: TimestampTz) {
        let health = &mut self.health;
        health.received = health.received.max(lsn);
        health.server_wal_end = health.server_wal_end.max(lsn);
        (health.last_send_time, health.last_received) = (Some(send_time), Instant::now());
    }

    fn advance(&mut self) -> Result<Step<ReplayedFrame>, Error> {
        self.facts.pass(&mut self.played)?;
        let ahead = self.played.peek()?;
        if ahead != Ahead::End {
            self.played.take(&mut self.message);
        }
        Ok(match ahead {
            Ahead::Message => {
                let message = self.message.get();
                self.received(message.wal_start.max(message.wal_end), message.send_time);
                Step::Message(ReplayedFrame(()))
            }
            Ahead::Keepalive(keepalive) => {
                self.received(keepalive.wal_end, keepalive.send_time);
                Step::Keepalive(keepalive)
            }
            Ahead::Restart(start_lsn) => {
                self.start_lsn = start_lsn;
                self.decoder = Decoder::new();
                self.health.reconnects += 1;
                Step::Restarted
            }
            Ahead::Facts | Ahead::End => Step::Stopped,
        })
    }
}

impl Source for Replayed {
    type Frame = ReplayedFrame;

    fn step(&mut self, _: impl FnOnce() -> Instant) -> Result<Step<ReplayedFrame>, Error> {
        if self.stop.is_stopped() {
            return Ok(Step::Stopped);
        }
        self.advance()
    }

    fn step_after_stop(&mut self, _: Instant) -> Result<Step<ReplayedFrame>, Error> {
        self.advance()
    }

    fn read(&mut self, _: ReplayedFrame) -> Result<Option<StreamEvent<'_>>, Error> {
        let message = self.message.get();
        decode_escaped(&mut self.decoder, &message, &mut self.escaped).map(Some)
    }

    fn release(&mut self) {
        self.escaped = Vec::new();
    }

    fn answer(&mut self, need: &Need, _: &Schemas) -> Result<Facts, Error> {
        if let Some(facts) = self.facts.answer(need, &mut self.played)? {
            return Ok(facts);
        }
        if self.played.peek()? == Ahead::End {
            // The capturing reader was stopped while it waited for the answer.
            self.is_cut = true;
            return Err(Error::stopped("reading", self.played.name()));
        }
        let about = match need {
            Need::Table { relation, .. } | Need::Types { relation } => {
                format!("{}.{}", relation.namespace(), relation.name())
            }
            Need::MoneyDigits => "lc_monetary".into(),
            Need::Dropped { .. } => "dropped tables".into(),
        };
        let (name, offset) = (self.played.name().to_owned(), self.played.offset());
        Err(CaptureError::FactsMissing { name, about, offset }.into())
    }

    fn perform(&mut self, _: Due<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn commits_wait(&self) -> bool {
        false
    }

    fn caught_up(&mut self, _: Lsn) {}

    fn delivered(&mut self) {}

    /// The capturing reader had an error here too if a new stream follows.
    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        if matches!(error.kind(), ErrorKind::Capture(error) if !is_of_facts(error)) {
            return Err(error);
        }
        self.facts.pass(&mut self.played)?;
        match self.played.peek() {
            Ok(Ahead::Restart(_)) => Ok(()),
            _ => Err(error),
        }
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn start_lsn(&self) -> Lsn {
        self.start_lsn
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    fn is_stop(&self, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::Stopped { .. }) && self.is_cut
    }
}

fn is_of_facts(error: &CaptureError) -> bool {
    matches!(error, CaptureError::FactsMissing { .. })
}
