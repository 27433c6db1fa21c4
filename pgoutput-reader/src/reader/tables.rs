//! The tables of a stream: what it said of them, and what the catalogue adds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgoutput_decode::message::{RelationBody, TypeBody};
#[cfg(feature = "json")]
use pgoutput_decode::value::JsonOptions;
use pgoutput_decode::{Lsn, Oid, Relations, TupleColumn, TupleData};

use super::dropped_tables::Dropped;
use super::money::MoneyDigits;
use super::type_drift::Fit;
use crate::Error;
use crate::catalog::{Catalog, Described, StreamTypes, Types, Wanted, with_elements};
use crate::error::StreamError;
use crate::event::TableSchema;

#[derive(Debug)]
pub(super) struct Tables {
    database: Arc<str>,
    relations: Relations,
    types: StreamTypes,
    known: BTreeMap<Oid, Table>,
    /// How many tables are kept with what the catalogue says of them.
    max_described: usize,
    dropped: Dropped,
    publications: Box<[String]>,
    money: MoneyDigits,
    #[cfg(feature = "json")]
    json_options: JsonOptions,
    catalog: Catalog,
}

#[derive(Debug)]
struct Table {
    schema: Arc<TableSchema>,
    fit: Fit,
}

impl Tables {
    pub(super) fn new(
        database: &str,
        publications: &[String],
        max_described: usize,
        catalog: Catalog,
    ) -> Self {
        Self {
            database: database.into(),
            publications: publications.into(),
            relations: Relations::new(),
            types: StreamTypes::default(),
            known: BTreeMap::new(),
            max_described,
            dropped: Dropped::default(),
            money: MoneyDigits::default(),
            #[cfg(feature = "json")]
            json_options: JsonOptions::default(),
            catalog,
        }
    }

    /// How the values of these tables are written as JSON.
    #[cfg(feature = "json")]
    pub(super) fn with_json_options(mut self, options: JsonOptions) -> Self {
        self.json_options = options;
        self
    }

    /// A stream that starts anew describes every table and type again, over a connection of its own beside it.
    pub(super) fn restart(&mut self, catalog: Catalog) {
        self.relations = Relations::new();
        self.types.clear();
        self.known.clear();
        self.dropped = Dropped::default();
        self.money = MoneyDigits::default();
        self.catalog = catalog;
    }

    pub(super) fn catalog(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    pub(super) fn update(&mut self, body: &RelationBody<'_>) {
        self.relations.update(body);
        self.dropped.is_back(body.oid);
    }

    pub(super) fn name_type(&mut self, body: &TypeBody<'_>) {
        self.types.insert(body);
    }

    /// The table as the stream described it last; asks the catalogue once for each description.
    ///
    /// Composites may have been altered since, of which the stream says nothing: where a value of `rows` does not fit, their
    /// types are asked for again.
    pub(super) fn get(
        &mut self,
        oid: Oid,
        lsn: Lsn,
        rows: &[Option<TupleData<'_>>],
        commit_lsn: Lsn,
    ) -> Result<Arc<TableSchema>, Error> {
        self.forget_dropped(commit_lsn)?;
        let relation =
            self.relations.get(oid).ok_or(StreamError::UnknownRelation { relation: oid, lsn })?;
        let is_described = |table: &Table| Arc::ptr_eq(&table.schema.relation, relation);
        if !self.known.get(&oid).is_some_and(is_described) {
            let Described { columns, types } = self.catalog.describe(&Wanted {
                relation,
                said: &self.types,
                commit_lsn,
                publications: &self.publications,
                is_known: &|oid| self.known.contains_key(&oid),
            })?;
            let digits = self.money.of(relation, &types.described, &mut self.catalog)?;
            let schema = TableSchema {
                database: Arc::clone(&self.database),
                relation: Arc::clone(relation),
                columns,
                money_digits: digits,
                types: types.described,
                unknown_types: types.unknown,
                #[cfg(feature = "json")]
                json_options: self.json_options,
                #[cfg(feature = "json")]
                json: crate::event::json::Kept::default(),
            };
            if self.known.len() >= self.max_described {
                // What is needed again is asked for again, many tables at a time.
                self.known.clear();
                self.catalog.list_again();
            }
            let table = Table { fit: Fit::new(&schema), schema: Arc::new(schema) };
            self.known.insert(oid, table);
        }
        let unknown = || StreamError::UnknownRelation { relation: oid, lsn };
        let table = self.known.get_mut(&oid).ok_or_else(unknown)?;
        if !table.schema.unknown_types.is_empty() {
            learn_elements(table, rows, &self.types);
            let schema = &table.schema;
            let digits = self.money.of(relation, &schema.types, &mut self.catalog)?;
            if digits != schema.money_digits {
                let (types, unknown) = (schema.types.clone(), schema.unknown_types.clone());
                table.schema = schema.with_types(types, unknown, digits);
            }
        }
        if table.fit.is_doubtful(&table.schema, rows, commit_lsn) {
            // In this order: what is committed in between is asked for once more, not missed.
            let at = self.catalog.wal_end()?;
            let Types { described, unknown, .. } =
                self.catalog.describe_types(relation, &self.types)?;
            let is_new = described != table.schema.types;
            if is_new {
                let digits = self.money.of(relation, &described, &mut self.catalog)?;
                table.schema = table.schema.with_types(described, unknown, digits);
            }
            table.fit.asked(at, is_new);
        }
        Ok(Arc::clone(&table.schema))
    }

    /// Forgets tables and types that no row to come can be of. Between two rows, every Type message
    /// that came is of a table that is known.
    fn forget_dropped(&mut self, commit_lsn: Lsn) -> Result<(), Error> {
        if self.dropped.is_due(self.relations.iter().len()) {
            let tables = self.relations.iter().map(|relation| relation.oid()).collect();
            let (missing, position) = self.catalog.missing(tables)?;
            self.dropped.wait(missing, position);
        }
        if let Some(dropped) = self.dropped.passed(commit_lsn) {
            for oid in &dropped {
                self.relations.remove(*oid);
                self.known.remove(oid);
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
        Ok(())
    }
}

/// Binary arrays name the type of their elements, which Type messages may have described.
fn learn_elements(table: &mut Table, rows: &[Option<TupleData<'_>>], said: &StreamTypes) {
    let schema = &mut table.schema;
    for tuple in rows.iter().flatten() {
        let relation = Arc::clone(&schema.relation);
        for (column, value) in relation.columns().iter().zip(tuple.columns()) {
            if let TupleColumn::Binary(bytes) = value
                && let value = (column.type_oid, bytes)
                && let Some(types) =
                    with_elements(&schema.types, &schema.unknown_types, value, said)
            {
                let digits = schema.money_digits;
                *schema = schema.with_types(types.described, types.unknown, digits);
            }
        }
    }
}
