//! The session that keeps the snapshot and the locks while jobs copy.
//!
//! An exported snapshot ends with the next command on the connection that exported it, but a
//! session that has imported it keeps it, and can export it again as often as a job connects.

use crate::connection::{Connection, OnlyRow, SessionOpener};
use crate::error::{Error, ProtocolError};
use crate::snapshot::published::PublishedTable;
use crate::snapshot::session::CopySettings;

/// The session that keeps the snapshot.
#[derive(Debug)]
pub(crate) struct Keeper {
    connection: Connection,
    snapshot: String,
    system_identifier: u64,
}

impl Keeper {
    /// Imports the exported snapshot, and exports it again for the jobs.
    ///
    /// # Errors
    /// It is not the server that exported it; those of the server and the connection.
    pub(crate) fn open(
        opener: &SessionOpener,
        settings: CopySettings,
        exported: &str,
        system_identifier: u64,
    ) -> Result<Self, Error> {
        let mut connection = opener.open()?;
        settings.apply(&mut connection)?;
        connection.begin_with_snapshot(exported)?;
        let answers = connection.simple_query("SELECT pg_catalog.pg_export_snapshot()")?;
        let row = OnlyRow::of(answers, "pg_export_snapshot")?;
        let snapshot = row.text("pg_export_snapshot")?.to_owned();
        check_system(&mut connection, system_identifier)?;
        Ok(Self { connection, snapshot, system_identifier })
    }

    /// Locks the published tables and returns them.
    pub(crate) fn lock(&mut self, publications: &[String]) -> Result<Vec<PublishedTable>, Error> {
        self.connection.lock_published(publications)
    }

    /// The name of the snapshot for the jobs.
    pub(crate) fn snapshot(&self) -> &str {
        &self.snapshot
    }

    pub(super) fn system_identifier(&self) -> u64 {
        self.system_identifier
    }

    /// Checks that the session still has its locks.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        self.connection.with_short_timeout(|connection| connection.simple_query("")).map(drop)
    }

    /// Ends the transaction.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.connection.with_short_timeout(|connection| connection.simple_query("COMMIT")).map(drop)
    }
}

/// Checks that this is the cluster with the snapshot.
pub(super) fn check_system(
    connection: &mut Connection,
    system_identifier: u64,
) -> Result<(), Error> {
    let answers = connection.simple_query(
        "SELECT system_identifier::pg_catalog.text AS id FROM pg_catalog.pg_control_system()",
    )?;
    let row = OnlyRow::of(answers, "pg_control_system")?;
    // A bigint, whose first bit is not a sign here.
    let found: i64 = row.parse("id")?;
    if found.cast_unsigned() == system_identifier {
        return Ok(());
    }
    Err(ProtocolError::Answer { command: "pg_control_system", field: "system_identifier" }.into())
}
