//! Queries for published tables whose UPDATE and DELETE the server refuses, by the rules of its
//! check (`CheckCmdReplicaIdentity`).

use crate::sql::names::bytes;
use crate::sql::publications::publications;

/// The first version in which publications have column lists and row filters.
pub(in crate::catalog) const WITH_LISTS: i32 = 150_000;

/// The first version that can publish generated columns. It requires those of a replica identity to
/// be published.
pub(in crate::catalog) const WITH_GENERATED: i32 = 180_000;

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

pub(super) use identity;

/// The tables of publications that publish UPDATE or DELETE and fulfil a condition, as CTEs.
/// `listed` has them as the publication lists them. `member` also has their partitions, which are
/// the tables that are written. The condition may refer to `publication`. `$materialized` is the
/// word, or nothing for a query that runs before PostgreSQL 12 too, which does not know it.
/// `$publications` are the publications, for a `FROM`.
macro_rules! members {
    ($publications:expr, $materialized:literal, $condition:literal) => {
        concat!(
            "listed AS ",
            $materialized,
            " (
    SELECT publication.oid AS publication_id, tables.relid AS table_id
    FROM ",
            $publications,
            " AS publication
    CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)
         AS tables
    WHERE (publication.pubupdate OR publication.pubdelete)
      AND ",
            $condition,
            "
), member AS (
    SELECT listed.publication_id, listed.table_id AS listed_id, listed.table_id FROM listed
    UNION ALL
    SELECT member.publication_id, member.listed_id, partition.inhrelid
    FROM member
    JOIN pg_catalog.pg_class AS parent
         ON parent.oid OPERATOR(pg_catalog.=) member.table_id
        AND parent.relkind OPERATOR(pg_catalog.=) 'p'
    JOIN pg_catalog.pg_inherits AS partition
         ON partition.inhparent OPERATOR(pg_catalog.=) parent.oid
)"
        )
    };
}

pub(super) use members;

/// The tables of `member` that hold rows, as `class`, for a `FROM`.
macro_rules! written {
    () => {
        "member
    JOIN pg_catalog.pg_class AS class
         ON class.oid OPERATOR(pg_catalog.=) member.table_id
        AND class.relkind OPERATOR(pg_catalog.=) 'r'"
    };
}

pub(super) use written;

/// The number of tables of the CTE `found` that have each cause, and the names of some.
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

/// CTEs up to `found`: column lists and row filters that do not fit the replica identity
/// (PostgreSQL 15 and later).
///
/// With `publish_via_partition_root` the list or filter is that of the topmost table that is
/// published, and the identity that of the partition: columns are compared by name. A Var of the
/// filter's tree has its column in `varattno`.
macro_rules! list_causes {
    ($publications:expr) => {
        concat!(
            "WITH RECURSIVE ",
            members!(
                $publications,
                "MATERIALIZED ",
                "EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS entry
                  WHERE entry.prpubid OPERATOR(pg_catalog.=) publication.oid
                    AND (entry.prattrs IS NOT NULL OR entry.prqual IS NOT NULL))"
            ),
            ", written AS (
    SELECT class.oid, member.publication_id, entry.prrelid, entry.prattrs, entry.prqual,
           class.relreplident OPERATOR(pg_catalog.=) 'f' AS is_full,
           ARRAY(SELECT attribute.attname::pg_catalog.text
                 FROM pg_catalog.pg_attribute AS attribute
                 WHERE attribute.attrelid OPERATOR(pg_catalog.=) class.oid
                   AND attribute.attnum OPERATOR(pg_catalog.=) ANY (",
            identity!(),
            ")) AS key_columns
    FROM ",
            written!(),
            "
    JOIN pg_catalog.pg_publication_rel AS entry
         ON entry.prpubid OPERATOR(pg_catalog.=) member.publication_id
        AND entry.prrelid OPERATOR(pg_catalog.=) member.listed_id
), found AS (
    SELECT 'list' AS cause, written.oid, written.publication_id, written.prrelid AS listed_id,
           false AS is_virtual
    FROM written
    WHERE written.prattrs IS NOT NULL
      AND (written.is_full OR NOT written.key_columns OPERATOR(pg_catalog.<@) ARRAY(
               SELECT attribute.attname::pg_catalog.text
               FROM pg_catalog.pg_attribute AS attribute
               WHERE attribute.attrelid OPERATOR(pg_catalog.=) written.prrelid
                 AND attribute.attnum OPERATOR(pg_catalog.=) ANY (written.prattrs)))
    UNION ALL
    SELECT 'filter', written.oid, written.publication_id, written.prrelid, false
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
        )
    };
}
pub(super) use list_causes;

/// CTEs up to `found`: generated columns of a replica identity that are not published
/// (PostgreSQL 18 and later).
/// Virtual ones never are; where there is a column list, the list decides.
macro_rules! generated_causes {
    ($publications:expr) => {
        concat!(
            "WITH RECURSIVE generated AS MATERIALIZED (
    SELECT attribute.attrelid, attribute.attnum,
           attribute.attgenerated OPERATOR(pg_catalog.=) 'v' AS is_virtual
    FROM pg_catalog.pg_attribute AS attribute
    WHERE attribute.attgenerated OPERATOR(pg_catalog.=) ANY ('{s,v}'::pg_catalog.\"char\"[])
      AND NOT attribute.attisdropped
), ",
            members!($publications, "MATERIALIZED ", "EXISTS (SELECT FROM generated)"),
            ", found AS (
    SELECT 'generated' AS cause, class.oid, member.publication_id, member.listed_id,
           generated.is_virtual
    FROM ",
            written!(),
            "
    JOIN pg_catalog.pg_publication AS publication
         ON publication.oid OPERATOR(pg_catalog.=) member.publication_id
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
        )
    };
}
pub(super) use generated_causes;

/// Column lists and row filters that do not fit the replica identity (PostgreSQL 15 and later).
pub(in crate::catalog) const BY_LIST: &str =
    concat!(list_causes!(publications!("$1")), by_cause!());

/// Generated columns of a replica identity that are not published (PostgreSQL 18 and later).
pub(in crate::catalog) const BY_GENERATED: &str =
    concat!(generated_causes!(publications!("$1")), by_cause!());
