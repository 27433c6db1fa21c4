//! Opening the session that polls, for the first time and again after it was lost.

use std::time::Duration;

use pgoutput_decode::Lsn;

use super::sql::Statements;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::connection::{Connection, SystemId};
use crate::error::{Error, ErrorKind, HistoryError};
use crate::io::{Waits, Waker};
use crate::proto::{CreateSlot, StartReplication};
use crate::server_version::ServerVersion;
use crate::setup::{Needs, SlotFacts, SlotWaitOptions};
use crate::source::open::{CATALOG_TIMEOUT, LostStream, ReconnectionAttempt, STEP_TIMEOUT};
use crate::source::{Started, Stored};

/// The server, the settings, and the interval of polls.
#[derive(Debug, Clone)]
pub(crate) struct PollOpener {
    pub(crate) config: Config,
    pub(crate) start: StartReplication,
    pub(crate) interval: Duration,
    /// Whether the slot is advanced to the LSN of `start`, which SQL cannot start reading at.
    pub(crate) advances_to_start: bool,
}

/// A session that was opened, and the facts found on the way.
pub(crate) struct PollOpened {
    pub(super) connection: Connection,
    pub(super) statements: Statements,
    pub(super) catalog: Catalog,
    pub(crate) system: SystemId,
    /// The slot's confirmed LSN.
    pub(crate) confirmed: Lsn,
    /// Whether the slot sends prepared transactions when they are prepared.
    pub(crate) two_phase: bool,
    /// Whether this created the slot.
    slot_created: bool,
}

impl PollOpener {
    /// Opens the first session. A missing slot is created if `create` is given, unless a stored
    /// position is resumed.
    pub(crate) fn open(
        &self,
        create: Option<CreateSlot>,
        stored: Option<&Stored>,
        wait_options: &SlotWaitOptions<'_>,
    ) -> Result<PollOpened, Error> {
        let mut connection = Connection::connect_pooled(&self.config)?;
        let system = connection.identify_system_by_sql()?;
        let create = create.filter(|_| stored.is_none());
        let needs = Needs {
            slot: &self.start.slot,
            publications: &self.start.publications,
            creates: create.is_some(),
        };
        // Invalid options are found before a slot is created that would be left over.
        self.start.plugin_values(connection.server_version())?;
        if let Some(stored) = stored {
            stored
                .verify(&mut connection, &system, &self.start)
                .map_err(|error| connection.with_all_missing(error, &needs))?;
            if self.start.start_lsn > system.xlogpos {
                let (lsn, ends) = (self.start.start_lsn, system.xlogpos);
                return Err(HistoryError::WalEndsEarly { lsn, ends }.into());
            }
        } else if self.start.start_lsn > system.xlogpos {
            return Err(Error::usage(format!(
                "start_lsn {} is ahead of the server's WAL, which ends at {}",
                self.start.start_lsn, system.xlogpos
            )));
        }
        let mut catalog = Catalog::new(connection.sql_connector(&self.config)?);
        let slot = connection.make_ready(&needs, create.as_ref(), &mut catalog, wait_options)?;
        self.opened(connection, catalog, system, slot)
    }

    fn opened(
        &self,
        mut connection: Connection,
        mut catalog: Catalog,
        system: SystemId,
        slot: SlotFacts,
    ) -> Result<PollOpened, Error> {
        catalog.make_ready(CATALOG_TIMEOUT);
        let statements = self.statements(&mut connection)?;
        Ok(PollOpened {
            statements,
            connection,
            catalog,
            system,
            confirmed: slot.confirmed,
            two_phase: slot.two_phase,
            slot_created: slot.created,
        })
    }

    /// Returns the statements for a connection, whose commands get a timeout.
    fn statements(&self, connection: &mut Connection) -> Result<Statements, Error> {
        connection.set_command_timeout(Some(STEP_TIMEOUT));
        let version = connection.server_version();
        let is_sql_ascii = connection.parameter("server_encoding") == Some("SQL_ASCII");
        let options = self.start.plugin_values(version)?;
        Ok(Statements::new(&self.start.slot, version, is_sql_ascii, options))
    }

    /// Opens a session without checks, for the end of the reader.
    pub(super) fn session(&self) -> Result<(Connection, Statements), Error> {
        let mut connection = Connection::connect_pooled(&self.with_connect_timeout())?;
        let statements = self.statements(&mut connection)?;
        Ok((connection, statements))
    }

    /// Returns the settings with a timeout of connecting, for an attempt that nobody waits for.
    fn with_connect_timeout(&self) -> Config {
        let config = self.config.clone();
        match config.get_connect_timeout() {
            Some(_) => config,
            None => config.connect_timeout(STEP_TIMEOUT),
        }
    }

    /// Starts to open another session after one was lost, on a thread. `done` is woken when there
    /// is a result.
    pub(super) fn open_again(
        &self,
        lost: LostStream,
        done: Waker,
    ) -> Result<ReconnectionAttempt<PollOpened>, Error> {
        let opener = self.clone();
        ReconnectionAttempt::run(done, move |waits: Waits| opener.try_again(&lost, waits))
    }

    fn try_again(&self, lost: &LostStream, waits: Waits) -> Result<PollOpened, Error> {
        let config = self.with_connect_timeout();
        let mut connection = Connection::connect_pooled(&config)?;
        connection.set_command_timeout(Some(STEP_TIMEOUT));
        let system = connection.identify_system_by_sql()?;
        let mut catalog = Catalog::new(connection.sql_connector(&config)?);
        catalog.wait_with(waits);
        let slot = connection.check_slot(&self.start.slot)?;
        lost.check(&system, slot, &self.start.slot)?;
        self.opened(connection, catalog, system, slot)
    }
}

impl PollOpened {
    /// Returns what a reader with these settings has started with.
    pub(crate) fn started(&self, start: &StartReplication) -> Started {
        Started {
            server_version: self.connection.server_version(),
            address: self.connection.address().to_owned(),
            tls: self.connection.is_tls(),
            database: self.system.dbname.clone().unwrap_or_default(),
            system_identifier: self.system.system_identifier,
            timeline: self.system.timeline,
            slot: start.slot.clone(),
            publications: start.publications.clone(),
            start_lsn: start.start_lsn.max(self.confirmed),
            slot_created: self.slot_created,
        }
    }
}

/// Returns the number of times that a session of this server can read changes before it fails.
/// Older minor versions register callbacks each time, and have space for ten.
pub(super) fn reads_of_session(version: ServerVersion) -> Option<u32> {
    let repaired = match version.major() {
        11 => 20,
        12 => 15,
        13 => 11,
        14 => 8,
        15 => 3,
        16.. => 0,
        _ => u32::MAX,
    };
    (version.number() % 10_000 < repaired).then_some(READS)
}

/// Fewer than ten, since other parts of the server register callbacks too.
const READS: u32 = 5;

/// Returns whether an error is that of a session that cannot read changes any more.
pub(super) fn is_worn_out(error: &Error) -> bool {
    let ErrorKind::Server(message) = error.kind() else { return false };
    message.sqlstate() == Some("XX000") && message.message().contains("cache_callback_list slots")
}

/// Returns whether a server can only confirm the end of a record: PostgreSQL 10 has no
/// `pg_replication_slot_advance`. Such LSNs identify no event.
pub(super) fn confirms_ends(version: ServerVersion) -> bool {
    version.major() < 11
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServerMessage;

    #[test]
    fn only_older_minor_versions_wear_sessions_out() {
        for (version, wears) in [
            ("10.23", true),
            ("11.19", true),
            ("11.20", false),
            ("15.2", true),
            ("15.3", false),
            ("16.0", false),
            ("18beta1", false),
        ] {
            let version: ServerVersion = version.parse().unwrap();
            assert_eq!(reads_of_session(version).is_some(), wears, "{version}");
        }
        for (code, text, worn_out) in [
            ("XX000", "out of relcache_callback_list slots", true),
            ("XX000", "out of syscache_callback_list slots", true),
            ("XX000", "could not open relation", false),
        ] {
            let fields = [(b'C', code.as_bytes()), (b'M', text.as_bytes())];
            let error = ServerMessage::new(fields.into_iter(), true).into();
            assert_eq!(is_worn_out(&error), worn_out, "{text}");
        }
    }
}
