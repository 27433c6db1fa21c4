//! A row of an event: columns with their values.

use std::fmt;

use pgoutput_decode::{Columns, OldTuple, TupleColumn, TupleData};

use super::table::{ColumnSchema, TableSchema};

/// A row, borrowed from its event.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    table: &'a TableSchema,
    tuple: TupleData<'a>,
    /// Only the columns of the replica identity have values.
    key_only: bool,
    old: Option<OldTuple<'a>>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(table: &'a TableSchema, tuple: TupleData<'a>) -> Self {
        Self { table, tuple, key_only: false, old: None }
    }

    pub(crate) fn key(table: &'a TableSchema, tuple: TupleData<'a>) -> Self {
        Self { table, tuple, key_only: true, old: None }
    }

    pub(crate) fn filled_from(mut self, old: Option<OldTuple<'a>>) -> Self {
        self.old = old;
        self
    }

    /// The columns that the row has, in the table's order, with their values.
    ///
    /// An old row that is a key has only the columns of the key.
    pub fn columns(&self) -> RowColumns<'a> {
        let (old, old_is_key) = match self.old {
            Some(OldTuple::Key(key)) => (Some(key.full_width().columns()), true),
            Some(OldTuple::Full(tuple)) => (Some(tuple.columns()), false),
            None => (None, false),
        };
        RowColumns {
            schema: self.table.columns.iter(),
            values: self.tuple.columns(),
            key_only: self.key_only,
            old,
            old_is_key,
        }
    }

    /// The value of the column with this name; `None` when the row has no such column.
    pub fn get(&self, name: &str) -> Option<TupleColumn<'a>> {
        self.columns().find(|(column, _)| column.name() == name).map(|(_, value)| value)
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.columns().map(|(column, value)| (column.name(), value))).finish()
    }
}

/// Iterator over the columns of a [`Row`].
#[derive(Debug, Clone)]
pub struct RowColumns<'a> {
    schema: std::slice::Iter<'a, ColumnSchema>,
    values: Columns<'a>,
    key_only: bool,
    old: Option<Columns<'a>>,
    old_is_key: bool,
}

impl<'a> Iterator for RowColumns<'a> {
    type Item = (&'a ColumnSchema, TupleColumn<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (column, value) = (self.schema.next()?, self.values.next()?);
            let is_key = column.wire.flags.is_key();
            let old = self.old.as_mut().and_then(Iterator::next);
            if self.key_only && !is_key {
                continue;
            }
            // In a key tuple, NULL in the place of any other column is no value.
            let value = match (value, old) {
                (TupleColumn::Unchanged, Some(old)) if is_key || !self.old_is_key => old,
                (value, _) => value,
            };
            return Some((column, value));
        }
    }
}
