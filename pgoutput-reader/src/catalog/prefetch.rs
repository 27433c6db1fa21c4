//! Descriptions of many tables, queried before their changes come.
//!
//! After a connect, or with a backlog, the first changes of many tables come in a short time, and a
//! query for each would take most of it. So when several were described one by one, the next query
//! is for the missed table and further tables of the publications. Its answer holds only for what
//! was committed before the query, and for tables that still look the same.

mod batch;

use std::collections::VecDeque;

use pgoutput_decode::{Lsn, Oid, Relation};

use crate::schema::{StreamTypes, TableDescription};
pub(super) use batch::{Batch, CatalogColumn, types_of_tables};

/// The greatest number of tables that one query describes.
const TABLES: usize = 1_000;

/// The greatest number of columns that they have together; a single table may have more.
const COLUMNS: usize = 20_000;

/// The greatest number of columns that are held for tables not needed yet.
const COLUMN_LIMIT: usize = 100_000;

/// The number of tables that are described one by one first.
const SINGLE_LOOKUPS: usize = 4;

/// A table of the publications, whose changes may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) oid: Oid,
    /// The number of its columns.
    pub(super) columns: u16,
}

/// The action for a table of which no facts are held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// Query it alone.
    Alone,
    /// The same, and query the server's WAL end: tables of what was committed before it count.
    AloneAndWalEnd,
    /// Query it and others.
    Batch,
}

/// The description that is held of a table.
#[derive(Debug)]
pub(super) enum Taken {
    Found(TableDescription),
    /// The table was queried, but the answer cannot be used.
    Useless,
    /// The table was not queried.
    Missed,
}

#[derive(Debug, Default)]
pub(super) struct Prefetch {
    batches: VecDeque<Batch>,
    /// Tables of the publications that were not queried yet, by oid.
    candidates: Vec<Candidate>,
    /// The number of them when they were listed last.
    listed: Option<usize>,
    /// The number of tables missed since then that are not among them.
    unlisted: usize,
    /// The number of tables missed of those committed before `until`, or before that was known.
    misses: usize,
    until: Lsn,
    /// Whether the server has refused a batch: from then on every table is queried alone.
    is_refused: bool,
}

impl Prefetch {
    /// Takes the facts held about the table, if they are valid for a transaction with this commit
    /// LSN.
    pub(super) fn take(
        &mut self,
        relation: &Relation,
        stream: &StreamTypes,
        commit_lsn: Lsn,
    ) -> Taken {
        let holds = |batch: &Batch| batch.contains(relation.oid());
        let Some(index) = self.batches.iter().position(holds) else { return Taken::Missed };
        let Some(batch) = self.batches.get_mut(index) else { return Taken::Missed };
        let description = batch.take(relation, stream, commit_lsn);
        if batch.is_empty() {
            self.batches.remove(index);
        }
        description.map_or(Taken::Useless, Taken::Found)
    }

    /// Records that a table was missed, of a transaction with this commit LSN.
    pub(super) fn miss(&mut self, commit_lsn: Lsn) -> Miss {
        if self.is_refused {
            return Miss::Alone;
        }
        if commit_lsn < self.until {
            self.misses += 1;
            return if self.misses > SINGLE_LOOKUPS { Miss::Batch } else { Miss::Alone };
        }
        // The stream has caught up, so held facts cannot be used.
        if !self.until.is_zero() {
            (self.until, self.misses) = (Lsn::ZERO, 0);
            self.batches.clear();
        }
        self.misses += 1;
        if self.misses < SINGLE_LOOKUPS {
            return Miss::Alone;
        }
        self.misses = 0;
        Miss::AloneAndWalEnd
    }

    /// Records that the server has reached this position.
    pub(super) fn reached(&mut self, position: Lsn) {
        self.until = position;
    }

    /// Returns whether to list the tables of the publications before others are queried with this
    /// one. A list takes about as long as queries for a hundredth of its tables, one by one.
    pub(super) fn is_list_due(&mut self, missed: Oid) -> bool {
        let is_listed = self.candidates.binary_search_by_key(&missed, |table| table.oid).is_ok();
        self.unlisted += usize::from(!is_listed);
        self.listed.is_none_or(|listed| self.unlisted >= SINGLE_LOOKUPS.max(listed / 16))
    }

    /// Lists the tables again before the next batch.
    pub(super) fn list_again(&mut self) {
        self.listed = None;
    }

    /// Stores the tables of the publications.
    pub(super) fn list(&mut self, mut candidates: Vec<Candidate>) {
        candidates.sort_unstable_by_key(|table| table.oid);
        candidates.dedup_by_key(|table| table.oid);
        (self.listed, self.unlisted) = (Some(candidates.len()), 0);
        self.candidates = candidates;
    }

    /// Picks the missed table and those that follow it, which are no longer candidates.
    pub(super) fn pick(&mut self, missed: Oid, is_described: &dyn Fn(Oid) -> bool) -> Vec<Oid> {
        let (mut picked, mut columns) = (vec![missed], 0_usize);
        let start = self.candidates.partition_point(|table| table.oid < missed);
        // Wraps around at the end: the next tables may have any oid.
        self.candidates.rotate_left(start);
        let mut count = 0;
        for table in &self.candidates {
            columns += usize::from(table.columns);
            if picked.len() >= TABLES || columns > COLUMNS {
                break;
            }
            count += 1;
            if table.oid != missed && !is_described(table.oid) && !self.holds(table.oid) {
                picked.push(table.oid);
            }
        }
        self.candidates.drain(..count);
        self.candidates.sort_unstable_by_key(|table| table.oid);
        picked
    }

    fn holds(&self, oid: Oid) -> bool {
        self.batches.iter().any(|batch| batch.contains(oid))
    }

    /// Stores a batch, and discards the oldest ones if too much is held.
    pub(super) fn add(&mut self, batch: Batch) {
        self.until = self.until.max(batch.queried_at);
        self.batches.push_back(batch);
        while self.batches.len() > 1
            && self.batches.iter().map(Batch::columns).sum::<usize>() > COLUMN_LIMIT
        {
            self.batches.pop_front();
        }
    }

    /// Records that the server has refused a batch.
    pub(super) fn refuse(&mut self) {
        *self = Self { is_refused: true, ..Self::default() };
    }
}

#[cfg(test)]
mod tests;
