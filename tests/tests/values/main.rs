//! Values of every type on real servers: the text form and the binary form are read as the same value, and written as
//! the server writes it.

mod cases;
mod catalogue;

use std::error::Error;

use pgoutput_decode::value::{Field, Format, JsonOptions, TypeInfo, Value};
use postgres::types::{FromSql, Type};
use postgres::{Client, SimpleQueryMessage};

use serde::de::IgnoredAny;

use cases::{CASES, Case, SETUP};

/// The bytes of a column as they came.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// One value as the server wrote it.
struct Sample {
    text: String,
    /// `None` if the type has no binary form.
    binary: Option<Vec<u8>>,
    /// What the server's `to_jsonb` makes of it.
    json: Option<serde_json::Value>,
}

/// The values of one case, from a table of this type.
fn samples(client: &mut Client, case: &Case) -> Vec<Sample> {
    let ty = case.ty;
    client
        .batch_execute(&format!("DROP TABLE IF EXISTS v; CREATE TABLE v (n serial, v {ty})"))
        .unwrap();
    for value in case.values {
        let insert = format!("INSERT INTO v (v) VALUES ($value${value}$value$::{ty})");
        client.batch_execute(&insert).unwrap_or_else(|e| panic!("{ty} {value}: {e:?}"));
    }
    for random in case.random {
        let insert = format!("INSERT INTO v (v) SELECT {random} FROM generate_series(1, 100) AS g");
        client.batch_execute(&insert).unwrap_or_else(|e| panic!("{ty} {random}: {e:?}"));
    }
    let texts = client.simple_query("SELECT v FROM v ORDER BY n").unwrap();
    let texts = texts.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).expect("not NULL").to_owned()),
        _ => None,
    });
    let rows = if case.has_binary {
        client.query("SELECT v FROM v ORDER BY n", &[]).unwrap()
    } else {
        Vec::new()
    };
    let mut binaries = rows.into_iter().map(|row| row.get::<_, Raw>(0).0);
    let documents = if case.is_json_as_the_servers {
        client.query("SELECT to_jsonb(v)::text FROM v ORDER BY n", &[]).unwrap()
    } else {
        Vec::new()
    };
    let mut documents = documents.into_iter().map(|row| {
        let document: String = row.get(0);
        serde_json::from_str(&document).unwrap()
    });
    texts.map(|text| Sample { text, binary: binaries.next(), json: documents.next() }).collect()
}

fn written(field: Field<'_>) -> String {
    let mut text = String::new();
    field.write_text(&mut text).unwrap();
    text
}

fn json(field: Field<'_>) -> String {
    let mut json = String::new();
    field.write_json(&mut json, JsonOptions::default()).unwrap();
    json
}

fn check(ty: &'static TypeInfo<'static>, sample: &Sample, prints_as_the_server: bool) {
    let Sample { text, binary, json: server_json } = sample;
    let name = ty.name;
    let from_text = Field::with_type(ty, Format::Text, text.as_bytes());
    let value: Value<'_> = from_text.get().unwrap_or_else(|e| panic!("{name} {text:?}: {e}"));
    if prints_as_the_server {
        assert_eq!(written(from_text), *text, "{name} from text");
    }
    let document = json(from_text);
    assert!(!document.contains(['\n', '\r']), "{name} {text:?}: {document:?}");
    serde_json::from_str::<IgnoredAny>(&document)
        .unwrap_or_else(|e| panic!("{name} {document}: {e}"));
    if let Some(server_json) = server_json.as_ref().filter(|_| prints_as_the_server) {
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document, *server_json, "{name} {text:?}");
    }
    let Some(binary) = binary else { return };
    let from_binary = Field::with_type(ty, Format::Binary, binary);
    let same: Value<'_> =
        from_binary.get().unwrap_or_else(|e| panic!("{name} {text:?} {binary:02x?}: {e}"));
    assert!(!matches!(same, Value::Opaque(_)), "{name} has no reader");
    assert_eq!(value, same, "{name} {text:?}");
    assert_eq!(same, value, "{name} {text:?}");
    if prints_as_the_server {
        assert_eq!(written(from_binary), *text, "{name} from binary");
    } else {
        assert_eq!(written(from_binary), written(from_text), "{name}");
    }
    assert_eq!(json(from_binary), document, "{name}");
    // All parts of long values would take too long.
    for end in 0..binary.len().min(500) {
        // A part may be a value too, but must not be this one.
        let part = Field::with_type(ty, Format::Binary, &binary[..end]);
        assert_ne!(part.get().ok(), Some(value), "{name} {text:?}: {end} of {}", binary.len());
    }
}

#[test]
fn text_and_binary_are_the_same_value_and_print_as_the_server_did() {
    for server in pgoutput_harness::servers() {
        let major = server.major();
        let database = server.database("values");
        let mut client = database.client();
        client.batch_execute(SETUP).unwrap();
        let mut checked = 0;
        for case in CASES.iter().filter(|case| case.since <= major) {
            for script in case.setup {
                client.batch_execute(script).unwrap_or_else(|e| panic!("{script}: {e:?}"));
            }
            let samples = samples(&mut client, case);
            let expected = case.values.len() + 100 * case.random.len();
            assert_eq!(samples.len(), expected, "{}", case.ty);
            let ty = catalogue::describe(&mut client, case.ty);
            // Before 12 floats come with as many digits as it takes at worst, not with as few as it takes.
            let prints_as_the_server = major >= 12 || !case.has_floats;
            for sample in &samples {
                assert_eq!(sample.binary.is_some(), case.has_binary);
                check(ty, sample, prints_as_the_server);
                checked += 1;
            }
        }
        eprintln!("PostgreSQL {major}: {checked} values");
    }
}
