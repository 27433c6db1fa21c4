//! Published tables equal what the server streams.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use pgoutput_harness::{Database, servers, servers_from};
use pgoutput_reader::inspect::{TableCopy, table_copies};
use pgoutput_reader::{ErrorKind, Oid, Reader, SetupError, Snapshot};
use pgoutput_tests::{Fixture, InTime as _};
use postgres::Client;

use crate::rows::{self, Row};
use crate::stream::{self, Streamed};
use crate::{connect, copies, tour};

/// A session in which the statements of a copy run.
fn session(database: &Database<'_>) -> Client {
    let mut client = database.client();
    client.batch_execute("SET search_path = ''; SET row_security = off").unwrap();
    client
}

/// Copies a table as a copy does: under its lock, chunk by chunk.
fn copied(client: &mut Client, copy: &TableCopy, binary: bool) -> Vec<Row> {
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").unwrap();
    for lock in &copy.locks {
        client.batch_execute(lock).unwrap();
    }
    let columns = usize::from(u16::from_be_bytes(columns_of(&copy.relation)));
    let rows = if binary {
        copy.binary.iter().flat_map(|chunk| rows::binary(client, chunk)).collect::<Vec<_>>()
    } else {
        copy.text.iter().flat_map(|chunk| rows::text(client, chunk, columns)).collect()
    };
    client.batch_execute("COMMIT").unwrap();
    sorted(rows)
}

/// The number of columns, after the oid, two names and the replica identity.
fn columns_of(relation: &[u8]) -> [u8; 2] {
    let names = relation[5..].splitn(3, |byte| *byte == 0).nth(2).unwrap();
    [names[1], names[2]]
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

/// Checks tables, descriptions and rows against the stream.
fn check(client: &mut Client, copies: &[TableCopy], streamed: &Streamed, context: &str) {
    assert!(copies.is_sorted_by_key(|copy| copy.oid), "{context}");
    let with_rows: Vec<Oid> =
        copies.iter().filter(|copy| copy.leaves > 0).map(|copy| copy.oid).collect();
    let changed: Vec<Oid> = streamed.changed.iter().copied().collect();
    assert_eq!(with_rows, changed, "{context}");
    for copy in copies.iter().filter(|copy| copy.leaves > 0) {
        let expected = streamed.relation(copy.oid);
        assert_eq!(
            copy.relation.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{context}"
        );
        assert!(!copy.was_changed, "{context}: {}", copy.oid);
        if let Some(rows) = streamed.inserted.get(&copy.oid) {
            assert_eq!(copied(client, copy, false), sorted(rows.clone()), "{context}: {copy:?}");
        }
    }
    for empty in copies.iter().filter(|copy| copy.leaves == 0) {
        assert!(empty.text.is_empty() && empty.pages == 0, "{context}");
    }
}

#[test]
fn tables_descriptions_and_rows_equal_those_of_the_stream() {
    for server in servers() {
        let fixture = tour::fixture(server);
        let database = fixture.database();
        let mut copying = session(database);
        let mut failures = 0;
        for publications in tour::publications(server.major()) {
            let context = format!("PostgreSQL {}, {publications:?}", server.version());
            let unquoted: Vec<String> =
                publications.iter().map(|name| name.replace("\"\"", "\"")).collect();
            let unquoted: Vec<&str> = unquoted.iter().map(String::as_str).collect();
            let copies = copies(database, &unquoted);
            match stream::read(&fixture, &publications, false) {
                Ok(streamed) => {
                    let copies = copies.unwrap_or_else(|error| panic!("{context}: {error}"));
                    check(&mut copying, &copies, &streamed, &context);
                }
                Err(error) => {
                    let refusal = error.as_db_error();
                    let refusal = refusal.unwrap_or_else(|| panic!("{context}: {error:?}"));
                    assert_eq!(refusal.code().code(), "0A000", "{context}: {error:?}");
                    let message = refusal.message();
                    let kind = copies.map_err(pgoutput_reader::Error::into_kind);
                    match kind.unwrap_err() {
                        ErrorKind::Setup(SetupError::ColumnListsDiffer { table }) => {
                            assert!(message.contains("different column lists"), "{message}");
                            assert!(message.contains(&table), "{message}");
                        }
                        ErrorKind::Setup(SetupError::GeneratedColumnsDiffer { table }) => {
                            assert!(message.contains("publish_generated_columns"), "{message}");
                            assert!(message.contains(&table), "{message}");
                        }
                        other => panic!("{context}: {other}"),
                    }
                    failures += 1;
                }
            }
        }
        assert_eq!(failures > 0, server.major() >= 15);
    }
}

/// Binary rows equal those of the stream. Where a type has no binary format, the stream has a text.
#[test]
fn binary_rows_equal_those_of_the_stream() {
    for server in servers_from(14) {
        let fixture = tour::fixture(server);
        let database = fixture.database();
        let mut copying = session(database);
        let streamed = stream::read(&fixture, &["all"], true).unwrap();
        let mut text_only = 0;
        for copy in copies(database, &["all"]).unwrap() {
            let rows = &streamed.inserted[&copy.oid];
            if copy.binary.is_empty() {
                text_only += 1;
                assert!(rows.iter().any(|row| row[1].as_ref().is_some_and(|v| v[0] == b't')));
            } else {
                assert_eq!(copied(&mut copying, &copy, true), sorted(rows.clone()), "{copy:?}");
            }
        }
        assert_eq!(text_only, 1);
    }
}

/// With chunks of one page, every row is copied once. A condition removes rows in every chunk.
#[test]
fn chunks_and_conditions_divide_a_table() {
    for server in servers() {
        let fixture = tour::fixture(server);
        let database = fixture.database();
        fixture.run(["ANALYZE plain"]);
        let mut connection = connect(&database.dsn());
        let mut of = |pages: u32, condition: Option<&str>| {
            let pages = NonZeroU32::new(pages).unwrap();
            let names = ["inserts".to_owned()];
            table_copies(&mut connection, &names, pages, condition).unwrap().remove(0)
        };
        let plain = of(1, None);
        assert!(plain.pages > 10, "{plain:?}");
        assert_eq!(plain.estimated_rows, Some(106));
        let expected = if server.major() >= 14 { plain.pages } else { 1 };
        assert_eq!(plain.text.len() as u64, expected);
        let mut copying = session(database);
        let all = copied(&mut copying, &plain, false);
        assert_eq!(all.len(), 106);
        assert_eq!(copied(&mut copying, &of(3, None), false), all);
        let condition = "plain.id OPERATOR(pg_catalog.>) 3 OR v OPERATOR(pg_catalog.=) 'x' -- all";
        for pages in [1, 1000] {
            let rows = copied(&mut copying, &of(pages, Some(condition)), false);
            assert_eq!(rows.len(), 103, "{pages}");
        }
        // Partitions have the name of the table that they are published as.
        if server.major() >= 13 {
            let (names, pages) = (["foreign_leaf".to_owned()], NonZeroU32::MIN);
            let condition = Some("f.id OPERATOR(pg_catalog.>) 0");
            let copies = table_copies(&mut connection, &names, pages, condition).unwrap();
            assert_eq!(copied(&mut copying, &copies[0], false).len(), 1);
        }
    }
}

/// A role that may read a partitioned table, but not its partitions, copies it in one piece. The
/// rows of an unlogged partition, which the stream does not have, are left out.
#[test]
fn privileges_on_the_partitioned_table_are_enough() {
    for server in servers_from(13) {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE q (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
             CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (10);
             CREATE TABLE q2 PARTITION OF q FOR VALUES FROM (10) TO (20);
             CREATE UNLOGGED TABLE q3 PARTITION OF q FOR VALUES FROM (20) TO (30);
             CREATE PUBLICATION q FOR TABLE q WITH (publish_via_partition_root = true)",
        );
        let database = fixture.database();
        let role = database.slot_name("copier");
        fixture.run([
            &format!("CREATE ROLE {role} LOGIN REPLICATION; GRANT SELECT ON q, q1 TO {role}"),
            "INSERT INTO q SELECT n, 'v' FROM generate_series(1, 29) AS n",
        ]);
        let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
        let names = ["q".to_owned()];
        let copies = table_copies(&mut connect(&dsn), &names, NonZeroU32::MIN, None).unwrap();
        let [copy] = copies.as_slice() else { panic!("{copies:?}") };
        assert_eq!((copy.leaves, copy.text.len()), (2, 1), "{copy:?}");
        let streamed = stream::read(&fixture, &["q"], false).unwrap();
        let mut client = database.client();
        client.batch_execute(&format!("SET ROLE {role}; SET search_path = ''")).unwrap();
        let rows = copied(&mut client, copy, false);
        assert_eq!(rows, sorted(streamed.inserted[&copy.oid].clone()));
        assert_eq!(rows.len(), 19);
        drop(client);
        fixture.run([&format!("DROP OWNED BY {role}; DROP ROLE {role}")]);
    }
}

#[test]
fn a_role_that_may_not_read_a_table_gets_advice_for_it() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE b (id int PRIMARY KEY)");
        let database = fixture.database();
        let role = database.slot_name("copier");
        let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
        let policy =
            format!("GRANT SELECT ON b TO {role}; ALTER TABLE b ENABLE ROW LEVEL SECURITY");
        fixture.run([
            &format!("CREATE ROLE {role} LOGIN REPLICATION") as &str,
            // Without rows nothing is read.
            "INSERT INTO b VALUES (1)",
        ]);
        for (change, advice) in [("", "SELECT on each table"), (&policy, "BYPASSRLS")] {
            fixture.run([change]);
            let copying = Reader::builder(&dsn)
                .publication(pgoutput_tests::PUBLICATION)
                .snapshot(Snapshot::alone())
                .connect()
                .and_then(|mut reader| reader.in_time().collect::<Result<Vec<_>, _>>());
            let error = copying.unwrap_err();
            assert_eq!(error.sqlstate(), Some("42501"), "{error}");
            let text = format!("{error}");
            assert!(text.contains(advice), "{text}");
            assert!(!text.contains("CONNECT"), "{text}");
        }
        fixture.run([&format!("DROP OWNED BY {role}; DROP ROLE {role}")]);
    }
}

/// Each leaf is locked, so that TRUNCATE waits, and no more than that.
#[test]
fn locks_of_a_table_include_its_leaves() {
    for server in servers_from(13) {
        let fixture = tour::fixture(server);
        let copies = copies(fixture.database(), &["root"]).unwrap();
        let mut client = session(fixture.database());
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").unwrap();
        for lock in copies.iter().flat_map(|copy| &copy.locks) {
            client.batch_execute(lock).unwrap();
        }
        let query = "SELECT lock.relation::pg_catalog.regclass::pg_catalog.text, lock.mode
            FROM pg_catalog.pg_locks AS lock
            WHERE lock.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
              AND lock.relation OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid";
        let locks: BTreeMap<String, String> =
            client.query(query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
        for table in ["public.p", "public.p1", "public.p21", "other.p22"] {
            assert_eq!(locks.get(table).map(String::as_str), Some("AccessShareLock"), "{locks:?}");
        }
    }
}

#[test]
fn a_missing_publication_is_named() {
    for server in servers() {
        let database = server.database("missing");
        database.client().batch_execute("CREATE PUBLICATION here").unwrap();
        let error = copies(&database, &["here", "gone", "here"]).unwrap_err();
        let ErrorKind::Setup(SetupError::PublicationMissing { missing, .. }) = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(missing, &["gone"]);
        assert_eq!(copies(&database, &["here", "here"]).unwrap(), []);
    }
}
