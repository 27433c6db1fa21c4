//! A source without a server: a history of transactions, copied in a snapshot and then streamed,
//! over connections that can be cut after any step.

mod added;
mod copy;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Message, PrimaryKeepalive, TimestampTz};

use super::history::{History, TABLES, state};
use super::wal::{Sent, Wal, sent};
use crate::delivery::{Between, Due};
use crate::error::{Error, ErrorKind};
use crate::event::StreamIdentity;
use crate::schema::{Facts, Need, Schemas, TableDescription};
use crate::source::{CopyPart, Source, Step};
use crate::stream::{AcknowledgedLsns, StreamEvent};
pub(super) use added::Addition;
use added::Additions;
pub(super) use copy::{CopyLsns, Left, ModelCopy};

/// What is sent, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// The number of transactions that are streamed.
    pub(super) end: usize,
    /// The ends of the snapshots but the last.
    pub(super) copy_cuts: Vec<CopyCut>,
    /// The numbers of messages after which each stream but the last is cut.
    pub(super) cuts: Vec<usize>,
    /// Whether the server reports its position.
    pub(super) keepalives: bool,
    /// The number of steps after which the reader is stopped.
    pub(super) stop: Option<usize>,
    /// Whether no table is published any more in the second snapshot.
    pub(super) unpublishes: bool,
    /// The tables that are added, in this order.
    pub(super) additions: Vec<Addition>,
}

/// The loss of the connection of a copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyCut {
    /// The number of steps of the copy, modulo one more than it has: after the last one the stream
    /// is about to start.
    pub(super) steps: usize,
    /// The number of transactions that commit before the next snapshot.
    pub(super) during: usize,
    /// Whether it is noticed by something other than a step, such as a status update.
    pub(super) apart: bool,
}

#[derive(Debug)]
pub(super) struct Model {
    history: History,
    wal: Wal,
    plan: Plan,
    identity: Arc<StreamIdentity>,
    copy: Option<ModelCopy>,
    /// The number of steps until the connection of the copy is lost.
    cut_in: Option<usize>,
    /// What is to be copied in another snapshot.
    lost_copy: Option<Left>,
    additions: Additions,
    /// The number of transactions in the last snapshot.
    visible: usize,
    /// Where every stream starts, unless more is acknowledged.
    start_lsn: Lsn,
    acknowledged: Arc<AcknowledgedLsns>,
    /// The LSN that the slot was confirmed at when a stream was lost.
    pub(super) confirmed: Lsn,
    sent: Vec<Sent>,
    at: usize,
    is_lost: bool,
    steps: usize,
    /// The number of connections that were replaced.
    pub(super) reconnects: usize,
}

/// What a model starts with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) history: History,
    pub(super) wal: Wal,
    pub(super) identity: Arc<StreamIdentity>,
    /// The copy of the tables that are not finished.
    pub(super) copy: Option<ModelCopy>,
    /// The number of transactions in its snapshot.
    pub(super) visible: usize,
    pub(super) from: Lsn,
    pub(super) confirmed: Lsn,
    pub(super) acknowledged: Arc<AcknowledgedLsns>,
    /// The tables to be added at first.
    pub(super) to_add: Vec<u32>,
}

impl Model {
    pub(super) fn new(start: Start, plan: Plan) -> Self {
        let Start { history, wal, identity, copy, visible, .. } = start;
        let mut model = Self {
            history,
            wal,
            plan,
            identity,
            copy: None,
            cut_in: None,
            lost_copy: None,
            additions: Additions::new(start.to_add),
            visible,
            start_lsn: start.from,
            acknowledged: start.acknowledged,
            confirmed: start.confirmed,
            sent: Vec::new(),
            at: 0,
            is_lost: false,
            steps: 0,
            reconnects: 0,
        };
        match copy {
            Some(copy) => model.start_copy(copy),
            None => model.start(),
        }
        model
    }

    fn start_copy(&mut self, copy: ModelCopy) {
        let cut = self.plan.copy_cuts.first();
        self.cut_in = cut.map(|cut| cut.steps % (copy.len() + 1));
        self.copy = Some(copy);
    }

    /// Starts a stream.
    fn start(&mut self) {
        let keepalives = self.plan.keepalives.then_some(&self.wal);
        let lsns = (self.start_lsn, self.confirmed);
        (self.sent, self.at) = (sent(&self.history, self.plan.end, lsns, keepalives), 0);
    }

    /// Continues the copy in another snapshot.
    fn copy_again(&mut self, left: Left) {
        let point = self.wal.end(self.visible);
        if left.copied.is_empty() {
            self.start_lsn = point;
        }
        let rows = state(&self.history, self.visible);
        let tables: &[u32] = if self.plan.unpublishes { &[] } else { &TABLES };
        let lsns = CopyLsns { point, stream: self.start_lsn(), confirmed: self.confirmed };
        self.start_copy(ModelCopy::new(&rows, tables, lsns, left, &self.identity));
    }

    fn step_of_copy(&mut self, mut copy: ModelCopy) -> Result<Step<usize>, Error> {
        assert!(self.acknowledged.flushed() <= self.confirmed, "confirmed during the copy");
        if self.cut_in == Some(0) {
            let cut = self.plan.copy_cuts.remove(0);
            self.cut_in = None;
            self.visible = (self.visible + cut.during).min(self.plan.end);
            let left = copy.left();
            self.lost_copy = Some(left).filter(|left| !left.copied.is_complete());
            self.is_lost = true;
            return if cut.apart { self.step(Instant::now) } else { Err(reset()) };
        }
        self.cut_in = self.cut_in.map(|steps| steps - 1);
        if let Some(step) = copy.step() {
            self.copy = Some(copy);
            return Ok(Step::Copy(step));
        }
        self.start();
        Ok(Step::Restarted)
    }

    fn message(&mut self) -> Option<Step<usize>> {
        let sent = self.sent.get(self.at)?;
        self.at += 1;
        Some(match sent {
            Sent::Message { .. } => Step::Message(self.at - 1),
            Sent::Keepalive(wal_end) => Step::Keepalive(PrimaryKeepalive {
                wal_end: *wal_end,
                send_time: TimestampTz::from_micros(0),
                reply: 0,
            }),
        })
    }
}

fn reset() -> Error {
    Error::io("reading from", "a model", io::ErrorKind::ConnectionReset.into())
}

impl Source for Model {
    type Frame = usize;

    fn step(&mut self, _: impl FnOnce() -> Instant) -> Result<Step<usize>, Error> {
        if self.is_stopped() {
            return Ok(Step::Stopped);
        }
        self.steps += 1;
        if let Some(copy) = self.copy.take() {
            if self.additions.is_running() {
                return self.step_of_addition(copy);
            }
            return self.step_of_copy(copy);
        }
        if std::mem::take(&mut self.is_lost) {
            self.reconnects += 1;
            if let Some(left) = self.lost_copy.take() {
                self.copy_again(left);
            } else {
                self.confirmed = self.confirmed.max(self.acknowledged.flushed());
                self.start();
            }
            return Ok(Step::Restarted);
        }
        if self.plan.cuts.first() == Some(&self.at) {
            self.plan.cuts.remove(0);
            return Err(reset());
        }
        Ok(self.message().unwrap_or(Step::Stopped))
    }

    fn between(&mut self, between: Between<'_>) -> Result<Option<Arc<StreamIdentity>>, Error> {
        self.start_addition(between);
        Ok(None)
    }

    fn step_after_stop(&mut self, _: Instant) -> Result<Step<usize>, Error> {
        assert!(self.copy.is_none() && self.lost_copy.is_none(), "read during the copy");
        let message = if self.is_lost { None } else { self.message() };
        Ok(message.unwrap_or(Step::Stopped))
    }

    fn read(&mut self, frame: usize) -> Result<Option<StreamEvent<'_>>, Error> {
        let Some(Sent::Message { lsn, frame, in_chunk }) = self.sent.get(frame) else {
            return Ok(None);
        };
        Ok(Some(StreamEvent {
            wal_start: *lsn,
            wal_end: *lsn,
            send_time: TimestampTz::from_micros(0),
            message: Message::decode(frame, *in_chunk)?,
            frame,
            in_stream: *in_chunk,
        }))
    }

    fn copy_part(&self) -> Option<CopyPart<'_>> {
        self.copy.as_ref()?.part()
    }

    fn release(&mut self) {}

    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error> {
        match need {
            Need::Table { relation, .. } => {
                Ok(Facts::Table(TableDescription::by_stream(relation, schemas.stream_types())))
            }
            other => panic!("{other:?}"),
        }
    }

    fn perform(&mut self, _: Due<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn commits_wait(&self) -> bool {
        false
    }

    fn caught_up(&mut self, _: Lsn) {}

    fn delivered(&mut self) {}

    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        if !matches!(error.kind(), ErrorKind::Io { .. }) {
            return Err(error);
        }
        self.is_lost = true;
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn start_lsn(&self) -> Lsn {
        self.start_lsn.max(self.confirmed)
    }

    fn is_stopped(&self) -> bool {
        self.plan.stop.is_some_and(|stop| stop <= self.steps)
    }

    fn is_stop(&self, _: &Error) -> bool {
        false
    }
}
