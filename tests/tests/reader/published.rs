//! What a reader has started with, and what its publications hold.

use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::Reader;
use pgoutput_tests::Fixture;

#[test]
fn a_reader_says_what_it_has_started_with() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int); CREATE TABLE v (id int)",
        );
        let mut reader = fixture.builder().connect().unwrap();
        let started = reader.started().clone();
        assert_eq!(started.server_version.major(), server.major());
        assert_eq!(started.slot, fixture.slot_name());
        assert!(!started.tls && !started.start_lsn.is_zero());
        let line = started.to_string();
        assert!(line.ends_with(&format!("\", from {}", started.start_lsn)), "{line}");
        let published = reader.published().unwrap();
        assert_eq!((published.tables, published.without_identity), (3, 2));
        let names: Vec<&str> =
            published.without_identity_names.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["u", "v"]);
        assert_eq!(published.warnings().len(), 1);
        reader.stop().unwrap();
    }
}

/// A partition is what is written, and has an identity of its own.
#[test]
fn partitions_are_looked_at_where_the_table_above_them_is_published() {
    for server in servers_from(13) {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
             CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
             CREATE TABLE p3 PARTITION OF p2 FOR VALUES FROM (10) TO (20);
             ALTER TABLE p3 REPLICA IDENTITY NOTHING;
             CREATE PUBLICATION by_root FOR TABLE p WITH (publish_via_partition_root = true)",
        );
        let builder = Reader::builder(&fixture.database().dsn()).slot(fixture.slot_name());
        let mut reader = builder.publication("by_root").connect().unwrap();
        let published = reader.published().unwrap();
        assert_eq!(published.tables, 1);
        assert_eq!(published.without_identity_names, [("public".into(), "p3".into())]);
        let error = fixture.client().batch_execute("INSERT INTO p VALUES (11); DELETE FROM p");
        assert!(error.is_err());
        reader.stop().unwrap();
    }
}

/// Ten names at most, however many there are.
#[test]
fn names_are_bounded() {
    for server in servers() {
        let tables: Vec<String> = (0..25).map(|n| format!("CREATE TABLE t{n} (id int)")).collect();
        let fixture = Fixture::new(server, &tables.join(";"));
        let mut reader = fixture.builder().connect().unwrap();
        let published = reader.published().unwrap();
        assert_eq!((published.tables, published.without_identity), (25, 25));
        assert_eq!(published.without_identity_names.len(), 10);
        assert!(published.warnings()[0].contains(" and 15 more; "));
        reader.stop().unwrap();
    }
}
