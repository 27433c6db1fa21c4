//! Values of columns: every type read exactly, the same from the text format and from the binary one.
//!
//! A [`Field`] is one present value: its type, its [`Format`], its bytes. [`Field::get`] reads it as a Rust
//! type ([`FromField`]), [`Field::write_json`] writes it as JSON, [`Field::write_text`] as PostgreSQL's own
//! text; [`Value`] is the self-describing form. Nothing here allocates.
//!
//! Text values are read as a session with these settings writes them: `DateStyle` ISO, `IntervalStyle`
//! postgres, `TimeZone` UTC (other offsets are read and applied), `extra_float_digits` at least 1 (3 before
//! PostgreSQL 12), `bytea_output` hex (the escape form is read as well), `lc_monetary` C, `client_encoding`
//! UTF8. How many digits an amount of `money` has behind its point is said with [`Field::with_money_digits`].
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
mod geometry;
mod hstore;
mod input;
mod integer;
mod interval;
mod json;
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
pub use self::geometry::{Circle, Line, LineSegment, Path, Point, Polygon, Rectangle};
pub use self::hstore::{Hstore, Pairs};
#[cfg(feature = "serde")]
pub(crate) use self::integer::short_number;
pub use self::interval::{Interval, Iso8601};
pub use self::json::{Json, Jsonb};
pub use self::json_options::{JsonNotes, JsonOptions, MAX_JSON_NESTING};
use self::json_out::JsonPlace;
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
pub use self::toast::Toast;
#[cfg(feature = "serde")]
pub(crate) use self::toast::{MARK_DEPTH, TOAST, placeholder_counts};
pub use self::tsquery::TsQuery;
#[cfg(feature = "encode")]
pub(crate) use self::tsvector::Lexemes;
pub use self::tsvector::TsVector;
pub use self::type_info::{Attribute, FieldType, TypeInfo, TypeKind};
use self::unescape::{Symbols, is_escaped};
pub use self::uuid::Uuid;
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use self::vec::Inside;
#[cfg(feature = "serde")]
pub(crate) use self::with_serde_json::{in_one_piece, json_error_offset};
pub use self::xid::{Cid, Xid8};
// Types of values as well, which the messages have too.
pub use crate::{Lsn, Oid, TimestampTz, Xid};

/// How deep arrays, composites and ranges may stand in each other: what is deeper is an error.
///
/// It is the one limit of everything that calls itself for values inside of others: reading, writing
/// as text, JSON and binary, comparing, and `Row::deserialize`. All of them keep to it on a stack
/// of 256 KiB, in a build without optimisation too. Whatever else may be nested, such as the operators
/// of a [`TsQuery`], is read and written without recursion; documents of JSON are not looked into.
///
/// PostgreSQL's text doubles its quotes and backslashes with each of them.
pub const MAX_DEPTH: u8 = 16;

/// The format of one column's value. The server chooses it for each column by itself: what has no binary
/// form comes as text also when binary was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// What the type's output function writes.
    Text,
    /// What the type's send function writes.
    Binary,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}

/// One value that is there: neither NULL nor an unchanged TOAST value.
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
    /// How many arrays, composites and ranges it stands in.
    depth: u8,
    /// Read before, as a part of what it stands in.
    is_checked: bool,
    /// How many digits of a `money` stand behind its decimal point.
    money_digits: u8,
}

impl<'a> Field<'a> {
    /// A value of a built-in type, or of a type of which nothing is known but its oid.
    pub const fn new(type_oid: Oid, format: Format, bytes: &'a [u8]) -> Self {
        Self::of(FieldType::new(type_oid), format, bytes)
    }

    /// A value of a described type: an enum, a domain, a composite, an array or range of them.
    pub const fn with_type(info: &'a TypeInfo<'a>, format: Format, bytes: &'a [u8]) -> Self {
        Self::of(FieldType::described(info), format, bytes)
    }

    /// A value of this type.
    #[inline]
    pub const fn of(ty: FieldType<'a>, format: Format, bytes: &'a [u8]) -> Self {
        let money_digits = C_MONEY_DIGITS;
        Self { ty, format, bytes, depth: 0, is_checked: false, money_digits }
    }

    /// The same value, in which amounts of [`Money`] have so many digits behind their decimal point, 10 at most: as many as
    /// `lc_monetary` of the server has. Unless called, they have 2.
    ///
    /// It counts for the amounts in arrays, composites and ranges too. Of a server one learns it with
    /// `SELECT pg_catalog.cash_send('1'::pg_catalog.money)`, which gives one of the currency in its smallest unit.
    #[must_use]
    #[inline]
    pub const fn with_money_digits(mut self, digits: u8) -> Self {
        self.money_digits = digits;
        self
    }

    const fn money_digits(&self) -> u8 {
        self.money_digits
    }

    /// The type.
    #[inline]
    pub const fn ty(&self) -> FieldType<'a> {
        self.ty
    }

    /// The format.
    #[inline]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The bytes as the server sent them: of a text inside of an array, composite or range what stands between its
    /// quotes, its escapes not taken off.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A value inside of this one.
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

    /// How often quotes and backslashes in the bytes were escaped.
    #[inline]
    const fn escapes(&self) -> u8 {
        if self.is_binary() { 0 } else { self.depth }
    }

    const fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// The same, after it was read without an error as a part of what it stands in.
    const fn checked(mut self) -> Self {
        self.is_checked = true;
        self
    }

    /// Reads it as what it is, being a part of `outer`.
    fn check_inside(&self, outer: &Self) -> Result<(), ValueError> {
        Value::check(self).map_err(|error| self.place(error, outer))
    }

    /// Counts the place of an error in this value from the start of what it stands in.
    pub(crate) fn place(&self, error: ValueError, outer: &Self) -> ValueError {
        error.rebased(self.start_in(outer))
    }

    /// Where it starts in what it stands in.
    pub(crate) fn start_in(&self, outer: &Self) -> usize {
        let start = self.bytes.as_ptr().addr().wrapping_sub(outer.bytes.as_ptr().addr());
        start.min(outer.bytes.len())
    }

    /// Whether two values, or NULLs, are the same.
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

    /// The bytes without escapes, one by one.
    const fn symbols(&self) -> Symbols<'a> {
        Symbols::new(self.bytes, self.escapes())
    }

    /// The bytes, if none of them is escaped.
    #[inline]
    fn plain(&self) -> Option<&'a [u8]> {
        let is_plain = self.escapes() == 0 || !self.bytes.iter().copied().any(is_escaped);
        is_plain.then_some(self.bytes)
    }

    /// Reads the value as `T`. A domain is read as the type it stands over.
    ///
    /// # Errors
    ///
    /// When `T` does not read this type, when the value does not fit into `T`, and when the bytes are not
    /// what PostgreSQL writes for the type.
    #[inline]
    pub fn get<T: FromField<'a>>(&self) -> Result<T, ValueError> {
        let ty = self.ty.without_domains();
        if !T::accepts(ty) {
            return Err(self.wrong_type::<T>());
        }
        match T::from_field(&Self { ty, ..*self }) {
            Ok(value) => Ok(value),
            Err(error) => Err(error.within(ty.oid(), self.format)),
        }
    }

    #[cold]
    fn wrong_type<T>(&self) -> ValueError {
        ValueError::wrong_type(core::any::type_name::<T>()).within(self.ty.oid(), self.format)
    }

    /// Writes the value as JSON, the same from either format; the shape of each type is told at its own
    /// Rust type. Nothing is written before the whole value has been checked.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and when `out` refuses.
    pub fn write_json(
        &self,
        out: &mut impl fmt::Write,
        options: JsonOptions,
    ) -> Result<(), ValueError> {
        self.write_json_noted(out, options).map(|_| ())
    }

    /// As [`write_json`](Self::write_json), and says what the JSON does not.
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
    /// As [`write_json`](Self::write_json).
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
        self.get::<Value<'a>>()?.write_json_at(out, JsonPlace::new(options, &notes))?;
        Ok(notes.get())
    }

    /// Writes PostgreSQL's text of the value, the same from either format.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and when `out` refuses.
    pub fn write_text(&self, out: &mut impl fmt::Write) -> Result<(), ValueError> {
        Ok(write!(out, "{}", self.get::<Value<'a>>()?)?)
    }
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

/// A Rust type that PostgreSQL values can be read as.
///
/// Both readers must give the same for the two forms of the same value.
pub trait FromField<'a>: Sized {
    /// Whether values of this PostgreSQL type can be read. Domains are seen as the type below them.
    fn accepts(ty: FieldType<'_>) -> bool;

    /// Reads a value in whichever format it is; this is what [`Field::get`] calls, for types that are
    /// [accepted](Self::accepts).
    ///
    /// By default it leaves the value to one of the other two readers; a text with escapes in it, such as a quote
    /// inside of an element of an array, is refused. Override it for a type whose text may have quotes and
    /// backslashes in it, and read the field as [`Text`] then.
    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        match (field.format, field.plain()) {
            (Format::Binary, _) => Self::from_binary(field.ty, field.bytes),
            (Format::Text, Some(text)) => Self::from_text(field.ty, text),
            (Format::Text, None) => Err(ValueError::malformed("no quotes and backslashes", 0)),
        }
    }

    /// What NULL is read as: an error, unless the type has a place for it as `Option` has.
    ///
    /// # Errors
    ///
    /// [`ValueErrorKind::Null`].
    fn from_null() -> Result<Self, ValueError> {
        Err(ValueError::new(ValueErrorKind::Null { target: core::any::type_name::<Self>() }, 0))
    }

    /// Reads the text format.
    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError>;

    /// Reads the binary format.
    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError>;

    /// What a stored-apart value that did not come along is read as: an error, for everything but [`Toast`].
    ///
    /// # Errors
    ///
    /// [`ValueErrorKind::Unchanged`].
    fn from_unchanged() -> Result<Self, ValueError> {
        Err(ValueError::new(
            ValueErrorKind::Unchanged { target: core::any::type_name::<Self>() },
            0,
        ))
    }

    /// Whether arrays of this type can be read as lists of `Self`. The bytes of a `bytea` are such a list too.
    #[cfg(feature = "alloc")]
    #[doc(hidden)]
    fn accepts_list(ty: FieldType<'_>) -> bool {
        vec::accepts::<Self>(ty)
    }

    /// Reads a list.
    #[cfg(feature = "alloc")]
    #[doc(hidden)]
    fn read_list(field: &Field<'a>) -> Result<alloc::vec::Vec<Self>, ValueError> {
        vec::read(field)
    }

    /// Takes what stands inside of these dimensions.
    #[cfg(feature = "alloc")]
    #[doc(hidden)]
    fn take_inside(
        elements: &mut Inside<'a>,
        dimensions: &[Dimension],
    ) -> Result<Self, ValueError> {
        elements.take_one(dimensions)
    }
}
