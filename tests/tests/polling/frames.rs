//! Each frame with its LSN, as a replication connection sends it.

use pgoutput_decode::{Lsn, Tag};
use pgoutput_reader::{Config, Connection, StartReplication};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION};

use crate::workload::{self, SETUP, with_each_server};

/// The LSN and the bytes of a message.
type Frame = (Lsn, Vec<u8>);

/// Reads all frames over a replication connection.
fn replicated(fixture: &Fixture<'_>, start: &StartReplication, end: Lsn) -> Vec<Frame> {
    let config: Config = fixture.database().dsn().parse().unwrap();
    let mut stream = Connection::connect(&config).unwrap().stream(start).unwrap();
    let mut frames = Vec::new();
    for event in stream.in_time() {
        let event = event.unwrap();
        frames.push((event.wal_start, event.frame().to_vec()));
        let tag = Tag(event.frame()[0]);
        if tag == Tag::COMMIT && event.wal_start > end {
            return frames;
        }
    }
    panic!("the stream ended");
}

/// Reads all frames over SQL.
fn peeked(fixture: &Fixture<'_>, slot: &str, options: &[(&str, &str)]) -> Vec<Frame> {
    let mut client = fixture.client();
    client
        .batch_execute("SET lc_monetary = 'C'; SET extra_float_digits = 3; SET search_path = ''")
        .unwrap();
    let options: Vec<_> = options.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let query = "SELECT lsn::pg_catalog.text, data
        FROM pg_catalog.pg_logical_slot_peek_binary_changes($1::text::pg_catalog.name, NULL, NULL,
             VARIADIC $2)";
    let rows = client.query(query, &[&slot, &options]).unwrap();
    rows.iter().map(|row| (row.get::<_, &str>(0).parse().unwrap(), row.get(1))).collect()
}

/// The options as SQL takes them, for each set that has a name in the manual.
fn options(name: &str, major: u32) -> Vec<(&'static str, &'static str)> {
    let newest = match major {
        ..14 => "1",
        14 => "2",
        15 => "3",
        _ => "4",
    };
    let mut options = vec![("publication_names", PUBLICATION)];
    options.push(("proto_version", if name == "protocol 1" { "1" } else { newest }));
    let more: &[_] = match name {
        "messages" => &[("messages", "true")],
        "binary" => &[("binary", "true"), ("messages", "true")],
        "streaming" => &[("messages", "true"), ("streaming", "on")],
        "two_phase" => &[("two_phase", "on")],
        "streaming, two_phase" => &[("two_phase", "on"), ("streaming", "on")],
        "parallel" => &[("two_phase", "on"), ("streaming", "parallel")],
        "origin" => &[("origin", "none")],
        _ => &[],
    };
    options.extend(more);
    options
}

/// A replication connection has no LSN for Relation and Type messages, nor for Begin if an Origin
/// follows. The LSN of a Begin is in no event.
#[test]
fn frames_and_lsns_are_those_of_a_replication_connection() {
    with_each_server(|server| {
        let fixture = Fixture::new(server, SETUP);
        let variants = workload::variants(server);
        let slots: Vec<_> = variants
            .iter()
            .map(|_| ["frames_a", "frames_b"].map(|name| fixture.database().slot_name(name)))
            .collect();
        for slot in slots.iter().flatten() {
            fixture.create_slot(slot);
        }
        workload::write(&fixture);
        let end = fixture.end();
        fixture.run(["INSERT INTO made VALUES (100)"]);
        for ((name, stream_options), [replicated_slot, peeked_slot]) in variants.iter().zip(&slots)
        {
            let context = format!("PostgreSQL {}, {name}", server.major());
            let start = StartReplication::new(replicated_slot, [PUBLICATION])
                .options(stream_options.clone());
            let replicated = replicated(&fixture, &start, end);
            let peeked = peeked(&fixture, peeked_slot, &options(name, server.major()));
            assert_eq!(replicated.len(), peeked.len(), "{context}");
            let mut chunks = 0;
            for (index, (expected, found)) in replicated.iter().zip(&peeked).enumerate() {
                let tag = Tag(expected.1[0]);
                assert_eq!(expected.1, found.1, "{context}, message {index}");
                let next = replicated.get(index + 1).map(|next| Tag(next.1[0]));
                let has_none =
                    matches!(tag, Tag::RELATION | Tag::TYPE) || next == Some(Tag::ORIGIN);
                let expected = if has_none { Lsn::ZERO } else { found.0 };
                assert_eq!(replicated[index].0, expected, "{context}, message {index}, {tag:?}");
                chunks += usize::from(tag == Tag::STREAM_START);
            }
            let streams = name.contains("streaming") || *name == "parallel";
            assert_eq!(chunks > 1, streams, "{context}: {chunks} chunks");
        }
    });
}
