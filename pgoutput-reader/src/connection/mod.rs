//! One replication connection: before the copy, and during it.

use std::fmt;
use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

use crate::config::Endpoint;
use crate::error::ServerMessage;
use crate::io::{BodyRange, Channel, Fill, Waker};
use crate::proto::backend::Message;
use crate::proto::{ServerVersion, StartReplication, command};
use crate::{CreateSlot, Error};
use async_messages::Aside;
use protection::Protection;
use query::OnlyRow;

mod async_messages;
mod copy;
mod hosts;
mod open;
mod protection;
mod query;
#[cfg(feature = "reader")]
mod sql_connection;
mod timeline;

pub use copy::CopyBoth;
pub(crate) use copy::{Advance, CopySender};
pub use query::{QueryRow, Rows};
#[cfg(feature = "reader")]
pub(crate) use sql_connection::Ordinary;
pub use timeline::TimelineSwitch;

/// A connection with `replication=database` on which the copy has not started: replication commands and
/// ordinary SQL both work (manual, section "Streaming Replication Protocol").
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
    aside: Aside,
    protection: Protection,
    command_timeout: Option<Duration>,
    /// How long the server may say nothing while it is waited for; zero is without limit.
    silence_limit: Duration,
    /// A command was sent and its end has not been read.
    busy: bool,
}

/// What IDENTIFY_SYSTEM answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemId {
    /// The cluster's unique number, as its text.
    pub system_identifier: String,
    /// The timeline the server is on.
    pub timeline: u32,
    /// The end of the log written out.
    pub xlogpos: Lsn,
    /// The database connected to.
    pub dbname: Option<String>,
}

/// What CREATE_REPLICATION_SLOT answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedSlot {
    /// The slot's name.
    pub name: String,
    /// Where it starts: changes committed after this are read.
    pub consistent_point: Lsn,
    /// Name of the exported snapshot, when one was asked for.
    pub snapshot_name: Option<String>,
}

impl Connection {
    /// The server's version.
    pub fn server_version(&self) -> ServerVersion {
        self.version
    }

    /// A parameter the server reports, such as `server_version` or `TimeZone`
    /// (manual, section "Asynchronous Operations").
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.aside.parameters.get(name).map(String::as_str)
    }

    /// Which of the hosts in the settings this is connected to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The address connected to: `host:port`, or the path of a socket.
    pub fn address(&self) -> &str {
        self.channel.address()
    }

    /// Whether the connection is protected by TLS.
    pub fn is_tls(&self) -> bool {
        self.protection.is_tls()
    }

    /// Notices and warnings that have come since the last call.
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        std::mem::take(&mut self.aside.notices)
    }

    /// How long each command below may take. Under `None`, which is the default, only those that a server answers at once have a bound,
    /// that of [`wal_receiver_timeout`](crate::Config::wal_receiver_timeout): creating a slot waits for all open transactions.
    pub fn set_command_timeout(&mut self, timeout: Option<Duration>) {
        self.command_timeout = timeout;
    }

    /// Ends a command that waits for the server, from another thread; the connection is of no use afterwards.
    pub fn waker(&self) -> Waker {
        self.channel.waker()
    }

    /// Which cluster this is and how far its log has come: IDENTIFY_SYSTEM.
    pub fn identify_system(&mut self) -> Result<SystemId, Error> {
        let row = self.promptly(|connection| {
            connection.only_row(command::IDENTIFY_SYSTEM, "IDENTIFY_SYSTEM")
        })?;
        Ok(SystemId {
            system_identifier: row.text("systemid")?.into(),
            timeline: row.parse("timeline")?,
            xlogpos: row.parse("xlogpos")?,
            dbname: row.optional("dbname").map(Into::into),
        })
    }

    /// Creates a slot for pgoutput: CREATE_REPLICATION_SLOT.
    ///
    /// # Errors
    /// SQLSTATE 42710 when it exists (and a temporary slot of this connection is gone after any error); [`Unsupported`](crate::ErrorKind::Unsupported) for options the server does not know.
    pub fn create_slot(&mut self, slot: &CreateSlot) -> Result<CreatedSlot, Error> {
        let command = slot.command(self.version)?;
        created(&self.only_row(&command, CREATE)?)
    }

    /// The same, with a look at something else every `pause` while it is waited for; `false` gives up.
    #[cfg(feature = "reader")]
    pub(crate) fn create_slot_watched(
        &mut self,
        slot: &CreateSlot,
        pause: Duration,
        mut look: impl FnMut() -> bool,
    ) -> Result<CreatedSlot, Error> {
        const DOING: &str = "creating a slot on";
        let command = slot.command(self.version)?;
        let deadline = self.deadline();
        self.send_query(&command, deadline, DOING)?;
        let answers = self.answer(Some(Instant::now() + pause), |now| {
            let goes_on = look() && deadline.is_none_or(|deadline| deadline > now);
            goes_on.then(|| Instant::now() + pause)
        })?;
        created(&OnlyRow::of(answers, CREATE)?)
    }

    /// Drops a slot: DROP_REPLICATION_SLOT. With `wait`, not before whoever reads it now lets go.
    ///
    /// # Errors
    /// SQLSTATE 42704 when there is none, 55006 when it is in use and `wait` is false.
    pub fn drop_slot(&mut self, name: &str, wait: bool) -> Result<(), Error> {
        self.simple_query(&command::drop_slot(name, wait)?).map(drop)
    }

    /// Starts the copy: START_REPLICATION.
    ///
    /// Text comes as UTF-8, whatever the encoding of the database. One in SQL_ASCII has none: its text comes byte for byte
    /// as it is stored.
    ///
    /// # Errors
    /// SQLSTATE 42704 when the slot is missing, 55006 when another connection holds it;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for options the server does not know. A publication
    /// that is missing is no error yet: up to PostgreSQL 17 it becomes one at the first change, from 18 on a warning.
    /// PostgreSQL 10 starts the copy before it finds that the slot is of another database or plugin; that error
    /// then comes with the first read.
    pub fn start_replication(mut self, start: &StartReplication) -> Result<CopyBoth, Error> {
        self.promptly(|connection| connection.start_copy(start))?;
        Ok(CopyBoth::new(self))
    }

    fn start_copy(&mut self, start: &StartReplication) -> Result<(), Error> {
        const DOING: &str = "starting replication on";
        self.take_text_as_it_is_stored()?;
        let deadline = self.deadline();
        self.send_query(&command::start_replication(start, self.version)?, deadline, DOING)?;
        loop {
            let (tag, body) = self.receive(deadline, DOING)?;
            match Message::parse(tag, self.channel.inbox.body(body))? {
                Message::CopyBothResponse => return Ok(()),
                message => self.aside.take(message, tag, DOING)?,
            }
        }
    }

    /// SQL_ASCII databases hold any bytes. Told to send them as UTF-8, the server fails on the first change with other
    /// bytes in it, and again whenever the slot is read.
    fn take_text_as_it_is_stored(&mut self) -> Result<(), Error> {
        if self.parameter("server_encoding") == Some("SQL_ASCII") {
            self.simple_query("SET client_encoding TO SQL_ASCII")?;
        }
        Ok(())
    }

    /// Says goodbye and closes the connection: Terminate.
    pub fn close(mut self) -> Result<(), Error> {
        postgres_protocol::message::frontend::terminate(&mut self.channel.outbox());
        // One message of five bytes: the socket takes it, or the server is stuck and finds the connection closed.
        self.channel.try_flush()
    }

    /// Zero is without limit.
    pub(crate) fn silence_limit(&self) -> Duration {
        self.silence_limit
    }

    /// Runs commands that a server answers at once: unless another bound was set, none of them is waited for longer than a server may
    /// be silent.
    pub(crate) fn promptly<T>(
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
                "an earlier command on this connection was cut short: open another connection",
            ));
        }
        postgres_protocol::message::frontend::query(query, &mut self.channel.outbox()).map_err(
            |_| Error::usage("the statement holds a zero byte, or is longer than 2 GiB"),
        )?;
        self.busy = true;
        self.channel.flush(deadline, doing)
    }

    /// The next message, whole.
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
