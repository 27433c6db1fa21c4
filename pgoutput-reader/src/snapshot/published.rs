//! The tables that publications publish, as the replication stream would publish them.
//!
//! The rules are those of pgoutput (`get_rel_sync_entry` in `pgoutput.c`), which decides by the
//! table that a row was written to, not those of the view `pg_publication_tables`. The catalogue is
//! read as it is, and [`facts`] applies the rules.
//!
//! Deviations:
//!
//! - Before 13.7 and 14.3 pgoutput publishes the rows of a partition that several publications
//!   publish as different tables as the one that the last of these publications has. Here it is
//!   the topmost one, as in later releases.
//! - If no publication of a table publishes INSERT, the stream has no filter for inserted rows. The
//!   filters for the other operations apply here, as in the server's own copy.

mod columns;
mod error;
mod facts;
mod fields;
mod names;
mod queries;
mod read;

use pgoutput_decode::{Oid, ReplicaIdentity};

use crate::connection::Connection;
use crate::error::Error;
use facts::Membership;
pub(crate) use names::PublishedNow;
use queries::Sizes;
use read::Reading;

/// A table as the stream publishes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PublishedTable {
    /// The id that the stream names: of the table itself, or of the partitioned table that it is
    /// published as.
    pub(crate) oid: Oid,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Whether it is a partitioned table, which has no rows of its own.
    pub(crate) is_partitioned: bool,
    pub(crate) replica_identity: ReplicaIdentity,
    /// The published columns, in the order of the stream.
    pub(crate) columns: Vec<PublishedColumn>,
    /// The names of all columns, also of unpublished ones. Bytes that are not UTF-8 are escaped.
    pub(crate) all_columns: Vec<String>,
    /// An SQL expression that is true for the published rows. Its names are resolved with an empty
    /// `search_path`.
    pub(crate) row_filter: Option<String>,
    /// The tables with the published rows: the table itself, or the partitions that are published
    /// as it.
    pub(crate) leaves: Vec<Leaf>,
    /// A number for the entries of the publications that have it: see [`PublishedName`].
    pub(crate) entries_id: u32,
    /// Whether a copy in the transaction's snapshot could miss rows or read those of another table,
    /// because the table or a leaf of it was truncated, rewritten (ALTER TABLE, VACUUM FULL,
    /// CLUSTER), dropped, renamed or moved after the snapshot. It is final once the tables are
    /// locked.
    pub(crate) was_changed: bool,
}

impl PublishedTable {
    /// Returns whether every value can be sent in binary format.
    pub(crate) fn has_binary(&self) -> bool {
        self.columns.iter().all(|column| column.has_binary)
    }

    /// Returns the planner's estimate of the number of rows, before any filter; `None` if a table
    /// was never analyzed.
    pub(crate) fn estimated_rows(&self) -> Option<u64> {
        self.leaves.iter().map(|leaf| leaf.estimated_rows).sum()
    }

    /// Returns the number of pages of all leaves.
    pub(crate) fn pages(&self) -> u64 {
        self.leaves.iter().map(|leaf| u64::from(leaf.pages)).sum()
    }
}

/// A published column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedColumn {
    pub(crate) name: String,
    pub(crate) type_oid: Oid,
    /// `pg_attribute.atttypmod`.
    pub(crate) type_modifier: i32,
    /// Whether it is part of the replica identity.
    pub(crate) is_key: bool,
    /// Whether it is generated, which excludes it from `COPY table (columns)`.
    pub(crate) is_generated: bool,
    /// Whether its type and all types in its values have a send function.
    pub(crate) has_binary: bool,
}

/// A table with rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) oid: Oid,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The current number of pages.
    pub(crate) pages: u32,
    /// Whether its pages are those of a heap, so that ranges of `ctid` divide it.
    pub(crate) is_heap: bool,
    /// Whether the role may read it directly. Reading a partition through its parent needs no
    /// privilege of its own.
    pub(crate) is_readable: bool,
    /// The planner's estimate of the number of rows.
    pub(crate) estimated_rows: Option<u64>,
}

impl Connection {
    /// Returns the tables that the publications publish, in the order of their oids, without those
    /// of which only TRUNCATE is published.
    ///
    /// Some facts (sizes, privileges, whether a table was changed) are current even if the
    /// transaction has an older snapshot. This waits for a session that has locked a table
    /// exclusively.
    ///
    /// # Errors
    /// A publication does not exist. The name of a published table or column, or a row filter, is
    /// not UTF-8. The publications contradict each other, so that the stream would fail as well.
    pub(crate) fn published_tables(
        &mut self,
        publications: &[String],
    ) -> Result<Vec<PublishedTable>, Error> {
        let mut reading = Reading::start(self, publications)?;
        let facts = reading.facts(Sizes::Queried)?;
        let memberships: Vec<Membership<'_>> = facts.memberships();
        let attributes = reading.attributes(&memberships)?;
        memberships.iter().map(|member| columns::table(&facts, member, &attributes)).collect()
    }
}
