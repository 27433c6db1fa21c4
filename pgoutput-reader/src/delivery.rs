//! The delivery of a reader: change events from messages, and the acknowledged LSN from
//! acknowledged events. It uses no socket, clock or thread.
//!
//! ```text
//! message ──► Resume ──► Transactions ──► ChangeEvent ──► the program
//!             (old?)     (number, create)                     │ acknowledge
//! keepalive ─────────────────────────────► Ledger ◄───────────┘
//!                                             │ acknowledged LSN
//!                                             ▼ next status update
//! ```
//!
//! The caller owns the loop. It passes in messages, keepalives and the time, answers the needs in
//! an [`Outcome`], and performs the actions that [`take_due`](Delivery::take_due) returns.

mod ack;
mod between;
mod boundaries;
mod due;
mod idle;
mod resume;
mod transactions;
mod until;

use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Message, TimestampTz};

use crate::assemble::Arrival;
use crate::error::StreamError;
use crate::event::{ChangeEvent, Copied, Fingerprint, Position, SchemaOutput, StreamIdentity};
use crate::schema::{Need, Schemas};
pub use ack::{Acknowledge, Acknowledger, Stage};
pub(crate) use between::Between;
pub(crate) use due::Due;
pub use idle::Idle;
use idle::IdleTimer;
pub(crate) use resume::Resume;
pub(crate) use transactions::CopyEvent;
use transactions::{Progress, Transactions};
use until::Until;

/// The settings of a [`Delivery`].
pub(crate) struct Settings {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) identity: Arc<StreamIdentity>,
    pub(crate) resume: Resume,
    /// Commit LSN and index of the event that was resumed after.
    pub(crate) newest: Option<(Lsn, Option<u64>)>,
    pub(crate) acknowledger: Acknowledger,
    pub(crate) mode: Acknowledge,
    pub(crate) idle: Idle,
    /// The LSN to stop at.
    pub(crate) until: Option<Lsn>,
    pub(crate) output: OutputSettings,
}

/// The settings of the events themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutputSettings {
    /// Whether each transaction ends with an event of its own.
    pub(crate) commits: bool,
    /// Whether LSNs are written as `X/Y` in JSON.
    pub(crate) lsns_as_text: bool,
    /// Whether an event reports each change of a table.
    pub(crate) schema_changes: bool,
    /// Where JSON has the description of the table.
    pub(crate) schema_output: SchemaOutput,
}

impl OutputSettings {
    /// Returns whether some descriptions of tables are events of their own.
    fn describes(self) -> bool {
        self.schema_changes || self.schema_output == SchemaOutput::Once
    }
}

/// The delivery of one reader: the delivered events, the acknowledged ones, and the LSN to stop at.
/// It outlives the streams that the messages come from.
#[derive(Debug)]
pub(crate) struct Delivery {
    transactions: Transactions,
    acknowledger: Acknowledger,
    mode: Acknowledge,
    until: Option<Until>,
    idle: IdleTimer,
    /// The LSN at which the server last had nothing further on its way: the WAL end of a keepalive,
    /// or an idle message.
    idle_at: Option<Lsn>,
    /// The greatest of these.
    last_idle_at: Lsn,
    /// The LSN before which everything that is published was read.
    read: Lsn,
    /// The greatest commit LSN of a transaction that has ended.
    committed: Lsn,
    /// Whether commits on the server wait for the flushed LSN.
    commits_wait: bool,
}

/// The result of a message or keepalive.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is nothing for the program.
    Nothing,
    /// An event. The message may hold more: see [`Delivery::is_unfinished`].
    Event,
    /// A transaction of which an event is new is complete. If it was requested, an event ends it.
    /// None follows.
    Committed {
        /// Whether the LSN to stop at is reached.
        finished: bool,
    },
    /// Pass in the same message again after answering this.
    Needs(Need),
    /// The LSN to stop at is reached.
    Finished,
}

impl Delivery {
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let Settings { fingerprint, identity, resume, newest, acknowledger, mode, idle, .. } =
            settings;
        let (until, output) = (settings.until, settings.output);
        Self {
            transactions: Transactions::new(fingerprint, identity, resume, newest, output),
            acknowledger,
            mode,
            until: until.map(|lsn| Until::new(lsn, now)),
            idle: IdleTimer::new(idle, now),
            idle_at: None,
            last_idle_at: Lsn::ZERO,
            read: Lsn::ZERO,
            committed: Lsn::ZERO,
            commits_wait: false,
        }
    }

    pub(crate) fn acknowledger(&self) -> &Acknowledger {
        &self.acknowledger
    }

    /// Returns whether each transaction ends with an event of its own.
    pub(crate) fn delivers_commits(&self) -> bool {
        self.transactions.delivers_commits()
    }

    /// Processes a message and returns its outcome. The event is put in `out`: one that is
    /// returned would be copied by each caller.
    ///
    /// `now` is called if the time matters. After [`Outcome::Needs`], and while it
    /// [is unfinished](Self::is_unfinished), the same message must be passed in again.
    ///
    /// # Errors
    /// A message that is out of sequence, or contradicts what was delivered before. An event counts
    /// as delivered only if this returns it.
    pub(crate) fn message(
        &mut self,
        message: &Message<'_>,
        arrival: Arrival,
        schemas: &mut Schemas,
        now: impl FnOnce() -> Instant,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Outcome, StreamError> {
        self.idle_at = None;
        if let Message::Message(body) = message
            && self.idle.is_own(body)
        {
            self.idle.postpone(now());
            self.transactions.reached(body.lsn)?;
            self.set_idle_at(body.lsn);
            self.add_read(body.lsn);
            self.add_idle_boundary(body.lsn);
            return Ok(self.outcome_at(body.lsn));
        }
        if self.until.as_ref().is_some_and(|until| until.is_before(message)) {
            let starts_at = match message {
                Message::Begin(begin) => Some(begin.final_lsn),
                Message::BeginPrepare(begin) => Some(begin.prepare_lsn),
                _ => None,
            };
            if let Some(lsn) = starts_at {
                self.transactions.reached(lsn)?;
            }
            return Ok(Outcome::Finished);
        }
        Ok(match self.transactions.message(message, arrival, schemas, out)? {
            Progress::Nothing => Outcome::Nothing,
            Progress::Needs(need) => Outcome::Needs(need),
            Progress::Event => Outcome::Event,
            Progress::Alone { end_lsn } => {
                self.add_read(end_lsn);
                // One byte before the record's end, so that it is not sent again after a restart.
                self.add_boundary(Lsn::new(end_lsn.as_u64().saturating_sub(1)));
                Outcome::Event
            }
            Progress::Committed { commit_lsn, end_lsn, is_empty } => {
                self.add_read(end_lsn);
                self.committed = self.committed.max(commit_lsn);
                self.add_commit_boundary(commit_lsn, end_lsn, is_empty);
                Outcome::Committed { finished: self.is_reached(end_lsn) }
            }
        })
    }

    /// Puts an event of an initial copy in `out`. After [`Outcome::Needs`] the same event must be
    /// passed in again.
    ///
    /// # Errors
    /// A row that does not fit its table.
    pub(crate) fn copy(
        &mut self,
        event: CopyEvent<'_>,
        schemas: &mut Schemas,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Outcome, StreamError> {
        self.idle_at = None;
        Ok(match self.transactions.copy(event, schemas, out)? {
            Progress::Needs(need) => Outcome::Needs(need),
            Progress::Nothing => Outcome::Nothing,
            _ => Outcome::Event,
        })
    }

    /// Sets the tables that an initial copy of an earlier run has finished.
    pub(crate) fn set_copied(&mut self, copied: Copied) {
        self.transactions.set_copied(copied);
    }

    /// Processes a keepalive.
    ///
    /// # Errors
    /// The server passed over a transaction that was delivered in part.
    pub(crate) fn keepalive(&mut self, wal_end: Lsn, now: Instant) -> Result<Outcome, StreamError> {
        if self.in_transaction() {
            return Ok(Outcome::Nothing);
        }
        self.transactions.reached(wal_end)?;
        self.set_idle_at(wal_end);
        self.add_read(wal_end);
        if self.idle.follows_keepalives() {
            self.idle.postpone(now);
            self.add_idle_boundary(wal_end);
        }
        Ok(self.outcome_at(wal_end))
    }

    /// Starts with the messages of a new stream, which may repeat delivered events.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.idle_at = None;
        self.transactions.restart();
        if let Some(until) = &mut self.until {
            until.restart(now);
        }
    }

    /// Returns whether the last message holds more events.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.transactions.is_unfinished()
    }

    /// Returns whether changes of a transaction may still follow.
    pub(crate) fn in_transaction(&self) -> bool {
        self.transactions.is_open()
    }

    /// Returns whether every delivered event was acknowledged.
    fn is_acknowledged(&self) -> bool {
        self.acknowledger.is_acknowledged_through(self.transactions.delivered())
    }

    /// Records that the program requested the next event: with [`Acknowledge::Automatic`] this
    /// acknowledges all that were delivered, except the newest `held` ones, which the program has
    /// not got.
    pub(crate) fn next_requested(&self, held: u64) {
        if self.mode == Acknowledge::Automatic {
            self.acknowledger.acknowledge_delivery(self.transactions.delivered() - held);
        }
    }

    /// Returns whether nothing is published at present and everything delivered was acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle_at.is_some() && self.is_acknowledged()
    }

    /// The position of an idle stream, after everything that was delivered; `None` while events
    /// may be on their way.
    pub(crate) fn idle_position(&self) -> Option<Position> {
        let lsn = self.idle_at.filter(|_| !self.transactions.is_interrupted())?;
        let identity = self.transactions.identity(lsn);
        Some(Position::idle(identity, lsn, self.transactions.delivered()))
    }

    /// The commit time of the newest transaction of which an event was delivered.
    pub(crate) fn last_commit_time(&self) -> Option<TimestampTz> {
        self.transactions.last_commit_time()
    }

    /// Records that the server has nothing further on its way before `lsn`. A new stream starts
    /// with LSNs from before those that were delivered or confirmed. To resume after these would
    /// repeat events, or contradict the slot.
    fn set_idle_at(&mut self, lsn: Lsn) {
        let least = self.acknowledger.floor().max(self.last_idle_at);
        let is_new = lsn >= least && self.transactions.is_delivered_at(lsn);
        self.idle_at = is_new.then_some(lsn);
        self.last_idle_at = self.idle_at.unwrap_or(self.last_idle_at);
    }

    fn outcome_at(&self, lsn: Lsn) -> Outcome {
        if self.is_reached(lsn) { Outcome::Finished } else { Outcome::Nothing }
    }

    fn is_reached(&self, lsn: Lsn) -> bool {
        self.until.as_ref().is_some_and(|until| until.is_reached(lsn))
    }
}

#[cfg(test)]
mod tests;
