//! Rows and values for `serde`, driven by the types of the columns.

#[cfg(test)]
mod buffer_tests;
mod by_index;
mod bytes;
mod containers;
mod failure;
mod json;
mod number;
mod string;
#[cfg(test)]
mod tests;
mod value;

use core::cell::Cell;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use self::by_index::ValuesInOrder;
use self::containers::read_all;
use self::failure::{Failure, FailureReason};
use self::value::ColumnValue;
use super::type_hint::serde_form;
use super::{Described, Row, RowColumns, RowError, RowErrorKind};

impl<'a> Row<'a> {
    /// Reads the whole row as a struct, a map, a tuple, or any other type that reads the names and
    /// values of its columns.
    ///
    /// The type of a column decides what its field gets, not the characters of its text. Text and
    /// binary format give the same.
    ///
    /// | column | becomes |
    /// | --- | --- |
    /// | `smallint`, `integer`, `bigint`, `oid`, `xid`, `xid8`, `cid` | an integer; `f32` and `f64` if that is exact |
    /// | `real`, `double precision` | a float; NaN and the infinities are strings for a type that takes anything |
    /// | `numeric` | a string; an integer or a float if that is exact |
    /// | `boolean` | `bool` |
    /// | text types, enums, `citext` | a string, borrowed if nothing is escaped; a `char`; a variant of a Rust enum; bytes or a sequence of `u8`, in any encoding |
    /// | `bytea`, types without a reader in the binary format | bytes (borrowed in the binary format), a sequence of `u8`; a `bytea` is `\x…` for a string |
    /// | `json`, `jsonb` | the content of the document, as `serde_json` reads it; the document itself for a string |
    /// | `regclass` and similar types | a string in the text format, an integer in the binary one |
    /// | arrays | sequences, one in the other for each dimension |
    /// | composites, described | a struct, a map or, by index, a tuple |
    /// | `hstore`, described | a map of strings |
    /// | all other types | the string that JSON has (dates and times as in RFC 3339, intervals as in ISO 8601) |
    /// | NULL | `None`, or a unit |
    /// | an unchanged TOAST value | [`Toast::Unchanged`](crate::value::Toast), in a field of that type |
    ///
    /// A struct whose fields are the columns of the row, in the same order, is given the values
    /// alone, as a sequence. A `Deserialize` that you write by hand must read them in the order of
    /// the fields that it passes to `deserialize_struct`.
    ///
    /// # JSON
    ///
    /// A field of type `serde_json::Value` accepts any type, so the table applies. A `numeric` is a
    /// string, a `bytea` an array of numbers, and a `real` is widened to an `f64` and shows all its
    /// digits. [`get`](Self::get) reads a column as the `serde_json::Value` that the JSON of an
    /// event has.
    ///
    /// `serde_json` reads numbers in documents: an `f64` or `f32` field inside a document gets the
    /// nearest float, for integers too. A document that is read as a whole by a type that accepts
    /// anything is an error if one of its numbers would lose digits. `String`,
    /// `Box<serde_json::value::RawValue>` and [`Json`](crate::value::Json) keep every number.
    ///
    /// # Limits of `flatten`, `untagged` and `tag`
    ///
    /// For `#[serde(flatten)]`, `#[serde(untagged)]` and `#[serde(tag = "…")]`, `serde` reads the
    /// columns into a buffer of its own before any field requests a type. With `flatten` these are
    /// the columns that the outer struct does not name, with the other two all columns. The buffer
    /// contains the first form in the table above, and `serde` alone decides which fields can read
    /// it:
    ///
    /// - an unchanged TOAST value is an error. Name its column in the outer struct, as a
    ///   [`Toast`](crate::value::Toast);
    /// - a `numeric` and the NaN and infinities of floats are strings, which no number reads;
    /// - there are no `i128` and `u128`; a `bytea` is no string; `json` and `jsonb` are no strings;
    /// - **a float rounds**: `serde` reads an `f64` from any integer, also from one beyond 2⁵³ that
    ///   it does not hold, and an `f32` from any number. Declare an integer for such a column;
    /// - **errors may be dropped**: a flattened `Option<X>` is `None`, and an untagged enum its
    ///   next variant, if a field of `X` refuses its value. Flatten `X` itself, with an `Option`
    ///   for each field;
    /// - an error does not name the column.
    ///
    /// A field that the outer struct names has none of these limits, and neither has
    /// [`get`](Self::get).
    ///
    /// ```
    /// use pgoutput_decode::row::Row;
    /// use pgoutput_decode::value::Toast;
    /// use pgoutput_decode::{Message, Relation};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Order<'a> {
    ///     id: u32,
    ///     #[serde(rename = "state")]
    ///     status: Status,
    ///     note: Option<&'a str>,
    ///     scan: Toast<Vec<u8>>,
    /// }
    ///
    /// #[derive(Deserialize, Debug, PartialEq)]
    /// #[serde(rename_all = "lowercase")]
    /// enum Status {
    ///     Open,
    ///     Paid,
    /// }
    ///
    /// let relation = b"R\0\0\x40\x13public\0orders\0d\0\x04\
    ///     \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\0state\0\0\0\0\x19\xFF\xFF\xFF\xFF\
    ///     \0note\0\0\0\0\x19\xFF\xFF\xFF\xFF\0scan\0\0\0\0\x11\xFF\xFF\xFF\xFF";
    /// let update = b"U\0\0\x40\x13N\0\x04t\0\0\0\x017t\0\0\0\x04paidnu";
    /// let Message::Relation(body) = Message::decode(relation, false)? else { panic!() };
    /// let Message::Update(update) = Message::decode(update, false)? else { panic!() };
    /// let table = Relation::from(&body);
    ///
    /// let order: Order = Row::updated(&table, update.new, update.old)?.deserialize()?;
    /// assert_eq!((order.id, order.status, order.note), (7, Status::Paid, None));
    /// assert_eq!(order.scan, Toast::Unchanged);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A field does not match its column: the type, the range, NULL in a field that is not an
    /// `Option`, or an unchanged TOAST value in a field that is not a
    /// [`Toast`](crate::value::Toast). Except for the limits above, nothing is truncated, rounded
    /// or omitted. A column that no field names is not read, unless `#[serde(flatten)]` is used.
    pub fn deserialize<T: Deserialize<'a>>(&self) -> Result<T, RowError> {
        let by_index = Cell::new(false);
        let row = RowDeserializer { row: self, by_name: false, by_index: &by_index };
        match T::deserialize(row) {
            Ok(value) => Ok(value),
            Err(failure) => self.read_by_name(row, failure),
        }
    }

    /// Reads the row by name, for its error. Values without names do not show which column it is
    /// about.
    #[cold]
    fn read_by_name<T: Deserialize<'a>>(
        &self,
        row: RowDeserializer<'a, '_>,
        failure: Failure,
    ) -> Result<T, RowError> {
        if !row.by_index.get() {
            return Err(self.error_of(failure));
        }
        T::deserialize(RowDeserializer { by_name: true, ..row })
            .map_err(|failure| self.error_of(failure))
    }

    fn error_of(&self, failure: Failure) -> RowError {
        let details = *failure.0;
        let kind = match details.reason {
            FailureReason::Value(error) => RowErrorKind::Value(error),
            FailureReason::Message(message) => RowErrorKind::Deserialize(message),
        };
        match details.column.and_then(|index| self.column(index)) {
            Some(column) => RowError::of_column(self.relation, &column, kind, serde_form(&column))
                .at(details.offset),
            None => RowError::of_table(self.relation, kind),
        }
    }
}

/// The names of the columns with their values; for a sequence, the values alone.
#[derive(Clone, Copy)]
struct RowDeserializer<'a, 'c> {
    row: &'c Row<'a>,
    /// Whether a struct is given the names of the columns even if it has the same fields.
    by_name: bool,
    /// Whether a struct was given the values in their order, without names.
    by_index: &'c Cell<bool>,
}

impl<'a> RowDeserializer<'a, '_> {
    #[inline]
    fn access(self) -> RowAccess<'a> {
        RowAccess { columns: self.row.columns(), current: None }
    }
}

impl<'a> Deserializer<'a> for RowDeserializer<'a, '_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_map(self.access())
    }

    /// A struct finds its fields by their names or, which is faster, by their order. `fields`
    /// includes aliases, so columns may be left over.
    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let values = if self.by_name { None } else { ValuesInOrder::new(self.row, fields) };
        let Some(mut values) = values else { return visitor.visit_map(self.access()) };
        self.by_index.set(true);
        let value = visitor.visit_seq(&mut values)?;
        if values.is_at_end() { Ok(value) } else { Err(de::Error::custom("columns are left over")) }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        read_all(self.access(), visitor)
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

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct
        map enum identifier ignored_any
    }
}

/// The columns of a row in their order.
struct RowAccess<'a> {
    columns: RowColumns<'a>,
    /// The column whose name was returned and whose value was not.
    current: Option<Described<'a>>,
}

impl<'a> RowAccess<'a> {
    #[inline]
    fn read<S: DeserializeSeed<'a>>(
        &self,
        column: Described<'a>,
        seed: S,
    ) -> Result<S::Value, Failure> {
        let value = ColumnValue::from(&self.columns.typed(column));
        seed.deserialize(value).map_err(|failure| failure.in_column(self.columns.index()))
    }
}

impl<'a> de::MapAccess<'a> for RowAccess<'a> {
    type Error = Failure;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        self.current = self.columns.advance();
        let Some((column, _)) = self.current else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(&column.name)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        match self.current.take() {
            Some(column) => self.read(column, seed),
            None => Err(Failure::value_before_key()),
        }
    }
}

impl<'a> de::SeqAccess<'a> for RowAccess<'a> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.columns.advance().map(|column| self.read(column, seed)).transpose()
    }
}
