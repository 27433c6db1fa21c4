//! The session that keeps the snapshot and the locks while jobs copy.
//!
//! An exported snapshot ends with the next command on the connection that exported it, but a
//! session that has imported it keeps it, and can export it again as often as a job connects.

use crate::connection::{Connection, OnlyRow, SessionOpener};
use crate::error::{Error, ServerState, SnapshotError};
use crate::io::Waker;
use crate::snapshot::published::PublishedTable;
use crate::snapshot::selection::Selection;
use crate::snapshot::session::CopySettings;

/// The session that keeps the snapshot.
#[derive(Debug)]
pub(crate) struct Keeper {
    connection: Connection,
    settings: CopySettings,
    snapshot: String,
    server: ServerState,
}

impl Keeper {
    /// Imports the exported snapshot, and exports it again for the jobs.
    ///
    /// # Errors
    /// It is not this `server`, which exported it; those of the server and the connection.
    pub(crate) fn open(
        opener: &SessionOpener,
        settings: CopySettings,
        exported: &str,
        server: ServerState,
    ) -> Result<Self, Error> {
        let mut connection = opener.open()?;
        settings.apply(&mut connection)?;
        // Another server would only report that it does not have the snapshot.
        check_server(&mut connection, server)?;
        connection.begin_with_snapshot(exported)?;
        let answers = connection.simple_query("SELECT pg_catalog.pg_export_snapshot()")?;
        let row = OnlyRow::of(answers, "pg_export_snapshot")?;
        let snapshot = row.text("pg_export_snapshot")?.to_owned();
        Ok(Self { connection, settings, snapshot, server })
    }

    /// Locks the published tables that are selected, and returns them.
    pub(crate) fn lock(
        &mut self,
        publications: &[String],
        selection: &Selection,
    ) -> Result<Vec<PublishedTable>, Error> {
        self.connection.lock_published(publications, selection, self.settings)
    }

    /// Returns the server process of the session, and a handle that ends its waits.
    pub(crate) fn process(&mut self) -> Result<(i32, Waker), Error> {
        Ok((self.connection.backend_pid()?, self.connection.waker()))
    }

    /// The name of the snapshot for the jobs.
    pub(crate) fn snapshot(&self) -> &str {
        &self.snapshot
    }

    pub(super) fn server(&self) -> ServerState {
        self.server
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

/// Checks that this is the server with the snapshot.
///
/// # Errors
/// [`SnapshotError::OtherServer`].
pub(super) fn check_server(
    connection: &mut Connection,
    expected: ServerState,
) -> Result<(), Error> {
    let answers = connection.simple_query(
        "SELECT control.system_identifier::pg_catalog.text AS system_identifier, \
         pg_catalog.pg_is_in_recovery()::pg_catalog.text AS is_in_recovery \
         FROM pg_catalog.pg_control_system() AS control",
    )?;
    let row = OnlyRow::of(answers, "pg_control_system")?;
    // A bigint, whose first bit is not a sign here.
    let system_identifier = row.parse::<i64>("system_identifier")?.cast_unsigned();
    let found = ServerState { system_identifier, is_in_recovery: row.parse("is_in_recovery")? };
    if found == expected {
        return Ok(());
    }
    let address = connection.address().to_owned();
    Err(SnapshotError::OtherServer { address, expected, found }.into())
}
