//! A replication connection, before and during the copy.

use std::fmt;
use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

use crate::config::Endpoint;
use crate::error::{Error, ServerMessage};
use crate::io::{BodyRange, Channel, Fill, Waker};
use crate::proto::backend::Message;
use crate::proto::{CreateSlot, StartReplication, command};
use crate::server_version::ServerVersion;
use async_messages::AsyncMessages;
use open::SessionKind;
use protection::Protection;
#[cfg(not(feature = "reader"))]
use query::OnlyRow;

mod async_messages;
#[cfg(feature = "postgres")]
mod connect_postgres;
mod copy;
#[cfg(feature = "reader")]
mod copy_out;
mod hosts;
#[cfg(feature = "reader")]
mod identify;
mod open;
mod protection;
mod query;
#[cfg(feature = "reader")]
mod session;
mod session_attrs;
#[cfg(feature = "reader")]
mod sql_connection;
mod timeline;

pub use copy::CopyBoth;
pub(crate) use copy::{Advance, CopySender};
#[cfg(feature = "reader")]
pub(crate) use copy_out::{CopyOutAdvance, NOT_STARTED};
#[cfg(feature = "reader")]
pub(crate) use query::OnlyRow;
pub use query::{QueryRow, Rows};
#[cfg(feature = "reader")]
pub(crate) use session::SessionOpener;
#[cfg(feature = "reader")]
pub(crate) use sql_connection::SqlConnector;
pub use timeline::TimelineSwitch;

/// A connection with `replication=database` on which the copy has not started. It accepts
/// replication commands and SQL (manual, section "Streaming Replication Protocol").
///
/// ```no_run
/// use pgoutput_reader::{Config, Connection, CreateSlot};
///
/// let config: Config = "postgresql://user@localhost/db".parse()?;
/// let mut connection = Connection::connect(&config)?;
/// let system = connection.identify_system()?;
/// println!("{} at {}", system.system_identifier, system.xlogpos);
/// connection.create_slot(&CreateSlot::new("my_slot"))?;
/// connection.close()?;
/// # Ok::<(), pgoutput_reader::Error>(())
/// ```
///
/// Dropping it closes the socket.
pub struct Connection {
    endpoint: Endpoint,
    channel: Channel,
    version: ServerVersion,
    async_messages: AsyncMessages,
    protection: Protection,
    /// The server process by the key with which commands are cancelled.
    #[cfg_attr(not(feature = "reader"), expect(dead_code, reason = "only the doctor uses it"))]
    key_pid: Option<u32>,
    command_timeout: Option<Duration>,
    /// The longest time for which the server may be silent while it is waited for; zero is no
    /// limit.
    silence_limit: Duration,
    #[cfg_attr(not(feature = "reader"), expect(dead_code, reason = "only Reader opens others"))]
    kind: SessionKind,
    /// Whether a command was sent and its result has not been read to the end.
    busy: bool,
}

/// The result of IDENTIFY_SYSTEM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemId {
    /// The system identifier of the cluster.
    pub system_identifier: u64,
    /// The server's timeline.
    pub timeline: u32,
    /// The end of the flushed WAL.
    pub xlogpos: Lsn,
    /// The database of the connection.
    pub dbname: Option<String>,
}

/// The result of CREATE_REPLICATION_SLOT.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedSlot {
    /// The slot's name.
    pub name: String,
    /// The start of the slot: changes committed after this LSN are read.
    pub consistent_point: Lsn,
    /// The name of the exported snapshot, if one was requested.
    pub snapshot_name: Option<String>,
}

impl Connection {
    /// Returns the server's version.
    pub fn server_version(&self) -> ServerVersion {
        self.version
    }

    /// Returns a parameter that the server reports, such as `server_version` or `TimeZone` (manual,
    /// section "Asynchronous Operations").
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.async_messages.parameters.get(name).map(String::as_str)
    }

    /// Returns the endpoint of the settings to which this is connected.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the address of the server: `host:port`, or the path of a socket.
    pub fn address(&self) -> &str {
        self.channel.address()
    }

    /// Returns whether the connection is protected by TLS.
    pub fn is_tls(&self) -> bool {
        self.protection.is_tls()
    }

    /// Returns whether the server's certificate was verified against trusted authorities.
    #[cfg(feature = "reader")]
    pub(crate) fn is_verified(&self) -> bool {
        self.protection.is_verified()
    }

    /// Returns whether the server is known to be the right one: it is local, or verified.
    #[cfg(feature = "reader")]
    pub(crate) fn is_known(&self) -> bool {
        self.protection.known
    }

    /// Returns whether an attacker could be in between, and no mode of TLS was chosen.
    #[cfg(feature = "reader")]
    pub(crate) fn is_exposed(&self) -> bool {
        self.protection.exposed
    }

    /// Returns whether another program passes this connection on to the server, as a connection
    /// pooler does: the server's process is not the one of the key.
    #[cfg(feature = "reader")]
    pub(crate) fn is_passed_on(&mut self) -> Result<bool, Error> {
        let pid = self.backend_pid()?;
        Ok(self.key_pid.is_some_and(|key| i32::try_from(key) != Ok(pid)))
    }

    /// Returns the notices and warnings received since the last call.
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        std::mem::take(&mut self.async_messages.notices)
    }

    /// Sets a timeout for each of the commands below. With `None`, the default, only commands that
    /// a server answers at once have one, that of
    /// [`wal_receiver_timeout`](crate::Config::wal_receiver_timeout): the creation of a slot waits
    /// for all open transactions.
    pub fn set_command_timeout(&mut self, timeout: Option<Duration>) {
        self.command_timeout = timeout;
    }

    /// Returns a handle that ends a command waiting for the server, from another thread. The
    /// connection is unusable afterwards.
    pub fn waker(&self) -> Waker {
        self.channel.waker()
    }

    /// Returns whether replication commands are accepted.
    #[cfg(feature = "reader")]
    pub(crate) fn is_replication(&self) -> bool {
        self.kind == SessionKind::Replication
    }

    /// Returns the cluster's identity and the end of its WAL: IDENTIFY_SYSTEM.
    pub fn identify_system(&mut self) -> Result<SystemId, Error> {
        let row = self.with_short_timeout(|connection| {
            connection.only_row(command::IDENTIFY_SYSTEM, "IDENTIFY_SYSTEM")
        })?;
        Ok(SystemId {
            system_identifier: row.parse("systemid")?,
            timeline: row.parse("timeline")?,
            xlogpos: row.parse("xlogpos")?,
            dbname: row.optional("dbname").map(Into::into),
        })
    }

    /// Creates a slot for pgoutput: CREATE_REPLICATION_SLOT.
    ///
    /// # Errors
    /// SQLSTATE 42710 if the slot exists (a temporary slot of this connection is dropped after any
    /// error); [`Unsupported`](crate::ErrorKind::Unsupported) for options that the server does not
    /// know.
    pub fn create_slot(&mut self, slot: &CreateSlot) -> Result<CreatedSlot, Error> {
        let command = slot.command(self.version)?;
        created(&self.only_row(&command, CREATE)?)
    }

    /// [`create_slot`](Self::create_slot), with a call of `check` at every `interval` while it
    /// waits. `false` gives up.
    #[cfg(feature = "reader")]
    pub(crate) fn create_slot_watched(
        &mut self,
        slot: &CreateSlot,
        interval: Duration,
        mut check: impl FnMut() -> bool,
    ) -> Result<CreatedSlot, Error> {
        const DOING: &str = "creating a slot on";
        let command = if self.is_replication() {
            slot.command(self.version)?
        } else {
            slot.sql(self.version)?
        };
        let deadline = self.deadline();
        self.send_query(&command, deadline, DOING)?;
        let answers = self.answer(Some(Instant::now() + interval), |now| {
            let proceed = check() && deadline.is_none_or(|deadline| deadline > now);
            proceed.then(|| Instant::now() + interval)
        })?;
        created(&OnlyRow::of(answers, CREATE)?)
    }

    /// Drops a slot: DROP_REPLICATION_SLOT. With `wait`, waits until the slot is not in use.
    ///
    /// # Errors
    /// SQLSTATE 42704 if the slot does not exist, 55006 if it is in use and `wait` is false.
    pub fn drop_slot(&mut self, name: &str, wait: bool) -> Result<(), Error> {
        self.simple_query(&command::drop_slot(name, wait)?).map(drop)
    }

    /// Starts the copy: START_REPLICATION.
    ///
    /// Text is sent as UTF-8, whatever the encoding of the database. Only SQL_ASCII has no
    /// encoding: its text is sent byte for byte as stored.
    ///
    /// # Errors
    /// SQLSTATE 42704 if the slot does not exist, 55006 if another connection uses it;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for options that the server does not know. A
    /// missing publication is not an error yet: up to PostgreSQL 17 it becomes one at the first
    /// change, from 18 on a warning. PostgreSQL 10 starts the copy before it notices that the slot
    /// belongs to another database or plugin; the first read then returns that error.
    pub fn start_replication(mut self, start: &StartReplication) -> Result<CopyBoth, Error> {
        self.with_short_timeout(|connection| connection.start_copy(start))?;
        Ok(CopyBoth::new(self))
    }

    fn start_copy(&mut self, start: &StartReplication) -> Result<(), Error> {
        const DOING: &str = "starting replication on";
        self.set_client_encoding()?;
        let deadline = self.deadline();
        self.send_query(&command::start_replication(start, self.version)?, deadline, DOING)?;
        loop {
            let (tag, body) = self.receive(deadline, DOING)?;
            match Message::parse(tag, self.channel.inbox.body(body))? {
                Message::CopyBothResponse => return Ok(()),
                message => self.async_messages.take(message, tag, DOING)?,
            }
        }
    }

    /// SQL_ASCII databases contain any bytes. If the client encoding were UTF-8, the server would
    /// fail on the first change with invalid bytes, and again whenever the slot is read.
    pub(crate) fn set_client_encoding(&mut self) -> Result<(), Error> {
        if self.parameter("server_encoding") == Some("SQL_ASCII") {
            self.simple_query("SET client_encoding TO SQL_ASCII")?;
        }
        Ok(())
    }

    /// Closes the connection in an orderly way: Terminate.
    pub fn close(mut self) -> Result<(), Error> {
        postgres_protocol::message::frontend::terminate(&mut self.channel.outbox());
        // One message of five bytes: the socket accepts it, or the server is stuck and notices the
        // closed connection.
        self.channel.try_flush()
    }

    /// Zero is no limit.
    pub(crate) fn silence_limit(&self) -> Duration {
        self.silence_limit
    }

    /// Runs commands that a server answers at once. Unless another timeout was set, each waits for
    /// at most the silence limit.
    pub(crate) fn with_short_timeout<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let set = self.command_timeout;
        let bound = Some(self.silence_limit).filter(|limit| !limit.is_zero());
        self.command_timeout = set.or(bound);
        let result = work(self);
        self.command_timeout = set;
        result
    }

    /// Runs commands with this timeout, as [`set_command_timeout`](Self::set_command_timeout) sets
    /// it. [`Duration::MAX`] is none, also for commands that a server answers at once.
    #[cfg(feature = "reader")]
    pub(crate) fn with_timeout<T>(
        &mut self,
        timeout: Option<Duration>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let set = std::mem::replace(&mut self.command_timeout, timeout);
        let result = work(self);
        self.command_timeout = set;
        result
    }

    #[cfg(all(test, feature = "reader"))]
    pub(crate) fn command_timeout(&self) -> Option<Duration> {
        self.command_timeout
    }

    fn deadline(&self) -> Option<Instant> {
        self.command_timeout.and_then(|timeout| Instant::now().checked_add(timeout))
    }

    fn send_query(
        &mut self,
        query: &str,
        deadline: Option<Instant>,
        doing: &'static str,
    ) -> Result<(), Error> {
        if self.busy {
            return Err(Error::usage(
                "an earlier command on this connection was interrupted: open another connection",
            ));
        }
        postgres_protocol::message::frontend::query(query, &mut self.channel.outbox()).map_err(
            |_| Error::usage("the statement contains a zero byte, or is longer than 2 GiB"),
        )?;
        self.busy = true;
        self.channel.flush(deadline, doing)
    }

    /// Receives the next complete message.
    fn receive(
        &mut self,
        deadline: Option<Instant>,
        doing: &'static str,
    ) -> Result<(u8, BodyRange), Error> {
        loop {
            if let Some(message) = self.channel.inbox.next()? {
                return Ok(message);
            }
            match self.channel.fill_by(deadline)? {
                Fill::More => {}
                Fill::TimedOut => return Err(Error::timeout(doing, self.channel.address())),
                Fill::Woken => return Err(Error::stopped(doing, self.channel.address())),
                Fill::Closed => return Err(self.channel.closed(doing)),
            }
        }
    }
}

const CREATE: &str = "CREATE_REPLICATION_SLOT";

fn created(row: &OnlyRow) -> Result<CreatedSlot, Error> {
    Ok(CreatedSlot {
        name: row.text("slot_name")?.into(),
        consistent_point: row.parse("consistent_point")?,
        snapshot_name: row.optional("snapshot_name").map(Into::into),
    })
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.channel.address())
            .field("server_version", &self.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
