//! Published tables whose UPDATE and DELETE the server refuses.

mod by_table;
pub(super) mod queries;

use std::fmt;

use pgoutput_decode::Printable;
use postgres::Row;

use crate::sql::names::escaped;

pub(crate) use by_table::RefusedTable;

/// The greatest number of names of tables; the queries return no more.
const NAMES: usize = 10;

/// The cause for which the server refuses UPDATE and DELETE of a published table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusalCause {
    /// The table has no replica identity (manual, section "Logical Replication", "Publication").
    NoIdentity,
    /// The column list of the publication does not contain the replica identity. With REPLICA
    /// IDENTITY FULL every column list is refused (PostgreSQL 15 and later).
    ColumnList,
    /// The row filter of the publication uses columns outside of the replica identity
    /// (PostgreSQL 15 and later).
    RowFilter,
    /// The replica identity has generated columns that are not published (PostgreSQL 18 and later).
    GeneratedColumns,
}

impl RefusalCause {
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "list" => Self::ColumnList,
            "filter" => Self::RowFilter,
            "generated" => Self::GeneratedColumns,
            _ => return None,
        })
    }

    /// Returns the words after "published tables", and the remedy.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoIdentity => (
                "for lack of a replica identity",
                "add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL",
            ),
            Self::ColumnList => (
                "since the column list of the publication does not contain the replica identity",
                "add its columns to the list; with REPLICA IDENTITY FULL publish the table \
                 without a list",
            ),
            Self::RowFilter => (
                "since the row filter of the publication uses columns outside of the replica \
                 identity",
                "add these to it (REPLICA IDENTITY USING INDEX), use another filter, or ALTER \
                 TABLE … REPLICA IDENTITY FULL",
            ),
            Self::GeneratedColumns => (
                "since their replica identity has generated columns that are not published",
                "ALTER PUBLICATION … SET (publish_generated_columns = stored), or for virtual \
                 columns REPLICA IDENTITY USING INDEX without them",
            ),
        }
    }
}

/// Published tables whose UPDATE and DELETE the server refuses for one cause, if the publication
/// publishes these. A table may have several causes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedTables {
    /// The cause.
    pub cause: RefusalCause,
    /// The number of tables.
    pub tables: u64,
    /// Schema and name of the tables: ten at most. Bytes that are not UTF-8 are escaped, as in
    /// `caf\xe9`.
    pub names: Vec<(String, String)>,
}

/// Displays `on 3 published tables for lack of a replica identity: …; add a primary key, …`.
impl fmt::Display for RefusedTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (why, what_to_do) = self.cause.words();
        let plural = if self.tables == 1 { "" } else { "s" };
        write!(f, "on {} published table{plural} {why}: ", self.tables)?;
        for (index, (schema, table)) in self.names.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}.{}", Printable(schema), Printable(table))?;
        }
        match self.tables.saturating_sub(self.names.len() as u64) {
            0 => {}
            more => write!(f, " and {more} more")?,
        }
        write!(f, "; {what_to_do}")
    }
}

impl RefusedTables {
    pub(super) fn new(
        cause: RefusalCause,
        tables: u64,
        schemas: Vec<&[u8]>,
        names: Vec<&[u8]>,
    ) -> Self {
        let names = schemas.into_iter().zip(names);
        let mut names: Vec<_> =
            names.map(|(schema, name)| (escaped(schema), escaped(name))).collect();
        names.sort_unstable();
        names.truncate(NAMES);
        Self { cause, tables, names }
    }

    /// Reads a row of a query of [`queries`]; `None` for a cause that is unknown.
    pub(super) fn read(row: &Row) -> Result<Option<Self>, postgres::Error> {
        let Some(cause) = RefusalCause::read(row.try_get(0)?) else { return Ok(None) };
        let tables = row.try_get::<_, i64>(1)?.max(0).unsigned_abs();
        Ok(Some(Self::new(cause, tables, row.try_get(2)?, row.try_get(3)?)))
    }
}
