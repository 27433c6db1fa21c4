//! Connecting, and reading what is stored.

use std::time::Instant;

use redis::Value;

use super::{Place, RedisLog, Session};
use crate::pipe::log::{LogError, Stored};
use crate::pipe::redis::commands::Commands;
use crate::pipe::redis::connection::Connection;
use crate::pipe::redis::durability::{self, Durability};
use crate::pipe::redis::error::shortened;
use crate::pipe::redis::state::{FORMAT, State};
use crate::pipe::redis::transaction::Streams;
use crate::pipe::redis::verify::{self, START_AGAIN};

impl RedisLog {
    /// Connects and reads what is stored.
    pub(super) fn connect(&mut self) -> Result<(Session, Stored), LogError> {
        let server = self.connector.server();
        let mut connection = self.connector.connect()?;
        let facts = durability::facts(&mut connection, server)?;
        let mut commands = Commands::default();
        commands.add(&["WATCH", &self.key]);
        commands.add(&["HGETALL", &self.key]);
        let doing = format!("reading the state {}", self.key);
        let replies = connection.replies(&commands, &doing)?;
        let reply = match replies.as_slice() {
            [Value::Okay, reply @ Value::Array(_)] => reply,
            [Value::Okay, reply] | [reply, ..] => return Err(connection.unexpected(&doing, reply)),
            [] => return Err(connection.unexpected(&doing, &Value::Nil)),
        };
        let wrong = |error: String| {
            LogError::lasting(format!("{server}: the state {}: {}", self.key, shortened(&error)))
        };
        let state = State::read(reply).map_err(wrong)?;
        let position = state.position().map_err(wrong)?;
        self.has_last_batch = self.last_batch(&state)?;
        self.verify_streams(&mut connection, &state)?;
        if facts.durability == Durability::Waited && position.is_some() {
            self.wait_for_state(&mut connection)?;
        }
        let stored = Stored { position, records: 0 };
        let session = Session {
            connection,
            facts,
            state,
            streams: Streams::default(),
            commands: Commands::default(),
            is_in_multi: false,
            is_verified: false,
            used: Instant::now(),
            found: None,
        };
        Ok((session, stored))
    }

    /// Returns whether the batch of the last attempt is stored, if there was one.
    fn last_batch(&self, state: &State) -> Result<Option<bool>, LogError> {
        let Some(known) = &self.known else { return Ok(None) };
        if state.is_at(known.position.as_deref(), known.batches) {
            return Ok(Some(false));
        }
        if let Some(attempt) = &self.attempt
            && state.is_at(attempt.position.as_deref(), attempt.batches)
        {
            return Ok(Some(true));
        }
        Err(self.other_state(state.position.as_deref(), state.batches, known))
    }

    /// Returns the error of a state that this process has not stored.
    pub(super) fn other_state(
        &self,
        position: Option<&str>,
        batches: u64,
        known: &Place,
    ) -> LogError {
        let (server, key) = (self.connector.name(), &self.key);
        match position {
            None => LogError::lasting(format!(
                "{server}: the state {key} was deleted, or lost in a crash of Redis: {START_AGAIN}"
            )),
            Some(_) if batches < known.batches => LogError::lasting(format!(
                "{server}: Redis lost {} acknowledged batches, as in a crash or by an old copy of \
                 its data: {START_AGAIN}",
                known.batches - batches
            )),
            Some(_) => LogError::lasting(format!(
                "{server}: another program, or an earlier run, stored a position in {key} \
                 meanwhile: let only one pgoutput pipe write there, and start it again"
            )),
        }
    }

    fn verify_streams(&self, connection: &mut Connection, state: &State) -> Result<(), LogError> {
        let streams: Vec<_> = state.streams.iter().collect();
        let mut commands = Commands::default();
        let names = (self.connector.name(), &*self.key);
        for streams in streams.chunks(16) {
            commands.clear();
            for (stream, _) in streams {
                verify::ask(&mut commands, stream);
            }
            connection.send(&commands, "XINFO STREAM")?;
            // A reply has the first and the last entry, so only one is kept at a time.
            for (stream, id) in streams {
                let reply = connection.receive("XINFO STREAM")?;
                verify::verify(connection, names, stream, Some(**id), &reply)?;
            }
        }
        Ok(())
    }

    /// Waits until the state that was read is on the disk of the server.
    ///
    /// WAITAOF waits for what the same connection has written. So this writes a field again, unless
    /// the state was modified since it was read.
    fn wait_for_state(&self, connection: &mut Connection) -> Result<(), LogError> {
        let mut commands = Commands::default();
        commands.add(&["MULTI"]);
        commands.add(&["HSET", &self.key, "format", FORMAT]);
        commands.add(&["EXEC"]);
        durability::wait(&mut commands, self.connector.server());
        let doing = format!("waiting for the state {}", self.key);
        let replies = connection.replies(&commands, &doing)?;
        match replies.as_slice() {
            [_, _, Value::Nil, _] => Err(LogError::transient(format!(
                "{}: the state {} was modified meanwhile: let only one pgoutput pipe write there",
                self.connector.name(),
                self.key
            ))),
            [Value::ServerError(error), ..] => Err(connection.refused("MULTI", error)),
            [_, Value::ServerError(error), ..] => Err(connection.refused("HSET", error)),
            [_, _, Value::Array(_), reply] => {
                durability::waited(connection, self.connector.server(), reply)
            }
            [_, _, reply, _] => Err(connection.unexpected("EXEC", reply)),
            _ => Err(connection.unexpected(&doing, &Value::Nil)),
        }
    }
}
