//! Acknowledgement of delivered events, and the LSNs that follow from it.

mod ledger;

use std::borrow::Borrow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgoutput_decode::Lsn;

use crate::error::{Error, PositionError};
use crate::event::signature::Signature;
use crate::event::{Position, ReaderId};
use crate::stream::AcknowledgedLsns;
use ledger::Ledger;

/// The moment at which an event counts as acknowledged, so that the server may discard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Acknowledge {
    /// An event counts as acknowledged when the next one is requested.
    #[default]
    Automatic,
    /// An event counts as acknowledged when you pass its position to [`Acknowledger::acknowledge`].
    /// The reader keeps one small entry for each transaction that is not acknowledged. A fast
    /// shutdown of the server waits for those.
    Manual,
    /// As with `Manual`, but the three LSNs of a status update are set one by one: see
    /// [`Acknowledger::acknowledge_stage`]. In the other modes the received LSN counts as written,
    /// and the acknowledged one as flushed and applied.
    ///
    /// This is for a program that `synchronous_standby_names` names, by its `application_name`:
    /// commits then wait for it. A changed LSN is reported at most once a second, so a commit may
    /// take that long. Commits wait for the last byte of their record, so in this mode the
    /// acknowledged LSN is exactly the end of a commit. In the other modes it is so only if
    /// `synchronous_standby_names` named the program, or `*`, when it connected: restart the
    /// program after a change.
    Stages,
    /// Events are never acknowledged: the slot does not move, and the next run gets the same
    /// changes again.
    Never,
}

/// The stage that an event has reached. `synchronous_commit` sets which one a commit waits for
/// (manual, section "Synchronous Replication").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The event is written, so that it outlives your program: `synchronous_commit = remote_write`
    /// waits for it. `write_lsn` in `pg_stat_replication`.
    Written,
    /// The event is on durable storage: `synchronous_commit = on` waits for it. Only this stage
    /// moves the slot. `flush_lsn` in `pg_stat_replication`.
    Flushed,
    /// The event is visible to readers of the destination: `synchronous_commit = remote_apply`
    /// waits for it. `replay_lsn` in `pg_stat_replication`.
    Applied,
}

/// A handle to acknowledge the events of a reader. It can be cloned and sent to other threads.
///
/// You may acknowledge events in any order. Only complete transactions are reported to the server,
/// and only up to the first event that is not acknowledged. The server learns of it within a second
/// or a third of its `wal_sender_timeout`, whichever is less, also while the reader's own thread is
/// busy (unless [`heartbeat`](crate::ReaderBuilder::heartbeat) is off).
///
/// ```
/// # fn f(mut reader: pgoutput_reader::Reader) -> Result<(), pgoutput_reader::Error> {
/// // The reader was built with `.acknowledge(Acknowledge::Manual)`.
/// let acknowledger = reader.acknowledger();
/// for event in &mut reader {
///     let event = event?;
///     // … store it …
///     acknowledger.acknowledge(event.position())?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Acknowledger(Arc<SharedLedgers>);

#[derive(Debug)]
struct SharedLedgers {
    reader: ReaderId,
    mode: Acknowledge,
    ledgers: Mutex<Ledgers>,
    lsns: Arc<AcknowledgedLsns>,
}

#[derive(Debug, Default)]
struct Ledgers {
    flushed: Ledger,
    /// The other stages, under [`Acknowledge::Stages`].
    stages: Option<Stages>,
}

#[derive(Debug, Default)]
struct Stages {
    written: Ledger,
    applied: Ledger,
}

impl Acknowledger {
    pub(crate) fn new(reader: ReaderId, mode: Acknowledge) -> Self {
        let stages = (mode == Acknowledge::Stages).then(Stages::default);
        let lsns = Arc::new(AcknowledgedLsns::new(stages.is_some()));
        let ledgers = Mutex::new(Ledgers { flushed: Ledger::default(), stages });
        Self(Arc::new(SharedLedgers { reader, mode, ledgers, lsns }))
    }

    /// Acknowledges this event: it was written, flushed and applied.
    ///
    /// # Errors
    /// [`PositionError::NotDelivered`] if the position is from another reader or was stored. It
    /// then acknowledges nothing.
    pub fn acknowledge(&self, position: impl Borrow<Position>) -> Result<(), Error> {
        let position = position.borrow();
        let delivery = self.delivery(position)?;
        self.change(|ledger| self.add(ledger, position, delivery));
        Ok(())
    }

    /// Acknowledges this event and every one before it.
    ///
    /// # Errors
    /// Those of [`acknowledge`](Self::acknowledge).
    pub fn acknowledge_through(&self, position: impl Borrow<Position>) -> Result<(), Error> {
        let position = position.borrow();
        let delivery = self.delivery(position)?;
        self.change(|ledger| {
            ledger.acknowledge_through(delivery);
            self.add(ledger, position, delivery);
        });
        Ok(())
    }

    /// Acknowledges that this event has reached `stage`, which says nothing about the other stages.
    /// For [`Acknowledge::Stages`].
    ///
    /// # Errors
    /// Those of [`acknowledge`](Self::acknowledge), and [`PositionError::NoStages`] in another
    /// mode.
    pub fn acknowledge_stage(
        &self,
        stage: Stage,
        position: impl Borrow<Position>,
    ) -> Result<(), Error> {
        let position = position.borrow();
        let delivery = self.delivery(position)?;
        let mut ledgers = self.lock();
        let Ledgers { flushed, stages } = &mut *ledgers;
        let stages = stages.as_mut().ok_or(PositionError::NoStages)?;
        let ledger = match stage {
            Stage::Written => &mut stages.written,
            Stage::Flushed => flushed,
            Stage::Applied => &mut stages.applied,
        };
        self.add(ledger, position, delivery);
        self.publish(&ledgers);
        Ok(())
    }

    /// Returns the acknowledged LSN, before which the server may discard everything; `0/0` at
    /// first.
    pub fn acknowledged(&self) -> Lsn {
        self.lock().flushed.acknowledged()
    }

    /// Acknowledges every event up to this delivery number.
    pub(crate) fn acknowledge_delivery(&self, delivery: u64) {
        self.change(|ledger| ledger.acknowledge_through(delivery));
    }

    /// Returns whether every event up to this delivery number is acknowledged.
    pub(crate) fn is_acknowledged_through(&self, delivery: u64) -> bool {
        self.lock().flushed.is_acknowledged_through(delivery)
    }

    /// Returns whether an acknowledged LSN will grow with acknowledgements to come.
    pub(crate) fn is_pending(&self) -> bool {
        self.lock().all().any(|ledger| ledger.is_pending())
    }

    /// Sets the acknowledged LSN that follows from the first `delivered` events.
    pub(crate) fn add_boundary(&self, delivered: u64, lsn: Lsn) {
        self.change(|ledger| ledger.add_boundary(delivered, lsn));
    }

    /// Sets the same for the LSN before `wal_end`, while nothing else came before that. `signature`
    /// is that of the newest event, if there is one.
    pub(crate) fn add_idle_boundary(
        &self,
        delivered: u64,
        wal_end: Lsn,
        signature: Option<Signature>,
    ) {
        self.change(|ledger| ledger.add_idle_boundary(delivered, wal_end, signature));
    }

    /// Sets the confirmed LSN that the slot has at the start.
    pub(crate) fn set_confirmed(&self, lsn: Lsn) {
        self.change(|ledger| ledger.set_floor(lsn));
    }

    /// Returns the LSN before which nothing is reported.
    pub(crate) fn floor(&self) -> Lsn {
        self.lock().flushed.floor()
    }

    pub(crate) fn reader(&self) -> ReaderId {
        self.0.reader
    }

    /// Returns the LSNs that status updates report.
    pub(crate) fn lsns(&self) -> &Arc<AcknowledgedLsns> {
        &self.0.lsns
    }

    fn delivery(&self, position: &Position) -> Result<u64, Error> {
        position
            .delivery_of(self.0.reader)
            .ok_or_else(|| PositionError::NotDelivered { position: position.to_string() }.into())
    }

    fn add(&self, ledger: &mut Ledger, position: &Position, delivery: u64) {
        if !position.is_idle() {
            ledger.acknowledge(delivery);
        } else if self.0.mode != Acknowledge::Never {
            ledger.acknowledge_idle(delivery, position.commit_lsn(), position.signature());
        }
    }

    fn change(&self, change: impl Fn(&mut Ledger)) {
        let mut ledgers = self.lock();
        ledgers.all().for_each(change);
        self.publish(&ledgers);
    }

    /// Sets the LSNs for status updates. The caller holds the lock, so that they only grow.
    fn publish(&self, ledgers: &Ledgers) {
        let flushed = ledgers.flushed.acknowledged();
        let (written, applied) = match &ledgers.stages {
            Some(stages) => (stages.written.acknowledged(), stages.applied.acknowledged()),
            None => (flushed, flushed),
        };
        self.0.lsns.set(written, flushed, applied, ledgers.flushed.is_pending());
    }

    fn lock(&self) -> MutexGuard<'_, Ledgers> {
        // No code that holds the lock can panic half-way through a change.
        self.0.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledgers {
    fn all(&mut self) -> impl Iterator<Item = &mut Ledger> {
        let stages = self.stages.as_mut().map(|stages| [&mut stages.written, &mut stages.applied]);
        std::iter::once(&mut self.flushed).chain(stages.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests;
