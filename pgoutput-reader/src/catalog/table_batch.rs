//! Queries about many tables at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgoutput_decode::{Lsn, Oid};

use super::prefetch::{Batch, Candidate, CatalogColumn, types_of_tables};
use super::{Catalog, TableRequest, name};
use crate::error::Error;
use crate::sql::names::bytes;
use crate::sql::publications::publications;

/// The first version with `pg_publication_namespace`.
const WITH_SCHEMAS: i32 = 150_000;

pub(super) const VERSION: &str =
    "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4";

/// The tables of publications, partitions and children included, some twice. The view
/// `pg_publication_tables` would lock each table.
macro_rules! list {
    ($schemas:literal) => {
        concat!(
            "\
WITH RECURSIVE named AS (
    SELECT publication.oid, publication.puballtables AS has_all
    FROM ",
            publications!("$1"),
            " AS publication
), member AS (
    (SELECT listed.prrelid AS oid FROM pg_catalog.pg_publication_rel AS listed
     JOIN named ON named.oid OPERATOR(pg_catalog.=) listed.prpubid",
            $schemas,
            ")
    UNION ALL
    SELECT child.inhrelid FROM member
    JOIN pg_catalog.pg_inherits AS child ON child.inhparent OPERATOR(pg_catalog.=) member.oid
)
SELECT class.oid, class.relnatts FROM member
JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) member.oid
UNION ALL
SELECT class.oid, class.relnatts FROM pg_catalog.pg_class AS class
WHERE class.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[])
  AND class.relpersistence OPERATOR(pg_catalog.=) 'p'::pg_catalog.\"char\"
  AND class.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
  AND EXISTS (SELECT FROM named WHERE named.has_all)"
        )
    };
}

const LIST: &str = list!("");

const LIST_WITH_SCHEMAS: &str = list!(
    "
     UNION ALL
     SELECT class.oid FROM pg_catalog.pg_publication_namespace AS listed
     JOIN named ON named.oid OPERATOR(pg_catalog.=) listed.pnpubid
     JOIN pg_catalog.pg_class AS class
       ON class.relnamespace OPERATOR(pg_catalog.=) listed.pnnspid
      AND class.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[])"
);

const COLUMNS: &str = concat!(
    "SELECT attribute.attrelid, ",
    bytes!("attribute.attname"),
    ", attribute.atttypid,
       attribute.atttypmod, attribute.attnotnull
FROM pg_catalog.pg_attribute AS attribute
WHERE attribute.attrelid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])
  AND attribute.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
  AND NOT attribute.attisdropped"
);

/// One row for each pair, in their order.
const NAMES: &str = concat!(
    "SELECT ",
    bytes!("named.type_name"),
    "
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[]))
     WITH ORDINALITY AS requested (type_oid, type_modifier, ordinal)
CROSS JOIN LATERAL (SELECT ",
    type_name!("requested.type_oid", "requested.type_modifier"),
    " AS type_name OFFSET 0) AS named
ORDER BY requested.ordinal"
);

const EXISTING: &str = "\
SELECT class.oid FROM pg_catalog.pg_class AS class
WHERE class.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])";

/// Names of types by oid and modifier.
type TypeNames = BTreeMap<(Oid, i32), Option<Arc<str>>>;

impl Catalog {
    /// Queries this table and others of the publications.
    pub(super) fn prefetch_with(&mut self, request: &TableRequest<'_>) -> Result<(), Error> {
        let missed = request.relation.oid();
        if self.prefetch.is_list_due(missed) {
            let candidates = self.candidates(request.publications)?;
            self.prefetch.list(candidates);
        }
        let oids = self.prefetch.pick(missed, request.is_described);
        if oids.len() > 1 {
            let batch = self.batch(&oids)?;
            self.prefetch.add(batch);
        }
        Ok(())
    }

    /// Tables that were described before may be queried again.
    pub(crate) fn list_again(&mut self) {
        self.prefetch.list_again();
    }

    fn candidates(&mut self, publications: &[String]) -> Result<Vec<Candidate>, Error> {
        let rows = self.sql.query(VERSION, vec![])?;
        let version: i32 = rows.first().map_or(0, |row| row.get(0));
        let query = if version < WITH_SCHEMAS { LIST } else { LIST_WITH_SCHEMAS };
        let rows = self.sql.query(query, vec![Box::new(publications.to_vec())])?;
        let candidate = |row: &postgres::Row| Candidate {
            oid: Oid::new(row.get(0)),
            columns: u16::try_from(row.get::<_, i16>(1)).unwrap_or_default(),
        };
        Ok(rows.iter().map(candidate).collect())
    }

    fn batch(&mut self, oids: &[Oid]) -> Result<Batch, Error> {
        // In this order: the batch does not count for what is committed in between.
        let queried_at = self.wal_end()?;
        let rows = self.sql.query(COLUMNS, vec![numbers(oids)])?;
        let pair = |row: &postgres::Row| (Oid::new(row.get(2)), row.get::<_, i32>(3));
        let names = self.type_names(rows.iter().map(pair).collect())?;
        let mut tables: BTreeMap<Oid, Vec<CatalogColumn>> =
            oids.iter().map(|oid| (*oid, Vec::new())).collect();
        for row in rows {
            let (type_oid, type_modifier) = pair(&row);
            // A column with any other name belongs to a table that the stream cannot describe.
            let Ok(name) = str::from_utf8(row.get(1)) else { continue };
            tables.entry(Oid::new(row.get(0))).or_default().push(CatalogColumn {
                name: name.into(),
                type_oid,
                type_modifier,
                not_null: row.get(4),
                type_name: names.get(&(type_oid, type_modifier)).cloned().flatten(),
            });
        }
        let tables: BTreeMap<_, Box<[CatalogColumn]>> =
            tables.into_iter().map(|(oid, columns)| (oid, columns.into())).collect();
        let types = self.types_and_parts(types_of_tables(tables.values()))?;
        Ok(Batch { queried_at, tables, types })
    }

    /// The names of these types, with their modifiers; `None` for those that do not exist.
    fn type_names(&mut self, types: BTreeSet<(Oid, i32)>) -> Result<TypeNames, Error> {
        let oids: Vec<u32> = types.iter().map(|(oid, _)| oid.as_u32()).collect();
        let modifiers: Vec<i32> = types.iter().map(|(_, modifier)| *modifier).collect();
        let rows = self.sql.query(NAMES, vec![Box::new(oids), Box::new(modifiers)])?;
        let name = |row: &postgres::Row| name(row, 0).map(Arc::from);
        Ok(types.into_iter().zip(rows.iter().map(name)).collect())
    }

    /// Those of these tables that do not exist, and a WAL position that the server had reached
    /// after the query: no transaction that was committed beyond it changes them.
    pub(crate) fn missing(&mut self, tables: Vec<Oid>) -> Result<(BTreeSet<Oid>, Lsn), Error> {
        let rows = self.sql.query(EXISTING, vec![numbers(&tables)])?;
        let mut missing: BTreeSet<Oid> = tables.into_iter().collect();
        for row in rows {
            missing.remove(&Oid::new(row.get(0)));
        }
        Ok((missing, self.wal_end()?))
    }
}

fn numbers(oids: &[Oid]) -> Box<dyn postgres::types::ToSql + Send + Sync> {
    Box::new(oids.iter().map(|oid| oid.as_u32()).collect::<Vec<_>>())
}
