//! Which events were taken, and the positions that may be told because of it.

mod ledger;

use std::borrow::Borrow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgoutput_decode::Lsn;

use crate::Error;
use crate::error::PositionError;
use crate::event::signature::Signature;
use crate::event::{Position, ReaderId};
use crate::stream::AcknowledgedLsns;
use ledger::Ledger;

/// When an event counts as taken, so that the server may forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Acknowledge {
    /// When the next event is asked for.
    #[default]
    Automatic,
    /// When [`Acknowledger::acknowledge`] says so. What was not acknowledged is remembered, one small entry for each transaction.
    /// A fast shutdown of the server waits for what was not acknowledged yet.
    Manual,
    /// As `Manual`, and the three positions of a status update are told apart: [`Acknowledger::acknowledge_stage`]. In the other modes what has
    /// arrived counts as written, and what was taken as flushed and applied.
    ///
    /// For a program that `synchronous_standby_names` names, by its `application_name`: commits then wait for it. A position that
    /// moved is told once a second at most, so such a commit may take that long. What is confirmed are the ends of commits, to the last byte, since that is
    /// what commits wait for. In the other modes this is so only if `synchronous_standby_names` named the program, or `*`, when it connected: restart it after a change.
    Stages,
    /// Never: the slot stays where it is, and the same changes come again next time.
    Never,
}

/// How far an event has come on its way; what each means to a server that waits for it is set by `synchronous_commit`
/// (manual, section "Synchronous Replication").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Received and written, so that it outlives this program: `synchronous_commit = remote_write` waits for it.
    /// `write_lsn` in `pg_stat_replication`.
    Written,
    /// On durable storage: `synchronous_commit = on` waits for it. Only this moves the slot. `flush_lsn` in `pg_stat_replication`.
    Flushed,
    /// Visible to whoever reads where it was written to: `synchronous_commit = remote_apply` waits for it.
    /// `replay_lsn` in `pg_stat_replication`.
    Applied,
}

/// Tells a reader which events were taken; a handle that can be cloned and sent to other threads.
///
/// Events may be acknowledged in any order. Only whole transactions are confirmed to the server, and only
/// up to the first event that was not acknowledged. The server learns of it within a second or a third of its `wal_sender_timeout`, whichever is
/// less, also while the reader's own thread is busy (unless [`heartbeat`](crate::ReaderBuilder::heartbeat) is off).
///
/// ```
/// # fn f(mut reader: pgoutput_reader::Reader) -> Result<(), pgoutput_reader::Error> {
/// // The reader was made with `.acknowledge(Acknowledge::Manual)`.
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
    ledgers: Mutex<Ledgers>,
    acknowledged: Arc<AcknowledgedLsns>,
}

#[derive(Debug, Default)]
struct Ledgers {
    flushed: Ledger,
    /// Under [`Acknowledge::Stages`].
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
        let acknowledged = Arc::new(AcknowledgedLsns::new(stages.is_some()));
        let ledgers = Mutex::new(Ledgers { flushed: Ledger::default(), stages });
        Self(Arc::new(SharedLedgers { reader, ledgers, acknowledged }))
    }

    /// This event was taken: written, flushed and applied.
    ///
    /// # Errors
    /// [`PositionError::NotDelivered`]: the position is of another reader, or was stored. Nothing is confirmed by it.
    pub fn acknowledge(&self, position: impl Borrow<Position>) -> Result<(), Error> {
        let position = position.borrow();
        let delivery = self.delivery(position)?;
        self.change(|ledger| take(ledger, position, delivery));
        Ok(())
    }

    /// This event and every one before it were taken.
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge).
    pub fn acknowledge_through(&self, position: impl Borrow<Position>) -> Result<(), Error> {
        let position = position.borrow();
        let delivery = self.delivery(position)?;
        self.change(|ledger| {
            ledger.take_through(delivery);
            take(ledger, position, delivery);
        });
        Ok(())
    }

    /// This event has come as far as `stage`, which says nothing of the other stages. For [`Acknowledge::Stages`].
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge), and [`PositionError::NoStages`] under another mode.
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
        take(ledger, position, delivery);
        self.tell(&ledgers);
        Ok(())
    }

    /// The position that the server may forget everything before; `0/0` while nothing was confirmed.
    pub fn confirmed(&self) -> Lsn {
        self.lock().flushed.confirmed()
    }

    pub(crate) fn take_through(&self, delivery: u64) {
        self.change(|ledger| ledger.take_through(delivery));
    }

    /// Whether every event up to this one was taken.
    pub(crate) fn has_taken(&self, delivery: u64) -> bool {
        self.lock().flushed.taken() >= delivery
    }

    /// Whether there is a position that acknowledgements to come will confirm.
    pub(crate) fn is_owed(&self) -> bool {
        self.lock().all().any(|ledger| ledger.is_owed())
    }

    /// Once all of the `delivered` events so far are taken, `lsn` may be confirmed.
    pub(crate) fn mark(&self, delivered: u64, lsn: Lsn) {
        self.change(|ledger| ledger.mark(delivered, lsn));
    }

    /// As [`mark`](Self::mark) for a moment when nothing more came before `wal_end`. `signature` is that of the newest event, if there is one.
    pub(crate) fn mark_idle(&self, delivered: u64, wal_end: Lsn, signature: Option<Signature>) {
        self.change(|ledger| ledger.mark_idle(delivered, wal_end, signature));
    }

    /// The slot is there already.
    pub(crate) fn found_at(&self, lsn: Lsn) {
        self.change(|ledger| ledger.set_floor(lsn));
    }

    pub(crate) fn reader(&self) -> ReaderId {
        self.0.reader
    }

    /// What a status update tells.
    pub(crate) fn acknowledged(&self) -> &Arc<AcknowledgedLsns> {
        &self.0.acknowledged
    }

    fn delivery(&self, position: &Position) -> Result<u64, Error> {
        position
            .delivery_of(self.0.reader)
            .ok_or_else(|| PositionError::NotDelivered { position: position.to_string() }.into())
    }

    fn change(&self, change: impl Fn(&mut Ledger)) {
        let mut ledgers = self.lock();
        ledgers.all().for_each(change);
        self.tell(&ledgers);
    }

    /// Under the lock, so that what is told only rises.
    fn tell(&self, ledgers: &Ledgers) {
        let flushed = ledgers.flushed.confirmed();
        let (written, applied) = match &ledgers.stages {
            Some(stages) => (stages.written.confirmed(), stages.applied.confirmed()),
            None => (flushed, flushed),
        };
        self.0.acknowledged.set(written, flushed, applied, ledgers.flushed.is_owed());
    }

    fn lock(&self) -> MutexGuard<'_, Ledgers> {
        // No code that holds the lock can panic half-way through a change.
        self.0.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(ledger: &mut Ledger, position: &Position, delivery: u64) {
    if position.is_idle() {
        ledger.take_idle(delivery, position.commit_lsn(), position.signature());
    } else {
        ledger.take(delivery);
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
