use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::id::Oid;
use crate::message::Message;
use crate::value::{Attribute, AttributeList, Numeric, Toast, TypeInfo, TypeKind, Value, type_oid};

/// A table and the frames of a change, as a server would send them.
pub(super) struct Sent {
    relation: Vec<u8>,
    change: Vec<u8>,
}

/// A column of a [`Sent`] row.
#[derive(Debug)]
pub(super) enum Is<'a> {
    Null,
    Unchanged,
    Text(&'a str),
    Bytes(&'a [u8]),
    Binary(&'a [u8]),
}

fn tuple(columns: &[Is<'_>]) -> Vec<u8> {
    let mut out = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for column in columns {
        let (kind, bytes) = match column {
            Is::Null => (b'n', None),
            Is::Unchanged => (b'u', None),
            Is::Text(text) => (b't', Some(text.as_bytes())),
            Is::Bytes(bytes) => (b't', Some(*bytes)),
            Is::Binary(bytes) => (b'b', Some(*bytes)),
        };
        out.push(kind);
        if let Some(bytes) = bytes {
            out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
            out.extend(bytes);
        }
    }
    out
}

impl Sent {
    /// The first column is the key.
    pub(super) fn change(kind: u8, columns: &[(&str, Oid)], tuples: &[(u8, &[Is<'_>])]) -> Self {
        let mut relation = b"R\0\0\x40\x13public\0t\0d".to_vec();
        relation.extend(u16::try_from(columns.len()).unwrap().to_be_bytes());
        for (at, (name, oid)) in columns.iter().enumerate() {
            relation.push(u8::from(at == 0));
            relation.extend(name.as_bytes());
            relation.push(0);
            relation.extend(oid.as_u32().to_be_bytes());
            relation.extend((-1_i32).to_be_bytes());
        }
        let mut change = [&[kind][..], b"\0\0\x40\x13"].concat();
        for (role, columns) in tuples {
            change.push(*role);
            change.extend(tuple(columns));
        }
        Self { relation, change }
    }

    pub(super) fn insert(columns: &[(&str, Oid)], row: &[Is<'_>]) -> Self {
        Self::change(b'I', columns, &[(b'N', row)])
    }

    pub(super) fn table(&self) -> Relation {
        let Message::Relation(body) = Message::decode(&self.relation, false).unwrap() else {
            panic!()
        };
        Relation::from(&body)
    }

    pub(super) fn row<'a>(&'a self, table: &'a Relation) -> Row<'a> {
        match Message::decode(&self.change, false).unwrap() {
            Message::Insert(body) => Row::new(table, body.new),
            Message::Update(body) => Row::updated(table, body.new, body.old),
            Message::Delete(body) => Row::old(table, body.old),
            other => panic!("{other:?}"),
        }
        .unwrap()
    }
}

const COLUMNS: [(&str, Oid); 3] =
    [("id", type_oid::INT4), ("body", type_oid::TEXT), ("price", type_oid::NUMERIC)];

fn message<T>(result: Result<T, RowError>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn columns_have_names_and_indexes() {
    let sent = Sent::insert(&COLUMNS, &[Is::Text("7"), Is::Null, Is::Text("1.50")]);
    let table = sent.table();
    let row = sent.row(&table);
    assert_eq!(row.get::<i32>("id").unwrap(), 7);
    assert_eq!(row.get::<i32>(0).unwrap(), 7);
    assert_eq!(row.get::<i32>(&String::from("id")).unwrap(), 7);
    assert_eq!(row.try_get::<i32>("id").unwrap(), Some(7));
    assert_eq!(row.get::<Numeric<'_>>("price").unwrap().to_string(), "1.50");
    assert_eq!(row.try_get::<i32>("ID").unwrap(), None);
    assert_eq!(row.try_get::<i32>(3).unwrap(), None);
    assert!(matches!(row.get::<i32>("ID").unwrap_err().kind(), RowErrorKind::NoSuchColumn { .. }));
    assert_eq!(
        message(row.get::<i32>(3)),
        "row of public.t: no column at index 3, counted from 0: there are 3"
    );
}

#[test]
fn null_needs_an_option_and_the_type_is_still_checked() {
    let sent = Sent::insert(&COLUMNS, &[Is::Text("7"), Is::Null, Is::Null]);
    let table = sent.table();
    let row = sent.row(&table);
    assert_eq!(row.get::<Option<&str>>("body").unwrap(), None);
    assert_eq!(row.get::<Toast<Option<&str>>>("body").unwrap(), Toast::Present(None));
    assert_eq!(
        message(row.get::<&str>("body")),
        "column \"body\" of public.t: NULL cannot be read as &str; use `Option<&str>`"
    );
    assert!(row.get::<Option<i32>>("body").is_err());
    assert!(row.try_get::<&str>("body").is_err(), "NULL is not a missing column");
}

#[test]
fn unchanged_values_are_never_null() {
    let sent = Sent::insert(&COLUMNS, &[Is::Text("7"), Is::Unchanged, Is::Text("1")]);
    let table = sent.table();
    let row = sent.row(&table);
    assert_eq!(row.get::<Toast<&str>>("body").unwrap(), Toast::Unchanged);
    assert_eq!(row.get::<Toast<i32>>("id").unwrap(), Toast::Present(7));
    for error in [
        row.get::<&str>("body").err(),
        row.get::<Option<&str>>("body").map(|_| "").err(),
        row.try_get::<String>("body").map(|_| "").err(),
        row.get::<Value<'_>>("body").map(|_| "").err(),
    ] {
        let error = error.expect("an error");
        assert!(matches!(error.value_error().unwrap().kind(), ValueErrorKind::Unchanged { .. }));
        assert!(error.to_string().contains("REPLICA IDENTITY FULL"), "{error}");
    }
    assert!(
        message(row.get::<Option<&str>>("body")).contains("`Toast<core::option::Option<&str>>`")
    );
}

#[test]
fn unchanged_values_come_from_an_old_row_that_has_them() {
    let new = [Is::Text("7"), Is::Unchanged, Is::Null];
    let full = [Is::Text("7"), Is::Text("old"), Is::Text("1")];
    let sent = Sent::change(b'U', &COLUMNS, &[(b'O', &full), (b'N', &new)]);
    let table = sent.table();
    assert_eq!(sent.row(&table).get::<&str>("body").unwrap(), "old");
    assert_eq!(sent.row(&table).get::<Option<Numeric<'_>>>("price").unwrap(), None);

    // The NULLs of a key are not values.
    let key = [Is::Text("6"), Is::Null, Is::Null];
    let sent = Sent::change(b'U', &COLUMNS, &[(b'K', &key), (b'N', &new)]);
    let table = sent.table();
    assert_eq!(sent.row(&table).get::<Toast<Option<&str>>>("body").unwrap(), Toast::Unchanged);
}

#[test]
fn an_old_key_has_only_its_columns() {
    let sent = Sent::change(b'D', &COLUMNS, &[(b'K', &[Is::Text("6"), Is::Null, Is::Null])]);
    let table = sent.table();
    let row = sent.row(&table);
    assert_eq!(row.columns().map(|column| column.name()).collect::<Vec<_>>(), ["id"]);
    assert_eq!(row.get::<i32>("id").unwrap(), 6);
    assert_eq!(row.try_get::<Option<&str>>("body").unwrap(), None);
    let error = row.get::<Option<&str>>("body").unwrap_err();
    assert!(matches!(error.kind(), RowErrorKind::NotInKey { .. }));
    assert!(error.to_string().contains("REPLICA IDENTITY FULL"), "{error}");
}

#[test]
fn a_row_of_another_width_is_refused() {
    let narrow = Sent::insert(&COLUMNS[..2], &[Is::Text("7"), Is::Null]);
    let table = Sent::insert(&COLUMNS, &[]).table();
    let Message::Insert(body) = Message::decode(&narrow.change, false).unwrap() else { panic!() };
    assert_eq!(
        message(Row::new(&table, body.new)),
        "row of public.t: 2 columns were sent, 3 described"
    );
}

#[test]
fn errors_name_column_offset_and_remedy() {
    let sent = Sent::insert(&COLUMNS, &[Is::Text("7x"), Is::Bytes(b"a\xFF"), Is::Text("1")]);
    let table = sent.table();
    let row = sent.row(&table);
    let error = row.get::<i32>("id").unwrap_err();
    assert_eq!((error.schema(), error.table(), error.column()), ("public", "t", Some("id")));
    assert_eq!((error.type_oid(), error.type_name()), (Some(type_oid::INT4), Some("integer")));
    assert_eq!((error.format(), error.offset()), (Some(Format::Text), Some(1)));
    assert_eq!(
        error.to_string(),
        "column \"id\" of public.t: text value of type integer: expected a digit at byte 1"
    );
    let error = row.get::<&str>("body").unwrap_err();
    assert_eq!(error.value_error().unwrap().kind(), ValueErrorKind::InvalidUtf8);
    assert_eq!(row.get::<&[u8]>("body").unwrap(), b"a\xFF");
    assert_eq!(
        message(row.get::<i64>("price")),
        "column \"price\" of public.t: text value of type numeric: the value at byte 0 cannot be \
         read as i64; read it as Numeric or Value"
    );
}

/// `create type mood as enum …; create type item as (label text, mood mood)`
pub(super) const MOOD: TypeInfo<'static> = TypeInfo::new(Oid::new(16_400), "mood", TypeKind::Enum);
const TEXT: TypeInfo<'static> = TypeInfo::new(type_oid::TEXT, "text", TypeKind::Base);
pub(super) const ITEM: TypeInfo<'static> = TypeInfo::new(
    Oid::new(16_401),
    "item",
    TypeKind::Composite(AttributeList::new(&[
        Attribute::new("label", FieldType::described(&TEXT)),
        Attribute::new("mood", FieldType::described(&MOOD)),
    ])),
);

#[test]
fn described_types_are_read_from_both_formats() {
    let columns = [("mood", MOOD.oid), ("other", MOOD.oid)];
    let sent = Sent::insert(&columns, &[Is::Text("happy"), Is::Binary(b"happy")]);
    let table = sent.table();
    let types = TypeSet::new(&[MOOD, ITEM]);
    let row = sent.row(&table).with_types(&types);
    assert_eq!(row.get::<&str>("mood").unwrap(), row.get::<&str>("other").unwrap());
    assert_eq!(row.get::<i32>("mood").unwrap_err().type_name(), Some("mood"));
    let undescribed = sent.row(&table).get::<&str>("other").unwrap_err();
    assert_eq!(undescribed.value_error().unwrap().kind(), ValueErrorKind::Undescribed);
}

#[test]
fn errors_name_described_types_inside_and_missing_columns() {
    const MOODS: TypeInfo<'static> = TypeInfo::new(
        Oid::new(16_402),
        "mood[]",
        TypeKind::Array { element: FieldType::described(&MOOD), delimiter: b',' },
    );
    let columns = [("moods", MOODS.oid), ("none", type_oid::TEXT), ("gone", type_oid::TEXT)];
    let sent = Sent::insert(&columns, &[Is::Bytes(b"{a\xFF}"), Is::Null, Is::Unchanged]);
    let table = sent.table();
    let types = TypeSet::new(&[MOODS]);
    let row = sent.row(&table).with_types(&types);
    let error = message(row.get::<Vec<String>>("moods"));
    let start = "column \"moods\" of public.t: text value of type mood: invalid UTF-8 at byte 2";
    assert!(error.starts_with(start), "{error}");
    for column in ["none", "gone"] {
        assert_eq!(
            message(row.get::<i32>(column)),
            std::format!(
                "column \"{column}\" of public.t: type text: cannot be read as i32; read it as \
                 &str, String or Value"
            )
        );
    }
    assert_eq!(
        message(row.get::<i32>(99)),
        "row of public.t: no column at index 99, counted from 0: there are 3"
    );
    assert!(message(row.get::<i32>("99")).contains("no column 99; names are case-sensitive"));
}

#[test]
fn the_search_of_descriptions_in_a_ring_ends() {
    let oid = Oid::new(16_403);
    let ring = FieldType::new(oid);
    let attributes = [Attribute::new("a", ring), Attribute::new("b", ring)];
    let kind = TypeKind::Composite(AttributeList::new(&attributes));
    let types = TypeSet::new(&[TypeInfo::new(oid, "ring", kind)]);
    assert!(types.get(oid).unwrap().find(oid).is_some());
    assert!(types.get(oid).unwrap().find(MOOD.oid).is_none());
}

#[test]
fn descriptions_are_found_in_their_parts() {
    let item = FieldType::described(&ITEM);
    assert_eq!(item.find(MOOD.oid).unwrap().name(), Some("mood"));
    assert!(item.find(Oid::new(16_402)).is_none());
}

/// A value that consists of several texts has no bytes of its own but those of the whole.
#[test]
fn the_column_has_the_bytes_of_what_is_not_utf8() {
    let sent = Sent::insert(&[("item", ITEM.oid)], &[Is::Bytes(b"(a\xFF,)")]);
    let table = sent.table();
    let types = TypeSet::new(&[MOOD, ITEM]);
    let row = sent.row(&table).with_types(&types);
    assert!(row.get::<Vec<u8>>("item").is_err());
    let error = message(row.get::<Value<'_>>("item"));
    assert!(
        error.contains("invalid UTF-8 at byte 2: read the raw bytes from the column of the row"),
        "{error}"
    );
    let field = row.column("item").unwrap().field().unwrap();
    assert_eq!(field.bytes(), b"(a\xFF,)");
}

#[cfg(feature = "postgres-types")]
#[test]
fn sql_types_read_binary_and_what_is_the_same_as_text() {
    let columns = [
        ("id", type_oid::INT4),
        ("body", type_oid::TEXT),
        ("mood", MOOD.oid),
        ("doc", type_oid::JSON),
        ("list", type_oid::INT4_ARRAY),
        ("late", type_oid::INT4),
    ];
    let list = b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\0\x09";
    let row = [
        Is::Binary(&[0, 0, 0, 7]),
        Is::Text("x"),
        Is::Text("happy"),
        Is::Null,
        Is::Binary(list),
        Is::Text("7"),
    ];
    let sent = Sent::insert(&columns, &row);
    let table = sent.table();
    let types = TypeSet::new(&[MOOD]);
    let row = sent.row(&table).with_types(&types);
    assert_eq!(row.get_sql::<i32>("id").unwrap(), 7);
    assert_eq!(row.get_sql::<&str>("body").unwrap(), "x");
    assert_eq!(row.get_sql::<Option<String>>("body").unwrap().as_deref(), Some("x"));
    assert_eq!(row.get_sql::<Vec<i32>>("list").unwrap(), [9]);
    assert!(matches!(
        row.get_sql::<i32>("late").unwrap_err().kind(),
        RowErrorKind::NeedsBinary { .. }
    ));
    assert!(
        message(row.get_sql::<i64>("id"))
            .contains("type integer: the value at byte 0 cannot be read as i64")
    );
    assert_eq!(
        message(row.get_sql::<String>("mood")),
        "column \"mood\" of public.t: text value of type mood: the value at byte 0 cannot be \
         read as alloc::string::String; read it as an enum that derives `FromSql`, or with `get` \
         as &str or String"
    );
    assert!(matches!(
        row.get_sql::<String>("doc").unwrap_err().value_error().unwrap().kind(),
        ValueErrorKind::WrongType { .. }
    ));
}

#[cfg(feature = "time")]
#[test]
fn values_beyond_the_types_of_time_are_not_recommended_for_them() {
    let columns = [
        ("timestamptz", type_oid::TIMESTAMPTZ),
        ("timestamp", type_oid::TIMESTAMP),
        ("date", type_oid::DATE),
        ("time", type_oid::TIME),
    ];
    let infinity = || Is::Text("infinity");
    let sent = Sent::insert(&columns, &[infinity(), infinity(), infinity(), Is::Text("24:00:00")]);
    let table = sent.table();
    let row = sent.row(&table);
    for (error, hint) in [
        (message(row.get::<time::OffsetDateTime>("timestamptz")), "TimestampTz or Value"),
        (message(row.get::<time::PrimitiveDateTime>("timestamp")), "Timestamp or Value"),
        (message(row.get::<time::Date>("date")), "Date or Value"),
        (message(row.get::<time::Time>("time")), "Time or Value"),
    ] {
        assert!(error.ends_with(&std::format!("; read it as {hint}")), "{error}");
    }
    let wrong = message(row.get::<i32>("date"));
    assert!(
        wrong.ends_with("; read it as Date or Value, or (feature `time`) time::Date"),
        "{wrong}"
    );
}
