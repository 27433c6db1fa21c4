//! Which events were taken, by their numbers, and up to where everything was.

use std::collections::{BTreeSet, VecDeque};

use pgoutput_decode::Lsn;

use crate::event::signature::Signature;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every event up to this delivery number was taken.
    taken: u64,
    /// Taken out of order: all greater than `taken + 1`.
    ahead: BTreeSet<u64>,
    /// Positions that may be confirmed as soon as every event up to a number was taken; both rise.
    marks: VecDeque<Mark>,
    confirmed: Lsn,
    /// Where the slot was found: nothing before it is confirmed, since some servers would go back.
    floor: Lsn,
    /// The idle moment that was acknowledged last, by the event before it.
    idle: Option<(u64, Signature)>,
}

#[derive(Debug)]
struct Mark {
    delivered: u64,
    lsn: Lsn,
}

impl Ledger {
    /// Everything before it may be forgotten.
    pub(super) fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// Every event up to this one was taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether there is a position that will be confirmed by what is still to be taken.
    pub(super) fn is_owed(&self) -> bool {
        !self.marks.is_empty()
    }

    pub(super) fn take(&mut self, delivery: u64) {
        if delivery > self.taken {
            self.ahead.insert(delivery);
            self.settle();
        }
    }

    pub(super) fn take_through(&mut self, delivery: u64) {
        if delivery > self.taken {
            self.taken = delivery;
            if !self.ahead.is_empty() {
                self.ahead = self.ahead.split_off(&(delivery + 1));
            }
            self.settle();
        }
    }

    pub(super) fn set_floor(&mut self, lsn: Lsn) {
        self.floor = lsn;
    }

    /// An idle moment was acknowledged: until the next event, what is confirmed is signed by it.
    pub(super) fn take_idle(&mut self, delivered: u64, lsn: Lsn, signature: Signature) {
        self.idle = Some((delivered, signature));
        self.mark(delivered, lsn);
    }

    /// Once all of the `delivered` events so far are taken, the server may forget what is before `wal_end`: up to
    /// the last LSN that is signed by the newest of them.
    pub(super) fn mark_idle(&mut self, delivered: u64, wal_end: Lsn, signature: Option<Signature>) {
        let idle =
            self.idle.filter(|(after, _)| *after == delivered).map(|(_, signature)| signature);
        let lsn = idle.or(signature).map_or(wal_end, |signature| signature.before(wal_end));
        self.mark(delivered, lsn);
    }

    /// Once all of the `delivered` events so far are taken, `lsn` may be confirmed.
    pub(super) fn mark(&mut self, delivered: u64, lsn: Lsn) {
        let lsn = lsn.max(self.floor);
        match self.marks.back_mut() {
            Some(last) if last.delivered == delivered => last.lsn = last.lsn.max(lsn),
            _ => self.marks.push_back(Mark { delivered, lsn }),
        }
        self.settle();
    }

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
