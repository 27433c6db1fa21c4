//! The cluster's identity over SQL, without IDENTIFY_SYSTEM.

use super::query::OnlyRow;
use super::{Connection, SystemId};
use crate::error::{Error, ProtocolError};
use crate::sql::names::{hex, shown};

const COMMAND: &str = "pg_control_system";

/// On a primary, the name of a WAL file starts with the timeline. A standby does not name files;
/// its last checkpoint has the timeline.
const IDENTIFY: &str = concat!(
    "SELECT control.system_identifier::pg_catalog.text AS systemid,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN pg_catalog.to_hex((SELECT checkpoint.timeline_id
                                    FROM pg_catalog.pg_control_checkpoint() AS checkpoint))
            ELSE pg_catalog.substr(
                pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)
       END AS timeline,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_flush_lsn() END::pg_catalog.text AS xlogpos,
       ",
    hex!("pg_catalog.current_database()"),
    " AS dbname
FROM pg_catalog.pg_control_system() AS control"
);

impl Connection {
    /// Returns the same as [`identify_system`](Self::identify_system), by SQL.
    pub(crate) fn identify_system_by_sql(&mut self) -> Result<SystemId, Error> {
        let answers = self.with_short_timeout(|connection| connection.simple_query(IDENTIFY))?;
        let row = OnlyRow::of(answers, COMMAND)?;
        let timeline = u32::from_str_radix(row.text("timeline")?, 16)
            .map_err(|_| ProtocolError::Answer { command: COMMAND, field: "timeline" })?;
        Ok(SystemId {
            system_identifier: row.parse("systemid")?,
            timeline,
            xlogpos: row.parse("xlogpos")?,
            dbname: row.optional("dbname").map(shown),
        })
    }
}
