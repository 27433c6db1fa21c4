//! The Rust types that can read a column, for error messages.

use super::RowColumn;
use crate::value::{PgType, TypeKind, type_oid};

/// Returns the types that `get` can read from this column.
pub(super) fn reads_as(column: &RowColumn<'_>) -> &'static str {
    let ty = column.ty.without_domains();
    if ty.is_text() {
        return "&str, String or Value";
    }
    match ty.kind() {
        TypeKind::Array { .. } => return "Vec<Option<T>>, Array or Value",
        TypeKind::Composite(_) => return "Composite or Value",
        TypeKind::Hstore => return "Hstore or Value",
        _ => {}
    }
    if ty.is_reg() {
        return "Oid or u32 (binary format), &str or String (text format), or Value";
    }
    if ty.is_opaque() {
        return "&str or String (text format), Bytea, Vec<u8> or Value";
    }
    match ty.oid() {
        type_oid::BOOL => "bool or Value",
        type_oid::INT2 => "i16 or Value",
        type_oid::INT4 => "i32, i64 or Value",
        type_oid::INT8 => "i64 or Value",
        type_oid::OID => "Oid, u32 or Value",
        type_oid::XID => "Xid, u32 or Value",
        type_oid::XID8 => "Xid8, u64 or Value",
        type_oid::CID => "Cid, u32 or Value",
        type_oid::FLOAT4 => "f32, f64 or Value",
        type_oid::FLOAT8 => "f64 or Value",
        type_oid::NUMERIC => "Numeric or Value",
        type_oid::BYTEA => "Vec<u8>, Bytea or Value",
        type_oid::DATE => "Date or Value, or (feature `time`) time::Date",
        type_oid::TIME => "Time or Value, or (feature `time`) time::Time",
        type_oid::TIMETZ => "TimeTz or Value, or (feature `time`) (time::Time, time::UtcOffset)",
        type_oid::INTERVAL => "Interval or Value, or (feature `time`) time::Duration",
        type_oid::TIMESTAMP => "Timestamp or Value, or (feature `time`) time::PrimitiveDateTime",
        type_oid::TIMESTAMPTZ => "TimestampTz or Value, or (feature `time`) time::OffsetDateTime",
        type_oid::UUID => "Uuid, Value or (feature `uuid`) uuid::Uuid",
        // A `serde_json::Value` holds no number of more than 64 bits without its feature
        // `arbitrary_precision`.
        type_oid::JSON => {
            "Json, String or Value, or (feature `serde`, numbers of 64 bits) serde_json::Value"
        }
        type_oid::JSONB => {
            "Jsonb, String or Value, or (feature `serde`, numbers of 64 bits) serde_json::Value"
        }
        oid => match PgType::from_oid(oid) {
            Some(known) if known.element().is_some() => "Vec<Option<T>>, Array or Value",
            _ => "Value, or the type of its name in module `value`",
        },
    }
}

/// Returns the part of such a hint that remains for a value that does not fit into types with a
/// smaller range.
pub(super) fn without_loss(hint: &'static str) -> &'static str {
    // The types of the crate `time` have no infinity, and not all years.
    hint.split_once(", or (feature `time`)").map_or(hint, |(lossless, _)| lossless)
}

/// Returns the types that `get_sql` can read from this column.
#[cfg(feature = "postgres-types")]
pub(super) fn reads_as_sql(column: &RowColumn<'_>) -> &'static str {
    match column.ty.without_domains().kind() {
        TypeKind::Enum => "an enum that derives `FromSql`, or with `get` as &str or String",
        TypeKind::Composite(_) => "a struct that derives `FromSql`, or with `get` as Composite",
        _ => "a type whose `FromSql` accepts this one, or with `get`",
    }
}

/// Returns the form that `serde` gets of values of this column.
#[cfg(feature = "serde")]
pub(super) fn serde_form(column: &RowColumn<'_>) -> &'static str {
    let ty = column.ty.without_domains();
    match ty.kind() {
        TypeKind::Enum => return "a string, or an enum",
        TypeKind::Array { .. } => return "a sequence",
        TypeKind::Composite(_) => return "a struct, a map or a tuple",
        TypeKind::Hstore => return "a map",
        _ => {}
    }
    if ty.is_reg() {
        return "a string (text format) or an unsigned integer (binary format)";
    }
    match ty.oid() {
        type_oid::BOOL => "a bool",
        type_oid::INT2 | type_oid::INT4 | type_oid::INT8 => {
            "an integer that it fits into, or an exact float"
        }
        type_oid::OID | type_oid::XID | type_oid::XID8 | type_oid::CID => "an unsigned integer",
        type_oid::FLOAT4 | type_oid::FLOAT8 => "a float",
        type_oid::NUMERIC => "a string, or an exact integer or float",
        type_oid::BYTEA => "bytes, or a sequence of u8",
        type_oid::JSON | type_oid::JSONB => "the content of the document, or a string",
        oid if PgType::from_oid(oid).is_some_and(|known| known.element().is_some()) => "a sequence",
        _ => "a string",
    }
}
