//! Which events were taken, and the position that may be confirmed because of it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgoutput_decode::Lsn;

use crate::event::Position;

/// When an event counts as taken, so that the server may forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Acknowledge {
    /// When the next event is asked for.
    #[default]
    Automatic,
    /// When [`Acknowledger::acknowledge`] says so. What was not acknowledged is remembered, one small entry for each transaction.
    Manual,
    /// Never: the slot stays where it is, and the same changes come again next time.
    Never,
}

/// Tells a reader which events were taken; a handle that can be cloned and sent to other threads.
///
/// Events may be acknowledged in any order. Only whole transactions are confirmed to the server, and only
/// up to the first event that was not acknowledged; the server learns of it with the next status update.
///
/// ```
/// # fn f(mut reader: pgoutput_reader::Reader) -> Result<(), pgoutput_reader::Error> {
/// // The reader was made with `.acknowledge(Acknowledge::Manual)`.
/// let acknowledger = reader.acknowledger();
/// for event in &mut reader {
///     let event = event?;
///     // … store it …
///     acknowledger.acknowledge(event.position());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Acknowledger(Arc<Mutex<Ledger>>);

#[derive(Debug, Default)]
struct Ledger {
    /// Every event up to this delivery number was taken.
    taken: u64,
    /// Taken out of order: all greater than `taken + 1`.
    ahead: BTreeSet<u64>,
    /// Positions that may be confirmed as soon as every event up to a number was taken; both rise.
    marks: VecDeque<Mark>,
    confirmed: Lsn,
}

#[derive(Debug)]
struct Mark {
    delivered: u64,
    lsn: Lsn,
}

impl Acknowledger {
    /// This event was taken.
    pub fn acknowledge(&self, position: Position) {
        let mut ledger = self.lock();
        if position.delivery > ledger.taken {
            ledger.ahead.insert(position.delivery);
            ledger.settle();
        }
    }

    /// This event and every one before it were taken.
    pub fn acknowledge_through(&self, position: Position) {
        self.take_through(position.delivery);
    }

    /// The position that the server may forget everything before; `0/0` while nothing was confirmed.
    pub fn confirmed(&self) -> Lsn {
        self.lock().confirmed
    }

    pub(crate) fn take_through(&self, delivery: u64) {
        let mut ledger = self.lock();
        if delivery > ledger.taken {
            ledger.taken = delivery;
            if !ledger.ahead.is_empty() {
                ledger.ahead = ledger.ahead.split_off(&(delivery + 1));
            }
            ledger.settle();
        }
    }

    /// Whether every event up to this one was taken.
    pub(crate) fn has_taken(&self, delivery: u64) -> bool {
        self.lock().taken >= delivery
    }

    /// Whether there is a position that acknowledgements to come will confirm.
    pub(crate) fn is_owed(&self) -> bool {
        !self.lock().marks.is_empty()
    }

    /// Once all of the `delivered` events so far are taken, `lsn` may be confirmed.
    pub(crate) fn mark(&self, delivered: u64, lsn: Lsn) {
        let mut ledger = self.lock();
        match ledger.marks.back_mut() {
            Some(last) if last.delivered == delivered => last.lsn = last.lsn.max(lsn),
            _ => ledger.marks.push_back(Mark { delivered, lsn }),
        }
        ledger.settle();
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // No code that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn settle(&mut self) {
        while self.ahead.first() == Some(&(self.taken + 1)) {
            self.ahead.pop_first();
            self.taken += 1;
        }
        while let Some(mark) = self.marks.front()
            && mark.delivered <= self.taken
        {
            self.confirmed = self.confirmed.max(mark.lsn);
            self.marks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(delivery: u64) -> Position {
        Position { delivery, commit_lsn: Lsn::ZERO, index: 0 }
    }

    fn lsn(n: u64) -> Lsn {
        Lsn::new(n)
    }

    #[test]
    fn a_transaction_is_confirmed_only_whole() {
        let ack = Acknowledger::default();
        ack.acknowledge(at(1));
        ack.acknowledge(at(2));
        assert_eq!(ack.confirmed(), Lsn::ZERO);
        ack.mark(3, lsn(100));
        assert_eq!(ack.confirmed(), Lsn::ZERO);
        ack.acknowledge(at(3));
        assert_eq!(ack.confirmed(), lsn(100));
    }

    #[test]
    fn out_of_order_confirms_the_contiguous_prefix() {
        let ack = Acknowledger::default();
        for n in 1..=4 {
            ack.mark(n, lsn(n * 10));
        }
        for (n, confirmed) in [(3, 0), (2, 0), (1, 30), (4, 40)] {
            ack.acknowledge(at(n));
            assert_eq!(ack.confirmed(), lsn(confirmed), "after {n}");
        }
    }

    #[test]
    fn through_covers_what_was_before_and_what_waited_behind() {
        let ack = Acknowledger::default();
        for n in 1..=5 {
            ack.mark(n, lsn(n * 10));
        }
        ack.acknowledge(at(4));
        ack.acknowledge_through(at(3));
        assert_eq!(ack.confirmed(), lsn(40));
        ack.acknowledge_through(at(1));
        assert_eq!(ack.confirmed(), lsn(40));
    }

    #[test]
    fn an_idle_position_is_confirmed_at_once_when_all_is_taken() {
        let ack = Acknowledger::default();
        ack.mark(0, lsn(7));
        assert_eq!(ack.confirmed(), lsn(7));
        ack.mark(1, lsn(8));
        ack.mark(1, lsn(9));
        assert_eq!(ack.confirmed(), lsn(7));
        ack.acknowledge(at(1));
        assert_eq!(ack.confirmed(), lsn(9));
    }

    #[test]
    fn never_goes_back() {
        let ack = Acknowledger::default();
        ack.mark(0, lsn(9));
        ack.mark(0, lsn(3));
        assert_eq!(ack.confirmed(), lsn(9));
    }
}
