//! Tables whose UPDATE and DELETE a publication would make fail.

use pgoutput_reader::{Published, RefusalCause, RefusedTables};
use serde::Serialize;

use super::PublishedTable;
use crate::names::quoted;
use crate::sql::printable::printable;

/// The tables of one cause, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    cause: &'static str,
    message: String,
    /// The number of tables, of which at most ten are named.
    count: u64,
    tables: Vec<TableName>,
    /// The statements that cure the named tables, if SQL alone does.
    sql: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TableName {
    schema: String,
    name: String,
}

impl Refused {
    /// Returns those of a publication with these entries.
    pub(super) fn all(published: &Published, entries: &[PublishedTable]) -> Vec<Self> {
        published.refused.iter().map(|refused| Self::new(refused, entries)).collect()
    }

    fn new(refused: &RefusedTables, entries: &[PublishedTable]) -> Self {
        let names = refused.names.iter().cloned();
        let tables: Vec<_> = names.map(|(schema, name)| TableName { schema, name }).collect();
        // A list would have to have all columns, and be none. It may be that of a parent table.
        let has_lists = entries.iter().any(PublishedTable::has_list);
        let is_whole = |table: &&TableName| {
            !has_lists || entries.iter().any(|entry| entry.is_whole(&table.schema, &table.name))
        };
        let full = |table: &TableName| {
            let (schema, name) = (quoted(&table.schema), quoted(&table.name));
            let sql = format!("ALTER TABLE {schema}.{name} REPLICA IDENTITY FULL;");
            // Bytes that are not UTF-8 are escaped in the name.
            if sql.contains("\\x") { None } else { printable(&sql) }
        };
        let cured = tables.iter().filter(is_whole).filter_map(full).collect();
        let mut message = refused.to_string();
        if has_lists && matches!(refused.cause, RefusalCause::NoIdentity | RefusalCause::RowFilter)
        {
            message.push_str("; a table with a column list cannot have REPLICA IDENTITY FULL");
        }
        let (cause, sql) = match refused.cause {
            RefusalCause::NoIdentity => ("no_identity", cured),
            RefusalCause::RowFilter => ("row_filter", cured),
            // What is published must change, or the key.
            RefusalCause::ColumnList => ("column_list", vec![]),
            RefusalCause::GeneratedColumns => ("generated_columns", vec![]),
            _ => ("other", vec![]),
        };
        Self { cause, message, count: refused.tables, tables, sql }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn sql(&self) -> &[String] {
        &self.sql
    }
}
