//! Queries for the sessions and transactions that the creation of a slot, or a lock, waits for.

use std::time::Duration;

use super::{Catalog, name};
use crate::error::{BlockingSession, Error};
use crate::sql::names::bytes;

/// The maximum time of a query while a command waits.
const LIMIT: Duration = Duration::from_secs(1);

/// A lock on a transaction id is held by its transaction alone; a prepared one has no process.
const BLOCKING: &str = concat!(
    "SELECT holder.pid, ",
    bytes!("prepared.gid"),
    ", ",
    bytes!("coalesce(activity.datname, prepared.database)"),
    ", ",
    bytes!("coalesce(activity.usename, prepared.owner)"),
    ", ",
    bytes!("activity.application_name"),
    ", activity.state,
       coalesce(activity.xact_start, prepared.prepared)::pg_catalog.text
FROM pg_catalog.pg_locks AS waiting
JOIN pg_catalog.pg_locks AS holder
     ON holder.transactionid OPERATOR(pg_catalog.=) waiting.transactionid AND holder.granted
LEFT JOIN pg_catalog.pg_stat_activity AS activity
     ON activity.pid OPERATOR(pg_catalog.=) holder.pid
LEFT JOIN pg_catalog.pg_prepared_xacts AS prepared
     ON prepared.transaction OPERATOR(pg_catalog.=) waiting.transactionid
WHERE waiting.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4 AND NOT waiting.granted"
);

/// The table whose lock a process waits for, and the processes that hold it or wait for it longer:
/// 0 for a prepared transaction.
const TABLE_LOCK: &str = concat!(
    "SELECT ",
    bytes!("namespace.nspname"),
    ", ",
    bytes!("class.relname"),
    ", blocking.pid, ",
    bytes!("activity.datname"),
    ", ",
    bytes!("activity.usename"),
    ", ",
    bytes!("activity.application_name"),
    ", activity.state, activity.xact_start::pg_catalog.text
FROM pg_catalog.pg_locks AS waiting
JOIN pg_catalog.pg_class AS class ON class.oid OPERATOR(pg_catalog.=) waiting.relation
JOIN pg_catalog.pg_namespace AS namespace
     ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace
LEFT JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(waiting.pid)) AS blocking (pid)
     ON true
LEFT JOIN pg_catalog.pg_stat_activity AS activity
     ON activity.pid OPERATOR(pg_catalog.=) blocking.pid
WHERE waiting.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4 AND NOT waiting.granted"
);

/// The wait of a process for the lock of a table.
#[derive(Debug)]
pub(crate) struct TableLockWait {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) sessions: Vec<BlockingSession>,
}

impl Catalog {
    /// Returns the table whose lock a process waits for, if it does.
    pub(crate) fn table_lock_wait(&mut self, pid: i32) -> Result<Option<TableLockWait>, Error> {
        let rows = self.sql.query_within(Some(LIMIT), TABLE_LOCK, vec![Box::new(pid)])?;
        let Some(first) = rows.first() else { return Ok(None) };
        let session = |row: &postgres::Row| {
            let pid: i32 = row.get::<_, Option<i32>>(2)?;
            Some(BlockingSession {
                pid: Some(pid).filter(|pid| *pid != 0),
                gid: None,
                database: name(row, 3),
                user: name(row, 4),
                application_name: name(row, 5),
                state: row.get(6),
                since: row.get(7),
            })
        };
        Ok(Some(TableLockWait {
            schema: name(first, 0).unwrap_or_default(),
            table: name(first, 1).unwrap_or_default(),
            sessions: rows.iter().filter_map(session).collect(),
        }))
    }

    /// Returns the sessions and prepared transactions that hold the transaction id that a process
    /// waits for.
    pub(crate) fn blocking_sessions(&mut self, pid: i32) -> Result<Vec<BlockingSession>, Error> {
        let rows = self.sql.query_within(Some(LIMIT), BLOCKING, vec![Box::new(pid)])?;
        Ok(rows
            .iter()
            .map(|row| BlockingSession {
                pid: row.get(0),
                gid: name(row, 1),
                database: name(row, 2),
                user: name(row, 3),
                application_name: name(row, 4),
                state: row.get(5),
                since: row.get(6),
            })
            .collect())
    }

    /// Cancels the command of a process of this role.
    pub(crate) fn cancel(&mut self, pid: i32) -> Result<(), Error> {
        let query = "SELECT pg_catalog.pg_cancel_backend($1)";
        self.sql.query_within(Some(LIMIT), query, vec![Box::new(pid)]).map(drop)
    }
}
