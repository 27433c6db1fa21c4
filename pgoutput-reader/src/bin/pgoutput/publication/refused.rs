//! Tables whose UPDATE and DELETE a publication would make fail.

use pgoutput_reader::{Published, RefusalCause, RefusedTables};
use serde::Serialize;

use crate::names::quoted;

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
    pub(super) fn all(published: &Published) -> Vec<Self> {
        published.refused.iter().map(Self::new).collect()
    }

    fn new(refused: &RefusedTables) -> Self {
        let names = refused.names.iter().cloned();
        let tables: Vec<_> = names.map(|(schema, name)| TableName { schema, name }).collect();
        let full = |table: &TableName| {
            let (schema, name) = (quoted(&table.schema), quoted(&table.name));
            format!("ALTER TABLE {schema}.{name} REPLICA IDENTITY FULL;")
        };
        let (cause, sql) = match refused.cause {
            RefusalCause::NoIdentity => ("no_identity", tables.iter().map(full).collect()),
            RefusalCause::RowFilter => ("row_filter", tables.iter().map(full).collect()),
            // What is published must change, or the key.
            RefusalCause::ColumnList => ("column_list", vec![]),
            RefusalCause::GeneratedColumns => ("generated_columns", vec![]),
            _ => ("other", vec![]),
        };
        Self { cause, message: refused.to_string(), count: refused.tables, tables, sql }
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn sql(&self) -> &[String] {
        &self.sql
    }
}
