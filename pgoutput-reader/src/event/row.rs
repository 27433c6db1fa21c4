//! A row of an event: the decoder's row with its schema.

use std::fmt;

#[cfg(feature = "json")]
use pgoutput_decode::Printable;
use pgoutput_decode::row::{self, RowColumn, RowColumns, RowError, RowIndex};
use pgoutput_decode::value::FromField;
use pgoutput_decode::{Lsn, OldTuple, TupleData};

use super::key;
use super::table::TableSchema;

/// A row, borrowed from its event: a [decoder's row](row::Row) with the [schema](Self::table) of
/// its table. Its errors also name the change and the key of the row.
///
/// [`get`](Self::get) reads one column, `deserialize` (feature `serde`) the whole row as a struct, and
/// `get_sql` (feature `postgres-types`) a column as a type that reads values of the crate
/// `postgres`. Text and binary format give the same.
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
///     // An update that does not change a long text does not carry it.
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
    // The widths were compared when the event was created.

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

    /// Returns the same error with the LSN of the change and the key of the row.
    fn in_change(&self, error: RowError) -> RowError {
        error.in_change(self.lsn, &key::text(self))
    }

    /// Returns the start of the message of a [`RowError`] about this column.
    #[cfg(feature = "json")]
    pub(super) fn location(&self, column: &str) -> String {
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

    /// Returns whether the kind of this type is known.
    #[cfg(feature = "json")]
    pub(super) fn is_known(&self, type_oid: pgoutput_decode::Oid) -> bool {
        !self.table.unknown_types.contains(&type_oid)
    }

    /// Returns the table at the time of the change.
    ///
    /// The [index](RowColumn::index) of a column is that of its
    /// [`ColumnSchema`](crate::ColumnSchema) in [`TableSchema::columns`].
    pub fn table(&self) -> &'a TableSchema {
        self.table
    }

    /// Returns the columns of the row with their values, in the table's order.
    ///
    /// An old row that is a key has only the key columns.
    pub fn columns(&self) -> RowColumns<'a> {
        self.decoded.columns()
    }

    /// Returns the column of this name, or at this index of the table, with its value as it was
    /// sent; `None` if the row has no such column.
    pub fn column(&self, index: impl RowIndex) -> Option<RowColumn<'a>> {
        self.decoded.column(index)
    }

    /// Reads the column of this name, or at this index of the table, from 0.
    /// [`pgoutput_decode::row`] has a table of the types that read each column.
    ///
    /// # Errors
    /// The row has no such column; `T` does not read its type; the value is NULL and `T` is not an
    /// `Option`; the value is an unchanged TOAST value and `T` is not a [`Toast`](crate::Toast);
    /// the value does not fit into `T`.
    pub fn get<T: FromField<'a>>(&self, index: impl RowIndex) -> Result<T, RowError> {
        self.decoded.get(index).map_err(|error| self.in_change(error))
    }

    /// Does the same as [`get`](Self::get), with `None` for a column that the row does not have.
    /// Use it for tables that change, and for old rows, which may have only a key. NULL and
    /// unchanged TOAST values are errors, as with `get`.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), except for a missing column.
    pub fn try_get<T: FromField<'a>>(&self, index: impl RowIndex) -> Result<Option<T>, RowError> {
        self.decoded.try_get(index).map_err(|error| self.in_change(error))
    }

    /// Reads the value as a type that the crate `postgres` supports, from the binary format and
    /// from text that is also its binary form; see [`pgoutput_decode::row::Row::get_sql`].
    ///
    /// # Errors
    /// Those of [`get`](Self::get), and a value that was sent as text that differs from its binary
    /// form.
    #[cfg(feature = "postgres-types")]
    pub fn get_sql<T: postgres_types::FromSql<'a>>(
        &self,
        index: impl RowIndex,
    ) -> Result<T, RowError> {
        self.decoded.get_sql(index).map_err(|error| self.in_change(error))
    }

    /// Reads the whole row as a struct, a map or a tuple.
    /// [`pgoutput_decode::row::Row::deserialize`] has a table of the form that each column becomes,
    /// and the limits of `flatten`, `untagged` and `tag`.
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
    /// A JSON document that `serde_json` cannot hold is an error. It contains half of a surrogate
    /// pair, is nested deeper than 127, or, for a `serde_json::Value`, contains a number of which
    /// it would lose digits. [`Json`](pgoutput_decode::value::Json), `String` and
    /// `Box<serde_json::value::RawValue>` hold every number. After an error you can continue with
    /// the next event.
    ///
    /// # Errors
    /// A field does not match its column: the type, the range, NULL, or an unchanged TOAST value.
    /// The error names the LSN of the change, the table and the key of the row.
    #[cfg(feature = "serde")]
    pub fn deserialize<T: serde::Deserialize<'a>>(&self) -> Result<T, RowError> {
        self.decoded.deserialize().map_err(|error| self.in_change(error))
    }

    /// Returns the row without its schema and without the facts that its errors name.
    pub fn decoded(&self) -> row::Row<'a> {
        self.decoded
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decoded.fmt(f)
    }
}
