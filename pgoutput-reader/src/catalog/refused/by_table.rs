//! Published tables whose UPDATE and DELETE the server refuses, one by one.

use postgres::Row;

use super::RefusalCause;
use super::queries::{
    WITH_GENERATED, WITH_LISTS, generated_causes, identity, list_causes, members, written,
};
use crate::catalog::{Catalog, SqlParameters};
use crate::error::Error;
use crate::server_version::ServerVersion;
use crate::sql::names::bytes;
use crate::sql::publications::publications;

/// SQL: all publications, for a `FROM`. The server looks at each one that has the table.
macro_rules! all {
    () => {
        "pg_catalog.pg_publication"
    };
}

/// CTEs up to `found`: tables without a replica identity.
macro_rules! no_identity {
    () => {
        concat!(
            "WITH RECURSIVE ",
            members!(all!(), "", "true"),
            ", found AS (
    SELECT 'identity' AS cause, class.oid, member.publication_id, member.listed_id,
           false AS is_virtual
    FROM ",
            written!(),
            "
    WHERE class.relreplident OPERATOR(pg_catalog.<>) 'f'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_index AS identity
          WHERE identity.indrelid OPERATOR(pg_catalog.=) class.oid
            AND identity.indisvalid AND identity.indimmediate
            AND (class.relreplident OPERATOR(pg_catalog.=) 'd' AND identity.indisprimary
                 OR class.relreplident OPERATOR(pg_catalog.=) 'i' AND identity.indisreplident))
)
"
        )
    };
}

/// One row for each table of the publications `$1`, publication of any name, and cause of the CTE
/// `found`: 101 at most. The columns of the replica identity, of the column list, and the row
/// filter are given as SQL.
macro_rules! by_table {
    ($key:expr, $list:expr, $filter:expr) => {
        concat!(
            ", asked (table_id) AS (
    SELECT tables.relid
    FROM ",
            publications!("$1"),
            " AS publication
    CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)
         AS tables
    UNION
    SELECT partition.inhrelid
    FROM asked
    JOIN pg_catalog.pg_class AS parent
         ON parent.oid OPERATOR(pg_catalog.=) asked.table_id
        AND parent.relkind OPERATOR(pg_catalog.=) 'p'
    JOIN pg_catalog.pg_inherits AS partition
         ON partition.inhparent OPERATOR(pg_catalog.=) parent.oid
)
SELECT found.cause, ",
            bytes!(
                "pg_catalog.concat(
        pg_catalog.quote_ident(namespace.nspname::pg_catalog.text), '.'::pg_catalog.text,
        pg_catalog.quote_ident(class.relname::pg_catalog.text))"
            ),
            ",
       ",
            bytes!(
                "pg_catalog.concat(
        pg_catalog.quote_ident(listed_in.nspname::pg_catalog.text), '.'::pg_catalog.text,
        pg_catalog.quote_ident(listed_class.relname::pg_catalog.text))"
            ),
            ",
       ",
            bytes!("pg_catalog.quote_ident(publication.pubname::pg_catalog.text)"),
            ",
       ",
            $key,
            ",
       ",
            $list,
            ",
       ",
            $filter,
            ",
       class.relreplident OPERATOR(pg_catalog.=) 'f',
       EXISTS (SELECT FROM pg_catalog.pg_index AS index
               WHERE index.indrelid OPERATOR(pg_catalog.=) class.oid AND index.indisprimary
                 AND index.indisvalid AND index.indimmediate),
       (SELECT ",
            bytes!("pg_catalog.quote_ident(index_class.relname::pg_catalog.text)"),
            "
        FROM pg_catalog.pg_index AS index
        JOIN pg_catalog.pg_class AS index_class
             ON index_class.oid OPERATOR(pg_catalog.=) index.indexrelid
        WHERE index.indrelid OPERATOR(pg_catalog.=) class.oid
          AND index.indisunique AND index.indisvalid AND index.indimmediate
          AND index.indpred IS NULL AND index.indexprs IS NULL AND NOT index.indisprimary
          AND NOT EXISTS (
              SELECT FROM pg_catalog.unnest(index.indkey)
                   WITH ORDINALITY AS key (attnum, ordinal)
              JOIN pg_catalog.pg_attribute AS attribute
                   ON attribute.attrelid OPERATOR(pg_catalog.=) class.oid
                  AND attribute.attnum OPERATOR(pg_catalog.=) key.attnum
              WHERE NOT attribute.attnotnull)
        ORDER BY index.indnatts, index_class.relname LIMIT 1),
       found.is_virtual
FROM (SELECT DISTINCT found.cause, found.oid, found.publication_id, found.listed_id,
             found.is_virtual
      FROM found
      WHERE EXISTS (SELECT FROM asked
                    WHERE asked.table_id OPERATOR(pg_catalog.=) found.oid)) AS found
JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) found.oid
JOIN pg_catalog.pg_namespace AS namespace
     ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace
JOIN pg_catalog.pg_class AS listed_class
     ON listed_class.oid OPERATOR(pg_catalog.=) found.listed_id
JOIN pg_catalog.pg_namespace AS listed_in
     ON listed_in.oid OPERATOR(pg_catalog.=) listed_class.relnamespace
JOIN pg_catalog.pg_publication AS publication
     ON publication.oid OPERATOR(pg_catalog.=) found.publication_id
LEFT JOIN pg_catalog.pg_publication_rel AS entry
     ON entry.prpubid OPERATOR(pg_catalog.=) found.publication_id
    AND entry.prrelid OPERATOR(pg_catalog.=) found.listed_id
ORDER BY namespace.nspname, class.relname, publication.pubname, found.cause
LIMIT 101"
        )
    };
}

macro_rules! key {
    () => {
        concat!(
            "ARRAY(SELECT ",
            bytes!("pg_catalog.quote_ident(attribute.attname::pg_catalog.text)"),
            " FROM pg_catalog.pg_attribute AS attribute
             WHERE attribute.attrelid OPERATOR(pg_catalog.=) class.oid
               AND attribute.attnum OPERATOR(pg_catalog.=) ANY (",
            identity!(),
            ") ORDER BY attribute.attnum)"
        )
    };
}

macro_rules! list {
    () => {
        concat!(
            "CASE WHEN entry.prattrs IS NOT NULL THEN ARRAY(SELECT ",
            bytes!("pg_catalog.quote_ident(attribute.attname::pg_catalog.text)"),
            " FROM pg_catalog.pg_attribute AS attribute
             WHERE attribute.attrelid OPERATOR(pg_catalog.=) entry.prrelid
               AND attribute.attnum OPERATOR(pg_catalog.=) ANY (entry.prattrs)
             ORDER BY attribute.attnum) END"
        )
    };
}

macro_rules! filter {
    () => {
        bytes!("pg_catalog.pg_get_expr(entry.prqual, entry.prrelid)")
    };
}

const NO_IDENTITY: &str = concat!(
    no_identity!(),
    by_table!("'{}'::pg_catalog.bytea[]", "NULL::pg_catalog.bytea[]", "NULL::pg_catalog.bytea")
);

const NO_IDENTITY_WITH_LISTS: &str =
    concat!(no_identity!(), by_table!("'{}'::pg_catalog.bytea[]", list!(), filter!()));

const BY_LIST: &str = concat!(list_causes!(all!()), by_table!(key!(), list!(), filter!()));

const BY_GENERATED: &str =
    concat!(generated_causes!(all!()), by_table!(key!(), list!(), filter!()));

/// A published table whose UPDATE and DELETE the server refuses, for one publication and cause.
/// Names are quoted as in SQL.
#[derive(Debug, Clone)]
pub(crate) struct RefusedTable {
    pub(crate) cause: RefusalCause,
    /// The table with its schema. Of a partitioned table it is the partition.
    pub(crate) table: Vec<u8>,
    /// The table that the publication lists.
    pub(crate) listed: Vec<u8>,
    pub(crate) publication: Vec<u8>,
    /// The columns of its replica identity.
    pub(crate) key: Vec<Vec<u8>>,
    /// The columns of the publication's list, if there is one.
    pub(crate) list: Option<Vec<Vec<u8>>>,
    /// The row filter, if there is one.
    pub(crate) filter: Option<Vec<u8>>,
    /// Whether its replica identity is FULL.
    pub(crate) is_full: bool,
    pub(crate) has_primary_key: bool,
    /// A unique index that could be its replica identity.
    pub(crate) index: Option<Vec<u8>>,
    /// Whether the generated column is virtual.
    pub(crate) is_virtual: bool,
}

impl RefusedTable {
    fn read(row: &Row) -> Result<Option<Self>, postgres::Error> {
        let cause = match row.try_get(0)? {
            "identity" => RefusalCause::NoIdentity,
            other => match RefusalCause::read(other) {
                Some(cause) => cause,
                None => return Ok(None),
            },
        };
        Ok(Some(Self {
            cause,
            table: row.try_get(1)?,
            listed: row.try_get(2)?,
            publication: row.try_get(3)?,
            key: row.try_get(4)?,
            list: row.try_get(5)?,
            filter: row.try_get(6)?,
            is_full: row.try_get(7)?,
            has_primary_key: row.try_get(8)?,
            index: row.try_get(9)?,
            is_virtual: row.try_get(10)?,
        }))
    }
}

impl Catalog {
    /// Returns the tables of these publications whose UPDATE and DELETE the server refuses, be it
    /// for another publication: 101 at most for each kind of cause.
    pub(crate) fn refused_tables(
        &mut self,
        version: ServerVersion,
        publications: &[String],
    ) -> Result<Vec<RefusedTable>, Error> {
        let number = i32::try_from(version.number()).unwrap_or(i32::MAX);
        let mut queries =
            vec![if number < WITH_LISTS { NO_IDENTITY } else { NO_IDENTITY_WITH_LISTS }];
        queries.extend((number >= WITH_LISTS).then_some(BY_LIST));
        queries.extend((number >= WITH_GENERATED).then_some(BY_GENERATED));
        let mut refused = Vec::new();
        for query in queries {
            let named: SqlParameters = vec![Box::new(publications.to_vec())];
            for row in &self.examine(query, named)? {
                refused.extend(RefusedTable::read(row).map_err(Error::sql)?);
            }
        }
        Ok(refused)
    }
}
