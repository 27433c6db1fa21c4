//! The current version of a table.

use std::sync::Arc;

use pgoutput_decode::{Lsn, TupleColumn, TupleData};

use super::drift::Drift;
use super::money;
use super::stream_types::StreamTypes;
use super::type_descriptions::{Types, with_elements};
use crate::event::{Shared, TableSchema};

/// The current version of a table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) schema: Arc<Shared<TableSchema>>,
    pub(super) drift: Drift,
    /// Whether a column holds amounts of `money`.
    pub(super) has_money: bool,
}

impl Table {
    pub(super) fn new(schema: TableSchema) -> Self {
        let has_money = money::is_in(&schema.relation, &schema.types);
        Self { drift: Drift::new(&schema), schema: Shared::new(schema), has_money }
    }

    /// Stores a new description of the types by the catalogue, whose server had reached
    /// `queried_at`.
    pub(super) fn described_again(&mut self, types: Types, queried_at: Lsn) {
        let is_new = types.described != self.schema.types;
        if is_new {
            self.set_types(types);
        }
        self.drift.answered(queried_at, is_new);
    }

    /// Learns the element types that binary arrays name and that Type messages may have described.
    pub(super) fn learn_elements(&mut self, rows: &[Option<TupleData<'_>>], stream: &StreamTypes) {
        let relation = Arc::clone(&self.schema.relation);
        for tuple in rows.iter().flatten() {
            for (column, value) in relation.columns().iter().zip(tuple.columns()) {
                let TupleColumn::Binary(bytes) = value else { continue };
                let (types, unknown) = (&self.schema.types, &self.schema.unknown_types);
                let value = (column.type_oid, bytes);
                if let Some(types) = with_elements(types, unknown, value, stream) {
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

    pub(super) fn set_money_digits(&mut self, digits: u8) {
        if digits != self.schema.money_digits {
            let (types, unknown) = (self.schema.types.clone(), self.schema.unknown_types.clone());
            self.schema = Shared::new(self.schema.with_types(types, unknown, digits));
        }
    }
}
