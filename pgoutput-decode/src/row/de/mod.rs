//! Rows and values for `serde`, driven by the types of the columns.

#[cfg(test)]
mod buffer_tests;
mod by_index;
mod bytes;
mod containers;
mod error_column;
mod exact_floats;
mod failure;
mod json;
mod number;
mod placeholder;
mod refused_unchanged;
mod rounding;
mod string;
#[cfg(test)]
mod tests;
mod value;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt::Write as _;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use self::by_index::Places;
use self::containers::read_all;
use self::error_column::Finder;
use self::failure::{Failure, FailureReason};
pub(crate) use self::value::json_value;
use self::value::{ColumnValue, unchanged};
use super::type_hint::becomes;
use super::{Described, Row, RowColumn, RowColumns, RowError, RowErrorKind};
use crate::tuple::TupleColumn;
use crate::value::placeholder_counts::{Marks, Watch};

impl<'a> Row<'a> {
    /// The whole row as a struct, a map, a tuple, or whatever else reads the names and values of its columns.
    ///
    /// What a field gets is decided by the type of its column, and never guessed from the characters of its text; both
    /// formats give the same.
    ///
    /// A field of type `serde_json::Value` holds numbers as floats, unless that crate's feature `arbitrary_precision` is on. A
    /// `json` or `jsonb` document with a number that would lose digits so, of 20 digits for instance, is an error then, as is a
    /// document that `serde_json` does not read. `String` and `Box<serde_json::value::RawValue>` hold every number.
    ///
    /// | column | becomes |
    /// | --- | --- |
    /// | `smallint`, `integer`, `bigint`, `oid`, `xid`, `xid8`, `cid` | an integer; `f32` and `f64` where that is exact |
    /// | `real`, `double precision` | a float; where nothing tells that a float is wanted, NaN and the infinities are strings |
    /// | `numeric` | a string; an integer or a float where that is exact |
    /// | `boolean` | `bool` |
    /// | text types, enums, `citext` | a string, borrowed where nothing is escaped; a `char`; a variant of a Rust enum; bytes or a sequence of `u8`, in whatever encoding |
    /// | `bytea`, types without a reader in the binary format | bytes (borrowed in the binary format), a sequence of `u8`; a `bytea` is `\x…` where a string is wanted |
    /// | `json`, `jsonb` | what stands in the document; the document itself where a string is wanted. Integers that a float field does not hold exactly are errors, fractions become the nearest `f64` |
    /// | `regclass` and its like | a string in the text format, an integer in the binary one |
    /// | arrays | sequences, one in the other for each dimension |
    /// | composites, described | a struct, a map or, by place, a tuple |
    /// | `hstore`, described | a map of strings |
    /// | everything else | a string: the one that stands in JSON (dates and times as in RFC 3339, intervals as in ISO 8601) |
    /// | NULL | `None`, or a unit |
    /// | an unchanged stored-apart value | [`Toast::Unchanged`](crate::value::Toast), in a field of that type |
    ///
    /// A `serde_json::Value` gets what stands in the JSON of an event: a `numeric` is a number, unless `serde_json` without its
    /// feature `arbitrary_precision` would lose digits of it, when it is a string; such a number in a document is an error. It is
    /// told from other types that take anything by its name ([`type_name`](core::any::type_name)): a field of a type that reads
    /// a `serde_json::Value` by a visitor of its own, or the value type of another crate, gets what the table says, a `numeric`
    /// as a string.
    ///
    /// # Structs like their table
    ///
    /// A struct whose fields are the columns of the row, in the same order, is given the values alone, as a sequence: a `Deserialize` written by hand must
    /// read them in the order of the fields that it names to `deserialize_struct`. What does not fit is read a second time, by name.
    ///
    /// # Flattened structs and enums without names
    ///
    /// For `#[serde(flatten)]`, `#[serde(untagged)]` and `#[serde(tag = "…")]`, `serde` reads all columns into a buffer of its
    /// own before any field says what it wants, and lets fields ask that buffer. Columns are there what the table above
    /// says first, and `serde` decides what that may become:
    ///
    /// - a `numeric` is a string: not to be read as `i64` or `f64`, nor as a number by a `serde_json::Value`;
    /// - NaN and the infinities of floats are strings, not to be read as `f64` (a `serde_json::Value` would make null of a float);
    /// - there are no `i128` and `u128`;
    /// - a `bytea` is a sequence of `u8`, in a `serde_json::Value` an array of numbers; it is not to be read as a string;
    /// - a `real` that a `serde_json::Value` reads is widened to an `f64`, all digits of which it shows;
    /// - `json` and `jsonb` are what stands in them, not to be read as a string;
    /// - an unchanged stored-apart value does no harm until a field that is no [`Toast`](crate::value::Toast) asks for it; then
    ///   it is an error, also inside of an `Option` that is flattened and in a variant of an untagged enum after which another
    ///   would do: to find out, the row is read again;
    /// - **`serde` drops other errors there**: a flattened `Option<X>` is `None`, and an untagged enum its next variant, if a value is NULL, of
    ///   another type or out of range for a field of `X`. Flatten `X` itself, with an `Option` for each field;
    /// - an integer column beyond 2⁵³ that an `f64` or `f32` would round is an error. To find out, the row is read once more, and
    ///   the first field that asks for such a column says what it is;
    /// - **`serde`'s own floats round** what no second reading finds: integers beyond 2⁵³ inside of arrays, composites and
    ///   documents, behind an untagged enum, or in a float that is read after an integer field that holds another such integer; for `f32` also those from 2²⁴ up, and other floats. Keep such fields out of
    ///   what is flattened.
    ///
    /// All else that does not fit is an error there too. The error names the column where only one has the value that was refused, else the
    /// columns that have it.
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
    /// value in a field that is no [`Toast`](crate::value::Toast). Nothing is cut, rounded or left out, but for what is told above of
    /// flattened structs. A column that no field asks for is not looked at; with `#[serde(flatten)]`, all of them are.
    pub fn deserialize<T: Deserialize<'a>>(&self) -> Result<T, RowError> {
        let way = Way::default();
        let row = RowDeserializer { row: self, way: &way, by_name: false, stand_in: None };
        let watch = Watch::start();
        let value = T::deserialize(row);
        let marks = watch.end();
        match value {
            Ok(value) if marks.refused == 0 && !way.is_buffered.get() => Ok(value),
            // Whatever is wrong is told as one who reads by name would find it.
            _ if way.is_by_place.get() => self.deserialize_by_name(row),
            value => self.checked_for_buffers(value, row, marks),
        }
    }

    #[cold]
    fn deserialize_by_name<T: Deserialize<'a>>(
        &self,
        row: RowDeserializer<'a, '_>,
    ) -> Result<T, RowError> {
        let row = RowDeserializer { by_name: true, ..row };
        let watch = Watch::start();
        let value = T::deserialize(row);
        self.checked_for_buffers(value, row, watch.end())
    }

    /// What was read by name, unless a buffer has spoilt it.
    fn checked_for_buffers<T: Deserialize<'a>>(
        &self,
        value: Result<T, Failure>,
        row: RowDeserializer<'a, '_>,
        marks: Marks,
    ) -> Result<T, RowError> {
        let refused = match value {
            Ok(value) => match Self::refused_by_buffer::<T>(row, marks) {
                None => return Ok(value),
                Some(failure) => failure,
            },
            Err(failure) => failure,
        };
        Err(self.error_of(refused))
    }

    /// What a buffer of `serde` may have dropped or rounded.
    fn refused_by_buffer<T: Deserialize<'a>>(
        row: RowDeserializer<'a, '_>,
        marks: Marks,
    ) -> Option<Failure> {
        if marks.refused > 0
            && let Some(failure) = refused_unchanged::refused::<T>(row, marks)
        {
            return Some(failure);
        }
        if !row.way.is_buffered.get() {
            return None;
        }
        rounding::refused::<T>(row)
    }

    #[cold]
    fn error_of(&self, mut failure: Failure) -> RowError {
        if failure.0.column.is_none() {
            self.look_for_column(&mut failure);
        }
        let column = failure.0.column.and_then(|index| self.column(index));
        // Whatever a type says of the mark, such as that none of its variants takes it.
        if column.is_some_and(|column| column.value == TupleColumn::Unchanged)
            && matches!(failure.0.reason, FailureReason::Message(_))
        {
            failure.0.reason = FailureReason::Value(unchanged("T"));
        }
        let offset = failure.0.offset;
        let kind = match failure.0.reason {
            FailureReason::Value(error) => RowErrorKind::Value(error),
            FailureReason::Message(message) => RowErrorKind::Deserialize(message),
        };
        match column {
            Some(column) => {
                RowError::of_column(self.relation, &column, kind, becomes(&column)).at(offset)
            }
            None => RowError::of_table(self.relation, kind),
        }
    }

    /// What was refused came out of a buffer that knows no columns: it is from the one that has it, or from one of those.
    fn look_for_column(&self, failure: &mut Failure) {
        let Some(seen) = &failure.0.seen else {
            if failure.is_no_128_bits() {
                failure.add(" by the buffer that `serde` reads a flattened or untagged type from");
            }
            return;
        };
        let has_it = |column: &RowColumn<'a>| {
            ColumnValue::from(column).deserialize_any(Finder(seen)).unwrap_or_default()
        };
        let columns: Vec<_> = self.columns().filter(has_it).collect();
        if let [column] = &columns[..] {
            failure.0.column = Some(column.index);
            return;
        }
        let mut names = String::new();
        for (at, column) in columns.iter().enumerate() {
            let before = if at == 0 { "; of the columns " } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(names, "{before}{:?}", column.name());
        }
        if !columns.is_empty() {
            let unchanged = columns.iter().any(|column| column.value == TupleColumn::Unchanged);
            names.push_str(if unchanged {
                ", whose unchanged TOAST values only `Toast<T>` reads"
            } else {
                " one, which `serde` did not tell"
            });
        }
        failure.add(&names);
    }
}

/// A row is a map from the names of its columns to their values; asked for a sequence, the values alone.
#[derive(Clone, Copy)]
struct RowDeserializer<'a, 'c> {
    row: &'c Row<'a>,
    way: &'c Way,
    /// A struct is given the names of the columns even if it has fields just like them.
    by_name: bool,
    stand_in: Option<StandIn<'c>>,
}

/// How a row was read.
#[derive(Default)]
struct Way {
    /// Whether the columns may have gone into a buffer of `serde`.
    is_buffered: Cell<bool>,
    /// Whether a struct took the values in their order, without their names.
    is_by_place: Cell<bool>,
}

/// What stands in the place of values when a row is read a second time, to find out what became of them.
#[derive(Clone, Copy)]
enum StandIn<'c> {
    /// In these columns, in ascending order, something that no number is read from.
    Questions(&'c [usize]),
    /// In these columns, NULL.
    Null(&'c [usize]),
}

impl<'a, 'c> RowDeserializer<'a, 'c> {
    #[inline]
    fn cells(self) -> Cells<'a, 'c> {
        Cells { columns: self.row.columns(), current: None, stand_in: self.stand_in }
    }
}

impl<'a> Deserializer<'a> for RowDeserializer<'a, '_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.way.is_buffered.set(true);
        visitor.visit_map(self.cells())
    }

    /// Flattened structs ask for a map.
    ///
    /// A struct finds its fields by their names, or, which costs less, in their order. `fields` holds aliases too: what is left over
    /// tells that there are some.
    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let places = if self.by_name { None } else { Places::like(self.row, fields) };
        let Some(mut places) = places else { return visitor.visit_map(self.cells()) };
        self.way.is_by_place.set(true);
        let value = visitor.visit_seq(&mut places)?;
        if places.is_at_end() { Ok(value) } else { Err(de::Error::custom("columns are left over")) }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        read_all(self.cells(), visitor)
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
        map enum identifier ignored_any
    }
}

/// The columns of a row, one after the other.
struct Cells<'a, 'c> {
    columns: RowColumns<'a>,
    /// The column whose name was given and whose value was not.
    current: Option<Described<'a>>,
    stand_in: Option<StandIn<'c>>,
}

impl<'a> Cells<'a, '_> {
    #[inline]
    fn read<S: DeserializeSeed<'a>>(
        &self,
        column: Described<'a>,
        seed: S,
    ) -> Result<S::Value, Failure> {
        let held = match self.stand_in {
            Some(StandIn::Questions(columns))
                if columns.binary_search(&self.columns.place()).is_ok() =>
            {
                let question = rounding::question(self.columns.place());
                return seed.deserialize(question.into_deserializer());
            }
            Some(StandIn::Null(columns)) if columns.contains(&self.columns.place()) => {
                ColumnValue::Null
            }
            _ => ColumnValue::from(&self.columns.typed(column)),
        };
        seed.deserialize(held).map_err(|failure| failure.in_column(self.columns.place()))
    }
}

impl<'a> de::MapAccess<'a> for Cells<'a, '_> {
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

impl<'a> de::SeqAccess<'a> for Cells<'a, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.columns.advance().map(|column| self.read(column, seed)).transpose()
    }
}
