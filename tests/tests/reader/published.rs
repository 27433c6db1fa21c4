//! The server and slot that a reader has started with, and the contents of its publications.

use std::collections::BTreeSet;

use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{Published, Reader, RefusalCause};
use pgoutput_tests::Fixture;

#[test]
fn a_reader_reports_what_it_has_started_with() {
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
        assert_eq!(published.tables, 3);
        assert_eq!(refused(&published, RefusalCause::NoIdentity), ["u", "v"]);
        assert_eq!(published.warnings().len(), 1);
        reader.stop().unwrap();
    }
}

/// A partition is written to, and has its own replica identity.
#[test]
fn partitions_of_a_published_table_are_checked() {
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
        assert_eq!(published.refused[0].names, [("public".into(), "p3".into())]);
        let error = fixture.client().batch_execute("INSERT INTO p VALUES (11); DELETE FROM p");
        assert!(error.is_err());
        reader.stop().unwrap();
    }
}

/// At most ten names are reported.
#[test]
fn the_number_of_names_is_limited() {
    for server in servers() {
        let tables: Vec<String> = (0..25).map(|n| format!("CREATE TABLE t{n} (id int)")).collect();
        let fixture = Fixture::new(server, &tables.join(";"));
        let mut reader = fixture.builder().connect().unwrap();
        let published = reader.published().unwrap();
        let [refused] = published.refused.as_slice() else { panic!("{published:?}") };
        assert_eq!((published.tables, refused.tables, refused.names.len()), (25, 25, 10));
        assert!(published.warnings()[0].contains(" and 15 more; "));
        reader.stop().unwrap();
    }
}

/// The tables with this cause.
fn refused(published: &Published, cause: RefusalCause) -> Vec<&str> {
    let mut of_cause = published.refused.iter().filter(|refused| refused.cause == cause);
    let names = of_cause.next().map(|refused| refused.names.iter());
    assert!(of_cause.next().is_none(), "{published:?}");
    names.into_iter().flatten().map(|(_, name)| name.as_str()).collect()
}

/// The tables whose UPDATE the server refuses, and those whose DELETE it refuses.
fn really_refused(fixture: &Fixture<'_>) -> BTreeSet<String> {
    let mut client = fixture.client();
    let tables = "SELECT c.relname::text,
            (SELECT a.attname::text FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND a.attgenerated = '' LIMIT 1)
        FROM pg_class AS c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let tables = client.query(tables, &[]).unwrap();
    let mut refused = BTreeSet::new();
    // The server checks the table when the statement starts, even if it is empty.
    for row in tables {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let mut fails = |statement: String| {
            let Err(error) = client.batch_execute(&statement) else { return false };
            let code = error.code().map(|code| code.code().to_owned());
            assert!(matches!(code.as_deref(), Some("55000" | "42P10")), "{statement}: {error:?}");
            true
        };
        let update = fails(format!("UPDATE {table} SET {column} = {column}"));
        let delete = fails(format!("DELETE FROM {table}"));
        assert_eq!(update, delete, "{table}");
        if update {
            refused.insert(table);
        }
    }
    refused
}

/// Column lists and row filters (from 15 on) and generated columns (18). The server refuses the
/// same tables.
#[test]
fn exactly_the_refused_tables_are_named_by_cause() {
    for server in servers_from(15) {
        let is_18 = server.major() >= 18;
        let fixture = Fixture::new(server, LISTS);
        fixture.run(["DROP PUBLICATION everything"]);
        let mut publications = vec!["lists", "by_root", "leaves", "inserts"];
        if is_18 {
            fixture.run([GENERATED]);
            publications.extend(["unpublished", "stored"]);
        }
        let mut builder = Reader::builder(&fixture.database().dsn()).slot(fixture.slot_name());
        for publication in publications {
            builder = builder.publication(publication);
        }
        let mut reader = builder.connect().unwrap();
        let published = reader.published().unwrap();
        let found = |cause| refused(&published, cause);
        assert_eq!(found(RefusalCause::NoIdentity), ["bare", "f_none", "l_nothing"]);
        assert_eq!(
            found(RefusalCause::ColumnList),
            ["l_bad", "l_full", "l_index", "l_part", "leaf2"]
        );
        assert_eq!(
            found(RefusalCause::RowFilter),
            ["f_bad", "f_both", "f_include", "leaf4", "leaf5"]
        );
        let generated: &[&str] =
            if is_18 { &["g_full", "g_key", "g_stored", "g_virtual"] } else { &[] };
        assert_eq!(found(RefusalCause::GeneratedColumns), generated);
        let named = published.refused.iter().flat_map(|refused| &refused.names);
        let named: BTreeSet<String> = named.map(|(_, name)| name.clone()).collect();
        assert_eq!(published.warnings().len(), published.refused.len());
        assert_eq!(named, really_refused(&fixture));
        reader.stop().unwrap();
    }
}

const LISTS: &str = "
    CREATE TABLE bare (id int, v int);
    CREATE TABLE l_ok (id int PRIMARY KEY, v int, w int);
    CREATE TABLE l_bad (id int PRIMARY KEY, v int, w int);
    CREATE TABLE l_part (a int, b int, v int, PRIMARY KEY (a, b));
    CREATE TABLE l_full (id int PRIMARY KEY, v int); ALTER TABLE l_full REPLICA IDENTITY FULL;
    CREATE TABLE l_index (id int PRIMARY KEY, v int NOT NULL UNIQUE);
    ALTER TABLE l_index REPLICA IDENTITY USING INDEX l_index_v_key;
    CREATE TABLE l_index_ok (id int PRIMARY KEY, v int NOT NULL UNIQUE);
    ALTER TABLE l_index_ok REPLICA IDENTITY USING INDEX l_index_ok_v_key;
    CREATE TABLE l_nothing (id int PRIMARY KEY, v int);
    ALTER TABLE l_nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE l_include (id int, v int, PRIMARY KEY (id) INCLUDE (v));
    CREATE TABLE l_dropped (x int, id int PRIMARY KEY, v int, w int);
    ALTER TABLE l_dropped DROP COLUMN x;
    CREATE TABLE f_ok (id int PRIMARY KEY, v int);
    CREATE TABLE f_bad (id int PRIMARY KEY, v int);
    CREATE TABLE f_both (id int PRIMARY KEY, v int);
    CREATE TABLE f_full (id int, v int); ALTER TABLE f_full REPLICA IDENTITY FULL;
    CREATE TABLE f_include (id int, v int, PRIMARY KEY (id) INCLUDE (v));
    CREATE TABLE f_constant (id int PRIMARY KEY, v int);
    CREATE TABLE f_text (id text PRIMARY KEY, v int);
    CREATE TABLE f_none (id int, v int);
    CREATE TABLE i_only (id int PRIMARY KEY, v int);
    CREATE TABLE root (id int PRIMARY KEY, v int, w int) PARTITION BY RANGE (id);
    CREATE TABLE leaf1 (w int, v int, id int NOT NULL);
    ALTER TABLE root ATTACH PARTITION leaf1 FOR VALUES FROM (0) TO (10);
    CREATE TABLE leaf2 PARTITION OF root FOR VALUES FROM (10) TO (20);
    ALTER TABLE leaf2 REPLICA IDENTITY FULL;
    CREATE TABLE f_root (id int PRIMARY KEY, v int NOT NULL) PARTITION BY RANGE (id);
    CREATE TABLE leaf3 (v int NOT NULL, id int NOT NULL);
    ALTER TABLE f_root ATTACH PARTITION leaf3 FOR VALUES FROM (0) TO (10);
    CREATE TABLE middle PARTITION OF f_root FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id);
    CREATE TABLE leaf4 PARTITION OF middle FOR VALUES FROM (10) TO (20);
    CREATE UNIQUE INDEX leaf4_v ON leaf4 (v);
    ALTER TABLE leaf4 REPLICA IDENTITY USING INDEX leaf4_v;
    CREATE TABLE p_root (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
    CREATE TABLE leaf5 PARTITION OF p_root FOR VALUES FROM (0) TO (10);
    CREATE TABLE leaf6 PARTITION OF p_root FOR VALUES FROM (10) TO (20);
    CREATE PUBLICATION lists FOR TABLE bare, l_ok (id, v), l_bad (v, w), l_part (a, v),
        l_full (id, v), l_index (id), l_index_ok (v), l_nothing (v), l_include (id),
        l_dropped (id, v), f_ok WHERE (id > 1), f_bad WHERE (v > 1),
        f_both WHERE (id > 1 AND v > 1), f_full WHERE (v > 1), f_include WHERE (v > 1),
        f_constant WHERE (1 < 2), f_text WHERE (id <> ':varattno 2 '), f_none WHERE (1 < 2);
    CREATE PUBLICATION by_root FOR TABLE root (id, v), f_root WHERE (id > 1), leaf6 WHERE (v > 1),
        p_root WITH (publish_via_partition_root);
    CREATE PUBLICATION leaves FOR TABLE p_root, leaf5 WHERE (v > 1);
    CREATE PUBLICATION inserts FOR TABLE i_only WHERE (v > 1) WITH (publish = 'insert')";

const GENERATED: &str = "
    CREATE TABLE g_ok (id int PRIMARY KEY, v int, g int GENERATED ALWAYS AS (v + 1) STORED);
    CREATE TABLE g_key (v int, g int GENERATED ALWAYS AS (v + 1) STORED PRIMARY KEY);
    CREATE TABLE g_list (v int, g int GENERATED ALWAYS AS (v + 1) STORED PRIMARY KEY);
    CREATE TABLE g_full (v int, g int GENERATED ALWAYS AS (v + 1) STORED);
    ALTER TABLE g_full REPLICA IDENTITY FULL;
    CREATE TABLE g_virtual (v int, g int GENERATED ALWAYS AS (v + 1) VIRTUAL);
    ALTER TABLE g_virtual REPLICA IDENTITY FULL;
    CREATE TABLE g_virtual_ok (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) VIRTUAL);
    CREATE TABLE g_stored (v int, g int GENERATED ALWAYS AS (v + 1) VIRTUAL);
    ALTER TABLE g_stored REPLICA IDENTITY FULL;
    CREATE TABLE g_stored_ok (v int, g int GENERATED ALWAYS AS (v + 1) STORED);
    ALTER TABLE g_stored_ok REPLICA IDENTITY FULL;
    CREATE TABLE g_dropped (v int, g int GENERATED ALWAYS AS (v + 1) STORED);
    ALTER TABLE g_dropped REPLICA IDENTITY FULL; ALTER TABLE g_dropped DROP COLUMN g;
    CREATE PUBLICATION unpublished FOR TABLE g_ok, g_key, g_list (g), g_full, g_virtual,
        g_virtual_ok, g_dropped;
    CREATE PUBLICATION stored FOR TABLE g_stored, g_stored_ok
        WITH (publish_generated_columns = stored)";
