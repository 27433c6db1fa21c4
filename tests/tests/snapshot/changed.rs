//! Tables that were changed after the snapshot, and names that cannot be used.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use pgoutput_harness::servers;
use pgoutput_reader::inspect::{TableCopy, table_copies};
use pgoutput_reader::{Connection, ErrorKind, SetupError};
use pgoutput_tests::Fixture;

use crate::{connect, copies};

fn in_transaction(connection: &mut Connection) -> BTreeMap<String, TableCopy> {
    let names = ["everything".to_owned()];
    let copies = table_copies(connection, &names, NonZeroU32::MIN, None).unwrap();
    let name = |copy: &TableCopy| {
        let name = copy.relation[5..].split(|byte| *byte == 0).nth(1).unwrap();
        String::from_utf8(name.to_vec()).unwrap()
    };
    copies.into_iter().map(|copy| (name(&copy), copy)).collect()
}

/// The snapshot of a transaction does not show these changes, after which a copy would miss rows
/// or columns.
#[test]
fn changes_after_the_snapshot_are_noticed() {
    for server in servers() {
        let tables = [
            "truncated",
            "rewritten",
            "vacuumed",
            "renamed",
            "replaced",
            "dropped",
            "moved",
            "widened",
            "narrowed",
            "indexed",
            "filled",
            "untouched",
        ];
        let create: Vec<String> = tables
            .iter()
            .map(|table| {
                format!(
                    "CREATE TABLE {table} (id int PRIMARY KEY, v text);
                         INSERT INTO {table} VALUES (1, 'v');"
                )
            })
            .collect();
        let fixture = Fixture::new(server, &create.concat());
        let mut connection = connect(&fixture.database().dsn());
        connection
            .simple_query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1")
            .unwrap();
        assert!(in_transaction(&mut connection).values().all(|copy| !copy.was_changed));
        fixture.run([
            "TRUNCATE truncated",
            "ALTER TABLE rewritten ALTER v TYPE int USING 1",
            "VACUUM FULL vacuumed",
            "ALTER TABLE renamed RENAME TO other_name",
            "DROP TABLE replaced",
            "CREATE TABLE replaced (id int PRIMARY KEY, v text)",
            "DROP TABLE dropped",
            "CREATE SCHEMA s; ALTER TABLE moved SET SCHEMA s",
            "ALTER TABLE widened ADD w int DEFAULT 5",
            "ALTER TABLE narrowed DROP v",
            "CREATE INDEX ON indexed (v)",
            "INSERT INTO filled SELECT n, pg_catalog.repeat('v', 2000) \
             FROM pg_catalog.generate_series(2, 100) AS n",
            "ANALYZE",
        ]);
        let copies = in_transaction(&mut connection);
        let changed: Vec<&str> = copies
            .iter()
            .filter(|(_, copy)| copy.was_changed)
            .map(|(name, _)| name.as_str())
            .collect();
        let mut expected =
            ["truncated", "rewritten", "vacuumed", "renamed", "replaced", "dropped", "moved"];
        expected.sort_unstable();
        // Before PostgreSQL 11 a column with a default is added by rewriting the table.
        let is_rewritten = server.major() < 11;
        let expected: Vec<&str> =
            expected.into_iter().chain(is_rewritten.then_some("widened")).collect();
        assert_eq!(changed, expected, "PostgreSQL {}", server.version());
        let has_other_columns: Vec<&str> = ["widened", "narrowed", "indexed", "untouched"]
            .into_iter()
            .filter(|name| {
                let copy = &copies[*name];
                let rows = connection.simple_query(&copy.columns_query).unwrap();
                rows[0].rows[0].columns() != copy.all_columns
            })
            .collect();
        assert_eq!(has_other_columns, ["widened", "narrowed"]);
    }
}

#[test]
fn a_table_is_named_whose_name_is_not_utf8() {
    for server in servers() {
        let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
        let fixture = Fixture::with_options(
            server,
            options,
            r#"SET client_encoding = SQL_ASCII; DO $do$ BEGIN
                EXECUTE pg_catalog.replace($q$
                    CREATE TABLE "t#" (id int PRIMARY KEY); CREATE TABLE c (id int, "c#" int);
                    CREATE TABLE é (ö int);
                    CREATE PUBLICATION names FOR TABLE "t#"; CREATE PUBLICATION columns FOR TABLE c;
                    CREATE PUBLICATION fine FOR TABLE é$q$, '#', E'\xe9'); END $do$"#,
        );
        let refused = |publication: &str| {
            let error = copies(fixture.database(), &[publication]).unwrap_err();
            match error.into_kind() {
                ErrorKind::Setup(SetupError::NameNotUtf8 { name, table }) => (name, table),
                other => panic!("{other}"),
            }
        };
        let text = |(name, table): (&str, &str)| (name.to_owned(), table.to_owned());
        assert_eq!(refused("names"), text((r"t\xe9", r"public.t\xe9")));
        assert_eq!(refused("columns"), text((r"c\xe9", "public.c")));
        let fine = copies(fixture.database(), &["fine"]).unwrap();
        assert_eq!(fine[0].text, ["COPY \"public\".\"é\" (\"ö\") TO STDOUT"]);
    }
}
