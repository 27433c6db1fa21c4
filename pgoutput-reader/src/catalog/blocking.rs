//! Queries for the sessions and transactions that the creation of a slot waits for.

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

impl Catalog {
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
