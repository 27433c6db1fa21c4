//! The catalogue queries, by server version.

use crate::proto::quote::sql_literal;
use crate::server_version::ServerVersion;
use crate::sql::names::hex;

/// The lowest oid of objects that users created (`FirstNormalObjectId`). Those below are not
/// published.
const FIRST_USER_OID: u32 = 16_384;

/// Formats oids as an array in SQL.
fn array(oids: &[u32]) -> String {
    let oids: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!("'{{{}}}'::pg_catalog.oid[]", oids.join(","))
}

/// The publications of these names.
pub(super) fn publications(names: &[String], version: ServerVersion) -> String {
    let names: Vec<String> = names.iter().map(|name| sql_literal(name)).collect();
    let names = names.join(", ");
    let via_root = if version.major() >= 13 { "publication.pubviaroot" } else { "false" };
    let truncates = if version.major() >= 11 { "publication.pubtruncate" } else { "true" };
    let generated = if version.major() >= 18 { "publication.pubgencols" } else { "'n'" };
    format!(
        "SELECT publication.oid, publication.puballtables, publication.pubinsert,
       publication.pubupdate, publication.pubdelete, {truncates}, {via_root}, {generated}
FROM pg_catalog.pg_publication AS publication
WHERE publication.pubname::pg_catalog.text
      OPERATOR(pg_catalog.=) ANY (ARRAY[{names}]::pg_catalog.text[])"
    )
}

/// The tables that these publications list.
pub(super) fn entries(publications: &[u32], version: ServerVersion) -> String {
    let lists = if version.major() >= 15 {
        concat!(
            "entry.prattrs::pg_catalog.text, ",
            hex!("pg_catalog.pg_get_expr(entry.prqual, entry.prrelid)")
        )
    } else {
        "NULL, NULL"
    };
    format!(
        "SELECT entry.prpubid, entry.prrelid, entry.oid, {lists}
FROM pg_catalog.pg_publication_rel AS entry
WHERE entry.prpubid OPERATOR(pg_catalog.=) ANY ({})",
        array(publications)
    )
}

/// The schemas that these publications list; `None` before PostgreSQL 15.
pub(super) fn schemas(publications: &[u32], version: ServerVersion) -> Option<String> {
    (version.major() >= 15).then(|| {
        format!(
            "SELECT entry.pnpubid, entry.pnnspid, entry.oid
FROM pg_catalog.pg_publication_namespace AS entry
WHERE entry.pnpubid OPERATOR(pg_catalog.=) ANY ({})",
            array(publications)
        )
    })
}

/// The relations that [`relations`] starts from.
pub(super) enum Start<'a> {
    All,
    /// These relations, and those in these schemas.
    Listed {
        relations: &'a [u32],
        schemas: &'a [u32],
    },
}

/// Whether the sizes of relations are queried as well. This waits for sessions that have locked one
/// exclusively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizes {
    Queried,
    LeftOut,
}

/// Permanent tables and partitioned tables, with their partitions, after an oid: `limit` of them in
/// the order of the oids.
///
/// A partition that is being detached concurrently has no parent any more. Functions that look a
/// relation up see its current state, even if the snapshot is older.
pub(super) fn relations(
    start: &Start<'_>,
    after: u32,
    limit: usize,
    sizes: Sizes,
    version: ServerVersion,
) -> String {
    let start = match start {
        Start::All => {
            format!("class.oid OPERATOR(pg_catalog.>=) {FIRST_USER_OID}::pg_catalog.oid")
        }
        Start::Listed { relations, schemas } => format!(
            "class.oid OPERATOR(pg_catalog.=) ANY ({}) \
             OR class.relnamespace OPERATOR(pg_catalog.=) ANY ({})",
            array(relations),
            array(schemas)
        ),
    };
    let attached = if version.major() >= 14 { "NOT partition.inhdetachpending" } else { "true" };
    let is_heap = if version.major() >= 12 {
        "class.relam OPERATOR(pg_catalog.=) 2::pg_catalog.oid"
    } else {
        "true"
    };
    let (schema, name) = (hex!("namespace.nspname"), hex!("class.relname"));
    let pages = match sizes {
        Sizes::Queried => {
            "CASE WHEN class.relkind OPERATOR(pg_catalog.=) 'r'
            THEN pg_catalog.pg_relation_size(class.oid::pg_catalog.regclass, 'main')
                 OPERATOR(pg_catalog./)
                 pg_catalog.current_setting('block_size')::pg_catalog.int8 END"
        }
        Sizes::LeftOut => "NULL",
    };
    format!(
        "WITH RECURSIVE member AS (
    SELECT class.oid FROM pg_catalog.pg_class AS class WHERE {start}
    UNION
    SELECT partition.inhrelid
    FROM member
    JOIN pg_catalog.pg_inherits AS partition
         ON partition.inhparent OPERATOR(pg_catalog.=) member.oid
    JOIN pg_catalog.pg_class AS class
         ON class.oid OPERATOR(pg_catalog.=) partition.inhrelid AND class.relispartition
)
SELECT class.oid, class.relkind, class.relpersistence, class.relnamespace, {schema}, {name},
       class.relreplident,
       (SELECT partition.inhparent FROM pg_catalog.pg_inherits AS partition
        WHERE partition.inhrelid OPERATOR(pg_catalog.=) class.oid
          AND class.relispartition AND {attached}),
       {pages},
       class.reltuples, class.relpages, {is_heap},
       pg_catalog.has_table_privilege(class.oid, 'SELECT'),
       CASE WHEN pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
            THEN coalesce(pg_catalog.to_regclass(pg_catalog.format('%I.%I', namespace.nspname,
                      class.relname))::pg_catalog.oid OPERATOR(pg_catalog.<>) class.oid, true)
            ELSE false END
       OR class.relkind OPERATOR(pg_catalog.=) 'r'
       AND coalesce(pg_catalog.pg_relation_filenode(class.oid::pg_catalog.regclass)
                    OPERATOR(pg_catalog.<>) class.relfilenode, true)
FROM pg_catalog.pg_class AS class
JOIN pg_catalog.pg_namespace AS namespace
     ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace
WHERE EXISTS (SELECT FROM member WHERE member.oid OPERATOR(pg_catalog.=) class.oid)
  AND (class.relkind OPERATOR(pg_catalog.=) 'p' OR class.relkind OPERATOR(pg_catalog.=) 'r'
                                               AND class.relpersistence OPERATOR(pg_catalog.=) 'p')
  AND class.oid OPERATOR(pg_catalog.>=) {FIRST_USER_OID}::pg_catalog.oid
  AND class.oid OPERATOR(pg_catalog.>) {after}::pg_catalog.oid
ORDER BY class.oid
LIMIT {limit}"
    )
}

/// The columns of these relations, in order.
pub(super) fn attributes(relations: &[u32], version: ServerVersion) -> String {
    let generated = if version.major() >= 12 { "attribute.attgenerated" } else { "''" };
    let name = hex!("attribute.attname");
    format!(
        "SELECT attribute.attrelid, attribute.attnum, {name}, attribute.atttypid,
       attribute.atttypmod, {generated}
FROM pg_catalog.pg_attribute AS attribute
WHERE attribute.attrelid OPERATOR(pg_catalog.=) ANY ({})
  AND attribute.attnum OPERATOR(pg_catalog.>) 0 AND NOT attribute.attisdropped
ORDER BY attribute.attrelid, attribute.attnum",
        array(relations)
    )
}

/// The columns of the replica identity of these relations. The key of an index may have fewer
/// columns than the index.
///
/// From PostgreSQL 18 on the primary key of a partitioned table counts before every partition has
/// it.
pub(super) fn identities(relations: &[u32], version: ServerVersion) -> String {
    let key = if version.major() >= 11 { "index.indnkeyatts" } else { "index.indnatts" };
    let also = if version.major() >= 18 {
        "class.relkind OPERATOR(pg_catalog.=) 'p' AND index.indisprimary"
    } else {
        "false"
    };
    format!(
        "SELECT index.indrelid, index.indkey::pg_catalog.text, {key}
FROM pg_catalog.pg_index AS index
JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) index.indrelid
WHERE index.indrelid OPERATOR(pg_catalog.=) ANY ({})
  AND index.indislive AND index.indimmediate AND (index.indisvalid OR {also})
  AND (class.relreplident OPERATOR(pg_catalog.=) 'd' AND index.indisprimary
       OR class.relreplident OPERATOR(pg_catalog.=) 'i' AND index.indisreplident)",
        array(relations)
    )
}

/// Those of these types that contain a type without a send function: as the type of elements, of
/// attributes, of bounds, or as the base type.
pub(super) fn types_without_binary(types: &[u32], version: ServerVersion) -> String {
    let multirange = if version.major() >= 14 {
        "OR range.rngmultitypid OPERATOR(pg_catalog.=) contained.type_id"
    } else {
        ""
    };
    format!(
        "WITH RECURSIVE contained (column_type, type_id) AS (
    SELECT type.oid, type.oid FROM pg_catalog.pg_type AS type
    WHERE type.oid OPERATOR(pg_catalog.=) ANY ({})
    UNION
    SELECT contained.column_type, inner_type.type_id
    FROM contained
    CROSS JOIN LATERAL (
        SELECT type.typelem FROM pg_catalog.pg_type AS type
        WHERE type.oid OPERATOR(pg_catalog.=) contained.type_id
        UNION ALL
        SELECT type.typbasetype FROM pg_catalog.pg_type AS type
        WHERE type.oid OPERATOR(pg_catalog.=) contained.type_id
        UNION ALL
        SELECT range.rngsubtype FROM pg_catalog.pg_range AS range
        WHERE range.rngtypid OPERATOR(pg_catalog.=) contained.type_id {multirange}
        UNION ALL
        SELECT attribute.atttypid
        FROM pg_catalog.pg_type AS type
        JOIN pg_catalog.pg_attribute AS attribute
             ON attribute.attrelid OPERATOR(pg_catalog.=) type.typrelid
            AND attribute.attnum OPERATOR(pg_catalog.>) 0 AND NOT attribute.attisdropped
        WHERE type.oid OPERATOR(pg_catalog.=) contained.type_id
    ) AS inner_type (type_id)
    WHERE inner_type.type_id OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
)
SELECT DISTINCT contained.column_type
FROM contained
JOIN pg_catalog.pg_type AS type ON type.oid OPERATOR(pg_catalog.=) contained.type_id
WHERE type.typsend::pg_catalog.oid OPERATOR(pg_catalog.=) 0::pg_catalog.oid",
        array(types)
    )
}
