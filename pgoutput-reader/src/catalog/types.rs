//! What the catalogue knows of types that are not built in.

use std::collections::BTreeMap;

use pgoutput_decode::value::{self, PgType};
use pgoutput_decode::{Oid, Relation};

use super::stream_types::StreamTypes;
use super::type_descriptions::{Types, describe};
use super::{Catalog, name};
use crate::error::Error;
use crate::sql::names::{bytes, escaped};

/// One row for each type that still exists. `pg_range` has the column `rngmultitypid` since
/// PostgreSQL 14 only: it is read as JSON, where it may be absent.
const DESCRIBE: &str = concat!(
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

/// Types nested deeper are not described. Values are read to this depth, including the outermost
/// type.
pub(super) const MAX_DEPTH: usize = value::MAX_DEPTH as usize + 1;

/// A type as the catalogue has it, naming others by their ids.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) delimiter: u8,
    pub(super) other: Oid,
    pub(super) attributes: Vec<(String, Oid)>,
}

/// Types as the catalogue has them, by oid.
pub(super) type Entries = BTreeMap<Oid, Entry>;

impl Entry {
    /// The types that it consists of and that are not built in.
    pub(super) fn others(&self) -> impl Iterator<Item = Oid> {
        let attributes = self.attributes.iter().map(|(_, oid)| *oid);
        attributes.chain([self.other]).filter(|oid| !is_known(*oid))
    }
}

pub(super) fn is_known(oid: Oid) -> bool {
    oid.as_u32() == 0 || PgType::from_oid(oid).is_some()
}

impl Catalog {
    /// The types of this table's columns that are not built in; no query if there are none.
    pub(crate) fn describe_types(
        &mut self,
        relation: &Relation,
        said: &StreamTypes,
    ) -> Result<Types, Error> {
        let of_columns = wanted(relation.columns().iter().map(|column| column.type_oid));
        let entries = self.all_entries(of_columns.clone())?;
        Ok(describe(&of_columns, &entries, said))
    }

    /// These types and all that stand in them.
    pub(super) fn all_entries(&mut self, mut wanted_now: Vec<Oid>) -> Result<Entries, Error> {
        let mut entries = Entries::new();
        for _ in 0..MAX_DEPTH {
            if wanted_now.is_empty() {
                break;
            }
            let found = self.entries(&wanted_now)?;
            wanted_now = wanted(found.values().flat_map(Entry::others));
            entries.extend(found);
            wanted_now.retain(|oid| !entries.contains_key(oid));
        }
        Ok(entries)
    }

    fn entries(&mut self, oids: &[Oid]) -> Result<Entries, Error> {
        let oids: Vec<u32> = oids.iter().map(|oid| oid.as_u32()).collect();
        let rows = self.sql.query(DESCRIBE, vec![Box::new(oids)])?;
        let entry = |row: postgres::Row| {
            let names: Vec<&[u8]> = row.get(5);
            let names = names.into_iter().map(escaped);
            let types: Vec<u32> = row.get(6);
            let delimiter: i8 = row.get(3);
            let entry = Entry {
                name: name(&row, 1).unwrap_or_default(),
                kind: row.get(2),
                delimiter: delimiter.cast_unsigned(),
                other: row.get::<_, Option<u32>>(4).unwrap_or_default().into(),
                attributes: names.zip(types.into_iter().map(Oid::new)).collect(),
            };
            (Oid::new(row.get(0)), entry)
        };
        Ok(rows.into_iter().map(entry).collect())
    }
}

/// The types that are not built in, each once.
pub(super) fn wanted(oids: impl Iterator<Item = Oid>) -> Vec<Oid> {
    let mut wanted: Vec<Oid> = oids.filter(|oid| !is_known(*oid)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
