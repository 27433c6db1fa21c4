//! The same events, byte for byte.

use pgoutput_harness::Server;
use pgoutput_reader::{ReaderBuilder, SchemaOutput};
use pgoutput_tests::{Fixture, InTime as _, line};

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
        let confirmed = [replicated, polled].map(|slot| fixture.slot_named(slot).confirmed);
        let distance = confirmed[0].as_u64().abs_diff(confirmed[1].as_u64());
        assert!(distance <= 1024, "{context}: {confirmed:?}");
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
