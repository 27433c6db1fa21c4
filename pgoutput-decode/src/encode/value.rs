//! The binary form of values; the counterpart of the binary readers in [`value`](crate::value).

mod array;
mod bit;
mod composite;
mod datetime;
mod geometry;
mod hstore;
mod identifiers;
mod lexeme;
mod network;
mod number;
mod numeric;
mod range;
mod text;
mod tsquery;
mod tsvector;

use alloc::vec::Vec;

use super::EncodeError;
use super::writer::Writer;
use crate::id::{Oid, Xid};
use crate::lsn::Lsn;
use crate::timestamp::TimestampTz;
use crate::value::{
    Array, Bits, Bytea, Char, Cid, Cidr, Circle, Composite, Date, Field, Float4, Float8, Hstore,
    Inet, Interval, Json, JsonPath, Jsonb, Line, LineSegment, MacAddr, MacAddr8, Money, Multirange,
    Numeric, Path, Point, Polygon, Range, Rectangle, Snapshot, Text, Tid, Time, TimeTz, Timestamp,
    TsQuery, TsVector, Uuid, Value, Xid8,
};

/// A value that can be written in the binary form of its type: the bytes of the type's send
/// function.
///
/// Every value has one binary form, which is the one that a server sends, no matter which form it
/// was read from. A `numeric` has no leading or trailing groups of zeros, and the unused bits of a
/// `bit` string are zero. Only the structure of a `tsquery` read from text may differ: the text
/// does not show how operators are grouped where the grouping does not matter.
///
/// The types of [`value`](crate::value) implement it. [`Field`] does too, because it knows its
/// type: use it to write a value of any type, and to convert text to binary.
///
/// ```
/// use pgoutput_decode::encode::{EncodeBinary, EncodeError, TupleBuf};
/// use pgoutput_decode::value::{Array, Field, Format, Interval, Numeric, type_oid};
///
/// let text = b"1 year 2 mons -3 days +00:00:00.5";
/// let interval: Interval = Field::new(type_oid::INTERVAL, Format::Text, text).get()?;
/// assert_eq!(interval.to_binary()?, b"\0\0\0\0\0\x07\xA1\x20\xFF\xFF\xFF\xFD\0\0\0\x0E");
/// assert_eq!(Numeric::parse("12.30")?.to_binary()?, b"\0\x02\0\0\0\0\0\x02\0\x0C\x0B\xB8");
///
/// // From text to binary, and back.
/// let text = Field::new(type_oid::INT4_ARRAY, Format::Text, b"{1,NULL}");
/// let bytes = text.to_binary()?;
/// let binary = Field::new(type_oid::INT4_ARRAY, Format::Binary, &bytes);
/// assert_eq!(binary.get::<Array>()?, text.get::<Array>()?);
///
/// // Columns of a tuple, as a server with `binary 'true'` sends them.
/// let mut row = TupleBuf::new();
/// row.value(&7_i32)?.value(&text)?;
///
/// // A type of which only the text is known cannot be converted.
/// let list = Field::new(type_oid::PG_NDISTINCT, Format::Text, br#"{"1, 2": 3}"#);
/// assert_eq!(list.to_binary(), Err(EncodeError::NoBinaryForm(type_oid::PG_NDISTINCT)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait EncodeBinary {
    /// Appends the value's binary form to `out`.
    ///
    /// # Errors
    /// Fails if the value is too large for its type, and if its text is not what PostgreSQL writes
    /// for the type; `out` is then unchanged.
    fn encode_binary(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Returns the binary form of the value.
    ///
    /// # Errors
    /// Those of [`encode_binary`](Self::encode_binary).
    fn to_binary(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        self.encode_binary(&mut out)?;
        Ok(out)
    }
}

/// Writes a value. The public trait adds that `out` is unchanged after an error.
trait Write {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;
}

macro_rules! encode_binary {
    ($($value:ty),* $(,)?) => {$(
        impl EncodeBinary for $value {
            fn encode_binary(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                Writer::append(out, |writer| self.write(writer))
            }
        }
    )*};
}

encode_binary! {
    Field<'_>,
    bool, i16, i32, i64, Float4, Float8, Numeric<'_>, Money,
    str, &str, Text<'_>, Char, Bytea<'_>, Json<'_>, Jsonb<'_>, JsonPath<'_>,
    Date, Time, TimeTz, Timestamp, TimestampTz, Interval,
    Oid, Xid, Xid8, Cid, Tid, Lsn, Snapshot<'_>, Uuid,
    Inet, Cidr, MacAddr, MacAddr8, Bits<'_>,
    Point, Line, LineSegment, Rectangle, Path<'_>, Polygon<'_>, Circle,
    TsVector<'_>, TsQuery<'_>,
    Array<'_>, Range<'_>, Multirange<'_>, Composite<'_>, Hstore<'_>,
}

/// The name of a nested value in the error for one that is too long.
const INSIDE: &str = "value";

/// Writes a value after its length, or NULL.
fn write_sized(value: Option<&impl Write>, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    match value {
        None => writer.i32(-1),
        Some(value) => return writer.sized(INSIDE, |writer| value.write(writer)),
    }
    Ok(())
}

impl Write for Field<'_> {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.get::<Value<'_>>()? {
            Value::Bool(value) => value.write(writer),
            Value::Int2(value) => value.write(writer),
            Value::Int4(value) => value.write(writer),
            Value::Int8(value) => value.write(writer),
            Value::Oid(value) => value.write(writer),
            Value::Float4(value) => value.write(writer),
            Value::Float8(value) => value.write(writer),
            Value::Numeric(value) => value.write(writer),
            Value::Char(value) => value.write(writer),
            Value::Text(value) => {
                // The text of a type without a reader is not its binary form.
                let ty = self.ty().without_domains();
                if !ty.is_text() {
                    return Err(EncodeError::NoBinaryForm(ty.oid()));
                }
                value.write(writer)
            }
            Value::Bytea(value) | Value::Opaque(value) => value.write(writer),
            Value::Uuid(value) => value.write(writer),
            Value::Date(value) => value.write(writer),
            Value::Time(value) => value.write(writer),
            Value::TimeTz(value) => value.write(writer),
            Value::Timestamp(value) => value.write(writer),
            Value::TimestampTz(value) => value.write(writer),
            Value::Json(value) => value.write(writer),
            Value::Jsonb(value) => value.write(writer),
            Value::Money(value) => value.write(writer),
            Value::Xid(value) => value.write(writer),
            Value::Xid8(value) => value.write(writer),
            Value::Cid(value) => value.write(writer),
            Value::Tid(value) => value.write(writer),
            Value::Lsn(value) => value.write(writer),
            Value::Interval(value) => value.write(writer),
            Value::Inet(value) => value.write(writer),
            Value::Cidr(value) => value.write(writer),
            Value::MacAddr(value) => value.write(writer),
            Value::MacAddr8(value) => value.write(writer),
            Value::Bit(value) | Value::VarBit(value) => value.write(writer),
            Value::Point(value) => value.write(writer),
            Value::Line(value) => value.write(writer),
            Value::LineSegment(value) => value.write(writer),
            Value::Rectangle(value) => value.write(writer),
            Value::Path(value) => value.write(writer),
            Value::Polygon(value) => value.write(writer),
            Value::Circle(value) => value.write(writer),
            Value::TsVector(value) => value.write(writer),
            Value::TsQuery(value) => value.write(writer),
            Value::JsonPath(value) => value.write(writer),
            Value::Snapshot(value) => value.write(writer),
            Value::Array(value) => value.write(writer),
            Value::Range(value) => value.write(writer),
            Value::Multirange(value) => value.write(writer),
            Value::Composite(value) => value.write(writer),
            Value::Hstore(value) => value.write(writer),
        }
    }
}

#[cfg(test)]
mod tests;
