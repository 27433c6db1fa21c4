//! Queries for types that are not built in.

use pgoutput_decode::{Oid, Relation};

use super::{Catalog, name};
use crate::error::Error;
use crate::schema::{
    CatalogType, CatalogTypeKind, CatalogTypes, MAX_DEPTH, StreamTypes, Types, describe,
    not_built_in, types_of,
};
use crate::sql::names::{bytes, escaped};

/// One row for each type that still exists. `pg_range` has the column `rngmultitypid` since
/// PostgreSQL 14 only: it is read as JSON, where it may be absent.
const TYPES: &str = concat!(
    "SELECT typ.oid, ",
    bytes!("named.type_name"),
    ",
       CASE WHEN typ.typtype OPERATOR(pg_catalog.=) ANY ('{e,d,c,r,m}'::pg_catalog.\"char\"[])
            THEN typ.typtype::pg_catalog.text
            WHEN typ.typelem OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
             AND typ.typlen OPERATOR(pg_catalog.=) (-1)::pg_catalog.int2
             AND typ.typcategory OPERATOR(pg_catalog.=) 'A'::pg_catalog.\"char\" THEN 'array'
            WHEN send.proname OPERATOR(pg_catalog.=) 'hstore_send'::pg_catalog.name THEN 'hstore'
            WHEN send.proname
                 OPERATOR(pg_catalog.=) ANY ('{textsend,citextsend}'::pg_catalog.name[])
            THEN 'text'
            ELSE '' END,
       coalesce(element.typdelim, ','::pg_catalog.\"char\"),
       CASE WHEN typ.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog.\"char\" THEN typ.typbasetype
            WHEN typ.typtype OPERATOR(pg_catalog.=) 'r'::pg_catalog.\"char\"
            THEN (SELECT rngsubtype FROM pg_catalog.pg_range
                  WHERE rngtypid OPERATOR(pg_catalog.=) typ.oid)
            WHEN typ.typtype OPERATOR(pg_catalog.=) 'm'::pg_catalog.\"char\"
            THEN (SELECT rngtypid FROM pg_catalog.pg_range AS rng
                  WHERE (pg_catalog.to_jsonb(rng)
                             OPERATOR(pg_catalog.->>) 'rngmultitypid'::pg_catalog.text)
                        OPERATOR(pg_catalog.=) typ.oid::pg_catalog.text)
            ELSE typ.typelem END,
       ARRAY(SELECT ",
    bytes!("attname"),
    " FROM pg_catalog.pg_attribute
             WHERE attrelid OPERATOR(pg_catalog.=) typ.typrelid
               AND attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
               AND NOT attisdropped ORDER BY attnum),
       ARRAY(SELECT atttypid FROM pg_catalog.pg_attribute
             WHERE attrelid OPERATOR(pg_catalog.=) typ.typrelid
               AND attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
               AND NOT attisdropped ORDER BY attnum)
FROM pg_catalog.pg_type AS typ
CROSS JOIN LATERAL (SELECT ",
    type_name!("typ.oid", "NULL::pg_catalog.int4"),
    " AS type_name OFFSET 0) AS named
LEFT JOIN pg_catalog.pg_type AS element ON element.oid OPERATOR(pg_catalog.=) typ.typelem
LEFT JOIN pg_catalog.pg_proc AS send
  ON send.oid OPERATOR(pg_catalog.=) typ.typsend::pg_catalog.oid
WHERE typ.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])"
);

impl Catalog {
    /// Describes the types of this table's columns that are not built in. Sends no query if there
    /// are none.
    pub(crate) fn describe_types(
        &mut self,
        relation: &Relation,
        stream: &StreamTypes,
    ) -> Result<Types, Error> {
        let of_columns = types_of(relation);
        let types = self.types_and_parts(of_columns.clone())?;
        Ok(describe(&of_columns, &types, stream))
    }

    /// These types and all that they consist of, one query for each level.
    pub(super) fn types_and_parts(&mut self, mut level: Vec<Oid>) -> Result<CatalogTypes, Error> {
        let mut types = CatalogTypes::new();
        for _ in 0..MAX_DEPTH {
            if level.is_empty() {
                break;
            }
            let found = self.types(&level)?;
            level = not_built_in(found.values().flat_map(CatalogType::parts));
            types.extend(found);
            level.retain(|oid| !types.contains_key(oid));
        }
        Ok(types)
    }

    fn types(&mut self, oids: &[Oid]) -> Result<CatalogTypes, Error> {
        let oids: Vec<u32> = oids.iter().map(|oid| oid.as_u32()).collect();
        let rows = self.sql.query(TYPES, vec![Box::new(oids)])?;
        let read = |row: postgres::Row| {
            let names: Vec<&[u8]> = row.get(5);
            let names = names.into_iter().map(escaped);
            let types: Vec<u32> = row.get(6);
            let delimiter: i8 = row.get(3);
            let ty = CatalogType {
                name: name(&row, 1).unwrap_or_default(),
                kind: kind(row.get(2)),
                delimiter: delimiter.cast_unsigned(),
                other: row.get::<_, Option<u32>>(4).unwrap_or_default().into(),
                attributes: names.zip(types.into_iter().map(Oid::new)).collect(),
            };
            (Oid::new(row.get(0)), ty)
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

/// The kind of a type, from the word for it in [`TYPES`].
fn kind(word: &str) -> CatalogTypeKind {
    match word {
        "array" => CatalogTypeKind::Array,
        "c" => CatalogTypeKind::Composite,
        "d" => CatalogTypeKind::Domain,
        "e" => CatalogTypeKind::Enum,
        "hstore" => CatalogTypeKind::Hstore,
        "m" => CatalogTypeKind::Multirange,
        "r" => CatalogTypeKind::Range,
        "text" => CatalogTypeKind::TextLike,
        _ => CatalogTypeKind::Base,
    }
}
