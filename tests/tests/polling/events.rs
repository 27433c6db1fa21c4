//! The same events, byte for byte.

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{ReaderBuilder, SchemaOutput};
use pgoutput_tests::{Fixture, InTime as _, is_idle_at, line};

use crate::INTERVAL;
use crate::workload::{self, SETUP, with_each_server};

/// Reads everything as JSON lines and positions. The position names the slot, which is left out.
fn read(fixture: &Fixture<'_>, slot: &str, builder: ReaderBuilder) -> Vec<(String, String)> {
    let mut reader = builder.slot(slot).until_lsn(fixture.end()).connect().unwrap();
    let events: Vec<_> = reader
        .in_time()
        .map(|event| {
            let event = event.unwrap();
            (line(&event), event.position().to_string().replace(slot, "slot"))
        })
        .collect();
    reader.stop().unwrap();
    events
}

fn compare(server: &Server, set: impl Fn(ReaderBuilder) -> ReaderBuilder) {
    let fixture = Fixture::new(server, SETUP);
    let variants = workload::variants(server);
    let slots: Vec<_> = variants
        .iter()
        .map(|_| ["twin_a", "twin_b"].map(|name| fixture.database().slot_name(name)))
        .collect();
    slots.iter().flatten().for_each(|slot| fixture.create_slot(slot));
    workload::write(&fixture);
    let end = fixture.end();
    for ((name, options), [replicated, polled]) in variants.iter().zip(&slots) {
        let context = format!("PostgreSQL {}, {name}", server.major());
        let builder = || set(fixture.builder().options(options.clone()));
        let expected = read(&fixture, replicated, builder());
        let found = read(&fixture, polled, builder().poll(INTERVAL));
        assert!(expected.len() > 40, "{context}: {}", expected.len());
        for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(expected, found, "{context}, event {index}");
        }
        assert_eq!(expected.len(), found.len(), "{context}");
        for slot in [replicated, polled] {
            let confirmed = fixture.slot_named(slot).confirmed;
            assert!(is_idle_at(confirmed, end), "{context}: {confirmed}, {end}");
        }
    }
}

#[test]
fn events_are_those_of_a_replication_connection() {
    with_each_server(|server| compare(server, |builder| builder));
}

#[test]
fn commits_and_schema_changes_are_those_of_a_replication_connection() {
    with_each_server(|server| {
        compare(server, |builder| {
            builder.commits(true).schema_changes(true).schema_output(SchemaOutput::Once)
        });
    });
}

/// Text is converted to UTF-8, except from SQL_ASCII, where it may be any bytes.
#[test]
fn text_in_other_encodings_is_that_of_a_replication_connection() {
    const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, s text)";
    for server in servers() {
        for (encoding, text) in [("LATIN1", "'na\u{ef}ve'"), ("SQL_ASCII", "E'caf\\351'")] {
            let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
            let fixture = Fixture::with_options(server, &options, SETUP);
            let twin = fixture.database().slot_name("twin");
            fixture.create_slot(&twin);
            fixture.run([
                &format!("INSERT INTO t VALUES (1, {text})") as &str,
                "CREATE TABLE \"caf\u{e9}\" (id int)",
                "INSERT INTO \"caf\u{e9}\" VALUES (1)",
            ]);
            let expected = read(&fixture, fixture.slot_name(), fixture.builder())
                .into_iter()
                .map(|(line, _)| line);
            let found = read(&fixture, &twin, fixture.builder().poll(INTERVAL));
            let found: Vec<_> = found.into_iter().map(|(line, _)| line).collect();
            assert_eq!(found.len(), 2, "{encoding}");
            assert!(expected.eq(found), "PostgreSQL {}, {encoding}", server.major());
        }
    }
}
