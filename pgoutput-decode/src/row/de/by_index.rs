//! The values of a row in the order of a struct's fields, without their names.

use core::slice;

use serde::de::{DeserializeSeed, SeqAccess};

use super::failure::Failure;
use super::value::ColumnValue;
use crate::relation::Column;
use crate::row::{Row, field_type};
use crate::tuple::split_value;
use crate::value::{Field, TypeSet};

/// The values of a row whose message contains all its columns.
pub(super) struct ValuesInOrder<'a> {
    columns: slice::Iter<'a, Column>,
    types: Option<&'a TypeSet>,
    /// The bytes of the columns that are left.
    values: &'a [u8],
    money_digits: u8,
}

impl<'a> ValuesInOrder<'a> {
    /// Returns `None` if the fields of the struct are not the row's columns in their order, or if
    /// the old row may have to supply a value.
    #[inline]
    pub(super) fn new(row: &Row<'a>, fields: &[&str]) -> Option<Self> {
        let columns = row.relation.columns();
        let is_like = columns.len() == fields.len()
            && columns.iter().zip(fields).all(|(column, field)| *column.name == **field);
        (is_like && !row.key_only && row.old.is_none()).then(|| Self {
            columns: columns.iter(),
            types: row.types,
            values: row.tuple.as_bytes(),
            money_digits: row.money_digits,
        })
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.columns.as_slice().is_empty()
    }
}

impl<'a> SeqAccess<'a> for ValuesInOrder<'a> {
    type Error = Failure;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let Some(column) = self.columns.next() else { return Ok(None) };
        // Faster than through a `TupleColumn`.
        let (value, rest) = if let Some((format, value, rest)) = split_value(self.values) {
            let field = Field::of(field_type(column, self.types), format, value);
            (ColumnValue::Field(field.with_money_digits(self.money_digits)), rest)
        } else {
            match self.values.split_first() {
                Some((b'n', rest)) => (ColumnValue::Null, rest),
                Some((b'u', rest)) => (ColumnValue::Unchanged, rest),
                _ => return Ok(None),
            }
        };
        self.values = rest;
        seed.deserialize(value).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use proptest::prelude::*;
    use serde::Deserialize;

    use crate::id::Oid;
    use crate::row::tests::{Is, Sent};
    use crate::value::{FieldType, Toast, TypeInfo, TypeKind, TypeSet, type_oid};

    const COLUMNS: [(&str, Oid); 3] =
        [("a", type_oid::INT4), ("b", type_oid::TEXT), ("c", type_oid::NUMERIC)];

    #[derive(Debug, Deserialize)]
    struct InOrder {
        a: i64,
        b: Toast<Option<String>>,
        c: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    struct OutOfOrder {
        c: Option<String>,
        b: Toast<Option<String>>,
        a: i64,
    }

    fn read<T: for<'a> Deserialize<'a>>(sent: &Sent) -> Result<T, String> {
        let table = sent.table();
        sent.row(&table).deserialize().map_err(|error| format!("{error}"))
    }

    #[test]
    fn values_come_without_names_only_where_all_fields_are_columns_in_order() {
        /// The way in which a value was read.
        #[derive(Debug, PartialEq)]
        enum By {
            Index,
            Name,
        }
        struct FieldsVisitor;
        impl<'de> serde::de::Visitor<'de> for FieldsVisitor {
            type Value = By;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a struct")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<By, A::Error> {
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(By::Index)
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<By, A::Error> {
                while map.next_entry::<String, serde::de::IgnoredAny>()?.is_some() {}
                Ok(By::Name)
            }
        }
        macro_rules! by {
            ($sent:expr, $fields:expr) => {{
                struct Request(By);
                impl<'de> Deserialize<'de> for Request {
                    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                        from.deserialize_struct("Request", $fields, FieldsVisitor).map(Self)
                    }
                }
                read::<Request>($sent).unwrap().0
            }};
        }
        let sent = Sent::insert(&COLUMNS, &[Is::Text("1"), Is::Null, Is::Text("2")]);
        assert_eq!(by!(&sent, &["a", "b", "c"]), By::Index);
        assert_eq!(by!(&sent, &["a", "b"]), By::Name);
        assert_eq!(by!(&sent, &["a", "b", "c", "d"]), By::Name);
        assert_eq!(by!(&sent, &["a", "c", "b"]), By::Name);
        assert_eq!(by!(&sent, &["a", "b", "C"]), By::Name);
    }

    #[test]
    fn an_alias_that_is_also_a_column_is_a_duplicate() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "never constructed")]
        struct Aliased {
            #[serde(alias = "b")]
            a: i64,
            c: i64,
        }
        let columns = [("a", type_oid::INT4), ("b", type_oid::INT4), ("c", type_oid::INT4)];
        let sent = Sent::insert(&columns, &[Is::Text("1"), Is::Text("2"), Is::Text("3")]);
        let error = read::<Aliased>(&sent).unwrap_err();
        assert!(error.contains("duplicate field `a`"), "{error}");
    }

    #[test]
    fn columns_of_a_key_are_read_by_name() {
        let key = [Is::Text("1"), Is::Null, Is::Null];
        let error = read::<InOrder>(&Sent::change(b'D', &COLUMNS, &[(b'K', &key)])).unwrap_err();
        assert!(error.contains("missing field `b`"), "{error}");
    }

    #[test]
    fn an_unchanged_value_comes_from_the_old_row() {
        let old = [Is::Text("1"), Is::Text("kept"), Is::Null];
        let new = [Is::Text("1"), Is::Unchanged, Is::Null];
        let sent = Sent::change(b'U', &COLUMNS, &[(b'O', &old), (b'N', &new)]);
        let row = read::<InOrder>(&sent).unwrap();
        assert_eq!(row.b, Toast::Present(Some("kept".into())));
    }

    /// Neither of these is an error that reading by name would avoid.
    #[test]
    fn formats_and_described_types_are_those_of_the_columns() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Both {
            binary: i32,
            described: String,
        }
        let time = TypeInfo::new(type_oid::TIMESTAMPTZ, "timestamp with time zone", TypeKind::Base);
        let domain = TypeInfo::new(
            Oid::new(20_000),
            "moment",
            TypeKind::Domain(FieldType::described(&time)),
        );
        let columns = [("binary", type_oid::INT4), ("described", domain.oid)];
        let sent =
            Sent::insert(&columns, &[Is::Binary(b"1234"), Is::Text("2024-02-29 01:02:03+00")]);
        let (table, types) = (sent.table(), TypeSet::new(&[domain]));
        let read: Both = sent.row(&table).with_types(&types).deserialize().unwrap();
        let described = "2024-02-29T01:02:03+00:00".into();
        assert_eq!(read, Both { binary: i32::from_be_bytes(*b"1234"), described });
    }

    fn value(text: &'static str) -> impl Strategy<Value = Is<'static>> {
        prop_oneof![
            4 => Just(text).prop_map(Is::Text),
            1 => Just(()).prop_map(|()| Is::Null),
            1 => Just(()).prop_map(|()| Is::Unchanged),
            1 => Just(()).prop_map(|()| Is::Text("x")),
            1 => Just(()).prop_map(|()| Is::Bytes(b"\xFF")),
        ]
    }

    proptest! {
        /// Values and errors.
        #[test]
        fn by_index_equals_by_name(a in value("7"), b in value("t"), c in value("1.50")) {
            let sent = Sent::insert(&COLUMNS, &[a, b, c]);
            prop_assert_eq!(
                read(&sent).map(|InOrder { a, b, c }| (a, b, c)),
                read(&sent).map(|OutOfOrder { a, b, c }| (a, b, c))
            );
        }
    }
}
