//! The sessions that copy: their settings, their transactions, and the locks.

use std::time::Duration;

use super::plan::{columns_query, lock_statements};
use super::published::PublishedTable;
use crate::connection::{Connection, QueryRow};
use crate::error::{Error, SnapshotError};
use crate::proto::quote::sql_literal;

/// The number of statements that are sent together.
const BATCH: usize = 100;

/// The settings of a session that copies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopySettings {
    /// The longest wait for the lock of a table; zero is no limit.
    pub(crate) lock_timeout: Duration,
}

impl CopySettings {
    /// Applies the settings.
    pub(crate) fn apply(self, connection: &mut Connection) -> Result<(), Error> {
        // Without the first one, rows are left out silently. With the others, the rows of a chunk
        // have the same order whenever it is copied.
        let mut sql = String::from(
            "SET row_security TO off; SET synchronize_seqscans TO off; \
             SET max_parallel_workers_per_gather TO 0; SET enable_indexscan TO off; \
             SET enable_indexonlyscan TO off; SET enable_bitmapscan TO off;",
        );
        if connection.server_version().major() >= 11 {
            sql += " SET jit TO off;";
        }
        connection.simple_query(&sql)?;
        self.limit_locks(connection)
    }

    /// Limits the wait for the lock of a table.
    pub(crate) fn limit_locks(self, connection: &mut Connection) -> Result<(), Error> {
        let millis = self.lock_timeout.as_micros().div_ceil(1000);
        let millis = millis.min(i32::MAX.unsigned_abs().into());
        connection.simple_query(&format!("SET lock_timeout TO {millis}")).map(drop)
    }
}

impl Connection {
    /// Starts a transaction with an exported snapshot.
    pub(super) fn begin_with_snapshot(&mut self, snapshot: &str) -> Result<(), Error> {
        self.simple_query(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            sql_literal(snapshot)
        ))
        .map(drop)
        .map_err(|error| match error.sqlstate() {
            Some("22023" | "42704") => {
                SnapshotError::SnapshotLost { cause: error.to_string() }.into()
            }
            _ => error,
        })
    }

    /// Locks the published tables in the transaction of this connection, and returns them as they
    /// are then.
    ///
    /// # Errors
    /// A table was changed after the snapshot so that its rows in the snapshot cannot be copied.
    pub(crate) fn lock_published(
        &mut self,
        publications: &[String],
    ) -> Result<Vec<PublishedTable>, Error> {
        let tables = self.published_tables(publications)?;
        for statement in lock_statements(&tables) {
            self.simple_query(&statement)?;
        }
        let tables = self.published_tables(publications)?;
        if let Some(changed) = tables.iter().find(|table| table.was_changed) {
            return Err(was_changed(changed));
        }
        for tables in tables.chunks(BATCH) {
            let queries: Vec<String> = tables.iter().map(columns_query).collect();
            let answers = self.simple_query(&queries.join("; "))?;
            for (table, answer) in tables.iter().zip(&answers) {
                let columns = answer.rows.first().map(QueryRow::columns).unwrap_or_default();
                if *columns != table.all_columns[..] {
                    return Err(was_changed(table));
                }
            }
        }
        Ok(tables)
    }
}

fn was_changed(table: &PublishedTable) -> Error {
    let (schema, table) = (table.schema.clone(), table.name.clone());
    SnapshotError::TableChanged { schema, table }.into()
}
