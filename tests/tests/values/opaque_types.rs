//! Types without a reader, whose values are kept unchanged.

use pgoutput_decode::encode::{EncodeBinary, EncodeError};
use pgoutput_decode::value::{Field, Format, Value};
use postgres::{Client, SimpleQueryMessage};

use crate::catalogue;
use crate::check::{json_of, text_of};
use crate::samples::Raw;

/// The types, the first major that has each, and a value.
const OPAQUE_VALUES: &[(&str, u32, &str)] = &[
    ("regproc", 10, "'now'::regproc"),
    ("regprocedure", 10, "'abs(numeric)'::regprocedure"),
    ("regoper", 10, "'||/'::regoper"),
    ("regoperator", 10, "'+(integer,integer)'::regoperator"),
    ("regclass", 10, "'pg_class'::regclass"),
    ("regtype", 10, "'double precision'::regtype"),
    ("regrole", 10, "'pg_monitor'::regrole"),
    ("regnamespace", 10, "'pg_catalog'::regnamespace"),
    ("regconfig", 10, "'simple'::regconfig"),
    ("regdictionary", 10, "'simple'::regdictionary"),
    ("regcollation", 13, "'\"C\"'::regcollation"),
    ("record", 10, "ROW(1, 'a,\"b', NULL)"),
    ("pg_ndistinct", 10, "(SELECT stxndistinct FROM statistic)"),
    ("pg_dependencies", 10, "(SELECT stxdependencies FROM statistic)"),
    ("pg_mcv_list", 12, "(SELECT stxmcv FROM statistic)"),
];

/// Creates statistics over two columns, under the same names on every server.
fn create_statistics(client: &mut Client, major: u32) {
    let columns = match major {
        10..12 => "stxndistinct, stxdependencies FROM pg_statistic_ext",
        _ => {
            "stxdndistinct AS stxndistinct, stxddependencies AS stxdependencies, stxdmcv AS stxmcv
               FROM pg_statistic_ext_data"
        }
    };
    client
        .batch_execute(&format!(
            "CREATE TABLE counted AS SELECT g % 5 AS a, g % 5 AS b
               FROM generate_series(1, 100) AS g;
             CREATE STATISTICS counted_ab ON a, b FROM counted;
             ANALYZE counted;
             CREATE TEMPORARY VIEW statistic AS SELECT {columns}"
        ))
        .unwrap();
}

/// Returns their oids, and those of their arrays.
pub(crate) fn types(client: &mut Client, major: u32) -> Vec<u32> {
    let mut oids = Vec::new();
    for (ty, ..) in OPAQUE_VALUES.iter().filter(|(_, since, _)| *since <= major) {
        let query = "SELECT oid, typarray FROM pg_type WHERE oid = $1::text::regtype";
        let row = client.query_one(query, &[ty]).unwrap();
        oids.extend([row.get::<_, u32>(0), row.get(1)]);
    }
    oids
}

#[test]
fn values_without_a_reader_are_kept_unchanged() {
    for server in pgoutput_harness::servers() {
        let major = server.major();
        let database = server.database("kept");
        let mut client = database.client();
        create_statistics(&mut client, major);
        for (name, _, value) in OPAQUE_VALUES.iter().filter(|(_, since, _)| *since <= major) {
            let described = catalogue::describe(&mut client, name);
            let ty = described.ty();
            let query = format!("SELECT {value}");
            let messages = client.simple_query(&query).unwrap();
            let text = messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).expect("not NULL").to_owned()),
                _ => None,
            });
            let text = text.unwrap();
            let cast: String =
                client.query_one(&format!("SELECT ({value})::text"), &[]).unwrap().get(0);
            assert_eq!(cast, text, "{name}");
            let from_text = Field::of(ty, Format::Text, text.as_bytes());
            assert_eq!(text_of(from_text), text, "{name}");
            assert_eq!(json_of(from_text), serde_json::to_string(&text).unwrap(), "{name}");
            // No binary form is made up.
            assert_eq!(from_text.to_binary(), Err(EncodeError::NoBinaryForm(ty.oid())), "{name}");

            let Raw(binary) = client.query_one(&query, &[]).unwrap().get(0);
            let from_binary = Field::of(ty, Format::Binary, &binary);
            assert_eq!(from_binary.to_binary().as_ref(), Ok(&binary), "{name}");
            if let Value::Opaque(bytes) = from_binary.get().unwrap() {
                assert_eq!(bytes.as_slice(), Some(&binary[..]), "{name}");
            }
        }
    }
}
