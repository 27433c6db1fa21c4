//! The columns and types of several tables, from one set of queries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgoutput_decode::{Lsn, Oid, Relation};

use crate::schema::{CatalogTypes, ColumnFacts, StreamTypes, TableDescription, not_built_in};

/// A column as the catalogue has it.
#[derive(Debug)]
pub(in crate::catalog) struct CatalogColumn {
    pub(in crate::catalog) name: Box<str>,
    pub(in crate::catalog) type_oid: Oid,
    pub(in crate::catalog) type_modifier: i32,
    pub(in crate::catalog) not_null: bool,
    /// Many columns have the same.
    pub(in crate::catalog) type_name: Option<Arc<str>>,
}

/// The columns of several tables, and their types.
#[derive(Debug)]
pub(in crate::catalog) struct Batch {
    /// A WAL position that the server had reached before it was queried.
    pub(in crate::catalog) queried_at: Lsn,
    /// By the table's oid; empty for a table that does not exist.
    pub(in crate::catalog) tables: BTreeMap<Oid, Box<[CatalogColumn]>>,
    pub(in crate::catalog) types: CatalogTypes,
}

impl Batch {
    pub(super) fn contains(&self, table: Oid) -> bool {
        self.tables.contains_key(&table)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The number of columns of all tables.
    pub(super) fn columns(&self) -> usize {
        self.tables.values().map(|columns| columns.len()).sum()
    }

    /// Takes the table out and describes it. `None` if the transaction with this commit LSN was
    /// committed after the query, or if the table looked different then.
    pub(super) fn take(
        &mut self,
        relation: &Relation,
        stream: &StreamTypes,
        commit_lsn: Lsn,
    ) -> Option<TableDescription> {
        let columns = self.tables.remove(&relation.oid())?;
        if commit_lsn >= self.queried_at {
            return None;
        }
        let by_name: BTreeMap<&str, &CatalogColumn> =
            columns.iter().map(|column| (&*column.name, column)).collect();
        let facts = relation.columns().iter().map(|sent| {
            let column = by_name.get(&*sent.name)?;
            let is_same =
                (column.type_oid, column.type_modifier) == (sent.type_oid, sent.type_modifier);
            is_same.then_some(ColumnFacts {
                type_name: column.type_name.as_deref(),
                not_null: Some(column.not_null),
            })
        });
        let facts: Vec<_> = facts.collect::<Option<_>>()?;
        Some(TableDescription::new(relation, facts, &self.types, stream))
    }
}

/// The types of these tables that are not built in.
pub(in crate::catalog) fn types_of_tables<'a>(
    tables: impl Iterator<Item = &'a Box<[CatalogColumn]>>,
) -> Vec<Oid> {
    let columns = tables.flat_map(|columns| columns.iter());
    let oids: BTreeSet<Oid> = columns.map(|column| column.type_oid).collect();
    not_built_in(oids.into_iter())
}
