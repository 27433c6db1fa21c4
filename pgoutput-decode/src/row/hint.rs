//! Which Rust types read a column, for error messages.

use crate::Oid;
use crate::value::{PgType, type_oid};

/// What values of this type can be read as.
pub(super) fn reads_as(oid: Oid) -> &'static str {
    match oid {
        type_oid::BOOL => "bool or Value",
        type_oid::INT2 => "i16 or Value",
        type_oid::INT4 => "i32, i64 or Value",
        type_oid::INT8 => "i64 or Value",
        type_oid::OID => "Oid, u32 or Value",
        type_oid::FLOAT4 => "f32, f64 or Value",
        type_oid::FLOAT8 => "f64 or Value",
        type_oid::NUMERIC => "Numeric or Value",
        type_oid::BYTEA => "Vec<u8>, Bytea or Value",
        type_oid::DATE => "Date, Value or (feature `time`) time::Date",
        type_oid::TIME => "Time, Value or (feature `time`) time::Time",
        type_oid::TIMESTAMP => "Timestamp, Value or (feature `time`) time::PrimitiveDateTime",
        type_oid::TIMESTAMPTZ => "TimestampTz, Value or (feature `time`) time::OffsetDateTime",
        type_oid::UUID => "Uuid, Value or (feature `uuid`) uuid::Uuid",
        type_oid::JSON => "Json, Value or (feature `serde`) serde_json::Value",
        type_oid::JSONB => "Jsonb, Value or (feature `serde`) serde_json::Value",
        type_oid::TEXT | type_oid::VARCHAR | type_oid::BPCHAR | type_oid::NAME | type_oid::XML => {
            "&str, String or Value"
        }
        _ if PgType::from_oid(oid).is_some() => "Value, or the type of its name in module `value`",
        _ => "String, if it is an enum or unknown text, or Value",
    }
}
