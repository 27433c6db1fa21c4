//! The signature of an event in the LSN that is confirmed after it.
//!
//! A server skips what was committed before the confirmed LSN and stores that LSN as it was
//! reported. Which of several LSNs between two records is confirmed makes no difference to it, and
//! LSNs of records are multiples of 8. So the choice can record which event was the last: see
//! docs/design/delivery.md.

use pgoutput_decode::Lsn;

use super::fnv::fnv;
use super::stream_identity::StreamIdentity;

/// The minimum length of a commit record, and of the record of a rollback of a prepared
/// transaction, with `wal_level` logical (PostgreSQL's `xact.h`, `xlogrecord.h`): 24 bytes of
/// header, 2 of the data's header, 8 of time, 4 of flags, 8 of the database, rounded up to 8.
pub(crate) const COMMIT_LEN: u64 = 48;

/// The distance between LSNs with the same signature.
const PERIOD: u64 = 1024;

/// The signature of one event of one slot: a hash of the cluster, the slot, the publications, the
/// commit LSN and the index. The timeline is left out: a position stays valid on a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signature(u64);

impl Signature {
    /// Creates the signature. `index` is that of the event in its transaction, if there is one.
    pub(crate) fn new(identity: &StreamIdentity, commit_lsn: Lsn, index: Option<u64>) -> Self {
        let hash = [identity.system_identifier, identity.publications, commit_lsn.as_u64()]
            .into_iter()
            .chain([u64::from(index.is_some()), index.unwrap_or_default()])
            .flat_map(u64::to_le_bytes)
            .chain(identity.slot.bytes());
        let hash = fnv(hash);
        // The low bits of this hash depend only on the low bits of the bytes.
        Self(hash ^ (hash >> 29))
    }

    /// Returns a number below `range` that is not a multiple of 8. `range` must be one.
    fn below(self, range: u64) -> u64 {
        let value = self.0 % (range / 8 * 7);
        value / 7 * 8 + value % 7 + 1
    }

    /// Returns the LSN to confirm for a transaction whose last event this is. It is inside the
    /// commit record, so that this transaction is not sent again and the next one is not skipped.
    pub(crate) fn after_commit(self, commit_lsn: Lsn) -> Lsn {
        Lsn::new(commit_lsn.as_u64() + self.below(COMMIT_LEN))
    }

    /// Returns the LSN to confirm if nothing more was sent before `wal_end`: the last one before it
    /// with this signature.
    pub(crate) fn before(self, wal_end: Lsn) -> Lsn {
        let (end, rest) = (wal_end.as_u64(), self.below(PERIOD));
        let start = end - end % PERIOD;
        let lsn =
            if start + rest < end { start + rest } else { (start + rest).saturating_sub(PERIOD) };
        Lsn::new(lsn)
    }

    /// Returns whether `confirmed` was confirmed after this event, which is in a transaction
    /// committed at `commit_lsn` or outside of one.
    pub(crate) fn is_in(self, confirmed: Lsn, commit_lsn: Lsn) -> bool {
        confirmed == self.after_commit(commit_lsn)
            || confirmed.as_u64() % PERIOD == self.below(PERIOD)
    }
}

/// Returns whether an LSN carries any event's signature.
pub(crate) fn is_signed(confirmed: Lsn) -> bool {
    !confirmed.as_u64().is_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Position;

    fn signature(index: u64) -> Signature {
        let text = format!("1:700:2:s:00000000000000aa:0/1000:{index}.");
        text.parse::<Position>().unwrap().signature()
    }

    /// Slots keep signatures for as long as nothing new is confirmed.
    #[test]
    fn signatures_are_the_same_in_every_release() {
        let numbers = [0, 1, 2].map(|index| signature(index).below(PERIOD));
        assert_eq!(numbers, [123, 761, 650]);
        let outside: Position = "1:700:2:s:00000000000000aa:0/1000:-.".parse().unwrap();
        assert_eq!(outside.signature().below(PERIOD), 333);
    }

    #[test]
    fn a_later_timeline_has_the_same_signature() {
        let later: Position = "1:700:3:s:00000000000000aa:0/1000:0.".parse().unwrap();
        assert_eq!(later.signature(), signature(0));
    }

    #[test]
    fn every_signed_lsn_is_signed_and_recognised() {
        let commit_lsn = Lsn::new(0x1000);
        for index in 0..2000 {
            let signature = signature(index);
            let after = signature.after_commit(commit_lsn);
            assert!(after > commit_lsn && after.as_u64() < commit_lsn.as_u64() + COMMIT_LEN);
            assert!(is_signed(after) && signature.is_in(after, commit_lsn));
            for end in (0x20_0000..0x20_0000 + 2 * PERIOD).step_by(8) {
                let lsn = signature.before(Lsn::new(end));
                assert!(lsn.as_u64() < end && end - lsn.as_u64() <= PERIOD);
                assert!(is_signed(lsn) && signature.is_in(lsn, commit_lsn));
            }
        }
        assert_eq!(signature(0).before(Lsn::ZERO), Lsn::ZERO);
    }

    #[test]
    fn about_one_in_nine_hundred_events_has_the_same_signature() {
        let (confirmed, commit_lsn) = (signature(0).before(Lsn::new(0x20_0000)), Lsn::new(0x1000));
        let same = (1..=90_000).filter(|index| signature(*index).is_in(confirmed, commit_lsn));
        let same = same.count();
        assert!((60..=150).contains(&same), "{same}");
        let confirmed = signature(0).after_commit(commit_lsn);
        let same = (1..=9_000).filter(|index| signature(*index).is_in(confirmed, commit_lsn));
        let same = same.count();
        assert!((150..=300).contains(&same), "{same}");
    }
}
