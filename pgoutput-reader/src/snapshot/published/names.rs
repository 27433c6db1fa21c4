//! The names of the published tables, from the catalogue alone.

use pgoutput_decode::{Lsn, Oid};

use super::facts::Relation;
use super::queries::Sizes;
use super::read::Reading;
use crate::connection::{Connection, OnlyRow};
use crate::error::Error;
use crate::event::KnownTables;
use crate::event::signature::COMMIT_LEN;
use crate::sql::names::escaped;

/// The name of a published table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedName {
    /// The id that the stream names.
    pub(crate) oid: Oid,
    /// Bytes that are not UTF-8 are escaped.
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The schemas and names of the partitioned tables above it.
    pub(crate) above: Vec<(String, String)>,
    /// A number for the entries of the publications that have the table, and the operations that
    /// these publish. It changes if the table leaves a publication and joins it again, if another
    /// one gets it, or if `publish` of one is changed.
    pub(crate) entries_id: u32,
}

/// The published tables at one moment.
#[derive(Debug)]
pub(crate) struct PublishedNow {
    pub(crate) names: Vec<PublishedName>,
    /// An LSN after everything that was committed then.
    pub(crate) lsn: Lsn,
}

/// The end of what was written to the WAL, flushed or not, and the length of its pages.
const WAL_END: &str = "SELECT (CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_insert_lsn() END)::pg_catalog.text AS lsn,
        pg_catalog.current_setting('wal_block_size'::pg_catalog.text) AS page";

/// The minimum length of a record. The headers of pages are shorter.
const RECORD_LEN: u64 = COMMIT_LEN;

impl PublishedNow {
    /// Returns the tables, each with the number for its entries.
    pub(crate) fn tables(&self) -> KnownTables {
        self.names.iter().map(|name| (name.oid, name.entries_id)).collect()
    }
}

impl Connection {
    /// Returns the tables that [`published_tables`](Self::published_tables) does. This waits for no
    /// lock of a table.
    ///
    /// # Errors
    /// A publication does not exist.
    pub(crate) fn published_now(&mut self, publications: &[String]) -> Result<PublishedNow, Error> {
        let facts = Reading::start(self, publications)?.facts(Sizes::LeftOut)?;
        let name = |relation: &Relation| PublishedName {
            oid: Oid::new(relation.oid),
            schema: escaped(&relation.schema),
            name: escaped(&relation.name),
            above: facts
                .above(relation)
                .map(|parent| (escaped(&parent.schema), escaped(&parent.name)))
                .collect(),
            entries_id: facts.entries_id(relation),
        };
        let names = facts.memberships().iter().map(|member| name(member.relation)).collect();
        let command = "pg_current_wal_insert_lsn";
        let answers = self.with_short_timeout(|session| session.simple_query(WAL_END))?;
        let row = OnlyRow::of(answers, command)?;
        let (lsn, page): (Lsn, u64) = (row.parse("lsn")?, row.parse("page")?);
        Ok(PublishedNow { names, lsn: without_page_header(lsn, page) })
    }
}

/// Returns the end of the last record. On an idle server the end of the WAL may be after the header
/// of the next page, which is sent only with the next record.
fn without_page_header(lsn: Lsn, page: u64) -> Lsn {
    let in_page = lsn.as_u64().checked_rem(page).unwrap_or_default();
    if in_page < RECORD_LEN { Lsn::new(lsn.as_u64() - in_page) } else { lsn }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_page_is_left_out() {
        for (lsn, expected) in [
            (0x2000, 0x2000),
            (0x2018, 0x2000),
            (0x2028, 0x2000),
            (0x2030, 0x2030),
            (0x3FF8, 0x3FF8),
        ] {
            assert_eq!(without_page_header(Lsn::new(lsn), 0x2000), Lsn::new(expected));
        }
        assert_eq!(without_page_header(Lsn::new(5), 0), Lsn::new(5));
    }
}
