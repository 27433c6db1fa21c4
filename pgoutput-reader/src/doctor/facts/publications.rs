//! The publications that were asked for, and the tables that could be in them.

use pgoutput_decode::Xid;

use super::{Slot, column, count, optional, quoted, quoted_list, xid};
use crate::catalog::Catalog;
use crate::doctor::sql::Quoted;
use crate::error::Error;
use crate::sql::names::{bytes, escaped};

/// One row for each name, in their order.
const PUBLICATIONS: &str = concat!(
    "SELECT named.name, ",
    bytes!("pg_catalog.quote_ident(named.name)"),
    ",
       CASE WHEN publication.oid IS NOT NULL
            THEN (SELECT pg_catalog.count(*) FROM pg_catalog.pg_get_publication_tables(
                      publication.pubname::pg_catalog.text)) END,
       publication.puballtables,
       pg_catalog.concat_ws(', '::pg_catalog.text,
           CASE WHEN NOT publication.pubinsert THEN 'INSERT' END,
           CASE WHEN NOT publication.pubupdate THEN 'UPDATE' END,
           CASE WHEN NOT publication.pubdelete THEN 'DELETE' END),
       publication.xmin::pg_catalog.text::pg_catalog.int8
FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS named (name, ordinal)
LEFT JOIN pg_catalog.pg_publication AS publication
     ON publication.pubname::pg_catalog.text OPERATOR(pg_catalog.=) named.name
ORDER BY named.ordinal"
);

/// One row: tables of users that have a replica identity, and how many have none. Those of
/// extensions are left out. From PostgreSQL 18 on an identity with generated columns is as good as
/// none, since a publication does not publish these by default.
const CANDIDATES: &str = concat!(
    "WITH generated AS (
    SELECT attribute.attrelid, attribute.attnum
    FROM pg_catalog.pg_attribute AS attribute
    WHERE pg_catalog.current_setting('server_version_num'::pg_catalog.text)::pg_catalog.int4
              OPERATOR(pg_catalog.>=) 180000
      AND (pg_catalog.to_jsonb(attribute) OPERATOR(pg_catalog.->>)
               'attgenerated'::pg_catalog.text)
          OPERATOR(pg_catalog.<>) ''::pg_catalog.text
      AND NOT attribute.attisdropped
      AND attribute.attrelid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
), candidate AS (
    SELECT namespace.nspname, class.relname,
           class.relreplident OPERATOR(pg_catalog.=) 'f' AND NOT EXISTS (
               SELECT FROM generated
               WHERE generated.attrelid OPERATOR(pg_catalog.=) class.oid) OR EXISTS (
               SELECT FROM pg_catalog.pg_index AS identity
               WHERE identity.indrelid OPERATOR(pg_catalog.=) class.oid
                 AND identity.indisvalid AND identity.indimmediate
                 AND (class.relreplident OPERATOR(pg_catalog.=) 'd' AND identity.indisprimary
                      OR class.relreplident OPERATOR(pg_catalog.=) 'i'
                         AND identity.indisreplident)
                 AND NOT EXISTS (
                     SELECT FROM generated
                     WHERE generated.attrelid OPERATOR(pg_catalog.=) class.oid
                       AND generated.attnum OPERATOR(pg_catalog.=) ANY (
                           identity.indkey::pg_catalog.int2[]))) AS has_identity
    FROM pg_catalog.pg_class AS class
    JOIN pg_catalog.pg_namespace AS namespace
         ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace
    WHERE class.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[])
      AND class.relpersistence OPERATOR(pg_catalog.=) 'p' AND NOT class.relispartition
      AND class.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
      AND namespace.nspname OPERATOR(pg_catalog.<>) 'information_schema'
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS owned
          WHERE owned.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND owned.objid OPERATOR(pg_catalog.=) class.oid
            AND owned.deptype OPERATOR(pg_catalog.=) 'e')
), named AS (
    SELECT pg_catalog.concat(
               pg_catalog.quote_ident(candidate.nspname::pg_catalog.text), '.'::pg_catalog.text,
               pg_catalog.quote_ident(candidate.relname::pg_catalog.text)) AS name
    FROM candidate WHERE candidate.has_identity
    ORDER BY candidate.nspname, candidate.relname LIMIT 51
)
SELECT ARRAY(SELECT ",
    bytes!("named.name"),
    " FROM named),
       (SELECT pg_catalog.count(*) FROM candidate WHERE NOT candidate.has_identity)"
);

/// A publication that was asked for.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Publication {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) quoted: Quoted,
    /// The number of its tables; `None` if the publication does not exist.
    pub(in crate::doctor) tables: Option<u64>,
    pub(in crate::doctor) has_all_tables: bool,
    /// The changes that it does not publish, as in `UPDATE, DELETE`.
    pub(in crate::doctor) unpublished: String,
    /// The transaction that created it, or altered it last.
    pub(in crate::doctor) xmin: Option<Xid>,
}

impl Publication {
    /// Returns whether it is known to be older than everything that the slot has yet to decode.
    ///
    /// The server keeps no time at which either was created. It keeps the transaction that wrote
    /// the publication's row last, and the oldest one whose effects on the catalogue the slot may
    /// still have to see. That one may be older than the slot itself, if another slot needs it.
    pub(in crate::doctor) fn is_older(&self, slot: &Slot) -> bool {
        match (self.xmin, slot.catalog_xmin) {
            (Some(written), Some(oldest)) => is_before(written, oldest),
            _ => false,
        }
    }
}

/// Returns whether one transaction id is before another, on the circle of ids. Those below 3 are
/// before all others.
fn is_before(one: Xid, other: Xid) -> bool {
    one.as_u32() < 3 || one.as_u32().wrapping_sub(other.as_u32()).cast_signed() < 0
}

/// The tables that a publication could have.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Candidates {
    /// Those with a replica identity: 51 at most.
    pub(in crate::doctor) fit: Vec<Quoted>,
    /// The number of those without.
    pub(in crate::doctor) unfit: u64,
}

pub(super) fn query(catalog: &mut Catalog, names: &[String]) -> Result<Vec<Publication>, Error> {
    let rows = catalog.examine(PUBLICATIONS, vec![Box::new(names.to_vec())])?;
    let read = |row: &postgres::Row| -> Result<Publication, Error> {
        Ok(Publication {
            name: column(row, 0)?,
            quoted: quoted(row, 1)?.unwrap_or_default(),
            tables: optional::<i64>(row, 2)?.map(|tables| tables.max(0).unsigned_abs()),
            has_all_tables: column(row, 3)?,
            unpublished: column(row, 4)?,
            xmin: xid(row, 5)?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) fn existing(catalog: &mut Catalog) -> Result<Vec<String>, Error> {
    let rows = catalog.examine(EXISTING, vec![])?;
    rows.iter().map(|row| Ok(escaped(&column::<Vec<u8>>(row, 0)?))).collect()
}

pub(super) fn candidates(catalog: &mut Catalog) -> Result<Candidates, Error> {
    let rows = catalog.examine(CANDIDATES, vec![])?;
    let Some(row) = rows.first() else { return Ok(Candidates::default()) };
    Ok(Candidates { fit: quoted_list(row, 0)?, unfit: count(row, 1)? })
}

const EXISTING: &str = concat!(
    "SELECT ",
    bytes!("publication.pubname"),
    " FROM pg_catalog.pg_publication AS publication ORDER BY publication.pubname LIMIT 20"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_ids_are_compared_on_their_circle() {
        let is_before = |one, other| is_before(Xid::new(one), Xid::new(other));
        assert!(is_before(700, 701) && !is_before(701, 701) && !is_before(702, 701));
        assert!(is_before(u32::MAX, 3) && !is_before(3, u32::MAX));
        assert!(is_before(2, 3_000_000_000) && is_before(2, 5));
    }
}
