//! The description of each table that was delivered last, to find out how the next one differs.
//!
//! These outlive the streams: each stream describes its tables from the beginning.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use pgoutput_decode::{Oid, Relation};

use super::{SchemaDifference, Schemas, TableDescription};
use crate::event::{SchemaChange, Shared, TableSchema};

/// The last version of each table.
#[derive(Debug)]
pub(super) struct Versions {
    tables: BTreeMap<Oid, Version>,
    /// The number of versions with facts of the catalogue, and its limit.
    described: usize,
    max_described: usize,
}

/// A version of a table.
#[derive(Debug)]
struct Version {
    relation: Arc<Relation>,
    /// With the facts of the catalogue; `None` if these are not known.
    schema: Option<Arc<Shared<TableSchema>>>,
    /// Whether this run delivered an event with it. Otherwise the stream has only repeated one of
    /// an earlier run.
    is_delivered: bool,
}

/// How the description of a table compares with that of the events before.
#[derive(Debug)]
pub(crate) enum Novelty {
    /// It is the same.
    Known,
    /// This run has delivered no event of the table, and no change is known.
    First,
    Changed(Box<SchemaChange>),
}

impl Versions {
    pub(super) fn new(max_described: usize) -> Self {
        Self { tables: BTreeMap::new(), described: 0, max_described }
    }

    pub(super) fn len(&self) -> usize {
        self.tables.len()
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = Oid> {
        self.tables.keys().copied()
    }

    pub(super) fn remove(&mut self, oid: Oid) {
        if let Some(Version { schema: Some(_), .. }) = self.tables.remove(&oid) {
            self.described -= 1;
        }
    }

    /// Records the description of an event that an earlier run delivered. What this run delivered
    /// stays: it is newer.
    fn repeated(&mut self, relation: &Arc<Relation>) {
        let version =
            || Version { relation: Arc::clone(relation), schema: None, is_delivered: false };
        match self.tables.entry(relation.oid()) {
            Entry::Vacant(entry) => drop(entry.insert(version())),
            Entry::Occupied(mut entry) if !entry.get().is_delivered => {
                entry.insert(version());
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Records the description of an event that is delivered. Returns the version before, unless it
    /// is this one.
    fn replace(&mut self, table: &Arc<Shared<TableSchema>>) -> Replaced {
        let (oid, relation) = (table.relation.oid(), Arc::clone(&table.relation));
        let version = Version { relation, schema: Some(Arc::clone(table)), is_delivered: true };
        let before = match self.tables.entry(oid) {
            Entry::Vacant(entry) => {
                entry.insert(version);
                Replaced::Nothing
            }
            Entry::Occupied(mut entry) => {
                let before = entry.get_mut();
                let is_this = |schema| Arc::ptr_eq(schema, table);
                if before.is_delivered && before.schema.as_ref().is_some_and(is_this) {
                    return Replaced::Same;
                }
                Replaced::Version(std::mem::replace(before, version))
            }
        };
        if !matches!(before, Replaced::Version(Version { schema: Some(_), .. })) {
            self.described += 1;
            if self.described > self.max_described {
                // What the stream said of the tables is kept.
                self.tables.values_mut().for_each(|version| version.schema = None);
                self.described = 0;
            }
        }
        before
    }
}

/// The result of recording a version.
enum Replaced {
    Nothing,
    Same,
    Version(Version),
}

impl Schemas {
    /// Records that the stream repeats an event of this table that an earlier run delivered.
    pub(crate) fn repeated(&mut self, oid: Oid) {
        if let Some(relation) = self.relations.get(oid) {
            self.versions.repeated(relation);
        }
    }

    /// Records that an event with this description is about to be delivered, and compares it with
    /// the one before.
    pub(crate) fn delivering(&mut self, table: &Arc<Shared<TableSchema>>) -> Novelty {
        let before = match self.versions.replace(table) {
            Replaced::Nothing => return Novelty::First,
            Replaced::Same => return Novelty::Known,
            Replaced::Version(before) => before,
        };
        if *before.relation != *table.relation {
            let difference = SchemaDifference::between(&before.relation, &table.relation);
            if !difference.is_empty() {
                let before = before.schema.unwrap_or_else(|| self.by_stream(&before.relation));
                let change = SchemaChange::new(before, Arc::clone(table), difference);
                return Novelty::Changed(Box::new(change));
            }
        }
        if before.is_delivered { Novelty::Known } else { Novelty::First }
    }

    /// Describes a table without facts from the catalogue.
    fn by_stream(&self, relation: &Arc<Relation>) -> Arc<Shared<TableSchema>> {
        let description = TableDescription::by_stream(relation, &self.types);
        Shared::new(self.schema(relation, description))
    }
}

#[cfg(test)]
mod tests;
