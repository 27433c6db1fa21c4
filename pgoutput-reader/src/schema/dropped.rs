//! Tables that were dropped, and when their descriptions can be forgotten.
//!
//! The server describes a table once, so its description is kept as long as rows of it may arrive.
//! If a table is not in the catalogue at some LSN, no transaction that commits after that LSN has
//! rows of it.

use std::collections::BTreeSet;

use pgoutput_decode::{Lsn, Oid};

/// The number of descriptions that are kept without a check for dropped ones.
const UNCHECKED_LIMIT: usize = 256;

/// The safety margin in bytes. A standby shows a commit a moment before it reports that it has
/// replayed it, and a record may start after the header of a page.
const MARGIN: u64 = 8_192;

/// The dropped tables, and the counts that decide when to check again.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// The dropped tables, and the LSN from which that is certain.
    waiting: Option<(BTreeSet<Oid>, Lsn)>,
    /// The number of tables left after the last check.
    tables: usize,
    /// The number of types left after the last check.
    types: usize,
}

impl Dropped {
    /// Returns whether to check which tables were dropped: when there are twice as many as were
    /// left.
    pub(super) fn is_due(&self, tables: usize) -> bool {
        self.waiting.is_none() && is_twice(tables, self.tables)
    }

    /// Records that these tables do not exist at this LSN.
    pub(super) fn wait(&mut self, gone: BTreeSet<Oid>, lsn: Lsn) {
        self.waiting = Some((gone, lsn));
    }

    /// Keeps the table of this OID, which the stream describes: it may be a new one.
    pub(super) fn keep(&mut self, oid: Oid) {
        if let Some((gone, _)) = &mut self.waiting {
            gone.remove(&oid);
        }
    }

    /// Returns the tables to forget when a transaction with this commit LSN arrives.
    pub(super) fn take_dropped(&mut self, commit_lsn: Lsn) -> Option<BTreeSet<Oid>> {
        let is_passed = |(_, position): &mut (_, Lsn)| {
            commit_lsn.as_u64() > position.as_u64().saturating_add(MARGIN)
        };
        self.waiting.take_if(is_passed).map(|(gone, _)| gone)
    }

    /// Records the number of tables left.
    pub(super) fn checked_tables(&mut self, tables: usize) {
        self.tables = tables;
    }

    /// Returns whether to check which types are used: when there are twice as many as were left.
    pub(super) fn are_types_due(&self, types: usize) -> bool {
        is_twice(types, self.types)
    }

    /// Records the number of types left.
    pub(super) fn checked_types(&mut self, types: usize) {
        self.types = types;
    }
}

fn is_twice(count: usize, left: usize) -> bool {
    count >= UNCHECKED_LIMIT.max(left.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oids(oids: &[u32]) -> BTreeSet<Oid> {
        oids.iter().copied().map(Oid::new).collect()
    }

    #[test]
    fn a_dropped_table_is_kept_until_the_stream_is_beyond_the_drop() {
        let mut dropped = Dropped::default();
        dropped.wait(oids(&[1, 2]), Lsn::new(1_000_000));
        assert_eq!(dropped.take_dropped(Lsn::new(1_000_000 + MARGIN)), None);
        assert!(!dropped.is_due(usize::MAX), "one check at a time");
        assert_eq!(dropped.take_dropped(Lsn::new(1_000_001 + MARGIN)), Some(oids(&[1, 2])));
        assert_eq!(dropped.take_dropped(Lsn::MAX), None);
    }

    #[test]
    fn an_oid_that_is_described_again_is_kept() {
        let mut dropped = Dropped::default();
        dropped.wait(oids(&[1, 2]), Lsn::new(1));
        dropped.keep(Oid::new(1));
        assert_eq!(dropped.take_dropped(Lsn::MAX), Some(oids(&[2])));
    }

    #[test]
    fn checks_become_rarer_with_more_tables() {
        let mut dropped = Dropped::default();
        assert!(!dropped.is_due(UNCHECKED_LIMIT - 1) && dropped.is_due(UNCHECKED_LIMIT));
        dropped.checked_tables(5_000);
        assert!(!dropped.is_due(9_999) && dropped.is_due(10_000));
        assert!(dropped.are_types_due(UNCHECKED_LIMIT));
        dropped.checked_types(UNCHECKED_LIMIT);
        assert!(
            !dropped.are_types_due(2 * UNCHECKED_LIMIT - 1)
                && dropped.are_types_due(2 * UNCHECKED_LIMIT)
        );
    }
}
