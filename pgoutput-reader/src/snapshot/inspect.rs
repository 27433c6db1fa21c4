//! The plan of a copy as texts and bytes, for tests on real servers. No part of the API.

use std::num::NonZeroU32;

use super::plan;
use super::row::CopyFormat;
use crate::{Connection, Error, Oid};

/// A published table, and the statements that copy it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCopy {
    /// The id that the stream names.
    pub oid: Oid,
    /// Its Relation message.
    pub relation: Vec<u8>,
    /// The statement for each chunk, in text format.
    pub text: Vec<String>,
    /// The same in binary format, if every value can be sent in it.
    pub binary: Vec<String>,
    /// The statements that lock it.
    pub locks: Vec<String>,
    /// A query whose columns are [`all_columns`](Self::all_columns).
    pub columns_query: String,
    /// The names of all columns.
    pub all_columns: Vec<String>,
    /// The number of tables with its rows.
    pub leaves: usize,
    /// Estimate of the number of rows.
    pub estimated_rows: Option<u64>,
    /// The number of pages.
    pub pages: u64,
    /// Whether it was changed after the transaction's snapshot.
    pub was_changed: bool,
}

/// Returns the published tables, with chunks of this many pages.
///
/// # Errors
/// Those of the connection, and of publications that contradict each other.
pub fn table_copies(
    connection: &mut Connection,
    publications: &[String],
    pages: NonZeroU32,
    condition: Option<&str>,
) -> Result<Vec<TableCopy>, Error> {
    let version = connection.server_version();
    let tables = connection.published_tables(publications)?;
    let copies = tables.iter().map(|table| {
        let copy = |format| {
            let chunks = plan::chunks(table, pages, version).into_iter();
            chunks.map(|chunk| plan::copy_statement(table, &chunk, condition, format)).collect()
        };
        TableCopy {
            oid: table.oid,
            relation: table.relation_message(),
            text: copy(CopyFormat::Text),
            binary: if table.has_binary() { copy(CopyFormat::Binary) } else { Vec::new() },
            locks: plan::lock_statements([table]),
            columns_query: plan::columns_query(table),
            all_columns: table.all_columns.clone(),
            leaves: table.leaves.len(),
            estimated_rows: table.estimated_rows(),
            pages: table.pages(),
            was_changed: table.was_changed,
        }
    });
    Ok(copies.collect())
}

/// Returns whether a condition on rows is accepted before the server sees it.
pub fn is_closed_condition(sql: &str) -> bool {
    super::condition::check(sql).is_ok()
}
