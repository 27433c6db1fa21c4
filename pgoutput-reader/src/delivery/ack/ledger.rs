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

    pub(super) fn floor(&self) -> Lsn {
        self.floor
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ReaderId, StreamIdentity};

    const EVENTS: u64 = 5;

    /// A ledger in which each event is a transaction of its own, ending at ten times its number.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for n in 1..=EVENTS {
            ledger.add_boundary(n, Lsn::new(n * 10));
        }
        ledger
    }

    fn acknowledged(ledger: &Ledger) -> u64 {
        ledger.acknowledged().as_u64()
    }

    #[test]
    fn an_event_that_is_acknowledged_twice_delays_no_later_one() {
        let mut ledger = ledger();
        ledger.acknowledge(1);
        ledger.acknowledge(1);
        ledger.acknowledge(2);
        assert_eq!(acknowledged(&ledger), 20);
    }

    #[test]
    fn events_acknowledged_out_of_order_are_forgotten_once_a_prefix_has_them() {
        let mut ledger = ledger();
        ledger.acknowledge(3);
        ledger.acknowledge_through(3);
        assert!(ledger.ahead.is_empty());
        for n in [5, 4] {
            ledger.acknowledge(n);
        }
        assert_eq!(acknowledged(&ledger), 50);
    }

    #[test]
    fn lsns_after_the_same_event_take_one_entry() {
        let mut ledger = ledger();
        for lsn in 50..1000 {
            ledger.add_boundary(EVENTS, Lsn::new(lsn));
        }
        assert_eq!(ledger.boundaries.len() as u64, EVENTS);
        ledger.acknowledge_through(EVENTS);
        assert_eq!(acknowledged(&ledger), 999);
    }

    #[test]
    fn an_idle_lsn_has_the_signature_of_the_newest_idle_position_or_event() {
        let slot = "s".into();
        let reader = ReaderId::unique();
        let identity = StreamIdentity {
            reader,
            system_identifier: 1,
            timeline: 1,
            slot,
            publications: 2,
            copied: None,
            known: None,
        };
        let signature = |lsn| Signature::new(&identity, Lsn::new(lsn), None);
        let (event, older, newer) = (signature(10), signature(15), signature(16));
        let end = Lsn::new(100_000);
        let lsns = [event, older, newer].map(|signature| signature.before(end));
        assert_eq!(BTreeSet::from(lsns).len(), 3);
        let mut ledger = ledger();
        ledger.acknowledge_through(EVENTS);
        ledger.acknowledge_idle(EVENTS - 1, Lsn::new(15), older);
        ledger.acknowledge_idle(EVENTS, Lsn::new(16), newer);
        ledger.add_idle_boundary(EVENTS, end, Some(event));
        assert_eq!(ledger.acknowledged(), newer.before(end));
        // An event has been delivered since.
        let end = Lsn::new(200_000);
        ledger.add_idle_boundary(EVENTS + 1, end, Some(event));
        ledger.acknowledge(EVENTS + 1);
        assert_eq!(ledger.acknowledged(), event.before(end));
    }
}
