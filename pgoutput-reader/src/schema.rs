//! The tables of a stream: versions of their schemas as the stream describes them, and drift of
//! their types, which it does not report.
//!
//! Nothing here queries the catalogue. A fact that only the catalogue has is a [`Need`]; the caller
//! answers it with [`Facts`] and looks up the table again.

mod arrivals;
mod catalog_types;
mod difference;
mod drift;
mod dropped;
mod money;
mod need;
mod stream_types;
mod table;
mod table_description;
mod type_descriptions;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgoutput_decode::message::{RelationBody, TypeBody};
#[cfg(feature = "json")]
use pgoutput_decode::value::JsonOptions;
use pgoutput_decode::{Lsn, Oid, Relation, Relations, TupleData};

use crate::error::StreamError;
use crate::event::{Shared, TableSchema};
use arrivals::{Arrivals, Described, Description};
pub(crate) use catalog_types::{
    CatalogType, CatalogTypeKind, CatalogTypes, MAX_DEPTH, not_built_in,
};
pub use difference::{Changed, ColumnAt, SchemaDifference};
use dropped::Dropped;
pub(crate) use need::{Facts, Need};
pub(crate) use stream_types::StreamTypes;
use table::Table;
pub(crate) use table_description::{ColumnFacts, TableDescription, types_of};
pub(crate) use type_descriptions::{Types, describe};
pub(crate) use versions::Novelty;
use versions::Versions;

/// The tables that a replication stream has described since it started.
#[derive(Debug)]
pub(crate) struct Schemas {
    database: Arc<str>,
    relations: Relations,
    types: StreamTypes,
    arrivals: Arrivals,
    tables: BTreeMap<Oid, Table>,
    /// The greatest number of tables kept with their descriptions from the catalogue.
    max_tables: usize,
    /// The descriptions that were delivered. They stay when a new stream starts.
    versions: Versions,
    dropped: Dropped,
    money_digits: Option<u8>,
    #[cfg(feature = "json")]
    json_options: JsonOptions,
}

/// The result of looking up a table.
#[derive(Debug)]
pub(crate) enum Lookup {
    Found(Arc<Shared<TableSchema>>),
    /// Look it up again after answering this.
    Needs(Need),
}

impl Schemas {
    /// Schemas of tables in `database`. At most `max_tables` are kept with their descriptions.
    pub(crate) fn new(database: &str, max_tables: usize) -> Self {
        Self {
            database: database.into(),
            relations: Relations::new(),
            types: StreamTypes::default(),
            arrivals: Arrivals::default(),
            tables: BTreeMap::new(),
            max_tables,
            versions: Versions::new(max_tables),
            dropped: Dropped::default(),
            money_digits: None,
            #[cfg(feature = "json")]
            json_options: JsonOptions::default(),
        }
    }

    /// Sets how the values of these tables are written as JSON.
    #[cfg(feature = "json")]
    pub(crate) fn with_json_options(mut self, options: JsonOptions) -> Self {
        self.json_options = options;
        self
    }

    /// Forgets everything that a stream said: a new one describes every table and type again, and
    /// may come from another server. What was delivered is kept, to find changes of it.
    pub(crate) fn restart(&mut self) {
        self.relations = Relations::new();
        self.types.clear();
        self.arrivals = Arrivals::default();
        self.tables.clear();
        self.dropped = Dropped::default();
        self.money_digits = None;
    }

    /// Processes a Relation message with its place in the order of arrival.
    pub(crate) fn relation(&mut self, body: &RelationBody<'_>, order: u64) {
        let before = || self.relations.get(body.oid).cloned().map(Description::Table);
        self.arrivals.arrived(Described::Table(body.oid), order, before);
        self.relations.update(body);
        self.dropped.keep(body.oid);
    }

    /// Processes a Type message with its place in the order of arrival.
    pub(crate) fn named_type(&mut self, body: &TypeBody<'_>, order: u64) {
        let before = || self.types.get(body.oid).cloned().map(Description::Type);
        self.arrivals.arrived(Described::Type(body.oid), order, before);
        self.types.insert(body);
    }

    /// Starts the replay of a transaction whose messages arrived earlier, in chunks.
    pub(crate) fn start_replay(&mut self) {
        self.arrivals.start_replay();
    }

    /// Ends the replay. The descriptions of the transaction stay, as the server does not repeat
    /// them, except where another one had arrived after them.
    pub(crate) fn end_replay(&mut self) {
        for (described, description) in self.arrivals.end_replay() {
            match (described, description) {
                (_, Description::Table(relation)) => drop(self.relations.insert(relation)),
                (Described::Type(oid), Description::Type(named)) => self.types.set(oid, named),
                (Described::Table(_), Description::Type(_)) => {}
            }
        }
    }

    /// The types that Type messages have named.
    pub(crate) fn stream_types(&self) -> &StreamTypes {
        &self.types
    }

    /// Returns whether the table is kept with its description.
    pub(crate) fn is_described(&self, oid: Oid) -> bool {
        self.tables.contains_key(&oid)
    }

    /// Looks up the schema of a table for `rows` of a transaction that committed at `commit_lsn`.
    ///
    /// Composite types may have been altered since they were described, which the stream does not
    /// report: if a value of `rows` does not fit, their descriptions are needed again.
    ///
    /// # Errors
    /// [`StreamError::UnknownRelation`] if no Relation message described the table.
    pub(crate) fn get(
        &mut self,
        oid: Oid,
        lsn: Lsn,
        rows: &[Option<TupleData<'_>>],
        commit_lsn: Lsn,
    ) -> Result<Lookup, StreamError> {
        if let Some(need) = self.forget_dropped(commit_lsn) {
            return Ok(Lookup::Needs(need));
        }
        let unknown = || StreamError::UnknownRelation { relation: oid, lsn };
        let relation = self.relations.get(oid).ok_or_else(unknown)?;
        let is_current = |table: &Table| Arc::ptr_eq(&table.schema.relation, relation);
        if !self.tables.get(&oid).is_some_and(is_current) {
            let relation = Arc::clone(relation);
            let evicted = self.tables.len() >= self.max_tables;
            if evicted {
                // A table that is needed again is described again, together with many others.
                self.tables.clear();
            }
            return Ok(Lookup::Needs(Need::Table { relation, commit_lsn, evicted }));
        }
        let table = self.tables.get_mut(&oid).ok_or_else(unknown)?;
        if !table.schema.unknown_types.is_empty() {
            table.learn_elements(rows, &self.types);
        }
        if table.has_money {
            let Some(digits) = self.money_digits else {
                return Ok(Lookup::Needs(Need::MoneyDigits));
            };
            table.set_money_digits(digits);
        }
        if table.drift.may_be_outdated(&table.schema, rows, commit_lsn) {
            let relation = Arc::clone(relation);
            return Ok(Lookup::Needs(Need::Types { relation }));
        }
        Ok(Lookup::Found(Arc::clone(&table.schema)))
    }

    /// Processes the answer to a need.
    pub(crate) fn learn(&mut self, need: &Need, facts: Facts) {
        match (need, facts) {
            (Need::Table { relation, .. }, Facts::Table(description)) => {
                let table = self.table(relation, description);
                self.tables.insert(relation.oid(), table);
            }
            (Need::Types { relation }, Facts::Types { queried_at, types }) => {
                if let Some(table) = self.tables.get_mut(&relation.oid()) {
                    table.described_again(types, queried_at);
                }
            }
            (Need::MoneyDigits, Facts::MoneyDigits(digits)) => self.money_digits = Some(digits),
            (Need::Dropped { .. }, Facts::Dropped { tables, answered_at }) => {
                self.dropped.wait(tables, answered_at);
            }
            (need, facts) => debug_assert!(false, "{facts:?} does not answer {need:?}"),
        }
    }

    fn table(&self, relation: &Arc<Relation>, description: TableDescription) -> Table {
        Table::new(self.schema(relation, description))
    }

    fn schema(&self, relation: &Arc<Relation>, description: TableDescription) -> TableSchema {
        let TableDescription { columns, types } = description;
        TableSchema {
            database: Arc::clone(&self.database),
            relation: Arc::clone(relation),
            columns,
            money_digits: self.money_digits.unwrap_or(money::DEFAULT_DIGITS),
            types: types.described,
            unknown_types: types.unknown,
            #[cfg(feature = "json")]
            json_options: self.json_options,
        }
    }

    /// The number of tables that the stream has described, or of those that were delivered.
    fn number_of_tables(&self) -> usize {
        self.relations.iter().len().max(self.versions.len())
    }

    /// Forgets tables and types of which no more rows can arrive. Between two rows, every type
    /// named by the stream belongs to a known table.
    fn forget_dropped(&mut self, commit_lsn: Lsn) -> Option<Need> {
        if self.dropped.is_due(self.number_of_tables()) {
            let described = self.relations.iter().map(|relation| relation.oid());
            let tables: BTreeSet<Oid> = described.chain(self.versions.tables()).collect();
            return Some(Need::Dropped { tables: tables.into_iter().collect() });
        }
        if let Some(dropped) = self.dropped.take_dropped(commit_lsn) {
            for oid in &dropped {
                self.relations.remove(*oid);
                self.tables.remove(oid);
                self.versions.remove(*oid);
            }
            self.arrivals.retain(|described| match described {
                Described::Table(oid) => !dropped.contains(&oid),
                Described::Type(_) => true,
            });
            self.dropped.checked_tables(self.number_of_tables());
        }
        if self.dropped.are_types_due(self.types.len()) {
            let relations = self.relations.iter();
            let used: BTreeSet<Oid> = relations
                .flat_map(|relation| relation.columns())
                .map(|column| column.type_oid)
                .collect();
            self.types.retain(|oid| used.contains(&oid));
            self.dropped.checked_types(self.types.len());
            self.arrivals.retain(|described| match described {
                Described::Table(_) => true,
                Described::Type(oid) => self.types.contains(oid),
            });
        }
        None
    }
}
