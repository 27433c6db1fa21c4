//! The ledger of acknowledged events, and the LSN that follows from them.

use std::collections::{BTreeSet, VecDeque};

use pgoutput_decode::Lsn;

use crate::event::signature::Signature;

/// The ledger of one stage.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every event up to this delivery number is acknowledged.
    through: u64,
    /// The delivery numbers acknowledged out of order: all greater than `through + 1`.
    ahead: BTreeSet<u64>,
    /// LSNs that count as acknowledged once every event up to a number is. Both grow.
    boundaries: VecDeque<Boundary>,
    acknowledged: Lsn,
    /// The confirmed LSN of the slot at the start. Nothing before it is reported: some servers
    /// would move the slot back to it.
    floor: Lsn,
    /// The idle position that was acknowledged last: the number of the event before it, and its
    /// signature.
    idle: Option<(u64, Signature)>,
}

/// The LSN that is acknowledged once the first `delivered` events are.
#[derive(Debug)]
struct Boundary {
    delivered: u64,
    lsn: Lsn,
}

impl Ledger {
    /// Returns the acknowledged LSN; the server may discard everything before it.
    pub(super) fn acknowledged(&self) -> Lsn {
        self.acknowledged
    }

    /// Returns whether every event up to this delivery number is acknowledged.
    pub(super) fn is_acknowledged_through(&self, delivery: u64) -> bool {
        self.through >= delivery
    }

    /// Returns whether the acknowledged LSN will grow with acknowledgements to come.
    pub(super) fn is_pending(&self) -> bool {
        !self.boundaries.is_empty()
    }

    pub(super) fn acknowledge(&mut self, delivery: u64) {
        if delivery > self.through {
            self.ahead.insert(delivery);
            self.advance();
        }
    }

    pub(super) fn acknowledge_through(&mut self, delivery: u64) {
        if delivery > self.through {
            self.through = delivery;
            if !self.ahead.is_empty() {
                self.ahead = self.ahead.split_off(&(delivery + 1));
            }
            self.advance();
        }
    }

    pub(super) fn set_floor(&mut self, lsn: Lsn) {
        self.floor = lsn;
    }

    /// Acknowledges an idle position. Until the next event, the acknowledged LSN carries its
    /// signature.
    pub(super) fn acknowledge_idle(&mut self, delivered: u64, lsn: Lsn, signature: Signature) {
        if self.idle.is_none_or(|(after, _)| after <= delivered) {
            self.idle = Some((delivered, signature));
        }
        if delivered <= self.through {
            // Boundaries of later events may be waiting, and this one waits for none of them.
            self.acknowledged = self.acknowledged.max(lsn).max(self.floor);
        } else {
            self.add_boundary(delivered, lsn);
        }
    }

    /// Sets the acknowledged LSN that follows from the first `delivered` events, while nothing else
    /// came before `wal_end`: the last LSN before it that the newest of them signs.
    pub(super) fn add_idle_boundary(
        &mut self,
        delivered: u64,
        wal_end: Lsn,
        signature: Option<Signature>,
    ) {
        let idle =
            self.idle.filter(|(after, _)| *after == delivered).map(|(_, signature)| signature);
        let lsn = idle.or(signature).map_or(wal_end, |signature| signature.before(wal_end));
        self.add_boundary(delivered, lsn);
    }

    /// Sets the acknowledged LSN that follows from the first `delivered` events.
    pub(super) fn add_boundary(&mut self, delivered: u64, lsn: Lsn) {
        let lsn = lsn.max(self.floor);
        match self.boundaries.back_mut() {
            Some(last) if last.delivered == delivered => last.lsn = last.lsn.max(lsn),
            _ => self.boundaries.push_back(Boundary { delivered, lsn }),
        }
        self.advance();
    }

    fn advance(&mut self) {
        while self.ahead.first() == Some(&(self.through + 1)) {
            self.ahead.pop_first();
            self.through += 1;
        }
        while let Some(boundary) = self.boundaries.front()
            && boundary.delivered <= self.through
        {
            self.acknowledged = self.acknowledged.max(boundary.lsn);
            self.boundaries.pop_front();
        }
    }
}
