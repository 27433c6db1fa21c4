//! Errors of rows and their columns.

use alloc::boxed::Box;
use core::fmt;

use super::RowColumn;
use super::type_hint::without_loss;
use crate::id::Oid;
use crate::lsn::Lsn;
use crate::printable::Printable;
use crate::relation::Relation;
use crate::tuple::TupleColumn;
use crate::value::{Format, PgType, ValueError, ValueErrorKind};

/// The error of reading a row: the table, the column with its type and format, the reason, the
/// offset, and the types that would work.
///
/// It is one word wide. It contains names, but of the values only the key given to
/// [`in_change`](Self::in_change), and what a `Deserialize` of your own puts into its message.
///
/// ```
/// use pgoutput_decode::row::{Row, RowErrorKind};
/// use pgoutput_decode::{Decoder, Message, Relation};
///
/// let relation = b"R\0\0\x40\x13public\0readme\0d\0\x01\x01id\0\0\0\0\x14\xFF\xFF\xFF\xFF";
/// let insert = b"I\0\0\x40\x13N\0\x01t\0\0\0\x03300";
/// let Message::Relation(body) = Message::decode(relation, false)? else { panic!() };
/// let Message::Insert(insert) = Message::decode(insert, false)? else { panic!() };
/// let table = Relation::from(&body);
///
/// let error = Row::new(&table, insert.new)?.get::<u8>("id").unwrap_err();
/// assert_eq!((error.table(), error.column()), ("readme", Some("id")));
/// assert_eq!(error.type_name(), Some("bigint"));
/// assert_eq!(
///     error.to_string(),
///     "column \"id\" of public.readme: text value of type bigint: out of range for u8 at byte 0; \
///      read it as i64 or Value"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RowError(Box<RowErrorDetails>);

#[derive(Debug)]
struct RowErrorDetails {
    kind: RowErrorKind,
    schema: Box<str>,
    table: Box<str>,
    column: Option<ColumnLocation>,
    change: Option<Change>,
}

/// The change that contains the row.
#[derive(Debug)]
struct Change {
    lsn: Lsn,
    key: Box<str>,
}

#[derive(Debug)]
struct ColumnLocation {
    name: Box<str>,
    type_oid: Oid,
    /// The type that decides how the value can be read: below all domains.
    base_oid: Oid,
    type_name: Option<Box<str>>,
    /// The name of the type that the error is about, if it is not the type of the column.
    inner_name: Option<Box<str>>,
    format: Option<Format>,
    /// The types that can read the column.
    hint: &'static str,
    /// The offset in the value at which an implementation of `serde::Deserialize` failed.
    #[cfg(feature = "serde")]
    offset: usize,
}

/// The reason why a row could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum RowErrorKind {
    /// The row has more or fewer columns than its table.
    Width {
        /// The number of columns of the table.
        described: usize,
        /// The number of columns of the row.
        sent: usize,
    },
    /// The table has no column of this name.
    NoSuchColumn {
        /// The requested name.
        wanted: Box<str>,
    },
    /// The table has no column at this index.
    NoSuchIndex {
        /// The requested index, from 0.
        index: usize,
        /// The number of columns of the table.
        columns: usize,
    },
    /// The old row has only the columns of the replica identity, and this is not one of them.
    NotInKey {
        /// The requested name or index.
        column: Box<str>,
    },
    /// The value cannot be read: its bytes are invalid, it is out of range, or it is of another
    /// type.
    Value(ValueError),
    /// `postgres_types::FromSql` reads only the binary format, and the value was sent as text that
    /// differs from its binary form.
    #[cfg(feature = "postgres-types")]
    NeedsBinary {
        /// The Rust type.
        target: &'static str,
    },
    /// An implementation of `postgres_types::FromSql` refused the value.
    #[cfg(feature = "postgres-types")]
    Sql(Box<dyn core::error::Error + Send + Sync>),
    /// An implementation of `serde::Deserialize` refused the value, or the row.
    #[cfg(feature = "serde")]
    Deserialize(Box<str>),
}

impl From<ValueError> for RowErrorKind {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl RowError {
    pub(super) fn of_table(relation: &Relation, kind: RowErrorKind) -> Self {
        let (schema, table) = (relation.namespace().into(), relation.name().into());
        Self(Box::new(RowErrorDetails { kind, schema, table, column: None, change: None }))
    }

    pub(super) fn of_column(
        relation: &Relation,
        at: &RowColumn<'_>,
        kind: RowErrorKind,
        hint: &'static str,
    ) -> Self {
        let inner = match &kind {
            RowErrorKind::Value(error) => error.type_oid(),
            _ => None,
        };
        let inner = inner.and_then(|oid| at.ty.find(oid)?.name()).map(Into::into);
        let mut error = Self::of_table(relation, kind);
        let known = PgType::from_oid(at.ty.oid()).map(PgType::sql_name);
        error.0.column = Some(ColumnLocation {
            name: at.name().into(),
            type_oid: at.ty.oid(),
            base_oid: at.ty.without_domains().oid(),
            type_name: known.or(at.ty.name()).map(Into::into),
            inner_name: inner,
            format: match at.value {
                TupleColumn::Text(_) => Some(Format::Text),
                TupleColumn::Binary(_) => Some(Format::Binary),
                TupleColumn::Null | TupleColumn::Unchanged => None,
            },
            hint,
            #[cfg(feature = "serde")]
            offset: 0,
        });
        error
    }

    /// Returns the same error, at this byte of the value.
    #[cfg(feature = "serde")]
    pub(super) fn at(mut self, offset: usize) -> Self {
        if let Some(location) = &mut self.0.column {
            location.offset = offset;
        }
        self
    }

    /// Returns the same error with the change that contains the row: its LSN, and the key of the
    /// row as text, such as `id=7`. The key may be empty.
    #[must_use]
    pub fn in_change(mut self, lsn: Lsn, key: &str) -> Self {
        self.0.change = Some(Change { lsn, key: key.into() });
        self
    }

    /// Returns the LSN of the change; `None` unless [`in_change`](Self::in_change) was called, as
    /// `pgoutput-reader` does.
    pub fn lsn(&self) -> Option<Lsn> {
        self.0.change.as_ref().map(|change| change.lsn)
    }

    /// Returns the key of the row as text, if [`in_change`](Self::in_change) added one.
    pub fn key(&self) -> Option<&str> {
        self.0.change.as_ref().map(|change| &*change.key).filter(|key| !key.is_empty())
    }

    /// Returns the reason.
    pub fn kind(&self) -> &RowErrorKind {
        &self.0.kind
    }

    /// Returns the table's schema.
    pub fn schema(&self) -> &str {
        &self.0.schema
    }

    /// Returns the table's name.
    pub fn table(&self) -> &str {
        &self.0.table
    }

    /// Returns the column's name; `None` if the error is not about a column of the table.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_ref().map(|location| &*location.name)
    }

    /// Returns the oid of the column's type.
    pub fn type_oid(&self) -> Option<Oid> {
        self.0.column.as_ref().map(|location| location.type_oid)
    }

    /// Returns the name of the column's type, if it is built in or described.
    pub fn type_name(&self) -> Option<&str> {
        self.0.column.as_ref().and_then(|location| location.type_name.as_deref())
    }

    /// Returns the format of the value; `None` for NULL and an unchanged TOAST value.
    pub fn format(&self) -> Option<Format> {
        self.0.column.as_ref().and_then(|location| location.format)
    }

    /// Returns the error of the value.
    pub fn value_error(&self) -> Option<&ValueError> {
        match &self.0.kind {
            RowErrorKind::Value(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the offset in the value, from 0, at which the error was found.
    pub fn offset(&self) -> Option<usize> {
        match &self.0.kind {
            RowErrorKind::Value(error) => Some(error.offset()),
            #[cfg(feature = "serde")]
            RowErrorKind::Deserialize(_) => self
                .0
                .column
                .as_ref()
                .filter(|location| location.format.is_some())
                .map(|location| location.offset),
            _ => None,
        }
    }
}

impl ColumnLocation {
    /// Writes format and type.
    fn write_type(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(format) = self.format {
            write!(f, "{format} value of ")?;
        }
        match &self.type_name {
            Some(name) => write!(f, "type {name}"),
            None => write!(f, "type with oid {}", self.type_oid),
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&*self.0).fmt(f)
    }
}

/// Writes names without escapes.
impl fmt::Display for RowErrorDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Change { lsn, key }) = &self.change {
            let separator = if key.is_empty() { "" } else { ", key " };
            write!(f, "change at {lsn}{separator}{key}: ")?;
        }
        let Self { kind, schema, table, column, .. } = self;
        if let Some(location) = column {
            write!(f, "column {:?} of {schema}.{table}: ", location.name)?;
        } else {
            write!(f, "row of {schema}.{table}: ")?;
        }
        let hint = column.as_ref().map(|location| (location, location.hint));
        match (kind, hint) {
            (RowErrorKind::Width { described, sent }, _) => {
                write!(f, "{sent} columns were sent, {described} described")
            }
            (RowErrorKind::NoSuchColumn { wanted }, _) => write!(
                f,
                "no column {wanted}; names are case-sensitive, and a publication may leave \
                 columns out"
            ),
            (RowErrorKind::NoSuchIndex { index, columns }, _) => {
                write!(f, "no column at index {index}, counted from 0: there are {columns}")
            }
            (RowErrorKind::NotInKey { column }, _) => write!(
                f,
                "column {column} is not part of this old row, which holds only the replica \
                 identity; \
                 use `try_get`, or set REPLICA IDENTITY FULL"
            ),
            (RowErrorKind::Value(error), Some((location, hint))) => {
                let kind = error.kind();
                if matches!(kind, ValueErrorKind::Null { .. } | ValueErrorKind::Unchanged { .. }) {
                    return error.write_reason(f);
                }
                if !is_own(error.type_oid(), location) {
                    // The type is that of an element, which the error names.
                    return error.write_named(f, location.inner_name.as_deref());
                }
                location.write_type(f)?;
                f.write_str(": ")?;
                match kind {
                    // There is no value.
                    ValueErrorKind::WrongType { target } if location.format.is_none() => {
                        write!(f, "cannot be read as {target}")?;
                    }
                    _ => error.write_reason(f)?,
                }
                match kind {
                    ValueErrorKind::WrongType { .. } => write!(f, "; read it as {hint}"),
                    ValueErrorKind::OutOfRange { .. } | ValueErrorKind::Inexact { .. } => {
                        write!(f, "; read it as {}", without_loss(hint))
                    }
                    _ => Ok(()),
                }
            }
            (RowErrorKind::Value(error), None) => write!(f, "{error}"),
            #[cfg(feature = "postgres-types")]
            (RowErrorKind::NeedsBinary { target }, hint) => {
                if let Some((location, _)) = hint {
                    location.write_type(f)?;
                    f.write_str(": ")?;
                }
                write!(
                    f,
                    "{target} is read from the binary format only, and this value is text: read it \
                     with `get`, or read with the option `binary`"
                )
            }
            #[cfg(feature = "postgres-types")]
            (RowErrorKind::Sql(error), _) => write!(f, "{error}"),
            #[cfg(feature = "serde")]
            (RowErrorKind::Deserialize(message), Some((location, hint))) => {
                location.write_type(f)?;
                write!(f, ": {message}")?;
                if location.format.is_some() {
                    write!(f, ", at byte {}", location.offset)?;
                }
                write!(f, "; it becomes {hint}")
            }
            #[cfg(feature = "serde")]
            (RowErrorKind::Deserialize(message), None) => f.write_str(message),
        }
    }
}

/// Returns whether the error is about the column's value, and not about a value inside it.
fn is_own(type_oid: Option<Oid>, location: &ColumnLocation) -> bool {
    type_oid.is_none_or(|oid| oid == location.type_oid || oid == location.base_oid)
}

impl fmt::Debug for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowError({self})")
    }
}

impl core::error::Error for RowError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.0.kind {
            #[cfg(feature = "postgres-types")]
            RowErrorKind::Sql(error) => error.source(),
            _ => None,
        }
    }
}
