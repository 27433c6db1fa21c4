//! Databases in encodings other than UTF8.

use pgoutput_decode::TupleColumn;
use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{Acknowledge, ChangeEvent, Reader, StreamOptions};
use pgoutput_tests::{Fixture, InTime as _, after, formats, json};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, s text, v varchar(9), a text[], j json)";

fn fixture<'s>(server: &'s Server, encoding: &str) -> Fixture<'s> {
    let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
    Fixture::with_options(server, &options, TABLE)
}

/// Returns everything as text and, if the server can, as binary.
fn both(fixture: &Fixture<'_>, check: impl Fn(&[ChangeEvent])) {
    for binary in formats(fixture.database().server()) {
        let events = fixture.read_with(|builder| {
            builder.options(StreamOptions::new().binary(*binary)).acknowledge(Acknowledge::Never)
        });
        check(&events);
    }
}

#[test]
fn latin1_arrives_as_utf8() {
    for server in servers() {
        let fixture = fixture(server, "LATIN1");
        fixture
            .run(["INSERT INTO t VALUES (1, 'na\u{ef}ve', '\u{fc}', '{\u{e9}}', '[\"\u{df}\"]')"]);
        both(&fixture, |events| {
            assert_eq!(after(&events[0]), r#"{"id":1,"s":"naïve","v":"ü","a":["é"],"j":["ß"]}"#);
            let row = events[0].after().unwrap();
            assert_eq!(row.get::<&str>("s").unwrap(), "naïve");
        });
    }
}

/// In the binary form of an `hstore`, the server counts the lengths before it converts the texts.
#[test]
fn hstore_of_latin1_is_read_as_text_and_an_error_as_binary() {
    const VALUES: [&str; 3] = ["v\u{e9}", "\u{e9}v", "\u{fc}"];
    for server in servers() {
        let fixture = fixture(server, "LATIN1");
        let types = "CREATE EXTENSION hstore; CREATE TYPE c AS (h hstore);
            CREATE TABLE h (id int PRIMARY KEY, ascii hstore, h hstore, a hstore[], c c)";
        fixture.run([types]);
        for value in VALUES {
            let h = format!("hstore('k', '{value}')");
            fixture.run([&*format!(
                "INSERT INTO h VALUES (1, 'a=>b', {h}, ARRAY[{h}], ROW({h})); DELETE FROM h"
            )]);
        }
        both(&fixture, |events| {
            let inserts = events.iter().filter(|event| event.after().is_some());
            for (event, value) in inserts.zip(VALUES) {
                let (row, after) = (event.after().unwrap(), after(event));
                let is_binary = matches!(row.column("h").unwrap().value, TupleColumn::Binary(_));
                let object = serde_json::json!({"k": value});
                let event = json(event);
                assert_eq!(event["after"]["ascii"], serde_json::json!({"a": "b"}), "{after}");
                if is_binary {
                    let invalid = serde_json::json!({"after": ["h", "a", "c"]});
                    assert_eq!(event["invalid_utf8"], invalid, "{after}");
                    let error = row.get::<pgoutput_decode::value::Value<'_>>("h").unwrap_err();
                    assert!(error.to_string().contains("without the option `binary`"), "{error}");
                } else {
                    assert_eq!(event["after"]["h"], object, "{after}");
                    assert_eq!(event["after"]["a"], serde_json::json!([object]), "{after}");
                    assert_eq!(event["after"]["c"], serde_json::json!({"h": object}), "{after}");
                }
            }
        });
    }
}

/// SQL_ASCII is not an encoding: the server stores any bytes, and converts none.
#[test]
fn bytes_that_are_not_utf8_do_not_stop_the_stream() {
    for server in servers() {
        let fixture = fixture(server, "SQL_ASCII");
        // A session in the encoding of the database may write any byte but zero.
        fixture.run([
            "SET client_encoding = SQL_ASCII;
             INSERT INTO t VALUES (1, E'caf\\xe9', E'\\xff', ARRAY[E'\\xfe'], '[1]')",
            "UPDATE t SET s = 'caf\u{e9}', v = NULL, a = '{}'",
            "INSERT INTO t VALUES (2, '\u{1f600}', 'v', '{a}', '{}')",
        ]);
        both(&fixture, |events| {
            let rows: Vec<_> = events.iter().map(after).collect();
            // After the rows, the columns that are not UTF-8 are named.
            assert!(
                rows[0].starts_with(r#"{"id":1,"s":"\\x636166e9","v":"\\xff","a":"\\x"#),
                "{rows:?}"
            );
            assert!(
                rows[0].ends_with(r#""j":[1]},"invalid_utf8":{"after":["s","v","a"]}"#),
                "{rows:?}"
            );
            assert_eq!(rows[1], r#"{"id":1,"s":"café","v":null,"a":[],"j":[1]}"#);
            assert_eq!(rows[2], r#"{"id":2,"s":"😀","v":"v","a":["a"],"j":{}}"#);

            let row = events[0].after().unwrap();
            assert_eq!(row.get::<&[u8]>("s").unwrap(), b"caf\xe9");
            let array = row.column("a").unwrap().field().unwrap();
            assert!(array.bytes().contains(&0xfe));
            let error = row.get::<&str>("s").unwrap_err().to_string();
            assert!(error.contains("invalid UTF-8 at byte 3: read the raw bytes"), "{error}");
        });
    }
}

/// Their binary form is a version, followed by the text.
#[test]
fn documents_that_are_not_utf8_are_the_same_bytes_in_both_formats() {
    // `jsonpath` was added in 12.
    for server in servers_from(12) {
        let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
        let setup = "CREATE DOMAIN d AS jsonb; CREATE TABLE t (b jsonb, d d, p jsonpath, j json)";
        let fixture = Fixture::with_options(server, options, setup);
        fixture.run(["SET client_encoding = SQL_ASCII;
             INSERT INTO t VALUES (E'\"\\xe9\"', E'\"\\xe9\"', E'$.\"\\xe9\"', E'\"\\xe9\"')"]);
        both(&fixture, |events| {
            assert_eq!(
                after(&events[0]),
                r#"{"b":"\\x22e922","d":"\\x22e922","p":"\\x242e22e922","j":"\\x22e922"},"invalid_utf8":{"after":["b","d","p","j"]}"#
            );
        });
    }
}

#[test]
fn columns_of_old_rows_that_are_not_utf8_are_named() {
    for server in servers() {
        let fixture = fixture(server, "SQL_ASCII");
        fixture.run([
            "ALTER TABLE t REPLICA IDENTITY FULL",
            "INSERT INTO t (id, s) VALUES (1, E'\\xe9')",
            "UPDATE t SET s = 'e'",
        ]);
        both(&fixture, |events| {
            let update = json(&events[1]);
            assert_eq!(update["before"]["s"], r"\xe9");
            assert_eq!(update["after"]["s"], "e");
            assert_eq!(update["invalid_utf8"], serde_json::json!({"before": ["s"]}));
        });
    }
}

/// Other objects' names, which no reader can be sent, and the messages that show them.
#[test]
fn names_of_other_objects_that_are_not_utf8_do_not_stop_a_reader() {
    for server in servers() {
        let fixture = fixture(server, "SQL_ASCII");
        let publications = "SET client_encoding = SQL_ASCII; DO $$ BEGIN
            EXECUTE pg_catalog.concat('CREATE PUBLICATION \"other', E'\\xe9', '\"');
            EXECUTE pg_catalog.concat('CREATE TABLE other (\"', E'\\xe9', '\" int)');
            EXECUTE pg_catalog.concat('CREATE TYPE \"', E'\\xe9', '\" AS ENUM ()');
        END $$; CREATE PUBLICATION mine FOR TABLE t";
        fixture.run([publications, "INSERT INTO t (id) VALUES (1)"]);
        let builder = || Reader::builder(&fixture.database().dsn()).slot(fixture.slot_name());

        // A slot is older than its publication: earlier changes cannot be read by its name.
        let end = fixture.end();
        let events = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
        assert_eq!(events.len(), 1);
        let error = builder().publication("none").until_lsn(end).connect().unwrap_err();
        assert!(error.to_string().contains(r"mine, other\xe9"), "{error}");
        let stream = pgoutput_reader::StartReplication::new(fixture.slot_name(), ["everything"]);
        let config = fixture.database().dsn().parse().unwrap();
        let connection = pgoutput_reader::Connection::connect(&config).unwrap();
        drop(connection.stream(&stream).unwrap());
        fixture.wait_until_free();

        // A warning of the server in 18, an error before.
        let mut reader = fixture.reader();
        reader.next_in_time().unwrap().unwrap();
        fixture.run(["DROP PUBLICATION everything", "INSERT INTO t (id) VALUES (2)"]);
        let error = reader.next_in_time().unwrap().unwrap_err().to_string();
        assert!(error.contains("publication \"everything\" did not exist at WAL"), "{error}");
    }
}
