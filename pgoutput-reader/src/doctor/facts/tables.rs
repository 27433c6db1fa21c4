//! The published tables that something is wrong with.

use super::{column, count, quoted};
use crate::catalog::{Catalog, RefusedTable, SqlParameters};
use crate::doctor::sql::Quoted;
use crate::error::Error;
use crate::server_version::ServerVersion;
use crate::sql::names::bytes;
use crate::sql::publications::publications;

/// The number of published tables.
const NUMBER: &str = concat!(
    "SELECT pg_catalog.count(DISTINCT tables.relid)
FROM ",
    publications!("$1"),
    " AS publication
CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)
     AS tables"
);

/// Published tables that this role cannot copy, 101 at most. `$listed` is the condition under which
/// `attribute` is published.
macro_rules! not_copied {
    ($listed:literal) => {
        concat!(
            "SELECT DISTINCT ",
            bytes!(
                "pg_catalog.concat(
        pg_catalog.quote_ident(found.nspname::pg_catalog.text), '.'::pg_catalog.text,
        pg_catalog.quote_ident(found.relname::pg_catalog.text))"
            ),
            " AS name, ",
            bytes!("pg_catalog.quote_ident(found.nspname::pg_catalog.text)"),
            ", found.has_usage, found.has_select
FROM (SELECT namespace.nspname, class.relname,
             pg_catalog.has_schema_privilege(namespace.oid, 'USAGE'::pg_catalog.text) AS has_usage,
             pg_catalog.has_table_privilege(class.oid, 'SELECT'::pg_catalog.text)
             OR NOT EXISTS (
                 SELECT FROM pg_catalog.pg_attribute AS attribute
                 WHERE attribute.attrelid OPERATOR(pg_catalog.=) class.oid
                   AND attribute.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
                   AND NOT attribute.attisdropped AND ",
            $listed,
            "
                   AND NOT pg_catalog.has_column_privilege(
                           class.oid, attribute.attnum, 'SELECT'::pg_catalog.text))
                 AS has_select,
             pg_catalog.row_security_active(class.oid) AS is_restricted
      FROM ",
            publications!("$1"),
            " AS publication
      CROSS JOIN LATERAL
           pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text) AS tables
      JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) tables.relid
      JOIN pg_catalog.pg_namespace AS namespace
           ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace) AS found
WHERE NOT found.has_usage OR NOT found.has_select OR found.is_restricted
ORDER BY name LIMIT 101"
        )
    };
}

const NOT_COPIED: &str = not_copied!("true");

/// PostgreSQL 15 and later.
const NOT_COPIED_WITH_LISTS: &str = not_copied!(
    "(tables.attrs IS NULL OR attribute.attnum OPERATOR(pg_catalog.=) ANY (tables.attrs))"
);

/// Tables for which the publications have different columns, in one row for each publication: 101
/// at most (PostgreSQL 15 and later). A list of all columns is as good as none.
const DIFFERENT: &str = concat!(
    "WITH listed AS MATERIALIZED (
    SELECT publication.oid AS publication_id, publication.pubname, tables.relid,
           CASE WHEN tables.attrs IS NULL
                     OR pg_catalog.array_length(tables.attrs::pg_catalog.int2[], 1)
                        OPERATOR(pg_catalog.=) (
                            SELECT pg_catalog.count(*)
                            FROM pg_catalog.pg_attribute AS attribute
                            WHERE attribute.attrelid OPERATOR(pg_catalog.=) tables.relid
                              AND attribute.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
                              AND attribute.attgenerated OPERATOR(pg_catalog.=) ''
                              AND NOT attribute.attisdropped)
                THEN '' ELSE tables.attrs::pg_catalog.text END AS columns
    FROM ",
    publications!("$1"),
    " AS publication
    CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)
         AS tables
), differing AS (
    SELECT listed.relid FROM listed GROUP BY listed.relid
    HAVING pg_catalog.count(DISTINCT listed.columns) OPERATOR(pg_catalog.>) 1
)
SELECT ",
    bytes!(
        "pg_catalog.concat(
        pg_catalog.quote_ident(namespace.nspname::pg_catalog.text), '.'::pg_catalog.text,
        pg_catalog.quote_ident(class.relname::pg_catalog.text))"
    ),
    ", ",
    bytes!("pg_catalog.quote_ident(listed.pubname::pg_catalog.text)"),
    ", entry.prattrs IS NOT NULL, ",
    bytes!("pg_catalog.pg_get_expr(entry.prqual, entry.prrelid)"),
    "
FROM differing
JOIN listed ON listed.relid OPERATOR(pg_catalog.=) differing.relid
JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) differing.relid
JOIN pg_catalog.pg_namespace AS namespace
     ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace
LEFT JOIN pg_catalog.pg_publication_rel AS entry
     ON entry.prpubid OPERATOR(pg_catalog.=) listed.publication_id
    AND entry.prrelid OPERATOR(pg_catalog.=) listed.relid
ORDER BY namespace.nspname, class.relname, listed.pubname
LIMIT 101"
);

/// A table that this role cannot copy: it lacks a privilege, or row level security would hide rows.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct NotCopied {
    pub(in crate::doctor) table: Quoted,
    pub(in crate::doctor) schema: Quoted,
    pub(in crate::doctor) has_usage: bool,
    pub(in crate::doctor) has_select: bool,
}

/// What one publication has of a table of which others have other columns.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Differing {
    pub(in crate::doctor) table: Quoted,
    pub(in crate::doctor) publication: Quoted,
    pub(in crate::doctor) has_list: bool,
    /// The row filter, if there is one.
    pub(in crate::doctor) filter: Option<Quoted>,
}

/// The published tables.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Tables {
    pub(in crate::doctor) number: u64,
    pub(in crate::doctor) not_copied: Vec<NotCopied>,
    pub(in crate::doctor) refused: Vec<RefusedTable>,
    /// Sorted by table.
    pub(in crate::doctor) differing: Vec<Differing>,
}

pub(super) fn query(
    catalog: &mut Catalog,
    version: ServerVersion,
    publications: &[String],
) -> Result<Tables, Error> {
    let named = || -> SqlParameters { vec![Box::new(publications.to_vec())] };
    let number = catalog.examine(NUMBER, named())?;
    let number = number.first().map_or(Ok(0), |row| count(row, 0))?;
    let not_copied = if version.major() < 15 { NOT_COPIED } else { NOT_COPIED_WITH_LISTS };
    let not_copied = catalog
        .examine(not_copied, named())?
        .iter()
        .map(|row| {
            Ok(NotCopied {
                table: quoted(row, 0)?.unwrap_or_default(),
                schema: quoted(row, 1)?.unwrap_or_default(),
                has_usage: column(row, 2)?,
                has_select: column(row, 3)?,
            })
        })
        .collect::<Result<_, Error>>()?;
    let refused = catalog.refused_tables(version, publications)?;
    let differing = match version.major() {
        15.. => differing(&catalog.examine(DIFFERENT, named())?)?,
        _ => Vec::new(),
    };
    Ok(Tables { number, not_copied, refused, differing })
}

fn differing(rows: &[postgres::Row]) -> Result<Vec<Differing>, Error> {
    let read = |row: &postgres::Row| {
        Ok(Differing {
            table: quoted(row, 0)?.unwrap_or_default(),
            publication: quoted(row, 1)?.unwrap_or_default(),
            has_list: column(row, 2)?,
            filter: quoted(row, 3)?,
        })
    };
    rows.iter().map(read).collect()
}
