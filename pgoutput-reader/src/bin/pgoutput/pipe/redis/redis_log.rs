//! Batches as transactions of Redis.

mod opening;

use std::time::{Duration, Instant};

use redis::Value;

use super::commands::Commands;
use super::connection::{Connection, Connector, text};
use super::durability::{self, Durability, Facts};
use super::error::shortened;
use super::settings::Server;
use super::state::State;
use super::transaction::{self, Format, Streams, Transaction};
use super::verify::{self, START_AGAIN};
use crate::args::{EnvelopeArg, Pipe};
use crate::pipe::batch::Batch;
use crate::pipe::log::{Log, LogError, Stored};
use crate::report::Report;

/// The number of transactions in a row that do nothing because a key was modified, for instance
/// trimmed.
const CONFLICTS: u32 = 100;

const STORING: &str = "storing a batch";

/// The time after which a connection that was not used is tested. Servers close idle ones.
const IDLE: Duration = Duration::from_secs(10);

/// A destination in Redis.
pub(super) struct RedisLog {
    connector: Connector,
    /// The key of the state.
    key: String,
    format: Format,
    report: Report,
    /// The durability that was reported last.
    reported: Option<Durability>,
    session: Option<Session>,
    /// The batch that was stored last, as far as this process knows.
    known: Option<Place>,
    /// The batch that is being stored, or of which it is not known whether it is stored.
    attempt: Option<Place>,
    /// Whether it was stored, as the last connection found.
    has_last_batch: Option<bool>,
}

/// The position and the number of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    position: Option<String>,
    batches: u64,
}

/// What is known on a connection.
struct Session {
    connection: Connection,
    facts: Facts,
    /// What is stored.
    state: State,
    streams: Streams,
    commands: Commands,
    /// Whether MULTI was accepted.
    is_in_multi: bool,
    /// Whether the state is watched, and is the one that is known.
    is_verified: bool,
    used: Instant,
    /// What was found wrong after the last batch, which is stored.
    found: Option<LogError>,
}

/// The result of a transaction.
enum Outcome {
    Stored,
    /// A key was modified, so nothing is stored.
    Modified,
}

/// How streams are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// By the last ID that the stream has had. The reply has its first and last entry.
    Whole,
    /// Right after a batch: whether the stream exists, and has nothing after the batch.
    AfterBatch,
}

impl RedisLog {
    pub(super) fn new(server: Server, pipe: &Pipe) -> Result<Self, String> {
        let parts = match pipe.envelope {
            EnvelopeArg::Seed => 1,
            EnvelopeArg::Debezium => 4,
        };
        Ok(Self {
            key: server.state_key(&pipe.slot)?,
            format: Format { maxlen: server.maxlen, parts },
            connector: Connector::new(server)?,
            report: Report::of(pipe.verbosity),
            reported: None,
            session: None,
            known: None,
            attempt: None,
            has_last_batch: None,
        })
    }

    fn report_durability(&mut self, durability: Durability) {
        let reported = self.reported.replace(durability);
        if reported == Some(durability) {
            return;
        }
        let server = self.connector.name();
        match durability.warning() {
            Some(reason) => self.report.print(&format_args!(
                "{server}: a crash of Redis can lose changes that are acknowledged, {reason}; a \
                 later start then refuses to continue"
            )),
            None if reported.is_some_and(|reported| reported.warning().is_some()) => {
                self.report.print(&format_args!(
                    "{server}: a crash of Redis loses no changes that are acknowledged from now on"
                ));
            }
            None => {}
        }
    }

    /// Stores a batch on a connection that works.
    fn store_on(&mut self, session: &mut Session, batch: &Batch) -> Result<(), LogError> {
        for _ in 0..CONFLICTS {
            let transaction = transaction::write(
                &mut session.commands,
                batch,
                (&self.key, &session.state),
                &mut session.streams,
                &self.format,
                session.facts.longest,
            )
            .map_err(|error| error.at(self.connector.name()))?;
            self.attempt = Some(Place {
                position: Some(transaction.position.clone()),
                batches: transaction.batches,
            });
            self.watch(session)?;
            match self.execute(session, transaction)? {
                Outcome::Stored => return Ok(()),
                Outcome::Modified => {}
            }
        }
        Err(LogError::transient(format!(
            "{}: streams of the batch are modified all the time, by XDEL or the like: use XTRIM \
             now and then",
            self.connector.name()
        )))
    }

    /// Watches and verifies what the batch needs, unless that was done with the last one.
    fn watch(&self, session: &mut Session) -> Result<(), LogError> {
        if session.is_verified && session.streams.of_batch().all(|stream| stream.is_watched) {
            return Ok(());
        }
        let mut commands = Commands::default();
        // WATCH is not possible after MULTI.
        if std::mem::take(&mut session.is_in_multi) {
            commands.add(&["DISCARD"]);
        }
        let has_discard = commands.count() > 0;
        self.ask(&mut commands, session, Check::Whole);
        session.connection.send(&commands, "WATCH")?;
        if has_discard {
            session.connection.receive("DISCARD")?;
        }
        self.verify(session, Check::Whole)
    }

    /// Adds the commands that watch the state and the streams of the batch, then read what is
    /// verified, and then start a transaction.
    ///
    /// MULTI must have been accepted before the commands that follow it are sent: without it each
    /// would be executed at once.
    fn ask(&self, commands: &mut Commands, session: &mut Session, check: Check) {
        commands.begin(2 + session.streams.of_batch().count());
        commands.argument(b"WATCH");
        commands.argument(self.key.as_bytes());
        for stream in session.streams.of_batch() {
            commands.argument(stream.key.as_bytes());
        }
        commands.add(&["HMGET", &self.key, "position", "batches"]);
        for stream in session.streams.of_batch() {
            match (check, stream.next) {
                (Check::AfterBatch, Some(id)) => verify::ask_after(commands, &stream.key, id),
                _ => verify::ask(commands, &stream.key),
            }
        }
        commands.add(&["MULTI"]);
    }

    /// Reads the replies to [`ask`](Self::ask).
    fn verify(&self, session: &mut Session, check: Check) -> Result<(), LogError> {
        let Session { connection, streams, state, is_in_multi, is_verified, .. } = session;
        streams.unwatch();
        let expect = |connection: &mut Connection, command| match connection.receive(command)? {
            Value::Okay => Ok(()),
            other => Err(connection.unexpected(command, &other)),
        };
        expect(connection, "WATCH")?;
        let reply = connection.receive("HMGET")?;
        self.verify_state(connection, state, &reply)?;
        let names = (self.connector.name(), &*self.key);
        for stream in streams.of_batch() {
            if let (Check::AfterBatch, Some(id)) = (check, stream.next) {
                let exists = connection.receive("EXISTS")?;
                let later = connection.receive("XRANGE")?;
                verify::verify_after(connection, names, &stream.key, id, (&exists, &later))?;
            } else {
                let reply = connection.receive("XINFO STREAM")?;
                verify::verify(connection, names, &stream.key, stream.stored, &reply)?;
            }
            stream.is_watched = true;
        }
        expect(connection, "MULTI")?;
        *is_in_multi = true;
        *is_verified = true;
        Ok(())
    }

    /// Reads the replies to [`ask`](Self::ask) after a transaction that did nothing. They say
    /// nothing about the entries before it, so [`watch`](Self::watch) asks again.
    fn ignore(session: &mut Session) -> Result<(), LogError> {
        let Session { connection, streams, .. } = session;
        streams.unwatch();
        connection.receive("WATCH")?;
        connection.receive("HMGET")?;
        for _ in streams.of_batch() {
            connection.receive("EXISTS")?;
            connection.receive("XRANGE")?;
        }
        session.is_in_multi = match connection.receive("MULTI")? {
            Value::Okay => true,
            other => return Err(connection.unexpected("MULTI", &other)),
        };
        Ok(())
    }

    fn verify_state(
        &self,
        connection: &Connection,
        state: &State,
        reply: &Value,
    ) -> Result<(), LogError> {
        let Value::Array(fields) = reply else {
            return Err(connection.unexpected(&format!("HMGET {}", self.key), reply));
        };
        let position = fields.first().and_then(text);
        let batches = fields.get(1).and_then(text).and_then(|text| text.parse().ok()).unwrap_or(0);
        if state.is_at(position, batches) {
            return Ok(());
        }
        if let Some(attempt) = &self.attempt
            && attempt.position.as_deref() == position
            && attempt.batches == batches
        {
            // The next call of `open` finds that the batch is stored.
            return Err(LogError::transient(format!(
                "{}: the batch was stored by an earlier attempt, which arrived late",
                self.connector.name()
            )));
        }
        let known = Place { position: state.position.clone(), batches: state.batches };
        Err(self.other_state(position, batches, &known))
    }

    /// Sends a transaction, and watches and verifies for the next one.
    fn execute(
        &mut self,
        session: &mut Session,
        transaction: Transaction,
    ) -> Result<Outcome, LogError> {
        let waits = session.facts.durability == Durability::Waited;
        let mut commands = std::mem::take(&mut session.commands);
        if waits {
            durability::wait(&mut commands, self.connector.server());
        }
        self.ask(&mut commands, session, Check::AfterBatch);
        (session.is_in_multi, session.is_verified) = (false, false);
        session.connection.send(&commands, STORING)?;
        session.commands = commands;
        let outcome = self.executed(&mut session.connection, &transaction)?;
        let waited = if waits { Some(session.connection.receive("WAITAOF")?) } else { None };
        for stream in session.streams.of_batch() {
            if let Outcome::Stored = outcome {
                stream.stored = stream.next;
            }
        }
        if let Outcome::Stored = outcome {
            let Transaction { position, batches, last_change, .. } = transaction;
            session.state.position = Some(position);
            session.state.batches = batches;
            session.state.last_change = last_change;
            for stream in session.streams.of_batch() {
                if let Some(id) = stream.stored {
                    match session.state.streams.get_mut(&*stream.key) {
                        Some(stored) => *stored = id,
                        None => drop(session.state.streams.insert(stream.key.to_string(), id)),
                    }
                }
            }
        }
        match outcome {
            Outcome::Stored => session.found = self.verify(session, Check::AfterBatch).err(),
            Outcome::Modified => Self::ignore(session)?,
        }
        match (&outcome, waited) {
            (Outcome::Stored, Some(reply)) => {
                durability::waited(&session.connection, self.connector.server(), &reply)?;
            }
            (Outcome::Stored, None) | (Outcome::Modified, _) => {}
        }
        Ok(outcome)
    }

    /// Reads the replies of a transaction.
    fn executed(
        &self,
        connection: &mut Connection,
        transaction: &Transaction,
    ) -> Result<Outcome, LogError> {
        let mut refused = None;
        for index in 1..=transaction.commands {
            match connection.receive(STORING) {
                Ok(Value::ServerError(error)) if refused.is_none() => {
                    let command = if index == transaction.commands { "HSET" } else { "XADD" };
                    refused = Some(connection.refused(command, &error));
                }
                Ok(_) => {}
                // The server says why before it closes the connection.
                Err(error) => return Err(refused.unwrap_or(error)),
            }
        }
        let reply = connection.receive(STORING).map_err(|error| refused.take().unwrap_or(error))?;
        if let Some(error) = refused {
            return Err(error);
        }
        match reply {
            Value::Nil => Ok(Outcome::Modified),
            Value::Array(replies) if replies.len() == transaction.commands => {
                let failed = replies.iter().find_map(|reply| match reply {
                    Value::ServerError(error) => Some(error),
                    _ => None,
                });
                match failed {
                    None => Ok(Outcome::Stored),
                    Some(error) => Err(self.stored_in_part(error.code())),
                }
            }
            other => Err(connection.unexpected("EXEC", &other)),
        }
    }

    /// Marks the state after a command inside EXEC has failed, which nothing undoes. It takes an
    /// incompatible server, or rights that are taken away between two commands.
    ///
    /// The old connection has started another transaction already. So this needs another one.
    fn stored_in_part(&self, code: &str) -> LogError {
        let server = self.connector.name();
        let message =
            format!("{server}: a batch was stored in part ({}): {START_AGAIN}", shortened(code));
        match self.mark_failed(code) {
            Ok(()) => LogError::lasting(message),
            Err(error) => LogError::lasting(format!(
                "{message}; the state {} could not be marked, so a start would not find this \
                 ({error})",
                self.key
            )),
        }
    }

    fn mark_failed(&self, code: &str) -> Result<(), LogError> {
        let mut connection = self.connector.connect()?;
        let mut commands = Commands::default();
        commands.add(&["HSET", &self.key, "failed", code]);
        match connection.replies(&commands, "HSET")?.first() {
            Some(Value::Int(_)) => Ok(()),
            other => Err(connection.unexpected("HSET", other.unwrap_or(&Value::Nil))),
        }
    }
}

impl Log for RedisLog {
    fn open(&mut self) -> Result<Stored, LogError> {
        self.session = None;
        let (session, stored) = self.connect()?;
        self.report_durability(session.facts.durability);
        self.known = Some(Place {
            position: session.state.position.clone(),
            batches: session.state.batches,
        });
        self.session = Some(session);
        Ok(stored)
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        let session = self.session.take().filter(|session| session.used.elapsed() < IDLE);
        let mut session = if let Some(session) = session {
            session
        } else {
            // Idle connections are closed by servers and by what is on the way to them.
            let session = self.connect()?.0;
            self.report_durability(session.facts.durability);
            session
        };
        if let Some(error) = session.found.take() {
            return Err(error);
        }
        self.store_on(&mut session, batch)?;
        self.known = self.attempt.take();
        session.used = Instant::now();
        self.session = Some(session);
        Ok(())
    }

    fn has_last_batch(&self) -> Option<bool> {
        self.has_last_batch
    }

    fn name(&self) -> String {
        self.connector.name().into()
    }
}
