//! A table to be copied, divided into chunks.

use std::num::NonZeroU32;

#[cfg(test)]
use pgoutput_decode::Oid;

use super::plan::{Chunk, chunks, copy_statement};
use super::published::PublishedTable;
use super::row::{CopiedRows, CopyFormat};
use crate::error::{CopyRowError, Error, SnapshotError};
use crate::server_version::ServerVersion;

/// The bits of a row's number for the rows of one page. The longest pages, of 32 KiB, have fewer
/// rows than that.
const PAGE_BITS: u32 = 11;

/// A table to be copied.
#[derive(Debug)]
pub(crate) struct TableCopy {
    pub(crate) table: PublishedTable,
    /// A condition on its rows, besides the row filters of the publications.
    condition: Option<String>,
    /// The chunks, each with the number of its first row.
    pub(crate) chunks: Vec<(Chunk, u64)>,
    format: CopyFormat,
}

impl TableCopy {
    /// Divides a table into chunks of about this many pages. `binary` is whether binary values were
    /// requested.
    pub(crate) fn new(
        table: PublishedTable,
        pages: NonZeroU32,
        binary: bool,
        version: ServerVersion,
    ) -> Self {
        let format =
            if binary && table.has_binary() { CopyFormat::Binary } else { CopyFormat::Text };
        let mut before = Vec::new();
        let mut sum = 0;
        for leaf in &table.leaves {
            before.push(sum);
            sum += u64::from(leaf.pages.max(1));
        }
        let first_row = |chunk: &Chunk| match chunk {
            Chunk::Leaf { index, pages } => {
                let first = pages.map_or(0, |pages| u64::from(pages.first));
                (before.get(*index).copied().unwrap_or_default() + first) << PAGE_BITS
            }
            Chunk::Partitioned => 0,
        };
        let chunks = chunks(&table, pages, version).into_iter();
        let chunks =
            chunks.map(|chunk| (first_row(&chunk), chunk)).map(|(row, chunk)| (chunk, row));
        Self { chunks: chunks.collect(), format, table, condition: None }
    }

    /// Limits the copy to rows for which this expression is true.
    pub(crate) fn with_condition(self, condition: Option<&str>) -> Self {
        Self { condition: condition.map(str::to_owned), ..self }
    }

    /// A small table with one column.
    #[cfg(test)]
    pub(crate) fn with_column(schema: &str, name: &str, oid: Oid) -> Self {
        use super::plan::tests::{column, table};
        let table = PublishedTable { oid, columns: vec![column("id")], ..table(schema, name) };
        Self::new(table, NonZeroU32::MAX, false, ServerVersion::new(150_000))
    }

    /// Returns the statement that copies a chunk.
    pub(crate) fn statement(&self, chunk: &Chunk) -> String {
        copy_statement(&self.table, chunk, self.condition.as_deref(), self.format)
    }

    /// Returns the reader of the rows of a chunk.
    pub(crate) fn rows(&self) -> CopiedRows {
        // A table has at most 1600 columns.
        let columns = u16::try_from(self.table.columns.len()).unwrap_or(u16::MAX);
        CopiedRows::new(self.table.oid, columns, self.format)
    }

    /// Returns the error of the server, with the table if the condition on its rows can be the
    /// cause, such as a division by zero.
    pub(crate) fn explained(&self, error: Error) -> Error {
        let is_of_data = error.sqlstate().is_some_and(|state| state.starts_with("22"));
        if self.condition.is_none() || !is_of_data {
            return error;
        }
        let (schema, table) = (self.table.schema.clone(), self.table.name.clone());
        SnapshotError::ConditionRefused { schema, table, cause: error }.into()
    }

    /// Returns the error of a row that cannot be read.
    pub(crate) fn row_error(&self, row: u64, reason: CopyRowError) -> SnapshotError {
        let (schema, table) = (self.table.schema.clone(), self.table.name.clone());
        SnapshotError::Row { schema, table, row, reason }
    }
}
