//! A value of any type.

use core::cell::Cell;
use core::fmt::{self, Write};

use super::json_out::{JsonContext, WriteJson};
use super::{
    Array, Bits, Bytea, Char, Cid, Cidr, Circle, Composite, Date, Field, FieldType, Float4, Float8,
    Format, FromField, Hstore, Inet, Interval, Json, JsonOptions, JsonPath, Jsonb, Line,
    LineSegment, MacAddr, MacAddr8, Money, Multirange, Numeric, Path, Point, Polygon, Range,
    Rectangle, Snapshot, Text, Tid, Time, TimeTz, Timestamp, TsQuery, TsVector, TypeKind, Uuid,
    ValueError, Xid8, boolean, integer, type_oid,
};
use crate::id::{Oid, Xid};
use crate::lsn::Lsn;
use crate::timestamp::TimestampTz;

/// A value of any type, read according to its type. The text format and the binary format give the
/// same value.
///
/// `Display` prints PostgreSQL's text.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, Value, type_oid};
///
/// let value: Value = Field::new(type_oid::BOOL, Format::Binary, &[1]).get()?;
/// assert_eq!(value, Value::Bool(true));
/// assert_eq!(value.to_string(), "t");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// `boolean`
    Bool(bool),
    /// `smallint`
    Int2(i16),
    /// `integer`
    Int4(i32),
    /// `bigint`
    Int8(i64),
    /// `oid`; also `regclass` and similar types in the binary format, and in the text format if the
    /// object does not exist.
    Oid(Oid),
    /// `real`
    Float4(Float4),
    /// `double precision`
    Float8(Float8),
    /// `numeric`
    Numeric(Numeric<'a>),
    /// `"char"`
    Char(Char),
    /// `text`, `varchar`, `bpchar`, `name`, `xml`, an enum, and the text of types without a reader
    /// in this crate, such as `regclass` and similar types.
    Text(Text<'a>),
    /// `bytea`
    Bytea(Bytea<'a>),
    /// `uuid`
    Uuid(Uuid),
    /// `date`
    Date(Date),
    /// `time without time zone`
    Time(Time),
    /// `time with time zone`
    TimeTz(TimeTz),
    /// `timestamp without time zone`
    Timestamp(Timestamp),
    /// `timestamp with time zone`
    TimestampTz(TimestampTz),
    /// `json`
    Json(Json<'a>),
    /// `jsonb`
    Jsonb(Jsonb<'a>),
    /// `money`
    Money(Money),
    /// `xid`
    Xid(Xid),
    /// `xid8`
    Xid8(Xid8),
    /// `cid`
    Cid(Cid),
    /// `tid`
    Tid(Tid),
    /// `pg_lsn`
    Lsn(Lsn),
    /// `interval`
    Interval(Interval),
    /// `inet`
    Inet(Inet),
    /// `cidr`
    Cidr(Cidr),
    /// `macaddr`
    MacAddr(MacAddr),
    /// `macaddr8`
    MacAddr8(MacAddr8),
    /// `bit`
    Bit(Bits<'a>),
    /// `bit varying`
    VarBit(Bits<'a>),
    /// `point`
    Point(Point),
    /// `line`
    Line(Line),
    /// `lseg`
    LineSegment(LineSegment),
    /// `box`
    Rectangle(Rectangle),
    /// `path`
    Path(Path<'a>),
    /// `polygon`
    Polygon(Polygon<'a>),
    /// `circle`
    Circle(Circle),
    /// `tsvector`
    TsVector(TsVector<'a>),
    /// `tsquery`
    TsQuery(TsQuery<'a>),
    /// `jsonpath`
    JsonPath(JsonPath<'a>),
    /// `pg_snapshot`, `txid_snapshot`
    Snapshot(Snapshot<'a>),
    /// An array of any type, `int2vector`, `oidvector`.
    Array(Array<'a>),
    /// A range of any type.
    Range(Range<'a>),
    /// A multirange of any type.
    Multirange(Multirange<'a>),
    /// A composite type with a description.
    Composite(Composite<'a>),
    /// `hstore`
    Hstore(Hstore<'a>),
    /// The bytes of a binary value whose type has no reader in this crate. `Display` and JSON show
    /// them as a `bytea`.
    Opaque(Bytea<'a>),
}

impl<'a> Value<'a> {
    /// The only mapping from types to readers. One arm reads both formats.
    fn read(field: &Field<'a>) -> Result<Self, ValueError> {
        let ty = field.ty();
        if ty.is_text() {
            return field.get().map(Self::Text);
        }
        if !ty.is_base() {
            return Self::read_compound(field);
        }
        Ok(match ty.oid() {
            type_oid::BOOL => Self::Bool(field.get()?),
            type_oid::INT2 => Self::Int2(field.get()?),
            type_oid::INT4 => Self::Int4(field.get()?),
            type_oid::INT8 => Self::Int8(field.get()?),
            type_oid::OID => Self::Oid(field.get()?),
            type_oid::FLOAT4 => Self::Float4(field.get()?),
            type_oid::FLOAT8 => Self::Float8(field.get()?),
            type_oid::NUMERIC => Self::Numeric(field.get()?),
            type_oid::CHAR => Self::Char(field.get()?),
            type_oid::BYTEA => Self::Bytea(field.get()?),
            type_oid::UUID => Self::Uuid(field.get()?),
            type_oid::DATE => Self::Date(field.get()?),
            type_oid::TIME => Self::Time(field.get()?),
            type_oid::TIMETZ => Self::TimeTz(field.get()?),
            type_oid::TIMESTAMP => Self::Timestamp(field.get()?),
            type_oid::TIMESTAMPTZ => Self::TimestampTz(field.get()?),
            type_oid::JSON => Self::Json(field.get()?),
            type_oid::JSONB => Self::Jsonb(field.get()?),
            type_oid::MONEY => Self::Money(field.get()?),
            type_oid::XID => Self::Xid(field.get()?),
            type_oid::XID8 => Self::Xid8(field.get()?),
            type_oid::CID => Self::Cid(field.get()?),
            type_oid::TID => Self::Tid(field.get()?),
            type_oid::PG_LSN => Self::Lsn(field.get()?),
            type_oid::INTERVAL => Self::Interval(field.get()?),
            type_oid::INET => Self::Inet(field.get()?),
            type_oid::CIDR => Self::Cidr(field.get()?),
            type_oid::MACADDR => Self::MacAddr(field.get()?),
            type_oid::MACADDR8 => Self::MacAddr8(field.get()?),
            type_oid::BIT => Self::Bit(field.get()?),
            type_oid::VARBIT => Self::VarBit(field.get()?),
            type_oid::POINT => Self::Point(field.get()?),
            type_oid::LINE => Self::Line(field.get()?),
            type_oid::LSEG => Self::LineSegment(field.get()?),
            type_oid::BOX => Self::Rectangle(field.get()?),
            type_oid::PATH => Self::Path(field.get()?),
            type_oid::POLYGON => Self::Polygon(field.get()?),
            type_oid::CIRCLE => Self::Circle(field.get()?),
            type_oid::TSVECTOR => Self::TsVector(field.get()?),
            type_oid::TSQUERY => Self::TsQuery(field.get()?),
            type_oid::JSONPATH => Self::JsonPath(field.get()?),
            type_oid::PG_SNAPSHOT | type_oid::TXID_SNAPSHOT => Self::Snapshot(field.get()?),
            // Last: searching the table of types is slower than comparing numbers.
            _ => return Self::read_compound(field),
        })
    }

    /// Reads types that contain values, and types that have no reader.
    fn read_compound(field: &Field<'a>) -> Result<Self, ValueError> {
        let ty = field.ty();
        if ty.array().is_some() {
            return field.get().map(Self::Array);
        }
        if ty.range().is_some() {
            return field.get().map(Self::Range);
        }
        if ty.multirange().is_some() {
            return field.get().map(Self::Multirange);
        }
        match (ty.kind(), field.format()) {
            (TypeKind::Composite(_), _) => field.get().map(Self::Composite),
            (TypeKind::Hstore, _) => field.get().map(Self::Hstore),
            // The oid of an object that does not exist, in either format.
            (_, Format::Text) if ty.is_reg() && is_number(field.bytes()) => field
                .get()
                .map(Self::Oid)
                .or_else(|_: ValueError| Text::read(field).map(Self::Text)),
            (_, Format::Text) => Text::read(field).map(Self::Text),
            (_, Format::Binary) if ty.is_reg() => field.get().map(Self::Oid),
            (_, Format::Binary) => Ok(Self::Opaque(Bytea::new(field.bytes()))),
        }
    }

    /// Reads a value inside another one while the outer one is still being checked.
    ///
    /// Without optimisation [`read`](Self::read) uses more of the stack than everything else
    /// together. It is therefore not called for user-defined types, which may be deeply nested.
    pub(super) fn check(field: &Field<'a>) -> Result<(), ValueError> {
        let ty = field.ty().without_domains();
        let field = Field { ty, ..*field };
        let value = if ty.is_base() || ty.is_text() {
            Self::read(&field)
        } else {
            Self::read_compound(&field)
        };
        value.map(|_| ()).map_err(|error| error.within(ty.oid(), field.format()))
    }

    /// Reads a value inside one that was checked, which cannot fail.
    pub(super) fn inside(field: Field<'a>) -> Result<Self, fmt::Error> {
        field.get().map_err(|_| fmt::Error)
    }

    /// Writes the value as JSON. Each Rust type documents the shape of its JSON.
    ///
    /// # Errors
    ///
    /// Fails if `out` fails.
    pub fn write_json(&self, out: &mut impl Write, options: JsonOptions) -> fmt::Result {
        self.write_json_at(out, JsonContext::new(options, &Cell::default()))
    }

    pub(super) fn write_json_at(
        &self,
        out: &mut impl Write,
        context: JsonContext<'_>,
    ) -> fmt::Result {
        match self {
            Self::Bool(value) => boolean::write_json(*value, out),
            Self::Int2(value) => write!(out, "{value}"),
            Self::Int4(value) => write!(out, "{value}"),
            Self::Int8(value) => integer::write_json((*value).into(), out, context),
            Self::Oid(value) => write!(out, "{value}"),
            Self::Float4(value) => value.write_json(out, context),
            Self::Float8(value) => value.write_json(out, context),
            Self::Numeric(value) => value.write_json(out, context),
            Self::Char(value) => value.write_json(out, context),
            Self::Text(value) => value.write_json(out, context),
            Self::Bytea(value) | Self::Opaque(value) => value.write_json(out, context),
            Self::Uuid(value) => value.write_json(out, context),
            Self::Date(value) => value.write_json(out, context),
            Self::Time(value) => value.write_json(out, context),
            Self::TimeTz(value) => value.write_json(out, context),
            Self::Timestamp(value) => value.write_json(out, context),
            Self::TimestampTz(value) => value.write_json(out, context),
            Self::Json(value) => value.write_json(out, context),
            Self::Jsonb(value) => value.write_json(out, context),
            Self::Money(value) => value.write_json(out, context),
            Self::Xid(value) => value.write_json(out, context),
            Self::Xid8(value) => integer::write_json(value.0.into(), out, context),
            Self::Cid(value) => value.write_json(out, context),
            Self::Tid(value) => value.write_json(out, context),
            Self::Lsn(value) => value.write_json(out, context),
            Self::Interval(value) => value.write_json(out, context),
            Self::Inet(value) => value.write_json(out, context),
            Self::Cidr(value) => value.write_json(out, context),
            Self::MacAddr(value) => value.write_json(out, context),
            Self::MacAddr8(value) => value.write_json(out, context),
            Self::Bit(value) | Self::VarBit(value) => value.write_json(out, context),
            Self::Point(value) => value.write_json(out, context),
            Self::Line(value) => value.write_json(out, context),
            Self::LineSegment(value) => value.write_json(out, context),
            Self::Rectangle(value) => value.write_json(out, context),
            Self::Path(value) => value.write_json(out, context),
            Self::Polygon(value) => value.write_json(out, context),
            Self::Circle(value) => value.write_json(out, context),
            Self::TsVector(value) => value.write_json(out, context),
            Self::TsQuery(value) => value.write_json(out, context),
            Self::JsonPath(value) => value.write_json(out, context),
            Self::Snapshot(value) => value.write_json(out, context),
            Self::Array(value) => value.write_json(out, context),
            Self::Range(value) => value.write_json(out, context),
            Self::Multirange(value) => value.write_json(out, context),
            Self::Composite(value) => value.write_json(out, context),
            Self::Hstore(value) => value.write_json(out, context),
        }
    }
}

/// Returns whether the text is a decimal number without leading zeros.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit) && (text == b"0" || !text.starts_with(b"0"))
}

impl<'a> FromField<'a> for Value<'a> {
    fn accepts(_: FieldType<'_>) -> bool {
        true
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        Self::read(field)
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => boolean::display(*value, f),
            Self::Int2(value) => value.fmt(f),
            Self::Int4(value) => value.fmt(f),
            Self::Int8(value) => value.fmt(f),
            Self::Oid(value) => value.fmt(f),
            Self::Float4(value) => value.fmt(f),
            Self::Float8(value) => value.fmt(f),
            Self::Numeric(value) => value.fmt(f),
            Self::Char(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Bytea(value) | Self::Opaque(value) => value.fmt(f),
            Self::Uuid(value) => value.fmt(f),
            Self::Date(value) => value.fmt(f),
            Self::Time(value) => value.fmt(f),
            Self::TimeTz(value) => value.fmt(f),
            Self::Timestamp(value) => value.fmt(f),
            Self::TimestampTz(value) => value.fmt(f),
            Self::Json(value) => value.fmt(f),
            Self::Jsonb(value) => value.fmt(f),
            Self::Money(value) => value.fmt(f),
            Self::Xid(value) => value.fmt(f),
            Self::Xid8(value) => value.fmt(f),
            Self::Cid(value) => value.fmt(f),
            Self::Tid(value) => value.fmt(f),
            Self::Lsn(value) => value.fmt(f),
            Self::Interval(value) => value.fmt(f),
            Self::Inet(value) => value.fmt(f),
            Self::Cidr(value) => value.fmt(f),
            Self::MacAddr(value) => value.fmt(f),
            Self::MacAddr8(value) => value.fmt(f),
            Self::Bit(value) | Self::VarBit(value) => value.fmt(f),
            Self::Point(value) => value.fmt(f),
            Self::Line(value) => value.fmt(f),
            Self::LineSegment(value) => value.fmt(f),
            Self::Rectangle(value) => value.fmt(f),
            Self::Path(value) => value.fmt(f),
            Self::Polygon(value) => value.fmt(f),
            Self::Circle(value) => value.fmt(f),
            Self::TsVector(value) => value.fmt(f),
            Self::TsQuery(value) => value.fmt(f),
            Self::JsonPath(value) => value.fmt(f),
            Self::Snapshot(value) => value.fmt(f),
            Self::Array(value) => value.fmt(f),
            Self::Range(value) => value.fmt(f),
            Self::Multirange(value) => value.fmt(f),
            Self::Composite(value) => value.fmt(f),
            Self::Hstore(value) => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::PgType;

    #[test]
    fn is_opaque_matches_the_types_without_a_reader() {
        for known in PgType::all() {
            let ty = FieldType::new(known.oid());
            let binary = Field::of(ty, Format::Binary, &[]).get::<Value<'_>>();
            let has_none = matches!(binary, Ok(Value::Opaque(_))) || ty.is_reg();
            assert_eq!(ty.is_opaque(), has_none, "{}", known.typname());
            let is_reg = known.typname().starts_with("reg") && known.element().is_none();
            assert_eq!(ty.is_reg(), is_reg, "{}", known.typname());
        }
    }
}
