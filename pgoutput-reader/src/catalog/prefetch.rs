//! Descriptions of many tables, queried before their changes come.
//!
//! After a connect, or with a backlog, the first changes of many tables come in a short time, and a
//! query for each would take most of it. So when several were described one by one, the next query
//! is for the missed table and further tables of the publications. What it brings holds only for
//! what was committed before it was asked, and for tables that still look the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use pgoutput_decode::{Lsn, Oid, Relation};

use super::table_batch::Candidate;
use super::type_descriptions::describe;
use super::types::{Entries, wanted};
use super::{Described, StreamTypes, column_schemas};

/// How many tables are described with one query.
const TABLES: usize = 1_000;

/// How many columns they have together at most; a single table may have more.
const COLUMNS: usize = 20_000;

/// How many columns of tables that nobody needed yet are held.
const HELD: usize = 100_000;

/// The number of tables that are described one by one first.
const MISSES: usize = 4;

/// One attribute as the catalogue has it.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: Box<str>,
    pub(super) type_oid: Oid,
    pub(super) type_modifier: i32,
    pub(super) not_null: bool,
    /// Many columns have the same.
    pub(super) type_name: Option<Arc<str>>,
}

/// The answer to one question.
#[derive(Debug)]
pub(super) struct Batch {
    /// A position that the server had reached before it was asked.
    pub(super) asked_at: Lsn,
    /// Empty for a table that is not there.
    pub(super) tables: BTreeMap<Oid, Box<[Fact]>>,
    pub(super) types: Entries,
}

/// What to do about a table of which nothing is held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// Query it alone.
    Alone,
    /// The same, and ask how far the server has come: what is committed before that counts.
    AskPosition,
    /// Query it and others.
    Batch,
}

/// What is held of a table.
#[derive(Debug)]
pub(super) enum Taken {
    Found(Described),
    /// The table was queried, but the answer is of no use.
    Useless,
    /// The table was not queried.
    Missed,
}

#[derive(Debug, Default)]
pub(super) struct Prefetch {
    batches: VecDeque<Batch>,
    /// Tables of the publications that were not queried yet, by oid.
    candidates: Vec<Candidate>,
    /// How many there were when they were listed last.
    listed: Option<usize>,
    /// How many tables were missed since then that are not among them.
    unlisted: usize,
    /// How many tables were missed of those committed before `until`, or before that was known.
    misses: usize,
    until: Lsn,
    /// The server refused: then every table is queried alone.
    is_refused: bool,
}

impl Prefetch {
    /// Takes what is held of the table, if it holds for a transaction that was committed there.
    pub(super) fn take(&mut self, table: &Relation, said: &StreamTypes, commit_lsn: Lsn) -> Taken {
        let oid = table.oid();
        let Some(index) = self.batches.iter().position(|batch| batch.tables.contains_key(&oid))
        else {
            return Taken::Missed;
        };
        let Some(batch) = self.batches.get_mut(index) else { return Taken::Missed };
        let facts = batch.tables.remove(&oid).unwrap_or_default();
        let described = (commit_lsn < batch.asked_at)
            .then(|| from_facts(table, &facts, &batch.types, said))
            .flatten();
        if batch.tables.is_empty() {
            self.batches.remove(index);
        }
        described.map_or(Taken::Useless, Taken::Found)
    }

    /// A table was missed, of a transaction that was committed there.
    pub(super) fn miss(&mut self, commit_lsn: Lsn) -> Miss {
        if self.is_refused {
            return Miss::Alone;
        }
        if commit_lsn < self.until {
            self.misses += 1;
            return if self.misses > MISSES { Miss::Batch } else { Miss::Alone };
        }
        // The stream has caught up: nothing that is held will be of use.
        if !self.until.is_zero() {
            (self.until, self.misses) = (Lsn::ZERO, 0);
            self.batches.clear();
        }
        self.misses += 1;
        if self.misses < MISSES {
            return Miss::Alone;
        }
        self.misses = 0;
        Miss::AskPosition
    }

    /// The server has come to this position.
    pub(super) fn reached(&mut self, position: Lsn) {
        self.until = position;
    }

    /// Whether to list the tables of the publications before others are queried with this one. It
    /// costs about what a hundredth of them costs when queried one by one.
    pub(super) fn is_list_due(&mut self, missed: Oid) -> bool {
        let is_listed = self.candidates.binary_search_by_key(&missed, |table| table.oid).is_ok();
        self.unlisted += usize::from(!is_listed);
        self.listed.is_none_or(|listed| self.unlisted >= MISSES.max(listed / 16))
    }

    pub(super) fn list_again(&mut self) {
        self.listed = None;
    }

    pub(super) fn list(&mut self, mut candidates: Vec<Candidate>) {
        candidates.sort_unstable_by_key(|table| table.oid);
        candidates.dedup_by_key(|table| table.oid);
        (self.listed, self.unlisted) = (Some(candidates.len()), 0);
        self.candidates = candidates;
    }

    /// The missed table and those that follow it, which are no candidates any more.
    pub(super) fn pick(&mut self, missed: Oid, is_known: &dyn Fn(Oid) -> bool) -> Vec<Oid> {
        let (mut picked, mut columns) = (vec![missed], 0_usize);
        let start = self.candidates.partition_point(|table| table.oid < missed);
        // Around the end to the beginning: what was missed tells nothing of what comes.
        self.candidates.rotate_left(start);
        let mut count = 0;
        for table in &self.candidates {
            columns += usize::from(table.columns);
            if picked.len() >= TABLES || columns > COLUMNS {
                break;
            }
            count += 1;
            if table.oid != missed && !is_known(table.oid) && !self.holds(table.oid) {
                picked.push(table.oid);
            }
        }
        self.candidates.drain(..count);
        self.candidates.sort_unstable_by_key(|table| table.oid);
        picked
    }

    fn holds(&self, oid: Oid) -> bool {
        self.batches.iter().any(|batch| batch.tables.contains_key(&oid))
    }

    pub(super) fn add(&mut self, batch: Batch) {
        self.until = self.until.max(batch.asked_at);
        self.batches.push_back(batch);
        let columns = |batch: &Batch| batch.tables.values().map(|facts| facts.len()).sum::<usize>();
        while self.batches.len() > 1 && self.batches.iter().map(columns).sum::<usize>() > HELD {
            self.batches.pop_front();
        }
    }

    pub(super) fn refuse(&mut self) {
        *self = Self { is_refused: true, ..Self::default() };
    }
}

/// `None` if the table looked different when it was queried.
fn from_facts(
    table: &Relation,
    facts: &[Fact],
    types: &Entries,
    said: &StreamTypes,
) -> Option<Described> {
    let by_name: BTreeMap<&str, &Fact> = facts.iter().map(|fact| (&*fact.name, fact)).collect();
    let columns = table.columns().iter().map(|column| {
        let fact = by_name.get(&*column.name)?;
        let is_same =
            (fact.type_oid, fact.type_modifier) == (column.type_oid, column.type_modifier);
        is_same.then_some((fact.type_name.as_deref(), Some(fact.not_null)))
    });
    let facts: Vec<_> = columns.collect::<Option<_>>()?;
    let of_columns = wanted(table.columns().iter().map(|column| column.type_oid));
    let types = describe(&of_columns, types, said);
    let columns = column_schemas(table, facts, said, &types.gone);
    Some(Described { columns, types })
}

/// The types of these tables that are not built in.
pub(super) fn types_of<'a>(tables: impl Iterator<Item = &'a Box<[Fact]>>) -> Vec<Oid> {
    let oids: BTreeSet<Oid> =
        tables.flat_map(|facts| facts.iter()).map(|fact| fact.type_oid).collect();
    wanted(oids.into_iter())
}

#[cfg(test)]
mod tests;
