//! Values of columns. Every type is read exactly, and the text and binary formats give the same
//! value.
//!
//! A [`Field`] is one present value: its type, its [`Format`] and its bytes. [`Field::get`] reads
//! it as a Rust type ([`FromField`]), [`Field::write_json`] writes it as JSON, and
//! [`Field::write_text`] as PostgreSQL's own text. [`Value`] holds a value of any type. Nothing
//! here allocates.
//!
//! Text is read in the form that a session with these settings writes:
//!
//! - `DateStyle`: ISO
//! - `IntervalStyle`: postgres
//! - `TimeZone`: UTC (other offsets are read and applied)
//! - `extra_float_digits`: at least 1 (3 before PostgreSQL 12)
//! - `bytea_output`: hex (the escape form is read as well)
//! - `lc_monetary`: C
//! - `client_encoding`: UTF8
//!
//! [`Field::with_money_digits`] sets how many decimal places an amount of `money` has.
//!
//! ```
//! use pgoutput_decode::value::{Field, Format, JsonOptions, Numeric, type_oid};
//!
//! // 12.30 as text, and as numeric's binary form: 2 digits, weight 0, positive, scale 2, 12, 3000.
//! let text = Field::new(type_oid::NUMERIC, Format::Text, b"12.30");
//! let binary = Field::new(
//!     type_oid::NUMERIC,
//!     Format::Binary,
//!     b"\0\x02\0\0\0\0\0\x02\0\x0C\x0B\xB8",
//! );
//! assert_eq!(text.get::<Numeric>()?, binary.get::<Numeric>()?);
//!
//! let mut json = String::new();
//! binary.write_json(&mut json, JsonOptions::default())?;
//! assert_eq!(json, "12.30");
//! # Ok::<(), pgoutput_decode::value::ValueError>(())
//! ```

mod any;
mod array;
mod array_elements;
mod bit;
mod boolean;
mod bytea;
mod char;
mod composite;
mod date;
mod datetime_text;
mod error;
mod float;
mod format_type;
mod from_field;
mod geometry;
mod hstore;
mod input;
mod integer;
mod interval;
mod json;
#[cfg(feature = "serde")]
mod json_numbers;
mod json_options;
mod json_out;
mod json_scan;
mod jsonpath;
mod mac;
mod money;
mod multirange;
mod network;
mod numeric;
mod pg_lsn;
mod pg_type;
mod quote;
mod range;
mod snapshot;
mod text;
mod tid;
mod time;
mod timestamp;
mod toast;
mod tsquery;
mod tsvector;
mod type_info;
#[cfg(feature = "alloc")]
mod type_set;
mod unescape;
mod uuid;
#[cfg(feature = "alloc")]
mod vec;
#[cfg(feature = "serde")]
mod with_serde_json;
#[cfg(feature = "time")]
mod with_time;
#[cfg(feature = "uuid")]
mod with_uuid;
mod xid;

use core::cell::Cell;
use core::fmt;

pub use self::any::Value;
pub use self::array::{Array, Dimension};
pub use self::array_elements::Elements;
pub use self::bit::Bits;
pub use self::bytea::{Bytea, ByteaBytes};
pub use self::char::Char;
pub use self::composite::{Attributes, Composite};
pub use self::date::Date;
pub use self::error::{ValueError, ValueErrorKind};
pub use self::float::{Float4, Float8};
pub use self::format_type::{FormatType, format_type};
pub use self::from_field::FromField;
use self::from_field::{FromFormats, from_formats};
pub use self::geometry::{Circle, Line, LineSegment, Path, Point, Polygon, Rectangle};
pub use self::hstore::{Hstore, Pairs};
#[cfg(feature = "serde")]
pub(crate) use self::integer::short_number;
pub use self::interval::{Interval, Iso8601};
pub use self::json::{Json, Jsonb};
#[cfg(feature = "serde")]
pub(crate) use self::json_numbers::first_inexact;
pub use self::json_options::{JsonNotes, JsonOptions, MAX_JSON_NESTING};
use self::json_out::JsonContext;
pub use self::json_out::write_json_string;
pub use self::jsonpath::JsonPath;
pub use self::mac::{MacAddr, MacAddr8};
pub(crate) use self::money::C_MONEY_DIGITS;
pub use self::money::Money;
pub use self::multirange::{Multirange, Ranges};
pub use self::network::{Cidr, Inet};
pub use self::numeric::{Digits, Numeric};
pub use self::pg_type::{PgType, type_oid};
pub use self::range::Range;
#[cfg(feature = "encode")]
pub(crate) use self::range::flag as range_flag;
pub use self::snapshot::Snapshot;
pub use self::text::Text;
pub use self::tid::Tid;
pub use self::time::{Time, TimeTz};
pub use self::timestamp::Timestamp;
#[cfg(feature = "serde")]
pub(crate) use self::toast::TOAST;
pub use self::toast::Toast;
pub use self::tsquery::TsQuery;
#[cfg(feature = "encode")]
pub(crate) use self::tsvector::Lexemes;
pub use self::tsvector::TsVector;
pub use self::type_info::{Attribute, AttributeList, FieldType, TypeInfo, TypeKind};
#[cfg(feature = "alloc")]
pub use self::type_set::TypeSet;
use self::unescape::{Symbols, is_escaped};
pub use self::uuid::Uuid;
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use self::vec::Inside;
#[cfg(feature = "serde")]
pub(crate) use self::with_serde_json::{INEXACT_JSON, in_one_piece, json_error_offset};
pub use self::xid::{Cid, Xid8};
pub use crate::format::Format;
// Types of messages that are types of values as well.
pub use crate::{Lsn, Oid, TimestampTz, Xid};

/// The greatest depth to which arrays, composites and ranges may be nested. A value nested deeper
/// is an error.
///
/// This one limit applies to everything that recurses into values: reading, writing as text, JSON
/// and binary, comparing, and `Row::deserialize`. All of them need at most 256 KiB of stack at this
/// depth, even without optimisation. Other nested structures, such as the operators of a
/// [`TsQuery`], are read and written without recursion. Nesting inside a JSON document does not
/// count.
///
/// Each level doubles the quotes and backslashes in PostgreSQL's text.
pub const MAX_DEPTH: u8 = 16;

/// A present value: neither NULL nor an unchanged TOAST value.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, type_oid};
///
/// let text = Field::new(type_oid::INT4, Format::Text, b"-7");
/// let binary = Field::new(type_oid::INT4, Format::Binary, b"\xFF\xFF\xFF\xF9");
/// assert_eq!(text.get::<i32>()?, -7);
/// assert_eq!(binary.get::<i64>()?, -7);
/// assert!(text.get::<u32>().is_err(), "a number that does not fit is an error");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Field<'a> {
    ty: FieldType<'a>,
    format: Format,
    bytes: &'a [u8],
    /// The number of arrays, composites and ranges around the value.
    depth: u8,
    /// Whether the value was already read as a part of the value around it.
    is_checked: bool,
    /// The number of decimal places of a `money`.
    money_digits: u8,
}

impl<'a> Field<'a> {
    /// Creates a value of a built-in type, or of a type of which only the oid is known.
    pub const fn new(type_oid: Oid, format: Format, bytes: &'a [u8]) -> Self {
        Self::of(FieldType::new(type_oid), format, bytes)
    }

    /// Creates a value of a described type: an enum, a domain, a composite, an array or range of
    /// them.
    pub const fn with_type(info: &'a TypeInfo<'a>, format: Format, bytes: &'a [u8]) -> Self {
        Self::of(FieldType::described(info), format, bytes)
    }

    /// Creates a value of this type.
    #[inline]
    pub const fn of(ty: FieldType<'a>, format: Format, bytes: &'a [u8]) -> Self {
        let money_digits = C_MONEY_DIGITS;
        Self { ty, format, bytes, depth: 0, is_checked: false, money_digits }
    }

    /// Returns the same value with this many decimal places for amounts of [`Money`]: at most 10,
    /// and 2 unless this is called. The number must match `lc_monetary` of the server.
    ///
    /// It also applies to amounts in arrays, composites and ranges. To query it, use
    /// `SELECT pg_catalog.cash_send('1'::pg_catalog.money)`, which returns one unit of the currency
    /// in its smallest unit.
    #[must_use]
    #[inline]
    pub const fn with_money_digits(mut self, digits: u8) -> Self {
        self.money_digits = digits;
        self
    }

    const fn money_digits(&self) -> u8 {
        self.money_digits
    }

    /// Returns the type.
    #[inline]
    pub const fn ty(&self) -> FieldType<'a> {
        self.ty
    }

    /// Returns the format.
    #[inline]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns the bytes as the server sent them. For a text inside an array, composite or range,
    /// these are the bytes between its quotes, with their escapes.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Creates the field of a value inside this one.
    fn child(&self, ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        if self.depth >= MAX_DEPTH {
            return Err(ValueError::new(ValueErrorKind::TooDeep, 0));
        }
        Ok(Self { ty, bytes, depth: self.depth + 1, is_checked: false, ..*self })
    }

    #[inline]
    const fn is_binary(&self) -> bool {
        matches!(self.format, Format::Binary)
    }

    /// Returns how many times quotes and backslashes in the bytes were escaped.
    #[inline]
    const fn escapes(&self) -> u8 {
        if self.is_binary() { 0 } else { self.depth }
    }

    const fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// Returns the same field, marked as already read as a part of the value around it.
    const fn checked(mut self) -> Self {
        self.is_checked = true;
        self
    }

    /// Reads the value as its own type, as a part of `outer`.
    fn check_inside(&self, outer: &Self) -> Result<(), ValueError> {
        Value::check(self).map_err(|error| self.rebase(error, outer))
    }

    /// Returns an error in this value with its offset relative to the start of `outer`.
    pub(crate) fn rebase(&self, error: ValueError, outer: &Self) -> ValueError {
        error.rebased(self.start_in(outer))
    }

    /// Returns the offset of this value in `outer`.
    pub(crate) fn start_in(&self, outer: &Self) -> usize {
        let start = self.bytes.as_ptr().addr().wrapping_sub(outer.bytes.as_ptr().addr());
        start.min(outer.bytes.len())
    }

    /// Returns whether two values, or NULLs, are the same.
    fn same(left: Option<Self>, right: Option<Self>) -> bool {
        match (left, right) {
            (None, None) => true,
            (Some(left), Some(right)) => {
                match (left.get::<Value<'_>>(), right.get::<Value<'_>>()) {
                    (Ok(left), Ok(right)) => left == right,
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Returns a reader of the bytes that removes the escapes.
    const fn symbols(&self) -> Symbols<'a> {
        Symbols::new(self.bytes, self.escapes())
    }

    /// Returns the bytes if none of them is escaped.
    #[inline]
    fn plain(&self) -> Option<&'a [u8]> {
        let is_plain = self.escapes() == 0 || !self.bytes.iter().copied().any(is_escaped);
        is_plain.then_some(self.bytes)
    }

    /// Reads the value as `T`. A domain is read as the type it is based on.
    ///
    /// # Errors
    ///
    /// Fails if `T` cannot be read from this type, if the value does not fit into `T`, and if the
    /// bytes are not what PostgreSQL writes for the type.
    #[inline]
    pub fn get<T: FromField<'a>>(&self) -> Result<T, ValueError> {
        if self.ty.is_described() {
            return self.get_described();
        }
        // Shows the compiler that no description has to be looked up from here on.
        self.get_as(FieldType::new(self.ty.oid()))
    }

    #[cold]
    fn get_described<T: FromField<'a>>(self) -> Result<T, ValueError> {
        self.get_as(self.ty.without_domains())
    }

    #[inline]
    fn get_as<T: FromField<'a>>(&self, ty: FieldType<'a>) -> Result<T, ValueError> {
        if !T::accepts(ty) {
            return Err(wrong_type::<T>(self.ty.oid(), self.format));
        }
        match T::from_field(&Self { ty, ..*self }) {
            Ok(value) => Ok(value),
            Err(error) => Err(error.within(ty.oid(), self.format)),
        }
    }

    /// Writes the value as JSON, the same from either format. Each Rust type documents the shape of
    /// its JSON. Nothing is written before the whole value has been checked.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), and a failure of `out`.
    pub fn write_json(
        &self,
        out: &mut impl fmt::Write,
        options: JsonOptions,
    ) -> Result<(), ValueError> {
        self.write_json_noted(out, options).map(|_| ())
    }

    /// Does the same as [`write_json`](Self::write_json) and returns what the JSON does not show.
    ///
    /// ```
    /// use pgoutput_decode::value::{Field, Format, JsonOptions, type_oid};
    ///
    /// let field = Field::new(type_oid::JSON, Format::Text, br#""\ud800""#);
    /// let mut json = String::new();
    /// let notes = field.write_json_noted(&mut json, JsonOptions::default())?;
    /// assert_eq!(json, r#""\"\\ud800\"""#);
    /// assert!(notes.as_text);
    /// # Ok::<(), pgoutput_decode::value::ValueError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`write_json`](Self::write_json).
    pub fn write_json_noted(
        &self,
        out: &mut impl fmt::Write,
        options: JsonOptions,
    ) -> Result<JsonNotes, ValueError> {
        if let Some(text) = integer::json_text(self, options) {
            out.write_str(text)?;
            return Ok(JsonNotes::default());
        }
        let notes = Cell::default();
        self.get::<Value<'a>>()?.write_json_at(out, JsonContext::new(options, &notes))?;
        Ok(notes.get())
    }

    /// Writes PostgreSQL's text of the value, the same from either format.
    ///
    /// # Errors
    ///
    /// Those of [`get`](Self::get), and a failure of `out`.
    pub fn write_text(&self, out: &mut impl fmt::Write) -> Result<(), ValueError> {
        Ok(write!(out, "{}", self.get::<Value<'a>>()?)?)
    }
}

#[cold]
fn wrong_type<T>(oid: Oid, format: Format) -> ValueError {
    ValueError::wrong_type(core::any::type_name::<T>()).within(oid, format)
}

impl fmt::Debug for Field<'_> {
    /// Shows the value's length, not its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("type", &self.ty.oid())
            .field("format", &self.format)
            .field("len", &self.bytes.len())
            .finish()
    }
}
