//! The facts in the records that were read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pgoutput_decode::{Lsn, Oid, Relation};

use super::NOT_ITS_KIND;
use super::facts::{self, TableKey, key_of};
use super::played::{Ahead, Played};
use super::record::Kind;
use crate::error::CaptureError;
use crate::schema::{Facts, Need, TableDescription};

/// An answer of the catalogue that was recorded.
#[derive(Debug, Clone)]
struct Answer {
    kind: Kind,
    payload: Box<[u8]>,
}

/// The greatest number of bytes of answers between two messages that were not asked for.
const UNUSED_LIMIT: usize = 64 << 20;

/// The number of descriptions that are kept for each table.
const VERSIONS: usize = 4;

/// The facts of a capture: those after the last message, in order, and the last ones before it.
#[derive(Debug, Default)]
pub(crate) struct KnownFacts {
    unused: VecDeque<Answer>,
    unused_bytes: usize,
    tables: BTreeMap<Oid, Vec<KnownTable>>,
    money: Option<u8>,
}

#[derive(Debug)]
struct KnownTable {
    number: u32,
    table: Box<[u8]>,
    types: Option<Box<[u8]>>,
}

impl KnownFacts {
    /// Takes the facts that come next, without an answer to a need.
    pub(crate) fn pass(&mut self, played: &mut Played) -> Result<(), CaptureError> {
        while let Some(answer) = self.unused.pop_front() {
            self.know(answer);
        }
        self.unused_bytes = 0;
        while played.peek()? == Ahead::Facts {
            let answer = Answer::of(played.take_facts());
            self.know(answer);
        }
        Ok(())
    }

    /// Returns the answer to a need; `None` if the capture has none.
    pub(crate) fn answer(
        &mut self,
        need: &Need,
        played: &mut Played,
    ) -> Result<Option<Facts>, CaptureError> {
        let unused = self.unused.iter().position(|answer| answer.is_to(need));
        if let Some(answer) = unused.and_then(|index| self.unused.remove(index)) {
            self.unused_bytes -= answer.payload.len();
            return self.read(need, answer, played).map(Some);
        }
        while played.peek()? == Ahead::Facts {
            let answer = Answer::of(played.take_facts());
            if answer.is_to(need) {
                return self.read(need, answer, played).map(Some);
            }
            self.unused_bytes += answer.payload.len();
            self.unused.push_back(answer);
            if self.unused_bytes > UNUSED_LIMIT {
                return Err(played.corrupt("too many facts that nothing needs"));
            }
        }
        Ok(self.last(need))
    }

    fn read(
        &mut self,
        need: &Need,
        answer: Answer,
        played: &Played,
    ) -> Result<Facts, CaptureError> {
        let payload = &*answer.payload;
        let read = match need {
            Need::Table { relation, .. } => facts::table(payload, relation).map(Facts::Table),
            Need::Types { .. } => {
                facts::types(payload).map(|(queried_at, types)| Facts::Types { queried_at, types })
            }
            Need::MoneyDigits => facts::money(payload).map(Facts::MoneyDigits),
            Need::Dropped { .. } => facts::dropped(payload)
                .map(|(tables, answered_at)| Facts::Dropped { tables, answered_at }),
        };
        self.know(answer);
        read.ok_or_else(|| played.corrupt(NOT_ITS_KIND))
    }

    /// Records an answer as the last one.
    fn know(&mut self, answer: Answer) {
        let Answer { kind, payload } = answer;
        match kind {
            Kind::TABLE => {
                let Some((oid, number)) = facts::key(&payload) else { return };
                let versions = self.tables.entry(oid).or_default();
                versions.retain(|version| version.number != number);
                if versions.len() == VERSIONS {
                    versions.remove(0);
                }
                versions.push(KnownTable { number, table: payload, types: None });
            }
            Kind::TYPES => {
                let Some(key) = facts::key(&payload) else { return };
                if let Some(known) = self.table(key) {
                    known.types = Some(payload);
                }
            }
            Kind::MONEY => self.money = facts::money(&payload).or(self.money),
            _ => {}
        }
    }

    fn table(&mut self, (oid, number): TableKey) -> Option<&mut KnownTable> {
        self.tables.get_mut(&oid)?.iter_mut().find(|version| version.number == number)
    }

    /// Returns the last answer, as the capturing reader knew it.
    fn last(&mut self, need: &Need) -> Option<Facts> {
        Some(match need {
            Need::Table { relation, .. } => Facts::Table(self.last_table(relation)?),
            Need::Types { relation } => {
                // The capturing reader went on with what it knew. It may have a newer answer later.
                let types = self.last_table(relation)?.types;
                Facts::Types { queried_at: Lsn::ZERO, types }
            }
            Need::MoneyDigits => Facts::MoneyDigits(self.money?),
            Need::Dropped { .. } => {
                Facts::Dropped { tables: BTreeSet::new(), answered_at: Lsn::ZERO }
            }
        })
    }

    fn last_table(&mut self, relation: &Relation) -> Option<TableDescription> {
        let known = self.table(key_of(relation))?;
        let mut table = facts::table(&known.table, relation)?;
        if let Some((_, types)) = known.types.as_deref().and_then(facts::types) {
            table.types = types;
        }
        Some(table)
    }
}

impl Answer {
    fn of((kind, payload): (Kind, &[u8])) -> Self {
        Self { kind, payload: payload.into() }
    }

    fn is_to(&self, need: &Need) -> bool {
        match need {
            Need::Table { relation, .. } => {
                self.kind == Kind::TABLE && facts::key(&self.payload) == Some(key_of(relation))
            }
            Need::Types { relation } => {
                self.kind == Kind::TYPES && facts::key(&self.payload) == Some(key_of(relation))
            }
            Need::MoneyDigits => self.kind == Kind::MONEY,
            Need::Dropped { .. } => self.kind == Kind::DROPPED,
        }
    }
}
