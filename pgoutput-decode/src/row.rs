//! Rows with the names and types of their columns: values by name or index, and whole rows as
//! structs.
//!
//! A [`Row`] joins the bytes of a change with the [`Relation`] that describes them. [`Row::get`]
//! reads a column as any Rust type that implements [`FromField`]. `Row::deserialize` (feature
//! `serde`) reads a whole row as a struct, and `Row::get_sql` (feature `postgres-types`) a column
//! as a type of the crate `postgres`. Text and binary format give the same.
//!
//! | Rust | PostgreSQL |
//! | --- | --- |
//! | `i8` … `i128`, `u8` … `u128`, `isize`, `usize` | `smallint`, `integer`, `bigint`, `oid`, `xid`, `xid8`, `cid`, if the number fits; `regclass` and similar types from the binary format |
//! | `f32` / `f64` | `real` / `real`, `double precision` |
//! | `bool` | `boolean` |
//! | `&str`, `String`, `Cow<str>`, `Box<str>`; `char` if it is one | text types, enums, `citext`, `json`, `jsonb`; the text format of types without a reader, and of `regclass` and similar types |
//! | `&[u8]`, `Vec<u8>` | `bytea` (the text format only into `Vec<u8>`); all that `&str` reads, in any encoding; the binary format of types without a reader |
//! | the types of [`value`](crate::value) | the type of that name, without loss; [`Value`](crate::value::Value) reads every type |
//! | `time::Date`, `Time`, `PrimitiveDateTime`, `OffsetDateTime` (feature `time`) | `date`, `time`, `timestamp`, `timestamptz` |
//! | `(time::Time, time::UtcOffset)`, `time::Duration` (feature `time`) | `timetz`; `interval` without months |
//! | `uuid::Uuid` (feature `uuid`) | `uuid` |
//! | `serde_json::Value` (feature `serde`) | every type, as in the JSON of an event |
//! | `Vec<T>` | arrays of what `T` reads, one `Vec` for each dimension |
//! | `Option<T>` | what `T` reads, and NULL |
//! | [`Toast<T>`](crate::value::Toast) | what `T` reads, and an unchanged TOAST value |

#[cfg(feature = "serde")]
mod de;
mod error;
mod index;
#[cfg(feature = "postgres-types")]
mod sql;
#[cfg(test)]
mod tests;
mod type_hint;

use core::fmt;

pub use self::error::{RowError, RowErrorKind};
pub use self::index::RowIndex;
use self::type_hint::reads_as;
use crate::id::Oid;
use crate::relation::{Column, Relation};
use crate::tuple::split_column;
use crate::tuple::{Columns, OldTuple, TupleColumn, TupleData};
use crate::value::{
    C_MONEY_DIGITS, Field, FieldType, Format, FromField, PgType, TypeSet, ValueError,
    ValueErrorKind,
};

/// A row of a change, borrowed: its values, and the description of its table.
///
/// ```
/// use pgoutput_decode::row::Row;
/// use pgoutput_decode::value::Toast;
/// use pgoutput_decode::{Decoder, Message, Relations};
///
/// let relation: &[u8] = b"R\0\0\x40\x13public\0readme\0d\0\x03\
///     \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\
///     \0body\0\0\0\0\x19\xFF\xFF\xFF\xFF\
///     \0picture\0\0\0\0\x11\xFF\xFF\xFF\xFF";
/// let update: &[u8] = b"U\0\0\x40\x13N\0\x03t\0\0\0\x012nu";
///
/// let (mut decoder, mut relations) = (Decoder::new(), Relations::new());
/// let Message::Relation(body) = decoder.decode(relation)? else { panic!() };
/// relations.update(&body);
/// let Message::Update(update) = decoder.decode(update)? else { panic!() };
///
/// let table = relations.get(update.relation).unwrap();
/// let row = Row::updated(table, update.new, update.old)?;
/// assert_eq!(row.get::<i64>("id")?, 2);
/// assert_eq!(row.get::<Option<&str>>(1)?, None);
/// assert_eq!(row.get::<Toast<Vec<u8>>>("picture")?, Toast::Unchanged);
/// assert_eq!(
///     row.get::<i32>("body").unwrap_err().to_string(),
///     "column \"body\" of public.readme: type text: cannot be read as i32; \
///      read it as &str, String or Value"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Row<'a> {
    relation: &'a Relation,
    types: Option<&'a TypeSet>,
    tuple: TupleData<'a>,
    /// Whether only the columns of the replica identity have values.
    key_only: bool,
    old: Option<OldTuple<'a>>,
    money_digits: u8,
}

/// A column of a [`Row`], with its value.
#[derive(Clone, Copy)]
pub struct RowColumn<'a> {
    /// The index of the column in the table, from 0.
    pub index: usize,
    /// The column in the Relation message.
    pub column: &'a Column,
    /// The type, with a description if the row has one.
    pub ty: FieldType<'a>,
    /// The value.
    pub value: TupleColumn<'a>,
    money_digits: u8,
}

impl<'a> Row<'a> {
    /// Creates an inserted row, or a whole old row.
    ///
    /// # Errors
    /// The row has more or fewer columns than the table, so its values cannot be assigned to
    /// columns.
    #[inline]
    pub fn new(relation: &'a Relation, tuple: TupleData<'a>) -> Result<Self, RowError> {
        Self::of_known_width(relation, tuple, None).checked()
    }

    /// Creates the new row of an update. An unchanged TOAST value is taken from the old row if that
    /// has it.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), for either row.
    pub fn updated(
        relation: &'a Relation,
        new: TupleData<'a>,
        old: Option<OldTuple<'a>>,
    ) -> Result<Self, RowError> {
        if let Some(old) = old {
            Self::old(relation, old)?;
        }
        Self::of_known_width(relation, new, old).checked()
    }

    /// Creates an old row. A key has only the columns of the replica identity.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn old(relation: &'a Relation, old: OldTuple<'a>) -> Result<Self, RowError> {
        Self::old_of_known_width(relation, old).checked()
    }

    /// Creates a row whose width, and that of the old row, was compared with the table before. If
    /// they differ nevertheless, the row ends with the shorter of the two.
    #[doc(hidden)]
    #[inline]
    pub const fn of_known_width(
        relation: &'a Relation,
        tuple: TupleData<'a>,
        old: Option<OldTuple<'a>>,
    ) -> Self {
        Self { relation, types: None, tuple, key_only: false, old, money_digits: C_MONEY_DIGITS }
    }

    /// Does the same for an old row.
    #[doc(hidden)]
    #[inline]
    pub const fn old_of_known_width(relation: &'a Relation, old: OldTuple<'a>) -> Self {
        let (tuple, key_only) = match old {
            OldTuple::Key(key) => (key.full_width(), true),
            OldTuple::Full(tuple) => (tuple, false),
        };
        Self { relation, types: None, tuple, key_only, old: None, money_digits: C_MONEY_DIGITS }
    }

    #[inline]
    fn checked(self) -> Result<Self, RowError> {
        let (described, sent) = (self.relation.columns().len(), self.tuple.len());
        if described == sent { Ok(self) } else { Err(wrong_width(self.relation, sent)) }
    }

    /// Returns the same row, with descriptions of types that are not built in: enums, domains,
    /// composites, and so on.
    ///
    /// Without a description, a column of such a type can be read as text in the text format, and
    /// only as bytes in the binary format.
    #[must_use]
    pub fn with_types(mut self, types: &'a TypeSet) -> Self {
        self.types = Some(types).filter(|types| !types.is_empty());
        self
    }

    /// Returns the same row, with this many decimal places for amounts of `money`; 2 unless called.
    /// See [`Field::with_money_digits`].
    #[must_use]
    pub const fn with_money_digits(mut self, digits: u8) -> Self {
        self.money_digits = digits;
        self
    }

    /// Returns the table.
    pub const fn relation(&self) -> &'a Relation {
        self.relation
    }

    /// Returns the columns that the row has, in the table's order.
    pub fn columns(&self) -> RowColumns<'a> {
        let (old, old_is_key) = match self.old {
            Some(OldTuple::Key(key)) => (Some(key.full_width().columns()), true),
            Some(OldTuple::Full(tuple)) => (Some(tuple.columns()), false),
            None => (None, false),
        };
        RowColumns {
            columns: self.relation.columns().iter(),
            count: self.relation.columns().len(),
            types: self.types,
            values: self.tuple.as_bytes(),
            key_only: self.key_only,
            old,
            old_is_key,
            money_digits: self.money_digits,
        }
    }

    /// Returns the column of this name, or at this index of the table; `None` if the row has no
    /// such column.
    #[inline]
    pub fn column(&self, index: impl RowIndex) -> Option<RowColumn<'a>> {
        self.find(&index)
    }

    /// Reads the column of this name, or at this index of the table, from 0.
    ///
    /// # Errors
    /// The row has no such column; `T` does not read its type; the value is NULL and `T` is not an
    /// `Option`; the value is an unchanged TOAST value and `T` is not a
    /// [`Toast`](crate::value::Toast); the value does not fit into `T`, or is not in the form that
    /// PostgreSQL writes.
    #[inline]
    pub fn get<T: FromField<'a>>(&self, index: impl RowIndex) -> Result<T, RowError> {
        match self.find(&index) {
            Some(column) => column.get().map_err(|error| self.error(column.index, error)),
            None => Err(self.missing(&index)),
        }
    }

    /// Does the same as [`get`](Self::get), with `None` for a column that the row does not have.
    /// Use it for tables that change, and for old rows, which may have only a key. NULL and
    /// unchanged TOAST values are errors, as with `get`.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), except for a missing column.
    #[inline]
    pub fn try_get<T: FromField<'a>>(&self, index: impl RowIndex) -> Result<Option<T>, RowError> {
        let Some(column) = self.find(&index) else { return Ok(None) };
        column.get().map(Some).map_err(|error| self.error(column.index, error))
    }

    /// Walks over names and values together.
    #[expect(clippy::inline_always, reason = "a name that is known is compared without a call")]
    #[inline(always)]
    fn find(&self, index: &impl RowIndex) -> Option<RowColumn<'a>> {
        let mut values = self.tuple.columns();
        for (column_index, column) in self.relation.columns().iter().enumerate() {
            if !index.is(column_index, column) {
                values.next()?;
                continue;
            }
            let value = match values.next()? {
                // A value that may come from the old row, or is absent from a key, needs the walk
                // over all columns.
                TupleColumn::Unchanged => self.walk_to(column_index)?,
                _ if self.key_only => self.walk_to(column_index)?,
                value => value,
            };
            let ty = field_type(column, self.types);
            let money_digits = self.money_digits;
            return Some(RowColumn { index: column_index, column, ty, value, money_digits });
        }
        None
    }

    #[cold]
    fn walk_to(&self, column_index: usize) -> Option<TupleColumn<'a>> {
        self.columns().find(|column| column.index == column_index).map(|column| column.value)
    }

    // Functions that create errors are out of line and take indexes, not columns: the compiler then
    // keeps columns in registers.

    #[cold]
    fn missing(&self, index: &impl RowIndex) -> RowError {
        let mut columns = self.relation.columns().iter().enumerate();
        let kind = if columns.any(|(column_index, column)| index.is(column_index, column)) {
            RowErrorKind::NotInKey { column: index.written().into() }
        } else {
            index.missing(self.relation)
        };
        RowError::of_table(self.relation, kind)
    }

    /// Creates the error of the column at this index.
    #[cold]
    fn error(&self, column_index: usize, error: ValueError) -> RowError {
        match self.find(&column_index) {
            Some(column) => {
                RowError::of_column(self.relation, &column, error.into(), reads_as(&column))
            }
            None => RowError::of_table(self.relation, error.into()),
        }
    }
}

#[cold]
fn wrong_width(relation: &Relation, sent: usize) -> RowError {
    let described = relation.columns().len();
    RowError::of_table(relation, RowErrorKind::Width { described, sent })
}

impl<'a> RowColumn<'a> {
    /// Returns the column's name.
    pub fn name(&self) -> &'a str {
        &self.column.name
    }

    /// Returns the value, unless it is NULL or an unchanged TOAST value.
    #[inline]
    pub fn field(&self) -> Option<Field<'a>> {
        let (format, bytes) = match self.value {
            TupleColumn::Null | TupleColumn::Unchanged => return None,
            TupleColumn::Text(bytes) => (Format::Text, bytes),
            TupleColumn::Binary(bytes) => (Format::Binary, bytes),
        };
        Some(self.field_of(format, bytes))
    }

    #[inline]
    fn field_of(&self, format: Format, bytes: &'a [u8]) -> Field<'a> {
        Field::of(self.ty, format, bytes).with_money_digits(self.money_digits)
    }

    /// Reads the value as `T`.
    ///
    /// # Errors
    /// Those of [`Row::get`], without the column's name.
    #[inline]
    pub fn get<T: FromField<'a>>(&self) -> Result<T, ValueError> {
        match self.field() {
            Some(field) => field.get(),
            None => read_absent(self.ty, self.value == TupleColumn::Null),
        }
    }
}

/// Reads NULL or an unchanged TOAST value.
fn read_absent<'a, T: FromField<'a>>(ty: FieldType<'a>, is_null: bool) -> Result<T, ValueError> {
    // The check of the type must not depend on the value.
    if !T::accepts(ty.without_domains()) {
        let kind = ValueErrorKind::WrongType { target: core::any::type_name::<T>() };
        return Err(ValueError::new(kind, 0));
    }
    if is_null { T::from_null() } else { T::from_unchanged() }
}

impl fmt::Debug for RowColumn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowColumn")
            .field("name", &self.name())
            .field("type", &self.ty.oid())
            .field("value", &self.value)
            .finish()
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.columns().map(|column| (column.name(), column.value))).finish()
    }
}

/// Iterator over the columns of a [`Row`].
#[derive(Debug, Clone)]
pub struct RowColumns<'a> {
    columns: core::slice::Iter<'a, Column>,
    /// The number of columns at the start.
    count: usize,
    types: Option<&'a TypeSet>,
    /// The bytes of the columns that are left.
    values: &'a [u8],
    key_only: bool,
    old: Option<Columns<'a>>,
    old_is_key: bool,
    money_digits: u8,
}

/// The description and the value of a column: a [`RowColumn`] before its type and index are looked
/// up.
type Described<'a> = (&'a Column, TupleColumn<'a>);

impl<'a> RowColumns<'a> {
    #[inline]
    fn advance(&mut self) -> Option<Described<'a>> {
        if self.key_only || self.old.is_some() {
            return self.advance_selected();
        }
        let column = self.columns.next()?;
        let (value, rest) = split_column(self.values)?;
        self.values = rest;
        Some((column, value))
    }

    /// Advances in a key, or in a new row that takes unchanged values from the old one.
    fn advance_selected(&mut self) -> Option<Described<'a>> {
        loop {
            let column = self.columns.next()?;
            let (value, rest) = split_column(self.values)?;
            self.values = rest;
            let is_key = column.flags.is_key();
            let old = self.old.as_mut().and_then(Iterator::next);
            if self.key_only && !is_key {
                continue;
            }
            // In a key tuple, NULL in any other column is not a value.
            let value = match (value, old) {
                (TupleColumn::Unchanged, Some(old)) if is_key || !self.old_is_key => old,
                (value, _) => value,
            };
            return Some((column, value));
        }
    }

    /// Returns the index of the column that [`advance`](Self::advance) returned last.
    #[inline]
    fn index(&self) -> usize {
        self.count.saturating_sub(self.columns.len() + 1)
    }

    /// Adds the type and the index to the column that [`advance`](Self::advance) returned last.
    #[inline]
    fn typed(&self, (column, value): Described<'a>) -> RowColumn<'a> {
        let (ty, money_digits) = (field_type(column, self.types), self.money_digits);
        RowColumn { index: self.index(), column, ty, value, money_digits }
    }
}

impl<'a> Iterator for RowColumns<'a> {
    type Item = RowColumn<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.advance().map(|column| self.typed(column))
    }
}

impl core::iter::FusedIterator for RowColumns<'_> {}

/// Returns the type of a column. A built-in type is known by its oid; others are searched for.
#[inline]
fn field_type<'a>(column: &Column, types: Option<&'a TypeSet>) -> FieldType<'a> {
    let oid = column.type_oid;
    match types {
        Some(types) => described(oid, types),
        None => FieldType::new(oid),
    }
}

// Cold, so that columns of rows without descriptions stay in registers.
#[cold]
fn described(oid: Oid, types: &TypeSet) -> FieldType<'_> {
    let is_built_in = PgType::from_oid(oid).is_some();
    types.get(oid).filter(|_| !is_built_in).unwrap_or(FieldType::new(oid))
}
