//! The tables of a stream: versions of their schemas as the stream describes them, and drift of
//! their types, which it does not report.
//!
//! Nothing here queries the catalogue. A fact that only the catalogue has is a [`Need`]; the caller
//! answers it with [`Facts`] and looks up the table again.

mod drift;
mod dropped;
mod money;
mod need;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgoutput_decode::message::{RelationBody, TypeBody};
#[cfg(feature = "json")]
use pgoutput_decode::value::JsonOptions;
use pgoutput_decode::{Lsn, Oid, Relation, Relations, TupleColumn, TupleData};

use crate::catalog::{Described, StreamTypes, Types, with_elements};
use crate::error::StreamError;
use crate::event::{Shared, TableSchema};
use drift::Drift;
use dropped::Dropped;
pub(crate) use need::{Facts, Need};

/// The tables that a replication stream has described since it started.
#[derive(Debug)]
pub(crate) struct Schemas {
    database: Arc<str>,
    relations: Relations,
    types: StreamTypes,
    tables: BTreeMap<Oid, Table>,
    /// The greatest number of tables kept with their descriptions from the catalogue.
    max_tables: usize,
    dropped: Dropped,
    money_digits: Option<u8>,
    #[cfg(feature = "json")]
    json_options: JsonOptions,
}

/// The current version of a table.
#[derive(Debug)]
struct Table {
    schema: Arc<Shared<TableSchema>>,
    drift: Drift,
    /// Whether a column holds amounts of `money`.
    has_money: bool,
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
            tables: BTreeMap::new(),
            max_tables,
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

    /// Forgets everything: a new stream describes every table and type again, and may come from
    /// another server.
    pub(crate) fn restart(&mut self) {
        self.relations = Relations::new();
        self.types.clear();
        self.tables.clear();
        self.dropped = Dropped::default();
        self.money_digits = None;
    }

    /// Takes in a Relation message.
    pub(crate) fn relation(&mut self, body: &RelationBody<'_>) {
        self.relations.update(body);
        self.dropped.is_back(body.oid);
    }

    /// Takes in a Type message.
    pub(crate) fn named_type(&mut self, body: &TypeBody<'_>) {
        self.types.insert(body);
    }

    /// The types that Type messages have named.
    pub(crate) fn stream_types(&self) -> &StreamTypes {
        &self.types
    }

    /// Whether the table is kept with its description.
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
        if table.drift.is_doubtful(&table.schema, rows, commit_lsn) {
            let relation = Arc::clone(relation);
            return Ok(Lookup::Needs(Need::Types { relation }));
        }
        Ok(Lookup::Found(Arc::clone(&table.schema)))
    }

    /// Takes in the answer to a need.
    pub(crate) fn learn(&mut self, need: &Need, facts: Facts) {
        match (need, facts) {
            (Need::Table { relation, .. }, Facts::Table(described)) => {
                let table = self.described(relation, described);
                self.tables.insert(relation.oid(), table);
            }
            (Need::Types { relation }, Facts::Types { asked_at, types }) => {
                if let Some(table) = self.tables.get_mut(&relation.oid()) {
                    table.described_again(types, asked_at);
                }
            }
            (Need::MoneyDigits, Facts::MoneyDigits(digits)) => self.money_digits = Some(digits),
            (Need::Dropped { .. }, Facts::Dropped { tables, answered_at }) => {
                self.dropped.wait(tables, answered_at);
            }
            (need, facts) => debug_assert!(false, "{facts:?} does not answer {need:?}"),
        }
    }

    fn described(&self, relation: &Arc<Relation>, described: Described) -> Table {
        let Described { columns, types } = described;
        Table::new(TableSchema {
            database: Arc::clone(&self.database),
            relation: Arc::clone(relation),
            columns,
            money_digits: self.money_digits.unwrap_or(money::DEFAULT_DIGITS),
            types: types.described,
            unknown_types: types.unknown,
            #[cfg(feature = "json")]
            json_options: self.json_options,
        })
    }

    /// Forgets tables and types of which no more rows can arrive. Between two rows, every type
    /// named by the stream belongs to a known table.
    fn forget_dropped(&mut self, commit_lsn: Lsn) -> Option<Need> {
        if self.dropped.is_due(self.relations.iter().len()) {
            let tables = self.relations.iter().map(|relation| relation.oid()).collect();
            return Some(Need::Dropped { tables });
        }
        if let Some(dropped) = self.dropped.passed(commit_lsn) {
            for oid in &dropped {
                self.relations.remove(*oid);
                self.tables.remove(oid);
            }
            self.dropped.done(self.relations.iter().len());
        }
        if self.dropped.are_types_due(self.types.len()) {
            let relations = self.relations.iter();
            let used: BTreeSet<Oid> = relations
                .flat_map(|relation| relation.columns())
                .map(|column| column.type_oid)
                .collect();
            self.types.retain(|oid| used.contains(&oid));
            self.dropped.types_done(self.types.len());
        }
        None
    }
}

impl Table {
    fn new(schema: TableSchema) -> Self {
        let has_money = money::is_in(&schema.relation, &schema.types);
        Self { drift: Drift::new(&schema), schema: Shared::new(schema), has_money }
    }

    /// Takes in a new description of the types by the catalogue, whose server had reached
    /// `asked_at`.
    fn described_again(&mut self, types: Types, asked_at: Lsn) {
        let is_new = types.described != self.schema.types;
        if is_new {
            self.set_types(types);
        }
        self.drift.answered(asked_at, is_new);
    }

    /// Learns the element types that binary arrays name and that Type messages may have described.
    fn learn_elements(&mut self, rows: &[Option<TupleData<'_>>], named: &StreamTypes) {
        let relation = Arc::clone(&self.schema.relation);
        for tuple in rows.iter().flatten() {
            for (column, value) in relation.columns().iter().zip(tuple.columns()) {
                let TupleColumn::Binary(bytes) = value else { continue };
                let (types, unknown) = (&self.schema.types, &self.schema.unknown_types);
                if let Some(types) = with_elements(types, unknown, (column.type_oid, bytes), named)
                {
                    self.set_types(types);
                }
            }
        }
    }

    fn set_types(&mut self, Types { described, unknown, .. }: Types) {
        self.has_money = money::is_in(&self.schema.relation, &described);
        let digits = self.schema.money_digits;
        self.schema = Shared::new(self.schema.with_types(described, unknown, digits));
    }

    fn set_money_digits(&mut self, digits: u8) {
        if digits != self.schema.money_digits {
            let (types, unknown) = (self.schema.types.clone(), self.schema.unknown_types.clone());
            self.schema = Shared::new(self.schema.with_types(types, unknown, digits));
        }
    }
}
