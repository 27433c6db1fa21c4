//! The values of columns.

use std::fmt::{self, Write as _};

use pgoutput_reader::decode::value::{
    Array, Bytea, Elements, Field, FieldType, Format, Hstore, PgType, TypeKind, Value, ValueError,
    ValueErrorKind, type_oid,
};

use super::text::{Escaped, displayed};
use super::{bytes, decimal, extension, geometry, time};
use crate::args::{DebeziumArgs, DecimalArg, TimeArg};

/// The settings of values.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    decimal: DecimalArg,
    time: TimeArg,
    /// What stands for an unchanged TOAST value.
    unavailable: String,
}

impl Settings {
    pub(super) fn new(args: &DebeziumArgs) -> Self {
        Self { decimal: args.decimal, time: args.time, unavailable: args.unavailable_value.clone() }
    }
}

/// A value that cannot be written.
#[derive(Debug)]
pub(super) enum EncodeError {
    /// It is not in the form that PostgreSQL writes for its type.
    Value(ValueError),
    /// The envelope has no form for it.
    Unsupported(&'static str),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(error) => write!(f, "cannot be read: {error}"),
            Self::Unsupported(reason) => f.write_str(reason),
        }
    }
}

impl From<ValueError> for EncodeError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

/// Writes the value of a column with this type modifier.
pub(super) fn write(
    field: &Field<'_>,
    modifier: i32,
    settings: &Settings,
    out: &mut String,
) -> Result<(), EncodeError> {
    let start = out.len();
    match typed(field, modifier, settings, out) {
        Err(EncodeError::Value(error)) => {
            out.truncate(start);
            undescribed(field, error, out)
        }
        written => written,
    }
}

/// Writes a value that does not match the description of its type, or is not UTF-8, as its text or
/// as its bytes. The catalogue describes a user's type as it is now, and the value may be older.
#[cold]
fn undescribed(field: &Field<'_>, error: ValueError, out: &mut String) -> Result<(), EncodeError> {
    let is_text = error.kind() == ValueErrorKind::InvalidUtf8;
    if !is_text && field.ty().info().is_none() {
        return Err(error.into());
    }
    match std::str::from_utf8(field.bytes()) {
        Ok(text) if field.format() == Format::Text => displayed(out, text),
        _ => displayed(out, Bytea::new(field.bytes())),
    }
    Ok(())
}

fn typed(
    field: &Field<'_>,
    modifier: i32,
    settings: &Settings,
    out: &mut String,
) -> Result<(), EncodeError> {
    let value = field.get::<Value<'_>>()?;
    // Writing to a String cannot fail.
    let _ = match &value {
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int2(value) => write!(out, "{value}"),
        Value::Int4(value) => write!(out, "{value}"),
        Value::Int8(value) => write!(out, "{value}"),
        Value::Oid(value) => write!(out, "{}", value.as_u32()),
        _ => return not_an_integer(&value, field, modifier, settings, out),
    };
    Ok(())
}

fn not_an_integer(
    value: &Value<'_>,
    field: &Field<'_>,
    modifier: i32,
    settings: &Settings,
    out: &mut String,
) -> Result<(), EncodeError> {
    match value {
        Value::Float4(value) => float4(value.0, out),
        Value::Float8(value) => float8(value.0, out),
        Value::Numeric(value) => decimal::numeric(value, modifier, settings.decimal, out)?,
        Value::Money(value) => decimal::money(*value, settings.decimal, out)?,
        Value::Date(value) => time::date(*value, settings.time, out),
        Value::Time(value) => time::time(*value, modifier, settings.time, out),
        Value::TimeTz(value) => time::timetz(*value, out),
        Value::Timestamp(value) => time::timestamp(*value, modifier, settings.time, out),
        Value::TimestampTz(value) => time::timestamptz(*value, modifier, out),
        Value::Interval(value) => time::interval(*value, out),
        Value::Bytea(value) => bytes::base64(value.bytes(), out),
        Value::Bit(value) | Value::VarBit(value) => bytes::bits(value, modifier, out),
        Value::Point(value) => geometry::point(*value, out),
        Value::Array(value) => array(value, modifier, settings, out)?,
        Value::Hstore(value) => hstore(value, out),
        value => {
            let start = out.len();
            if extension::write(field.ty().without_domains(), value, out).is_none() {
                out.truncate(start);
                displayed(out, value);
            }
        }
    }
    Ok(())
}

/// Writes a float as JSON, those that JSON does not have as strings.
pub(super) fn float8(value: f64, out: &mut String) {
    let _ = match value {
        _ if value.is_finite() => write!(out, "{value:?}"),
        _ => write!(out, "\"{}\"", not_finite(value.is_nan(), value > 0.0)),
    };
}

fn float4(value: f32, out: &mut String) {
    let _ = match value {
        _ if value.is_finite() => write!(out, "{value:?}"),
        _ => write!(out, "\"{}\"", not_finite(value.is_nan(), value > 0.0)),
    };
}

const fn not_finite(is_nan: bool, is_positive: bool) -> &'static str {
    match (is_nan, is_positive) {
        (true, _) => "NaN",
        (_, true) => "Infinity",
        (_, false) => "-Infinity",
    }
}

/// Writes an array, each dimension as an array.
fn array(
    array: &Array<'_>,
    modifier: i32,
    settings: &Settings,
    out: &mut String,
) -> Result<(), EncodeError> {
    let mut elements = array.elements();
    let lengths: Vec<u32> = array.dimensions().iter().map(|dimension| dimension.len).collect();
    if array.is_empty() {
        out.push_str("[]");
        return Ok(());
    }
    dimension(&lengths, &mut elements, modifier, settings, out)
}

fn dimension(
    lengths: &[u32],
    elements: &mut Elements<'_>,
    modifier: i32,
    settings: &Settings,
    out: &mut String,
) -> Result<(), EncodeError> {
    let (length, inner) =
        lengths.split_first().map_or((0, lengths), |(first, rest)| (*first, rest));
    out.push('[');
    for index in 0..length {
        if index > 0 {
            out.push(',');
        }
        if inner.is_empty() {
            match elements.next().flatten() {
                Some(element) => typed(&element, modifier, settings, out)?,
                None => out.push_str("null"),
            }
        } else {
            dimension(inner, elements, modifier, settings, out)?;
        }
    }
    out.push(']');
    Ok(())
}

/// Writes the text of a JSON object of strings as a string.
fn hstore(value: &Hstore<'_>, out: &mut String) {
    out.push_str("\"{");
    for (index, (key, value)) in value.pairs().enumerate() {
        if index > 0 {
            out.push(',');
        }
        inner_string(key, out);
        out.push(':');
        match value {
            Some(value) => inner_string(value, out),
            None => out.push_str("null"),
        }
    }
    out.push_str("}\"");
}

/// Writes a string of a JSON text that is itself a string.
fn inner_string(text: impl fmt::Display, out: &mut String) {
    out.push_str("\\\"");
    let _ = write!(Escaped(Escaped(&mut *out)), "{text}");
    out.push_str("\\\"");
}

/// Writes what stands for an unchanged TOAST value of this type.
pub(super) fn unavailable(ty: FieldType<'_>, settings: &Settings, out: &mut String) {
    let placeholder = &*settings.unavailable;
    let ty = ty.without_domains();
    let element = match ty.kind() {
        TypeKind::Array { element, .. } => Some(element.without_domains().oid()),
        TypeKind::Base => PgType::from_oid(ty.oid()).and_then(PgType::element),
        TypeKind::Hstore => {
            out.push_str("\"{");
            inner_string(placeholder, out);
            out.push(':');
            inner_string(placeholder, out);
            out.push_str("}\"");
            return;
        }
        _ => None,
    };
    match element {
        None if ty.oid() == type_oid::BYTEA => bytes::base64(placeholder.bytes(), out),
        None => displayed(out, placeholder),
        Some(type_oid::INT2 | type_oid::INT4 | type_oid::INT8 | type_oid::OID) => {
            for (index, byte) in placeholder.bytes().enumerate() {
                let _ = write!(out, "{}{byte}", if index == 0 { '[' } else { ',' });
            }
            out.push_str(if placeholder.is_empty() { "[]" } else { "]" });
        }
        Some(element) => {
            out.push('[');
            if element == type_oid::BYTEA {
                bytes::base64(placeholder.bytes(), out);
            } else {
                displayed(out, placeholder);
            }
            out.push(']');
        }
    }
}

#[cfg(test)]
mod tests;
