//! What can be wrong with a column of a row.

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

/// A row that could not be read: in which table, which column, of which type and format, what was
/// wrong and where, and what would work.
///
/// One word wide. It keeps names, and nothing of the values but the key where
/// [`in_change`](Self::in_change) was given one, unless a `Deserialize` of yours puts some into its
/// message.
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
    column: Option<Place>,
    change: Option<Change>,
}

/// The change that the row is part of.
#[derive(Debug)]
struct Change {
    lsn: Lsn,
    key: Box<str>,
}

#[derive(Debug)]
struct Place {
    name: Box<str>,
    type_oid: Oid,
    /// The type that decides what it can be read as: below all domains.
    base_oid: Oid,
    type_name: Option<Box<str>>,
    /// The name of the type that an error is about which is not the column's.
    inner_name: Option<Box<str>>,
    format: Option<Format>,
    /// What it could have been read as.
    hint: &'static str,
    /// Where in the value an implementation of `serde::Deserialize` refused something.
    #[cfg(feature = "serde")]
    offset: usize,
}

/// What was wrong with a row.
#[derive(Debug)]
#[non_exhaustive]
pub enum RowErrorKind {
    /// The row is wider or narrower than its table.
    Width {
        /// Columns of the table.
        described: usize,
        /// Columns of the row.
        sent: usize,
    },
    /// The table has no column of this name.
    NoSuchColumn {
        /// The name that was asked for.
        wanted: Box<str>,
    },
    /// The table has no column at this place.
    NoSuchIndex {
        /// The place that was asked for, from 0.
        index: usize,
        /// How many columns the table has.
        columns: usize,
    },
    /// The old row holds only the columns of the replica identity, and this is none of them.
    NotInKey {
        /// The name or the place that was asked for.
        column: Box<str>,
    },
    /// The value: its bytes, its range, the type it was asked for as.
    Value(ValueError),
    /// `postgres_types::FromSql` reads only the binary format, and the value came as text that is
    /// not its binary form too.
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
        error.0.column = Some(Place {
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

    /// The same error, at this byte of the value.
    #[cfg(feature = "serde")]
    pub(super) fn at(mut self, offset: usize) -> Self {
        if let Some(place) = &mut self.0.column {
            place.offset = offset;
        }
        self
    }

    /// The same error, which says in which change the row stands: where that is in the log, and the
    /// key of the row as text, such as `id=7`, empty if nothing is to be said of it.
    #[must_use]
    pub fn in_change(mut self, lsn: Lsn, key: &str) -> Self {
        self.0.change = Some(Change { lsn, key: key.into() });
        self
    }

    /// Where the change stands in the log; `None` unless [`in_change`](Self::in_change) has said
    /// so, as the errors of `pgoutput-reader` have.
    pub fn lsn(&self) -> Option<Lsn> {
        self.0.change.as_ref().map(|change| change.lsn)
    }

    /// The key of the row as text, as [`in_change`](Self::in_change) has said it.
    pub fn key(&self) -> Option<&str> {
        self.0.change.as_ref().map(|change| &*change.key).filter(|key| !key.is_empty())
    }

    /// What was wrong.
    pub fn kind(&self) -> &RowErrorKind {
        &self.0.kind
    }

    /// The table's schema.
    pub fn schema(&self) -> &str {
        &self.0.schema
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.0.table
    }

    /// The column's name; `None` when no column of the table is to blame.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_ref().map(|place| &*place.name)
    }

    /// The column's type.
    pub fn type_oid(&self) -> Option<Oid> {
        self.0.column.as_ref().map(|place| place.type_oid)
    }

    /// The name of the column's type, for built-in types and described ones.
    pub fn type_name(&self) -> Option<&str> {
        self.0.column.as_ref().and_then(|place| place.type_name.as_deref())
    }

    /// The format that the value came in; `None` for NULL and what did not come along.
    pub fn format(&self) -> Option<Format> {
        self.0.column.as_ref().and_then(|place| place.format)
    }

    /// The error of the value.
    pub fn value_error(&self) -> Option<&ValueError> {
        match &self.0.kind {
            RowErrorKind::Value(error) => Some(error),
            _ => None,
        }
    }

    /// The byte of the value, from 0, at which something was wrong.
    pub fn offset(&self) -> Option<usize> {
        match &self.0.kind {
            RowErrorKind::Value(error) => Some(error.offset()),
            #[cfg(feature = "serde")]
            RowErrorKind::Deserialize(_) => self
                .0
                .column
                .as_ref()
                .filter(|place| place.format.is_some())
                .map(|place| place.offset),
            _ => None,
        }
    }
}

impl Place {
    /// Names format and type.
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

/// Names as they are.
impl fmt::Display for RowErrorDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Change { lsn, key }) = &self.change {
            let separator = if key.is_empty() { "" } else { ", key " };
            write!(f, "change at {lsn}{separator}{key}: ")?;
        }
        let Self { kind, schema, table, column, .. } = self;
        if let Some(place) = column {
            write!(f, "column {:?} of {schema}.{table}: ", place.name)?;
        } else {
            write!(f, "row of {schema}.{table}: ")?;
        }
        let hint = column.as_ref().map(|place| (place, place.hint));
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
            (RowErrorKind::Value(error), Some((place, hint))) => {
                let kind = error.kind();
                if matches!(kind, ValueErrorKind::Null { .. } | ValueErrorKind::Unchanged { .. }) {
                    return error.write_reason(f);
                }
                if !is_own(error.type_oid(), place) {
                    // That of an element, which the error names.
                    return error.write_named(f, place.inner_name.as_deref());
                }
                place.write_type(f)?;
                f.write_str(": ")?;
                match kind {
                    // Nothing stands anywhere.
                    ValueErrorKind::WrongType { target } if place.format.is_none() => {
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
                if let Some((place, _)) = hint {
                    place.write_type(f)?;
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
            (RowErrorKind::Deserialize(message), Some((place, hint))) => {
                place.write_type(f)?;
                write!(f, ": {message}")?;
                if place.format.is_some() {
                    write!(f, ", at byte {}", place.offset)?;
                }
                write!(f, "; it becomes {hint}")
            }
            #[cfg(feature = "serde")]
            (RowErrorKind::Deserialize(message), None) => f.write_str(message),
        }
    }
}

/// Whether the error is that of the column's value, and not of something inside of it.
fn is_own(type_oid: Option<Oid>, place: &Place) -> bool {
    type_oid.is_none_or(|oid| oid == place.type_oid || oid == place.base_oid)
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
