//! Rows and values for `serde`, driven by the types of the columns.

mod access;
mod failure;
mod json;
mod number;
#[cfg(test)]
mod tests;
mod value;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use self::access::read_all;
use self::failure::{Failure, Reason};
use self::value::Cell;
pub(crate) use self::value::TOAST;
use super::hint::becomes;
use super::{Row, RowColumns, RowError, RowErrorKind};

impl<'a> Row<'a> {
    /// The whole row as a struct, a map, a tuple, or whatever else reads the names and values of its columns.
    ///
    /// What a field gets is decided by the type of its column, and never guessed from the characters of its text; both
    /// formats give the same.
    ///
    /// | column | becomes |
    /// | --- | --- |
    /// | `smallint`, `integer`, `bigint`, `oid`, `xid`, `cid` | an integer; `f32` and `f64` where that is exact |
    /// | `real`, `double precision` | a float; where nothing tells that a float is wanted, NaN and the infinities are strings |
    /// | `numeric` | a string; an integer or a float where that is exact |
    /// | `boolean` | `bool` |
    /// | text types, enums, `citext` | a string, borrowed where nothing is escaped; a `char`; a variant of a Rust enum |
    /// | `bytea` | bytes (borrowed in the binary format), a sequence of `u8`; `\x…` where a string is wanted |
    /// | `json`, `jsonb` | what stands in the document; the document itself where a string is wanted |
    /// | arrays | sequences, one in the other for each dimension |
    /// | composites, described | a struct, a map or, by place, a tuple |
    /// | `hstore`, described | a map of strings |
    /// | everything else | a string: the one that stands in JSON (dates and times as in RFC 3339, intervals as in ISO 8601) |
    /// | NULL | `None`, or a unit |
    /// | an unchanged stored-apart value | [`Toast::Unchanged`](crate::value::Toast), in a field of that type |
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
    /// When a field and its column do not agree: the types, the range, NULL in a field that is no `Option`, an unchanged
    /// value in a field that is no [`Toast`](crate::value::Toast). Nothing is cut, rounded or left out. A column that no field
    /// asks for is not looked at; with `#[serde(flatten)]`, all of them are, and there `Toast` has no effect.
    pub fn deserialize<T: Deserialize<'a>>(&self) -> Result<T, RowError> {
        T::deserialize(RowDeserializer(*self)).map_err(|failure| {
            let kind = match failure.reason {
                Reason::Value(error) => RowErrorKind::Value(error),
                Reason::Message(message) => RowErrorKind::Deserialize(message),
            };
            match failure.column.and_then(|index| self.column(index)) {
                Some(column) => RowError::of_column(self.relation, &column, kind, becomes(&column)),
                None => RowError::of_table(self.relation, kind),
            }
        })
    }
}

/// A row is a map from the names of its columns to their values; asked for a sequence, the values alone.
struct RowDeserializer<'a>(Row<'a>);

impl<'a> Deserializer<'a> for RowDeserializer<'a> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_map(Cells { columns: self.0.columns(), current: None })
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        read_all(Cells { columns: self.0.columns(), current: None }, visitor)
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
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        map struct enum identifier ignored_any
    }
}

/// The columns of a row, one after the other.
struct Cells<'a> {
    columns: RowColumns<'a>,
    /// The column whose name was given and whose value was not.
    current: Option<super::RowColumn<'a>>,
}

impl<'a> Cells<'a> {
    fn read<S: DeserializeSeed<'a>>(
        column: &super::RowColumn<'a>,
        seed: S,
    ) -> Result<S::Value, Failure> {
        seed.deserialize(Cell::from(column)).map_err(|failure| failure.in_column(column.index))
    }
}

impl<'a> de::MapAccess<'a> for Cells<'a> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        self.current = self.columns.next();
        let Some(column) = &self.current else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(column.name())).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        match self.current.take() {
            Some(column) => Self::read(&column, seed),
            None => Err(Failure::value_before_key()),
        }
    }
}

impl<'a> de::SeqAccess<'a> for Cells<'a> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.columns.next().map(|column| Self::read(&column, seed)).transpose()
    }
}
