//! Columns for `postgres_types::FromSql`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::any::type_name;

use postgres_types::{Field as SqlField, FromSql, Kind, Type};

use super::type_hint::reads_as_sql;
use super::{Row, RowColumn, RowError, RowErrorKind, RowIndex};
use crate::tuple::TupleColumn;
use crate::value::{FieldType, MAX_DEPTH, TypeKind, ValueError, ValueErrorKind, type_oid};

impl<'a> Row<'a> {
    /// Reads the value as a type that the crate `postgres` supports; `chrono`, `rust_decimal` and
    /// many other crates have such types.
    ///
    /// `FromSql` reads only the binary format. Use the option `binary`, or columns whose text is
    /// also their binary form (text types, enums, `json`). NULL needs an `Option`.
    ///
    /// ```
    /// use pgoutput_decode::row::Row;
    /// use pgoutput_decode::{Message, Relation};
    /// use std::time::{Duration, SystemTime};
    ///
    /// let relation = b"R\0\0\x40\x13public\0readme\0d\0\x01\x01at\0\0\0\x04\xA0\xFF\xFF\xFF\xFF";
    /// let insert = b"I\0\0\x40\x13N\0\x01b\0\0\0\x08\xFF\xFC\xA2\xFE\xC4\xC8\x20\0";
    /// let Message::Relation(body) = Message::decode(relation, false)? else { panic!() };
    /// let Message::Insert(insert) = Message::decode(insert, false)? else { panic!() };
    /// let table = Relation::from(&body);
    ///
    /// let at: SystemTime = Row::new(&table, insert.new)?.get_sql("at")?;
    /// assert_eq!(at, SystemTime::UNIX_EPOCH);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The row has no such column; `T` refuses the type or the value; the value was sent as text
    /// that differs from its binary form, or is an unchanged TOAST value.
    pub fn get_sql<T: FromSql<'a>>(&self, index: impl RowIndex) -> Result<T, RowError> {
        let column = self.column(&index).ok_or_else(|| self.missing(&index))?;
        read(&column).map_err(|kind| {
            RowError::of_column(self.relation, &column, kind, reads_as_sql(&column))
        })
    }
}

fn read<'a, T: FromSql<'a>>(column: &RowColumn<'a>) -> Result<T, RowErrorKind> {
    let target = type_name::<T>();
    let ty = sql_type(column.ty, 0);
    if !T::accepts(&ty) {
        return Err(ValueError::new(ValueErrorKind::WrongType { target }, 0).into());
    }
    match column.value {
        TupleColumn::Unchanged => {
            Err(ValueError::new(ValueErrorKind::Unchanged { target }, 0).into())
        }
        TupleColumn::Null => T::from_sql_null(&ty)
            .map_err(|_| ValueError::new(ValueErrorKind::Null { target }, 0).into()),
        TupleColumn::Text(_) if !is_text(column.ty.without_domains()) => {
            Err(RowErrorKind::NeedsBinary { target })
        }
        TupleColumn::Text(bytes) | TupleColumn::Binary(bytes) => {
            T::from_sql(&ty, bytes).map_err(RowErrorKind::Sql)
        }
    }
}

/// Returns whether both formats have the same bytes.
fn is_text(ty: FieldType<'_>) -> bool {
    ty.is_text() || ty.oid() == type_oid::JSON
}

/// Returns the type as that crate describes it.
fn sql_type(ty: FieldType<'_>, depth: u8) -> Type {
    let oid = ty.oid().as_u32();
    if let Some(known) = Type::from_oid(oid) {
        return known;
    }
    // Descriptions may form a ring.
    let of = |part: FieldType<'_>| {
        if depth < MAX_DEPTH { sql_type(part, depth + 1) } else { Type::UNKNOWN }
    };
    let kind = match ty.kind() {
        // Its labels are unknown. Types that read enums check the name.
        TypeKind::Enum => Kind::Enum(Vec::new()),
        TypeKind::Domain(base) => Kind::Domain(of(base)),
        TypeKind::Array { element, .. } => Kind::Array(of(element)),
        TypeKind::Range(subtype) => Kind::Range(of(subtype)),
        TypeKind::Multirange(range) => Kind::Multirange(of(range)),
        TypeKind::Composite(attributes) => Kind::Composite(
            attributes
                .iter()
                .map(|attribute| SqlField::new(attribute.name.into(), of(attribute.ty)))
                .collect(),
        ),
        _ => Kind::Simple,
    };
    let name = ty.name().map_or_else(|| ty.oid().to_string(), String::from);
    Type::new(name, oid, kind, String::new())
}
