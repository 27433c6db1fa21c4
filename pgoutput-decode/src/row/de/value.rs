//! Deserialises one value by its type and by the requested type.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write as _;

use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};

use super::bytes::Byte;
use super::containers::{ArrayAccess, CompositeAccess, HstoreAccess, read_all};
use super::failure::Failure;
use super::string::{Short, string};
use super::{json, number};
use crate::row::RowColumn;
use crate::timestamp::ShortText;
use crate::tuple::TupleColumn;
use crate::value::{
    Array, Field, Format, INEXACT_JSON, Json, Jsonb, TOAST, Text, Value, ValueError,
    ValueErrorKind, first_inexact, in_one_piece, type_oid,
};

/// The value of a column, an element or an attribute.
#[derive(Clone, Copy)]
pub(super) enum ColumnValue<'a> {
    Null,
    Unchanged,
    Field(Field<'a>),
    /// A value of an `hstore`.
    Text(Text<'a>),
}

impl<'a> From<&RowColumn<'a>> for ColumnValue<'a> {
    #[inline]
    fn from(column: &RowColumn<'a>) -> Self {
        // Without an `Option`, which would have to be moved.
        match column.value {
            TupleColumn::Null => Self::Null,
            TupleColumn::Unchanged => Self::Unchanged,
            TupleColumn::Text(bytes) => Self::Field(column.field_of(Format::Text, bytes)),
            TupleColumn::Binary(bytes) => Self::Field(column.field_of(Format::Binary, bytes)),
        }
    }
}

impl<'a> From<Option<Field<'a>>> for ColumnValue<'a> {
    #[inline]
    fn from(field: Option<Field<'a>>) -> Self {
        field.map_or(Self::Null, Self::Field)
    }
}

impl<'a> ColumnValue<'a> {
    /// Reads the value; `target` names the requested type.
    pub(super) fn value(&self, target: &'static str) -> Result<Value<'a>, Failure> {
        let kind = match self {
            Self::Null => ValueErrorKind::Null { target },
            Self::Unchanged => ValueErrorKind::Unchanged { target },
            // Its elements are checked when they are read, possibly as raw bytes.
            Self::Field(field) if Array::is_type(field.ty()) => {
                return Ok(Value::Array(Array::structure(field)?));
            }
            Self::Field(field) => return Ok(field.get()?),
            Self::Text(text) => return Ok(Value::Text(*text)),
        };
        Err(ValueError::new(kind, 0).into())
    }

    /// Creates an error of this value.
    pub(super) fn error(&self, kind: ValueErrorKind) -> Failure {
        let error = ValueError::new(kind, 0);
        Failure::from(match self {
            Self::Field(field) => error.within(field.ty().without_domains().oid(), field.format()),
            _ => error,
        })
    }

    pub(super) fn exactly<T>(&self, number: Option<T>, target: &'static str) -> Result<T, Failure> {
        number.ok_or_else(|| self.error(ValueErrorKind::Inexact { target }))
    }

    /// Passes the value to the visitor as its own type.
    pub(super) fn visit<V: Visitor<'a>>(
        &self,
        value: &Value<'a>,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match value {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int2(value) => visitor.visit_i16(*value),
            Value::Int4(value) => visitor.visit_i32(*value),
            Value::Int8(value) => visitor.visit_i64(*value),
            Value::Oid(value) => visitor.visit_u32(value.as_u32()),
            Value::Xid(value) => visitor.visit_u32(value.as_u32()),
            Value::Xid8(value) => visitor.visit_u64(value.0),
            Value::Cid(value) => visitor.visit_u32(value.0),
            // NaN and the infinities are strings, as in JSON: `serde_json` would make them null.
            Value::Float4(value) if value.0.is_finite() => visitor.visit_f32(value.0),
            Value::Float8(value) if value.0.is_finite() => visitor.visit_f64(value.0),
            Value::Text(text) => match in_one_piece(text) {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Value::Numeric(value) => {
                // The length of nearly all of them.
                let mut text = String::with_capacity(24);
                write!(text, "{value}").map_err(Failure::custom)?;
                visitor.visit_string(text)
            }
            // A sequence can become any type of bytes, and never a text.
            Value::Bytea(bytes) => read_all(SeqDeserializer::new(bytes.bytes()), visitor),
            Value::Json(Json(text)) | Value::Jsonb(Jsonb(text)) => json::any(text, visitor),
            Value::Array(array) => ArrayAccess::new(self.field()?, array).deserialize_any(visitor),
            Value::Composite(composite) => {
                visitor.visit_map(CompositeAccess::new(self.field()?, composite))
            }
            Value::Hstore(hstore) => visitor.visit_map(HstoreAccess::new(hstore)),
            Value::Opaque(_) => Err(self.error(ValueErrorKind::Undescribed)),
            other => visitor.visit_string(string(other)?),
        }
    }

    fn field(&self) -> Result<Field<'a>, Failure> {
        match self {
            Self::Field(field) => Ok(*field),
            _ => Err(Failure::custom("no value")),
        }
    }

    /// Returns the bytes of a text as received, in any encoding; `None` for other types.
    fn raw(&self) -> Result<Option<Cow<'a, [u8]>>, Failure> {
        let Self::Field(field) = self else { return Ok(None) };
        match field.get::<&'a [u8]>() {
            Ok(bytes) => Ok(Some(Cow::Borrowed(bytes))),
            Err(error) if error.kind() == ValueErrorKind::NotBorrowable => {
                Ok(Some(Cow::Owned(field.get()?)))
            }
            Err(error) if matches!(error.kind(), ValueErrorKind::WrongType { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

macro_rules! integers {
    ($($method:ident $target:literal)*) => {$(
        #[inline]
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
            self.integer($target, visitor)
        }
    )*};
}

impl<'a> Deserializer<'a> for ColumnValue<'a> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self {
            Self::Null => visitor.visit_unit(),
            _ => match self.value("T")? {
                // A type that accepts anything gets bytes.
                Value::Opaque(bytes) => self.visit(&Value::Bytea(bytes), visitor),
                Value::Json(Json(text)) | Value::Jsonb(Jsonb(text)) => {
                    if let Some(at) = first_inexact(&in_one_piece(&text)) {
                        return Err(self.error(INEXACT_JSON).rebased(at));
                    }
                    json::any(&text, visitor)
                }
                value => self.visit(&value, visitor),
            },
        }
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        if let Self::Field(field) = &self
            && let Ok(value) = field.get::<bool>()
        {
            return visitor.visit_bool(value);
        }
        self.visit(&self.value("bool")?, visitor)
    }

    integers! {
        deserialize_i8 "i8"
        deserialize_i16 "i16"
        deserialize_i32 "i32"
        deserialize_i64 "i64"
        deserialize_u8 "u8"
        deserialize_u16 "u16"
        deserialize_u32 "u32"
        deserialize_u64 "u64"
    }

    fn deserialize_i128<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value("i128")? {
            Value::Numeric(numeric) => {
                visitor.visit_i128(self.exactly(number::i128(&numeric), "i128")?)
            }
            value => self.visit(&value, visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value("u128")? {
            Value::Numeric(numeric) => {
                visitor.visit_u128(self.exactly(number::u128(&numeric), "u128")?)
            }
            value => self.visit(&value, visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        let value = self.value("f32")?;
        match self.float(&value, "f32")? {
            Some(float) if float.is_nan() => visitor.visit_f32(f32::NAN),
            Some(float) => visitor.visit_f32(self.exactly(number::f32(float), "f32")?),
            None => self.visit(&value, visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        let value = self.value("f64")?;
        match self.float(&value, "f64")? {
            Some(float) => visitor.visit_f64(float),
            None => self.visit(&value, visitor),
        }
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        let mut buffer = ShortText::default();
        if let Self::Field(field) = &self
            && let Some(short) = Short::of(field, &mut buffer)
        {
            return match short {
                Short::Borrowed(text) => visitor.visit_borrowed_str(text),
                Short::Copied(text) => visitor.visit_str(text),
            };
        }
        self.other_str(visitor)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.raw()? {
            Some(Cow::Borrowed(bytes)) => visitor.visit_borrowed_bytes(bytes),
            Some(Cow::Owned(bytes)) => visitor.visit_byte_buf(bytes),
            None => self.visit(&self.value("Vec<u8>")?, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self {
            Self::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self {
            Self::Null => visitor.visit_unit(),
            _ => self.visit(&self.value("()")?, visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match (name, self) {
            (TOAST, Self::Unchanged) => visitor.visit_unit(),
            (TOAST, _) => visitor.visit_some(self),
            (json::RAW, Self::Field(field)) => match field.get()? {
                Value::Json(Json(text)) | Value::Jsonb(Jsonb(text)) => json::raw(&text, visitor),
                value => self.visit(&value, visitor),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        if let Some(bytes) = self.raw()?.filter(|_| !self.is_document()) {
            return read_all(SeqDeserializer::new(bytes.iter().map(|byte| Byte(*byte))), visitor);
        }
        match self.value("Vec<_>")? {
            Value::Composite(composite) => {
                read_all(CompositeAccess::new(self.field()?, &composite), visitor)
            }
            value => self.visit(&value, visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.visit(&self.value("a map")?, visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.visit(&self.value(name)?, visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.value(name)? {
            Value::Text(text) => visitor.visit_enum(in_one_piece(&text).into_deserializer()),
            Value::Json(Json(text)) | Value::Jsonb(Jsonb(text)) => {
                json::variant(&text, name, variants, visitor)
            }
            value => self.visit(&value, visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }
}

impl<'a> ColumnValue<'a> {
    /// Reads a value that is not [`Short`] where a string is requested.
    fn other_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.value("String")? {
            // The binary form of `regclass` and similar types has no name.
            Value::Oid(_) => match &self {
                Self::Field(field) if field.ty().without_domains().is_reg() => {
                    visitor.visit_string(field.get()?)
                }
                _ => self.deserialize_any(visitor),
            },
            Value::Json(Json(text)) | Value::Jsonb(Jsonb(text)) => {
                self.visit(&Value::Text(text), visitor)
            }
            value @ Value::Bytea(_) => visitor.visit_string(string(&value)?),
            value => self.visit(&value, visitor),
        }
    }

    fn is_document(&self) -> bool {
        match self {
            Self::Field(field) => {
                matches!(field.ty().without_domains().oid(), type_oid::JSON | type_oid::JSONB)
            }
            _ => false,
        }
    }

    /// Returns the same error, with its offset in the value around this one.
    pub(super) fn inside(&self, failure: Failure, outer: &Field<'_>) -> Failure {
        match self {
            Self::Field(inner) => failure.rebased(inner.start_in(outer)),
            _ => failure,
        }
    }
}
