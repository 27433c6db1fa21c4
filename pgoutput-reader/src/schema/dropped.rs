//! When tables that were dropped can be forgotten.
//!
//! The server describes a table once, so what it said is kept as long as rows of the table may come.
//! Of a table that is not in the catalogue at some position, none come of transactions that are
//! committed beyond that position.

use std::collections::BTreeSet;

use pgoutput_decode::{Lsn, Oid};

/// Up to so many are kept without a look at which of them are gone.
const FEW: usize = 256;

/// A standby shows what was committed a moment before it says that it has replayed that, and a
/// record may start behind the header of a page.
const MARGIN: u64 = 8_192;

#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// Those that are gone, and the position from which on that is certain.
    waiting: Option<(BTreeSet<Oid>, Lsn)>,
    /// How many tables were left after the last time.
    tables: usize,
    types: usize,
}

impl Dropped {
    /// Whether to look which of so many tables are gone: when there are twice as many as were left.
    pub(super) fn is_due(&self, tables: usize) -> bool {
        self.waiting.is_none() && is_twice(tables, self.tables)
    }

    /// These are gone at this position.
    pub(super) fn wait(&mut self, gone: BTreeSet<Oid>, position: Lsn) {
        self.waiting = Some((gone, position));
    }

    /// The stream describes a table of this oid, which may be another one.
    pub(super) fn is_back(&mut self, oid: Oid) {
        if let Some((gone, _)) = &mut self.waiting {
            gone.remove(&oid);
        }
    }

    /// Those to be forgotten now that a transaction comes that was committed there.
    pub(super) fn passed(&mut self, commit_lsn: Lsn) -> Option<BTreeSet<Oid>> {
        let is_passed = |(_, position): &mut (_, Lsn)| {
            commit_lsn.as_u64() > position.as_u64().saturating_add(MARGIN)
        };
        self.waiting.take_if(is_passed).map(|(gone, _)| gone)
    }

    /// So many tables are left.
    pub(super) fn done(&mut self, tables: usize) {
        self.tables = tables;
    }

    /// The same of types.
    pub(super) fn are_types_due(&self, types: usize) -> bool {
        is_twice(types, self.types)
    }

    pub(super) fn types_done(&mut self, types: usize) {
        self.types = types;
    }
}

fn is_twice(count: usize, left: usize) -> bool {
    count >= FEW.max(left.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oids(oids: &[u32]) -> BTreeSet<Oid> {
        oids.iter().copied().map(Oid::new).collect()
    }

    #[test]
    fn what_is_gone_is_kept_until_the_stream_is_past_that() {
        let mut dropped = Dropped::default();
        dropped.wait(oids(&[1, 2]), Lsn::new(1_000_000));
        assert_eq!(dropped.passed(Lsn::new(1_000_000 + MARGIN)), None);
        assert!(!dropped.is_due(usize::MAX), "one question at a time");
        assert_eq!(dropped.passed(Lsn::new(1_000_001 + MARGIN)), Some(oids(&[1, 2])));
        assert_eq!(dropped.passed(Lsn::MAX), None);
    }

    #[test]
    fn an_oid_that_comes_again_is_kept() {
        let mut dropped = Dropped::default();
        dropped.wait(oids(&[1, 2]), Lsn::new(1));
        dropped.is_back(Oid::new(1));
        assert_eq!(dropped.passed(Lsn::MAX), Some(oids(&[2])));
    }

    #[test]
    fn questions_are_as_rare_as_there_are_tables() {
        let mut dropped = Dropped::default();
        assert!(!dropped.is_due(FEW - 1) && dropped.is_due(FEW));
        dropped.done(5_000);
        assert!(!dropped.is_due(9_999) && dropped.is_due(10_000));
        assert!(dropped.are_types_due(FEW));
        dropped.types_done(FEW);
        assert!(!dropped.are_types_due(2 * FEW - 1) && dropped.are_types_due(2 * FEW));
    }
}
