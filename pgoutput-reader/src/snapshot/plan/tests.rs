use pgoutput_decode::{Oid, ReplicaIdentity};

use super::super::published::PublishedColumn;
use super::*;

/// A plain table without columns.
pub(in crate::snapshot) fn table(schema: &str, name: &str) -> PublishedTable {
    PublishedTable {
        oid: Oid::new(20_000),
        schema: schema.into(),
        name: name.into(),
        is_partitioned: false,
        replica_identity: ReplicaIdentity::DEFAULT,
        columns: vec![],
        all_columns: vec![],
        row_filter: None,
        leaves: vec![leaf(20_000, schema, name, 10)],
        entries_id: 0,
        was_changed: false,
    }
}

/// A column of type `integer`.
pub(in crate::snapshot) fn column(name: &str) -> PublishedColumn {
    PublishedColumn {
        name: name.into(),
        type_oid: Oid::new(23),
        type_modifier: -1,
        is_key: false,
        is_generated: false,
        has_binary: true,
    }
}

fn leaf(oid: u32, schema: &str, name: &str, pages: u32) -> Leaf {
    Leaf {
        oid: Oid::new(oid),
        schema: schema.into(),
        name: name.into(),
        pages,
        is_heap: true,
        is_readable: true,
        estimated_rows: Some(u64::from(pages) * 10),
    }
}

/// A partitioned table with two partitions of 5 and 0 pages.
fn partitioned() -> PublishedTable {
    PublishedTable {
        is_partitioned: true,
        columns: vec![column("a"), column("b")],
        leaves: vec![leaf(20_001, "other", "p1", 5), leaf(20_002, "s", "p2", 0)],
        ..table("s", "p")
    }
}

const NEW: ServerVersion = ServerVersion::new(140_000);
const OLD: ServerVersion = ServerVersion::new(130_000);

const ALL: Chunk = Chunk::Leaf { index: 0, pages: None };

fn chunks_of(table: &PublishedTable, pages: u32, version: ServerVersion) -> Vec<Chunk> {
    chunks(table, NonZeroU32::new(pages).unwrap(), version)
}

#[test]
fn a_whole_plain_table_is_copied_by_name() {
    let mut table = table("My \"s\"", "t;");
    table.columns = vec![column("a\"b"), column("select")];
    assert_eq!(
        copy_statement(&table, &ALL, None, CopyFormat::Text),
        r#"COPY "My ""s"""."t;" ("a""b", "select") TO STDOUT"#
    );
    assert_eq!(
        copy_statement(&table, &ALL, None, CopyFormat::Binary),
        r#"COPY "My ""s"""."t;" ("a""b", "select") TO STDOUT WITH (FORMAT binary)"#
    );
}

#[test]
fn anything_else_is_copied_by_query() {
    let mut table = table("s", "t");
    assert_eq!(
        copy_statement(&table, &ALL, None, CopyFormat::Text),
        r#"COPY (SELECT FROM ONLY "s"."t" AS "t") TO STDOUT"#
    );
    table.columns = vec![column("a")];
    let pages = Some(Pages { first: 3, end: Some(6) });
    assert_eq!(
        copy_statement(&table, &Chunk::Leaf { index: 0, pages }, None, CopyFormat::Text),
        "COPY (SELECT \"a\" FROM ONLY \"s\".\"t\" AS \"t\" \
         WHERE ctid OPERATOR(pg_catalog.>=) '(3,0)'::pg_catalog.tid \
         AND ctid OPERATOR(pg_catalog.<) '(6,0)'::pg_catalog.tid) TO STDOUT"
    );
    table.columns[0].is_generated = true;
    assert_eq!(
        copy_statement(&table, &ALL, None, CopyFormat::Binary),
        r#"COPY (SELECT "a" FROM ONLY "s"."t" AS "t") TO STDOUT WITH (FORMAT binary)"#
    );
}

/// An OR or a comment in one of the expressions does not change the meaning of the others.
#[test]
fn filter_condition_and_range_are_all_required() {
    let mut table = table("s", "t");
    table.columns = vec![column("a")];
    table.row_filter = Some("(a OPERATOR(pg_catalog.>) 1) OR b".into());
    let chunk = Chunk::Leaf { index: 0, pages: Some(Pages { first: 9, end: None }) };
    assert_eq!(
        copy_statement(
            &table,
            &chunk,
            Some("t.a OPERATOR(pg_catalog.<>) 5 -- or"),
            CopyFormat::Text
        ),
        "COPY (SELECT \"a\" FROM ONLY \"s\".\"t\" AS \"t\" \
         WHERE ((a OPERATOR(pg_catalog.>) 1) OR b\n) AND (t.a OPERATOR(pg_catalog.<>) 5 -- or\n) \
         AND ctid OPERATOR(pg_catalog.>=) '(9,0)'::pg_catalog.tid) TO STDOUT"
    );
}

#[test]
fn partitions_are_copied_one_by_one_under_the_name_of_their_table() {
    let mut table = partitioned();
    assert_eq!(chunks_of(&table, 100, NEW), [0, 1].map(|index| Chunk::Leaf { index, pages: None }));
    let copy = |table: &PublishedTable, chunk: &Chunk| {
        copy_statement(table, chunk, None, CopyFormat::Text)
    };
    assert_eq!(copy(&table, &ALL), r#"COPY "other"."p1" ("a", "b") TO STDOUT"#);
    table.row_filter = Some("p.b".into());
    assert_eq!(
        copy(&table, &ALL),
        "COPY (SELECT \"a\", \"b\" FROM ONLY \"other\".\"p1\" AS \"p\" \
         WHERE (p.b\n)) TO STDOUT"
    );
    table.row_filter = None;
    table.leaves[1].is_readable = false;
    assert_eq!(chunks_of(&table, 1, NEW), [Chunk::Partitioned]);
    assert_eq!(
        copy(&table, &Chunk::Partitioned),
        "COPY (SELECT \"a\", \"b\" FROM \"s\".\"p\" AS \"p\" WHERE tableoid \
         OPERATOR(pg_catalog.=) ANY ('{20001,20002}'::pg_catalog.oid[])) TO STDOUT"
    );
}

#[test]
fn chunks_cover_all_pages_once_and_the_last_is_open() {
    for (pages, length, count) in
        [(0, 4, 1), (1, 4, 1), (4, 4, 1), (5, 4, 2), (8, 4, 2), (9, 4, 3), (u32::MAX, 1 << 31, 2)]
    {
        let mut table = table("s", "t");
        table.leaves[0].pages = pages;
        let chunks = chunks_of(&table, length, NEW);
        assert_eq!(chunks.len(), count, "{pages}");
        let mut next = Some(0);
        for chunk in &chunks {
            let &Chunk::Leaf { index: 0, pages } = chunk else { panic!("{chunk:?}") };
            assert_eq!(pages.is_none(), count == 1);
            if let Some(pages) = pages {
                assert_eq!(Some(pages.first), next);
                next = pages.end;
            }
        }
        assert_eq!(next.is_none(), count > 1);
    }
}

#[test]
fn only_heaps_of_servers_from_14_on_are_divided() {
    let mut table = table("s", "t");
    assert_eq!(chunks_of(&table, 3, NEW).len(), 4);
    assert_eq!(chunks_of(&table, 3, OLD), [ALL]);
    table.leaves[0].is_heap = false;
    assert_eq!(chunks_of(&table, 3, NEW), [ALL]);
}

#[test]
fn locks_are_of_tables_and_their_leaves() {
    let mut partitioned = partitioned();
    partitioned.leaves[1].is_readable = false;
    assert_eq!(
        lock_statements([&table("s", "a"), &partitioned]),
        [r#"LOCK TABLE ONLY "s"."a", "s"."p", ONLY "other"."p1" IN ACCESS SHARE MODE"#]
    );
    assert_eq!(lock_statements([]), [""; 0]);
}

#[test]
fn the_length_of_lock_statements_is_bounded() {
    let tables: Vec<_> = (0..2000).map(|n| table("schema", &format!("table_{n}"))).collect();
    let statements = lock_statements(&tables);
    assert!((2..10).contains(&statements.len()), "{}", statements.len());
    assert!(statements.iter().all(|statement| statement.len() < LOCK_LENGTH + 30));
    let names: usize = statements.iter().map(|statement| statement.matches("ONLY").count()).sum();
    assert_eq!(names, 2000);
}

#[test]
fn estimates_are_unknown_if_one_is() {
    let mut table = partitioned();
    assert_eq!((table.estimated_rows(), table.pages()), (Some(50), 5));
    table.leaves[0].estimated_rows = None;
    assert_eq!(table.estimated_rows(), None);
}
