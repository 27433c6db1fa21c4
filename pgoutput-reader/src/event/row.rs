//! A row of an event: columns with their values.

use std::fmt;

#[cfg(feature = "json")]
use pgoutput_decode::Printable;
use pgoutput_decode::row::{self, RowError, RowIndex};
use pgoutput_decode::value::FromField;
use pgoutput_decode::{Lsn, OldTuple, TupleColumn, TupleData};

use super::key;
use super::table::{ColumnSchema, TableSchema};

/// A row, borrowed from its event.
///
/// Three doors lead to its values, the same for text and binary: [`get`](Self::get) for a column, `deserialize` (feature
/// `serde`) for the whole row as a struct, `get_sql` (feature `postgres-types`) for types that read values of the crate
/// `postgres`.
///
/// ```no_run
/// use pgoutput_reader::{Reader, Toast};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reader = Reader::builder("host=localhost dbname=app").slot("s").publication("p").connect()?;
/// for event in reader {
///     let event = event?;
///     let Some(row) = event.after() else { continue };
///     let id: i64 = row.get("id")?;
///     let name: Option<&str> = row.get("name")?;
///     // A long text that an update leaves alone does not come along.
///     if let Toast::Present(body) = row.get::<Toast<&str>>("body")? {
///         println!("{id} {name:?}: {body}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Row<'a> {
    table: &'a TableSchema,
    decoded: row::Row<'a>,
    lsn: Lsn,
}

impl<'a> Row<'a> {
    // The widths were compared when the event was made.

    pub(super) fn old(table: &'a TableSchema, old: OldTuple<'a>, lsn: Lsn) -> Self {
        Self::of(table, row::Row::old_of_known_width(&table.relation, old), lsn)
    }

    pub(super) fn new(
        table: &'a TableSchema,
        new: TupleData<'a>,
        old: Option<OldTuple<'a>>,
        lsn: Lsn,
    ) -> Self {
        Self::of(table, row::Row::of_known_width(&table.relation, new, old), lsn)
    }

    fn of(table: &'a TableSchema, row: row::Row<'a>, lsn: Lsn) -> Self {
        let decoded = row.with_types(&table.types).with_money_digits(table.money_digits);
        Self { table, decoded, lsn }
    }

    /// The error, with the place of the change and the key of the row.
    fn explain(&self, error: RowError) -> RowError {
        error.in_change(self.lsn, &key::text(self))
    }

    /// What a [`RowError`] begins with that is about this column.
    #[cfg(feature = "json")]
    pub(super) fn place(&self, column: &str) -> String {
        let (lsn, key) = (self.lsn, key::text(self));
        let separator = if key.is_empty() { "" } else { ", key " };
        let schema = Printable(self.table.schema_name());
        let table = Printable(self.table.name());
        format!("change at {lsn}{separator}{key}: column {column:?} of {schema}.{table}")
    }

    #[cfg(feature = "json")]
    pub(super) fn json_options(&self) -> pgoutput_decode::value::JsonOptions {
        self.table.json_options
    }

    /// Whether it is known what values of this type are.
    #[cfg(feature = "json")]
    pub(super) fn is_known(&self, type_oid: pgoutput_decode::Oid) -> bool {
        !self.table.unknown_types.contains(&type_oid)
    }

    /// The columns that the row has, in the table's order, with their values.
    ///
    /// An old row that is a key has only the columns of the key.
    pub fn columns(&self) -> RowColumns<'a> {
        RowColumns { schema: &self.table.columns, columns: self.decoded.columns() }
    }

    /// The value of this column as it came; `None` when the row has no such column.
    pub fn column(&self, index: impl RowIndex) -> Option<TupleColumn<'a>> {
        self.decoded.column(index).map(|column| column.value)
    }

    /// The value of the column of this name, or at this place of the table, from 0;
    /// [`pgoutput_decode::row`] has a table of what reads what.
    ///
    /// # Errors
    /// When the row has no such column; when `T` does not read its type; when the value is NULL and `T` no `Option`, or
    /// an unchanged stored-apart one and `T` no [`Toast`](crate::Toast); when it does not fit into `T`.
    pub fn get<T: FromField<'a>>(&self, index: impl RowIndex) -> Result<T, RowError> {
        self.decoded.get(index).map_err(|error| self.explain(error))
    }

    /// As [`get`](Self::get), with `None` for a column that the row does not have: for tables that change, and for old
    /// rows, which may hold only a key. NULL and unchanged values are errors as they are there.
    ///
    /// # Errors
    /// As [`get`](Self::get), but for the missing column.
    pub fn try_get<T: FromField<'a>>(&self, index: impl RowIndex) -> Result<Option<T>, RowError> {
        self.decoded.try_get(index).map_err(|error| self.explain(error))
    }

    /// The value as a type that reads values of the crate `postgres`, from the binary format and from text that is the
    /// same; see [`pgoutput_decode::row::Row::get_sql`].
    ///
    /// # Errors
    /// As [`get`](Self::get), and when the value came as text that is not its binary form.
    #[cfg(feature = "postgres-types")]
    pub fn get_sql<T: postgres_types::FromSql<'a>>(
        &self,
        index: impl RowIndex,
    ) -> Result<T, RowError> {
        self.decoded.get_sql(index).map_err(|error| self.explain(error))
    }

    /// The whole row as a struct, a map, a tuple; [`pgoutput_decode::row::Row::deserialize`] has a table of what becomes
    /// what.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let event: pgoutput_reader::ChangeEvent = unimplemented!();
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Person<'a> {
    ///     id: i64,
    ///     name: &'a str,
    ///     tags: Vec<String>,
    /// }
    ///
    /// let person: Person = event.after().expect("an insert").deserialize()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A `serde_json::Value` holds numbers as floats unless its crate's feature `arbitrary_precision` is on: a `jsonb` number of 20
    /// digits is an error then, since some of them would be lost. So is a document that `serde_json` does not read: with half of a
    /// surrogate pair, or nested deeper than 127. [`Json`](pgoutput_decode::value::Json), `String` and
    /// `Box<serde_json::value::RawValue>` hold every number. An error ends nothing: go on with the next event.
    ///
    /// # Errors
    /// When a field and its column do not agree: the types, the range, NULL, unchanged values. The error names the place of the
    /// change, the table and the key of the row.
    #[cfg(feature = "serde")]
    pub fn deserialize<T: serde::Deserialize<'a>>(&self) -> Result<T, RowError> {
        self.decoded.deserialize().map_err(|error| self.explain(error))
    }

    /// The same row, as the decoder has it: with the types of its columns, and without the catalogue's facts.
    pub fn decoded(&self) -> row::Row<'a> {
        self.decoded
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decoded.fmt(f)
    }
}

/// Iterator over the columns of a [`Row`].
#[derive(Debug, Clone)]
pub struct RowColumns<'a> {
    schema: &'a [ColumnSchema],
    columns: row::RowColumns<'a>,
}

impl<'a> Iterator for RowColumns<'a> {
    type Item = (&'a ColumnSchema, TupleColumn<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let column = self.columns.next()?;
        Some((self.schema.get(column.index)?, column.value))
    }
}

impl std::iter::FusedIterator for RowColumns<'_> {}
