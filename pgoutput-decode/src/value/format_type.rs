//! The SQL names of built-in types with a type modifier, as `format_type` prints them.

use core::fmt;

use super::{PgType, type_oid};
use crate::id::Oid;

/// Returns the name of a built-in type with this type modifier, as
/// `pg_catalog.format_type(oid, typmod)` does; `None` for types that are not built in. A modifier
/// of -1 means none.
///
/// ```
/// use pgoutput_decode::value::{format_type, type_oid};
///
/// assert_eq!(format_type(type_oid::VARCHAR, 14).unwrap().to_string(), "character varying(10)");
/// let numerics = format_type(type_oid::NUMERIC_ARRAY, 655_366).unwrap();
/// assert_eq!(numerics.to_string(), "numeric(10,2)[]");
/// assert_eq!(format_type(type_oid::INT4, -1).unwrap().to_string(), "integer");
/// ```
pub fn format_type(oid: Oid, typmod: i32) -> Option<FormatType> {
    let ty = PgType::from_oid(oid)?;
    let scalar = match ty.element() {
        Some(element) => PgType::from_oid(element)?,
        None => ty,
    };
    Some(FormatType { scalar, is_array: ty.element().is_some(), typmod })
}

/// Displays the name of a built-in type; created by [`format_type`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatType {
    scalar: &'static PgType,
    is_array: bool,
    typmod: i32,
}

/// The size of a length word, which is part of the modifiers of `varchar`, `bpchar` and `numeric`.
const LENGTH_WORD: i32 = 4;

impl fmt::Display for FormatType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, typmod) = (self.scalar.sql_name(), self.typmod);
        match self.scalar.oid() {
            // Without a length, their SQL names would mean a length of one.
            type_oid::BPCHAR if typmod < 0 => f.write_str("bpchar")?,
            type_oid::BIT if typmod < 0 => f.write_str("\"bit\"")?,
            _ if typmod < 0 => f.write_str(name)?,
            type_oid::VARCHAR | type_oid::BPCHAR if typmod > LENGTH_WORD => {
                write!(f, "{name}({})", typmod - LENGTH_WORD)?;
            }
            type_oid::BIT | type_oid::VARBIT => write!(f, "{name}({typmod})")?,
            type_oid::NUMERIC if typmod >= LENGTH_WORD => {
                let typmod = typmod - LENGTH_WORD;
                // Eleven bits with a sign since PostgreSQL 15; before that, the same bits without a
                // sign.
                let scale = ((typmod & 0x7FF) ^ 1024) - 1024;
                write!(f, "{name}({},{scale})", typmod >> 16 & 0xFFFF)?;
            }
            type_oid::TIME | type_oid::TIMETZ | type_oid::TIMESTAMP | type_oid::TIMESTAMPTZ => {
                let (head, tail) = name.split_once(' ').unwrap_or((name, ""));
                write!(f, "{head}({typmod}) {tail}")?;
            }
            type_oid::INTERVAL => {
                f.write_str(name)?;
                interval_fields(f, typmod)?;
            }
            _ => f.write_str(name)?,
        }
        f.write_str(if self.is_array { "[]" } else { "" })
    }
}

/// Writes the fields that an interval is restricted to (upper half) and the digits of its seconds
/// (lower half).
fn interval_fields(f: &mut fmt::Formatter<'_>, typmod: i32) -> fmt::Result {
    const MONTH: i32 = 1 << 1;
    const YEAR: i32 = 1 << 2;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    const FULL_PRECISION: i32 = 0xFFFF;

    let fields = typmod >> 16 & 0x7FFF;
    for (restriction, name) in [
        (YEAR, " year"),
        (MONTH, " month"),
        (DAY, " day"),
        (HOUR, " hour"),
        (MINUTE, " minute"),
        (SECOND, " second"),
        (YEAR | MONTH, " year to month"),
        (DAY | HOUR, " day to hour"),
        (DAY | HOUR | MINUTE, " day to minute"),
        (DAY | HOUR | MINUTE | SECOND, " day to second"),
        (HOUR | MINUTE, " hour to minute"),
        (HOUR | MINUTE | SECOND, " hour to second"),
        (MINUTE | SECOND, " minute to second"),
    ] {
        if fields == restriction {
            f.write_str(name)?;
        }
    }
    match typmod & 0xFFFF {
        FULL_PRECISION => Ok(()),
        digits => write!(f, "({digits})"),
    }
}
