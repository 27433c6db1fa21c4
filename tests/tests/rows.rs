//! Rows of real servers as Rust values and structs, the same from text and from binary.

use std::collections::BTreeMap;

use pgoutput_decode::value::{Array, Composite, Numeric, Value};
use pgoutput_harness::{Server, servers_from};
use pgoutput_reader::{ChangeEvent, Row, RowErrorKind, StreamOptions, Toast};
use pgoutput_tests::Fixture;
use serde::Deserialize;
use time::macros::{date, datetime};
use time::{Date, OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

// From 11 on. Earlier, a domain could not be over a composite type.
const SETUP: &str = "
    CREATE EXTENSION hstore;
    CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('happy', 'so so');
    CREATE TYPE address AS (street text, zip int4, moods mood[]);
    CREATE DOMAIN positive AS int8 CHECK (value > 0);
    CREATE DOMAIN home AS address;
    CREATE TYPE span AS RANGE (subtype = int4);
    CREATE TABLE people (
        id int4 PRIMARY KEY, small int2, large int8, level positive, ratio float8,
        single float4, ok bool,
        price numeric, name varchar(20), note text, picture bytea, born date,
        met timestamp, seen timestamptz,
        pause interval, token uuid, doc jsonb, raw json, mood mood,
        moods mood[], home home, homes address[],
        grid int4[], words text[], blobs bytea[], span span, ip inet, years int4range, tags hstore,
        email citext)";

const INSERT: &str = r#"INSERT INTO people VALUES (
    1, -2, 9007199254740993, 7, 0.1, 0.5, true,
    12.50, 'Zoë', NULL, '\x00ff5c', '2024-02-29', '1999-12-31 23:59:59.5',
    '2022-01-14 18:22:10.29674+01',
    '1 year 2 days 3 hours', '00112233-4455-6677-8899-aabbccddeeff',
    '{"a": [1, "two"], "b": null}', '{"b":1.10}',
    'so so', '{happy,NULL}', ROW('a "b", \c', 8000, '{so so}'),
    ARRAY[ROW('x', NULL, '{}')::address, NULL],
    '{{1,2},{3,NULL}}', ARRAY['', 'NULL', NULL, 'q"\'], ARRAY['\x00'::bytea, '\x'],
    '[1,5)', '10.0.0.1/8', 'empty',
    'a=>1, "b\""=>NULL', 'Zoe@example.org')"#;

/// Calls `check` with the last event, in each format that the server has.
fn in_both_formats(server: &Server, statements: &[&str], check: impl Fn(&ChangeEvent, bool)) {
    let fixture = Fixture::new(server, SETUP);
    let other = fixture.database().slot_name("binary");
    fixture.create_slot(&other);
    for statement in statements {
        fixture.client().batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    }
    check(fixture.read().last().expect("an event"), false);
    if fixture.major() >= 14 {
        let events = fixture
            .read_with(|builder| builder.slot(&other).options(StreamOptions::new().binary(true)));
        check(events.last().expect("an event"), true);
    }
}

#[derive(Deserialize, Debug, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Mood {
    Happy,
    #[serde(rename = "so so")]
    SoSo,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Address {
    street: Option<String>,
    zip: Option<i32>,
    moods: Vec<Mood>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Document {
    a: (i32, String),
    b: Option<bool>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Person<'a> {
    id: u64,
    small: i16,
    large: i64,
    level: u8,
    ratio: f64,
    single: f32,
    ok: bool,
    price: String,
    name: &'a str,
    note: Option<&'a str>,
    picture: Vec<u8>,
    born: String,
    met: String,
    #[serde(with = "time::serde::rfc3339")]
    seen: OffsetDateTime,
    pause: String,
    token: String,
    doc: Document,
    raw: String,
    mood: Mood,
    moods: Vec<Option<Mood>>,
    home: Address,
    homes: Toast<Vec<Option<Address>>>,
    grid: Vec<Vec<Option<i32>>>,
    words: Vec<Option<String>>,
    blobs: Vec<Vec<u8>>,
    tags: BTreeMap<String, Option<String>>,
    email: &'a str,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

fn person<'a>(row: &Row<'a>) -> Person<'a> {
    row.deserialize().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_row_is_the_same_struct_from_either_format() {
    for server in servers_from(11) {
        in_both_formats(server, &[INSERT], |event, _| {
            let address = |street: &str, zip, moods: &[Mood]| Address {
                street: Some(street.into()),
                zip,
                moods: moods.to_vec(),
            };
            let expected = Person {
                id: 1,
                small: -2,
                large: 9_007_199_254_740_993,
                level: 7,
                ratio: 0.1,
                single: 0.5,
                ok: true,
                price: "12.50".into(),
                name: "Zoë",
                note: None,
                picture: vec![0, 0xFF, 0x5C],
                born: "2024-02-29".into(),
                met: "1999-12-31T23:59:59.500000".into(),
                seen: datetime!(2022-01-14 17:22:10.29674 UTC),
                pause: "P1Y2DT3H".into(),
                token: "00112233-4455-6677-8899-aabbccddeeff".into(),
                doc: Document { a: (1, "two".into()), b: None },
                raw: r#"{"b":1.10}"#.into(),
                mood: Mood::SoSo,
                moods: vec![Some(Mood::Happy), None],
                home: address(r#"a "b", \c"#, Some(8000), &[Mood::SoSo]),
                homes: Toast::Present(vec![Some(address("x", None, &[])), None]),
                grid: vec![vec![Some(1), Some(2)], vec![Some(3), None]],
                words: ["", "NULL"]
                    .map(|word| Some(word.to_owned()))
                    .into_iter()
                    .chain([None, Some(r#"q"\"#.to_owned())])
                    .collect(),
                blobs: vec![vec![0], vec![]],
                tags: [("a".into(), Some("1".into())), ("b\"".into(), None)].into(),
                email: "Zoe@example.org",
                rest: [("span", "[1,5)"), ("ip", "10.0.0.1/8"), ("years", "empty")]
                    .map(|(name, text)| (name.to_owned(), text.into()))
                    .into(),
            };
            assert_eq!(person(&event.after().unwrap()), expected);
        });
    }
}

#[test]
fn columns_are_the_same_values_from_either_format() {
    for server in servers_from(11) {
        in_both_formats(server, &[INSERT], |event, _| {
            let row = event.after().unwrap();
            assert_eq!(row.get::<i64>("id").unwrap(), 1);
            assert_eq!(row.get::<i64>(0).unwrap(), 1);
            assert_eq!(row.get::<u8>("level").unwrap(), 7, "a domain");
            assert_eq!(row.get::<Numeric<'_>>("price").unwrap().to_string(), "12.50");
            assert_eq!(row.get::<&str>("name").unwrap(), "Zoë");
            assert_eq!(row.get::<Option<String>>("note").unwrap(), None);
            assert_eq!(row.get::<Vec<u8>>("picture").unwrap(), [0, 0xFF, 0x5C]);
            assert_eq!(row.get::<Date>("born").unwrap(), date!(2024 - 02 - 29));
            let met: PrimitiveDateTime = row.get("met").unwrap();
            assert_eq!(met, datetime!(1999-12-31 23:59:59.5));
            let seen: OffsetDateTime = row.get("seen").unwrap();
            assert_eq!(seen, datetime!(2022-01-14 17:22:10.29674 UTC));
            let token = Uuid::from_u128(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF);
            assert_eq!(row.get::<Uuid>("token").unwrap(), token);
            let doc: serde_json::Value = row.get("doc").unwrap();
            assert_eq!(doc, serde_json::json!({"a": [1, "two"], "b": null}));
            assert_eq!(row.get::<&str>("mood").unwrap(), "so so");
            let moods: Vec<Option<&str>> = row.get("moods").unwrap();
            assert_eq!(moods, [Some("happy"), None]);
            let grid: Vec<Vec<Option<i16>>> = row.get("grid").unwrap();
            assert_eq!(grid, [[Some(1), Some(2)], [Some(3), None]]);
            assert_eq!(row.get::<Vec<Vec<u8>>>("blobs").unwrap(), [vec![0], vec![]]);
            assert_eq!(row.get::<Array<'_>>("words").unwrap().len(), 4);
            let home: Composite<'_> = row.get("home").unwrap();
            assert_eq!(home.attribute("zip").unwrap().unwrap().get::<i32>(), Ok(8000));
            assert_eq!(row.get::<Value<'_>>("span").unwrap().to_string(), "[1,5)");
            assert_eq!(row.try_get::<i32>("nothing").unwrap(), None);
        });
    }
}

#[derive(Deserialize, Debug)]
struct Wrong {
    #[serde(rename = "level")]
    _level: String,
}

#[test]
fn a_mismatched_type_is_an_error_with_position_and_advice() {
    for server in servers_from(11) {
        in_both_formats(server, &[INSERT], |event, binary| {
            let row = event.after().unwrap();
            let format = if binary { "binary" } else { "text" };
            let error = row.get::<i32>("large").unwrap_err();
            let change = format!("change at {}, key id=1", event.lsn());
            assert_eq!((error.lsn(), error.key()), (Some(event.lsn()), Some("id=1")));
            assert_eq!(
                error.to_string(),
                format!(
                    "{change}: column \"large\" of public.people: {format} value of type bigint: \
                     out of range for i32 at byte 0; read it as i64 or Value"
                )
            );
            assert_eq!(error.format().unwrap().to_string(), format);
            assert_eq!(
                row.get::<&str>("price").unwrap_err().to_string(),
                format!(
                    "{change}: column \"price\" of public.people: {format} value of type numeric: \
                     the value at byte 0 cannot be read as &str; read it as Numeric or Value"
                )
            );
            assert_eq!(row.get::<i32>("mood").unwrap_err().type_name(), Some("mood"));
            assert!(row.get::<&str>("note").unwrap_err().to_string().contains("NULL"));
            assert!(matches!(
                row.get::<&str>("Name").unwrap_err().kind(),
                RowErrorKind::NoSuchColumn { .. }
            ));
            let error = row.deserialize::<Wrong>().unwrap_err();
            assert_eq!((error.table(), error.column()), ("people", Some("level")));
            assert!(error.to_string().contains("invalid type: integer `7`"), "{error}");
        });
    }
}

#[test]
fn sql_types_read_the_binary_format() {
    for server in servers_from(11) {
        in_both_formats(server, &[INSERT], |event, binary| {
            let row = event.after().unwrap();
            assert_eq!(row.get_sql::<&str>("name").unwrap(), "Zoë");
            assert_eq!(row.get_sql::<Option<&str>>("note").unwrap(), None);
            let id = row.get_sql::<i32>("id");
            let words = row.get_sql::<Vec<Option<String>>>("words");
            if binary {
                assert_eq!(id.unwrap(), 1);
                assert_eq!(words.unwrap().len(), 4);
            } else {
                assert!(matches!(id.unwrap_err().kind(), RowErrorKind::NeedsBinary { .. }));
                assert!(matches!(words.unwrap_err().kind(), RowErrorKind::NeedsBinary { .. }));
            }
        });
    }
}

#[derive(Deserialize, Debug, PartialEq)]
struct Noted {
    id: i32,
    note: Toast<String>,
}

#[derive(Deserialize, Debug)]
struct Careless {
    #[serde(rename = "note")]
    _note: Option<String>,
}

const TOAST: [&str; 3] = [
    "ALTER TABLE people ALTER note SET STORAGE EXTERNAL",
    "INSERT INTO people (id, note) VALUES (1, repeat('x', 10000))",
    "UPDATE people SET small = 5",
];

#[test]
fn an_unchanged_toast_value_is_not_null() {
    for server in servers_from(11) {
        in_both_formats(server, &TOAST, |event, _| {
            let row = event.after().unwrap();
            let noted: Noted = row.deserialize().unwrap();
            assert_eq!(noted, Noted { id: 1, note: Toast::Unchanged });
            assert_eq!(row.get::<Toast<&str>>("note").unwrap(), Toast::Unchanged);
            for error in [
                row.get::<Option<&str>>("note").unwrap_err(),
                row.try_get::<&str>("note").unwrap_err(),
                row.deserialize::<Careless>().unwrap_err(),
            ] {
                assert!(error.to_string().contains("unchanged TOAST value"), "{error}");
                assert_eq!(error.column(), Some("note"));
            }
        });
    }
}

#[test]
fn an_old_row_provides_unchanged_toast_values() {
    for server in servers_from(11) {
        let full = "ALTER TABLE people REPLICA IDENTITY FULL";
        let [apart, insert, update] = TOAST;
        in_both_formats(server, &[full, apart, insert, update], |event, _| {
            let note = event.after().unwrap().get::<Toast<String>>("note").unwrap();
            assert_eq!(note, Toast::Present("x".repeat(10_000)));
            assert_eq!(event.before().unwrap().get::<Option<i16>>("small").unwrap(), None);
        });
    }
}

#[test]
fn a_deleted_row_has_only_its_old_key() {
    for server in servers_from(11) {
        in_both_formats(server, &[INSERT, "DELETE FROM people"], |event, _| {
            let row = event.before().unwrap();
            assert_eq!(row.get::<i32>("id").unwrap(), 1);
            assert_eq!(row.try_get::<&str>("name").unwrap(), None);
            assert!(matches!(
                row.get::<Option<&str>>("name").unwrap_err().kind(),
                RowErrorKind::NotInKey { .. }
            ));
        });
    }
}
