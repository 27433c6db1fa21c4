//! Published tables whose UPDATE and DELETE the server refuses, by the rules of its check
//! (`CheckCmdReplicaIdentity`).

use std::fmt;

use pgoutput_decode::Printable;
use postgres::Row;

use crate::sql::names::{bytes, escaped};
use crate::sql::publications::publications;

/// The number of table names that are queried.
pub(super) const NAMES: usize = 10;

/// Since when publications have column lists and row filters.
pub(super) const WITH_LISTS: i32 = 150_000;

/// Since when generated columns can be published, and must be if they are part of an identity.
pub(super) const WITH_GENERATED: i32 = 180_000;

/// Numbers of the columns of a table's replica identity; the table is `class`.
macro_rules! identity {
    () => {
        "SELECT key.attnum
                 FROM pg_catalog.pg_index AS identity
                 CROSS JOIN LATERAL pg_catalog.unnest(identity.indkey)
                      WITH ORDINALITY AS key (attnum, ordinal)
                 WHERE identity.indrelid OPERATOR(pg_catalog.=) class.oid
                   AND key.ordinal OPERATOR(pg_catalog.<=) identity.indnkeyatts
                   AND identity.indisvalid AND identity.indimmediate
                   AND (class.relreplident OPERATOR(pg_catalog.=) 'd' AND identity.indisprimary
                        OR class.relreplident OPERATOR(pg_catalog.=) 'i'
                           AND identity.indisreplident)"
    };
}

/// The partitions of the tables of `member`, which are what is written.
macro_rules! partitions {
    () => {
        "UNION ALL
    SELECT member.publication_id, member.listed_id, partition.inhrelid
    FROM member
    JOIN pg_catalog.pg_class AS parent
         ON parent.oid OPERATOR(pg_catalog.=) member.table_id
        AND parent.relkind OPERATOR(pg_catalog.=) 'p'
    JOIN pg_catalog.pg_inherits AS partition
         ON partition.inhparent OPERATOR(pg_catalog.=) parent.oid"
    };
}

/// How many tables of `refused` have each cause, and the names of some.
macro_rules! by_cause {
    () => {
        concat!(
            "SELECT refused.cause, pg_catalog.count(*),
       pg_catalog.array_agg(refused.schema_name ORDER BY refused.ordinal)
           FILTER (WHERE refused.ordinal OPERATOR(pg_catalog.<=) 10),
       pg_catalog.array_agg(refused.table_name ORDER BY refused.ordinal)
           FILTER (WHERE refused.ordinal OPERATOR(pg_catalog.<=) 10)
FROM (SELECT found.cause, ",
            bytes!("namespace.nspname"),
            " AS schema_name, ",
            bytes!("class.relname"),
            " AS table_name,
             pg_catalog.row_number() OVER (PARTITION BY found.cause
                 ORDER BY namespace.nspname, class.relname) AS ordinal
      FROM (SELECT DISTINCT found.cause, found.oid FROM found) AS found
      JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) found.oid
      JOIN pg_catalog.pg_namespace AS namespace
           ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace) AS refused
GROUP BY refused.cause"
        )
    };
}

/// Column lists and row filters that do not fit the replica identity (PostgreSQL 15 and later).
///
/// With `publish_via_partition_root` the list or filter is that of the topmost table that is
/// published, and the identity that of the partition: columns are compared by name. A Var of the
/// filter's tree has its column in `varattno`.
pub(super) const BY_LIST: &str = concat!(
    "WITH RECURSIVE listed AS MATERIALIZED (
    SELECT publication.oid AS publication_id, tables.relid AS table_id
    FROM ",
    publications!("$1"),
    " AS publication
    CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)
         AS tables
    WHERE (publication.pubupdate OR publication.pubdelete)
      AND EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS entry
                  WHERE entry.prpubid OPERATOR(pg_catalog.=) publication.oid
                    AND (entry.prattrs IS NOT NULL OR entry.prqual IS NOT NULL))
), member AS (
    SELECT listed.publication_id, listed.table_id AS listed_id, listed.table_id FROM listed
    ",
    partitions!(),
    "
), written AS (
    SELECT class.oid, entry.prrelid, entry.prattrs, entry.prqual,
           class.relreplident OPERATOR(pg_catalog.=) 'f' AS is_full,
           ARRAY(SELECT attribute.attname::pg_catalog.text
                 FROM pg_catalog.pg_attribute AS attribute
                 WHERE attribute.attrelid OPERATOR(pg_catalog.=) class.oid
                   AND attribute.attnum OPERATOR(pg_catalog.=) ANY (",
    identity!(),
    ")) AS key_columns
    FROM member
    JOIN pg_catalog.pg_publication_rel AS entry
         ON entry.prpubid OPERATOR(pg_catalog.=) member.publication_id
        AND entry.prrelid OPERATOR(pg_catalog.=) member.listed_id
    JOIN pg_catalog.pg_class AS class
         ON class.oid OPERATOR(pg_catalog.=) member.table_id
        AND class.relkind OPERATOR(pg_catalog.=) 'r'
), found AS (
    SELECT 'list' AS cause, written.oid
    FROM written
    WHERE written.prattrs IS NOT NULL
      AND (written.is_full OR NOT written.key_columns OPERATOR(pg_catalog.<@) ARRAY(
               SELECT attribute.attname::pg_catalog.text
               FROM pg_catalog.pg_attribute AS attribute
               WHERE attribute.attrelid OPERATOR(pg_catalog.=) written.prrelid
                 AND attribute.attnum OPERATOR(pg_catalog.=) ANY (written.prattrs)))
    UNION ALL
    SELECT 'filter', written.oid
    FROM written
    WHERE written.prqual IS NOT NULL AND NOT written.is_full
      AND NOT written.key_columns OPERATOR(pg_catalog.@>) ARRAY(
               SELECT attribute.attname::pg_catalog.text
               FROM pg_catalog.regexp_matches(
                        written.prqual::pg_catalog.text,
                        ':varattno ([0-9]+) '::pg_catalog.text, 'g'::pg_catalog.text)
                    AS used (groups)
               JOIN pg_catalog.pg_attribute AS attribute
                    ON attribute.attrelid OPERATOR(pg_catalog.=) written.prrelid
                   AND attribute.attnum OPERATOR(pg_catalog.=) used.groups[1]::pg_catalog.int2)
)
",
    by_cause!()
);

/// Generated columns of a replica identity that are not published (PostgreSQL 18 and later).
/// Virtual ones never are; where there is a column list, the list decides.
pub(super) const BY_GENERATED: &str = concat!(
    "WITH RECURSIVE generated AS MATERIALIZED (
    SELECT attribute.attrelid, attribute.attnum,
           attribute.attgenerated OPERATOR(pg_catalog.=) 'v' AS is_virtual
    FROM pg_catalog.pg_attribute AS attribute
    WHERE attribute.attgenerated OPERATOR(pg_catalog.=) ANY ('{s,v}'::pg_catalog.\"char\"[])
      AND NOT attribute.attisdropped
), listed AS MATERIALIZED (
    SELECT publication.oid AS publication_id, tables.relid AS table_id
    FROM ",
    publications!("$1"),
    " AS publication
    CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)
         AS tables
    WHERE (publication.pubupdate OR publication.pubdelete)
      AND EXISTS (SELECT FROM generated)
), member AS (
    SELECT listed.publication_id, listed.table_id AS listed_id, listed.table_id FROM listed
    ",
    partitions!(),
    "
), found AS (
    SELECT 'generated' AS cause, class.oid
    FROM member
    JOIN pg_catalog.pg_publication AS publication
         ON publication.oid OPERATOR(pg_catalog.=) member.publication_id
    JOIN pg_catalog.pg_class AS class
         ON class.oid OPERATOR(pg_catalog.=) member.table_id
        AND class.relkind OPERATOR(pg_catalog.=) 'r'
    JOIN generated
         ON generated.attrelid OPERATOR(pg_catalog.=) class.oid
        AND (generated.is_virtual OR publication.pubgencols OPERATOR(pg_catalog.<>) 's')
        AND (class.relreplident OPERATOR(pg_catalog.=) 'f'
             OR generated.attnum OPERATOR(pg_catalog.=) ANY (",
    identity!(),
    "))
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_publication_rel AS entry
        WHERE entry.prpubid OPERATOR(pg_catalog.=) member.publication_id
          AND entry.prrelid OPERATOR(pg_catalog.=) member.listed_id
          AND entry.prattrs IS NOT NULL)
)
",
    by_cause!()
);

/// Why the server refuses UPDATE and DELETE of a published table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusalCause {
    /// The table has no replica identity (manual, section "Logical Replication", "Publication").
    NoIdentity,
    /// The column list of the publication does not contain the replica identity. With REPLICA
    /// IDENTITY FULL every column list is refused (PostgreSQL 15 and later).
    ColumnList,
    /// The row filter of the publication uses columns outside of the replica identity
    /// (PostgreSQL 15 and later).
    RowFilter,
    /// The replica identity has generated columns that are not published (PostgreSQL 18 and later).
    GeneratedColumns,
}

impl RefusalCause {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "list" => Self::ColumnList,
            "filter" => Self::RowFilter,
            "generated" => Self::GeneratedColumns,
            _ => return None,
        })
    }

    /// How it continues "published tables", and what to do.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoIdentity => (
                "for lack of a replica identity",
                "add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL",
            ),
            Self::ColumnList => (
                "since the column list of the publication does not contain the replica identity",
                "add its columns to the list; with REPLICA IDENTITY FULL publish the table \
                 without a list",
            ),
            Self::RowFilter => (
                "since the row filter of the publication uses columns outside of the replica \
                 identity",
                "add these to it (REPLICA IDENTITY USING INDEX), use another filter, or ALTER \
                 TABLE … REPLICA IDENTITY FULL",
            ),
            Self::GeneratedColumns => (
                "since their replica identity has generated columns that are not published",
                "ALTER PUBLICATION … SET (publish_generated_columns = stored), or for virtual \
                 columns REPLICA IDENTITY USING INDEX without them",
            ),
        }
    }
}

/// Published tables whose UPDATE and DELETE the server refuses for one cause, as far as the
/// publication publishes these. A table may have several causes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedTables {
    /// The cause.
    pub cause: RefusalCause,
    /// How many tables there are.
    pub tables: u64,
    /// Schema and name of the tables: ten at most. Bytes that are not UTF-8 are escaped, as in
    /// `caf\xe9`.
    pub names: Vec<(String, String)>,
}

/// Reads `on 3 published tables for lack of a replica identity: …; add a primary key, …`.
impl fmt::Display for RefusedTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (why, what_to_do) = self.cause.words();
        let plural = if self.tables == 1 { "" } else { "s" };
        write!(f, "on {} published table{plural} {why}: ", self.tables)?;
        for (index, (schema, table)) in self.names.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}.{}", Printable(schema), Printable(table))?;
        }
        match self.tables.saturating_sub(self.names.len() as u64) {
            0 => {}
            more => write!(f, " and {more} more")?,
        }
        write!(f, "; {what_to_do}")
    }
}

impl RefusedTables {
    pub(super) fn new(
        cause: RefusalCause,
        tables: u64,
        schemas: Vec<&[u8]>,
        names: Vec<&[u8]>,
    ) -> Self {
        let names = schemas.into_iter().zip(names);
        let mut names: Vec<_> =
            names.map(|(schema, name)| (escaped(schema), escaped(name))).collect();
        names.sort_unstable();
        names.truncate(NAMES);
        Self { cause, tables, names }
    }

    /// A row of [`BY_LIST`] or [`BY_GENERATED`]; `None` for a cause that is unknown.
    pub(super) fn read(row: &Row) -> Result<Option<Self>, postgres::Error> {
        let Some(cause) = RefusalCause::read(row.try_get(0)?) else { return Ok(None) };
        let tables = row.try_get::<_, i64>(1)?.max(0).unsigned_abs();
        Ok(Some(Self::new(cause, tables, row.try_get(2)?, row.try_get(3)?)))
    }
}
