//! The sessions that copy: their settings, their transactions, and the locks.

use std::time::Duration;

use pgoutput_decode::Printable;

use super::plan::{columns_query, condition_query, lock_statements};
use super::published::PublishedTable;
use super::selection::Selection;
use crate::connection::{Connection, QueryRow};
use crate::error::{Error, ErrorKind, SnapshotError, is_transient};
use crate::proto::quote::sql_literal;

/// The number of statements that are sent together.
const BATCH: usize = 100;

/// The SQLSTATE after `lock_timeout`.
pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The longest wait of a job for the lock of a table. Another session already has this lock for the
/// copy, so a job waits only if a third one asked for the exclusive lock in between: that one waits
/// for the end of the copy, and the job for that one.
const JOB_LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a session that copies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopySettings {
    /// The longest wait for the lock of a table; zero is no limit.
    pub(crate) lock_timeout: Duration,
}

impl CopySettings {
    /// Returns the settings of the session of a job.
    pub(super) fn of_job(self) -> Self {
        let limit = Some(self.lock_timeout).filter(|limit| !limit.is_zero());
        Self { lock_timeout: limit.unwrap_or(JOB_LOCK_TIMEOUT).min(JOB_LOCK_TIMEOUT) }
    }

    /// Applies the settings.
    pub(crate) fn apply(self, connection: &mut Connection) -> Result<(), Error> {
        // Without the first one, rows are left out silently. Conditions are checked for the second.
        // With the others, the rows of a chunk have the same order whenever it is copied.
        let mut sql = String::from(
            "SET row_security TO off; SET standard_conforming_strings TO on; \
             SET synchronize_seqscans TO off; SET max_parallel_workers_per_gather TO 0; \
             SET enable_indexscan TO off; SET enable_indexonlyscan TO off; \
             SET enable_bitmapscan TO off;",
        );
        if connection.server_version().major() >= 11 {
            sql += " SET jit TO off;";
        }
        let millis = self.lock_timeout.as_micros().div_ceil(1000);
        let millis = millis.min(i32::MAX.unsigned_abs().into());
        connection.simple_query(&format!("{sql} SET lock_timeout TO {millis}")).map(drop)
    }

    /// Names these tables in the error of a lock that was not granted in time.
    pub(crate) fn lock_error<'t>(
        self,
        error: Error,
        tables: impl IntoIterator<Item = &'t PublishedTable>,
    ) -> Error {
        let ErrorKind::Server(message) = error.kind() else { return error };
        if message.sqlstate() != Some(LOCK_NOT_AVAILABLE) {
            return error;
        }
        let name = |table: &PublishedTable| table_name(&table.schema, &table.name);
        let tables = tables.into_iter().map(name).collect();
        let limit = self.lock_timeout;
        SnapshotError::LockTimeout { tables, limit, sessions: Vec::new(), cause: error }.into()
    }
}

/// Returns the name of a table for a message.
pub(crate) fn table_name(schema: &str, table: &str) -> String {
    format!("\"{}\".\"{}\"", Printable(schema), Printable(table))
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
            Some("22023" | "42704") => SnapshotError::SnapshotLost { cause: error }.into(),
            _ => error,
        })
    }

    /// Checks that the selected tables are published, outside of transactions.
    pub(crate) fn check_selected(
        &mut self,
        publications: &[String],
        selection: &Selection,
        settings: CopySettings,
    ) -> Result<(), Error> {
        settings.apply(self)?;
        // The size of a table, which the catalogue query returns, needs its lock.
        let timeout = Some(Duration::MAX);
        let tables =
            self.with_timeout(timeout, |connection| connection.published_tables(publications));
        selection.apply(tables.map_err(|error| settings.lock_error(error, []))?)?;
        // The stream may follow on this connection.
        self.simple_query("SET lock_timeout TO 0").map(drop)
    }

    /// Locks the published tables that are selected in the transaction of this connection, and
    /// returns them as they are then.
    ///
    /// # Errors
    /// [`SnapshotError::LockTimeout`]. A table was changed after the snapshot so that its rows in
    /// the snapshot cannot be copied. A selected table is not published, or the server refuses its
    /// condition.
    pub(crate) fn lock_published(
        &mut self,
        publications: &[String],
        selection: &Selection,
        settings: CopySettings,
    ) -> Result<Vec<PublishedTable>, Error> {
        // The size of a table, which the catalogue query returns, needs its lock too. Only the
        // server's lock_timeout limits these waits.
        let timeout = Some(Duration::MAX);
        self.with_timeout(timeout, |connection| {
            connection.lock_tables(publications, selection, settings)
        })
        .map_err(|error| settings.lock_error(error, []))
    }

    fn lock_tables(
        &mut self,
        publications: &[String],
        selection: &Selection,
        settings: CopySettings,
    ) -> Result<Vec<PublishedTable>, Error> {
        let tables = selection.apply(self.published_tables(publications)?)?;
        for tables in tables.chunks(BATCH) {
            for statement in lock_statements(tables) {
                let locked = self.simple_query(&statement);
                locked.map_err(|error| settings.lock_error(error, tables))?;
            }
        }
        let tables = selection.apply(self.published_tables(publications)?)?;
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
        for table in &tables {
            if let Some(condition) = selection.condition(table) {
                self.check_condition(table, condition)?;
            }
        }
        Ok(tables)
    }

    /// Checks that the server accepts a condition on the rows of a table.
    fn check_condition(&mut self, table: &PublishedTable, condition: &str) -> Result<(), Error> {
        let checked = self.simple_query(&condition_query(table, condition));
        checked.map(drop).map_err(|error| match error.sqlstate() {
            Some(_) if !is_transient(&error) => {
                let (schema, table) = (table.schema.clone(), table.name.clone());
                SnapshotError::ConditionRefused { schema, table, cause: error }.into()
            }
            _ => error,
        })
    }
}

fn was_changed(table: &PublishedTable) -> Error {
    let (schema, table) = (table.schema.clone(), table.name.clone());
    SnapshotError::TableChanged { schema, table }.into()
}
