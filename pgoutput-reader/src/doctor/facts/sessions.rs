//! Open transactions that the creation of a slot would wait for.

use super::{optional, shown};
use crate::catalog::Catalog;
use crate::error::{BlockingSession, Error};
use crate::sql::names::bytes;

/// Every transaction with an id holds a lock on it, in all databases. One of several of a process
/// is enough; a prepared one has no process.
const OPEN: &str = concat!(
    "SELECT DISTINCT ON (holder.pid, prepared.gid) holder.pid, ",
    bytes!("prepared.gid"),
    ", ",
    bytes!("coalesce(activity.datname, prepared.database)"),
    ", ",
    bytes!("coalesce(activity.usename, prepared.owner)"),
    ", ",
    bytes!("activity.application_name"),
    ", activity.state,
       coalesce(activity.xact_start, prepared.prepared)::pg_catalog.text,
       pg_catalog.date_part('epoch'::pg_catalog.text, pg_catalog.clock_timestamp()
           OPERATOR(pg_catalog.-) coalesce(activity.xact_start, prepared.prepared))
FROM pg_catalog.pg_locks AS holder
LEFT JOIN pg_catalog.pg_stat_activity AS activity
     ON activity.pid OPERATOR(pg_catalog.=) holder.pid
LEFT JOIN pg_catalog.pg_prepared_xacts AS prepared
     ON prepared.transaction OPERATOR(pg_catalog.=) holder.transactionid
WHERE holder.locktype OPERATOR(pg_catalog.=) 'transactionid'::pg_catalog.text AND holder.granted
  AND (holder.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
       OR prepared.gid IS NOT NULL)
ORDER BY holder.pid, prepared.gid
LIMIT 20"
);

/// An open transaction.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct OpenTransaction {
    pub(in crate::doctor) session: BlockingSession,
    /// Its age in seconds; `None` if this role may not see it.
    pub(in crate::doctor) seconds: Option<f64>,
}

pub(super) fn query(catalog: &mut Catalog) -> Result<Vec<OpenTransaction>, Error> {
    let rows = catalog.examine(OPEN, vec![])?;
    let read = |row: &postgres::Row| -> Result<OpenTransaction, Error> {
        Ok(OpenTransaction {
            session: BlockingSession {
                pid: optional(row, 0)?,
                gid: shown(row, 1)?,
                database: shown(row, 2)?,
                user: shown(row, 3)?,
                application_name: shown(row, 4)?,
                state: optional(row, 5)?,
                since: optional(row, 6)?,
            },
            seconds: optional(row, 7)?,
        })
    };
    rows.iter().map(read).collect()
}
