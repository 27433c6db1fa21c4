//! What the server promises about data that it has accepted.

use redis::Value;

use super::commands::Commands;
use super::connection::{Connection, text};
use super::settings::{Server, WaitAof};
use crate::pipe::log::LogError;

/// What is known about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) durability: Durability,
    /// The size of the largest argument.
    pub(super) longest: u64,
}

/// When changes survive a crash of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// WAITAOF is used before a batch counts as stored.
    Waited,
    /// `appendfsync always`.
    Always,
    /// The append-only file is written later.
    Later,
    /// `appendfsync no`: the operating system writes the file when it likes, and WAITAOF waits
    /// for nothing.
    Never,
    /// There is no append-only file.
    None,
    /// INFO may not be used.
    Unknown,
}

/// The default of `proto-max-bulk-len`.
const LONGEST: u64 = 512 * 1024 * 1024;

impl Durability {
    /// Returns what a crash can lose, if it can.
    pub(super) fn warning(self) -> Option<&'static str> {
        match self {
            Self::Waited | Self::Always => None,
            Self::Later => Some("as appendfsync is not always, and WAITAOF is not used"),
            Self::Never => Some("as appendfsync is no"),
            Self::None => Some("as appendonly is off"),
            Self::Unknown => Some("unless appendonly is on and appendfsync always"),
        }
    }
}

/// Asks the server.
///
/// # Errors
/// It cannot be used as a destination.
pub(super) fn facts(connection: &mut Connection, server: &Server) -> Result<Facts, LogError> {
    let mut commands = Commands::default();
    commands.add(&["INFO"]);
    commands.add(&["CONFIG", "GET", "appendfsync"]);
    commands.add(&["CONFIG", "GET", "proto-max-bulk-len"]);
    // An error unless there are the command and the file. Nothing was written, so it does not wait.
    commands.add(&["WAITAOF", "1", "0", "1"]);
    let replies = connection.replies(&commands, "reading the settings")?;
    let [info, fsync, longest, waitaof] = replies.as_slice() else {
        return Err(LogError::lasting(format!("{server}: an unexpected reply")));
    };
    if let Value::ServerError(error) = info
        && matches!(error.code(), "NOAUTH" | "LOADING")
    {
        return Err(connection.refused("INFO", error));
    }
    let info = text(info);
    let is = |line: &str| info.is_some_and(|info| info.lines().any(|found| found == line));
    // Valkey has another name for it.
    if is("redis_mode:cluster") || is("server_mode:cluster") {
        return Err(LogError::lasting(format!(
            "{server}: this is a Redis Cluster, which is not supported: use a single server"
        )));
    }
    if is("redis_mode:sentinel") || is("server_mode:sentinel") {
        return Err(LogError::lasting(format!(
            "{server}: this is Redis Sentinel: give the host and port of the primary"
        )));
    }
    if is("role:slave") {
        return Err(LogError::transient(format!(
            "{server}: this is a replica: connect to the primary"
        )));
    }
    let can_wait = matches!(waitaof, Value::Array(_));
    let durability = match (info, is("aof_enabled:1"), server.waitaof) {
        (_, _, WaitAof::Require) if can_wait && setting(fsync) == Some("no") => {
            return Err(LogError::lasting(format!(
                "{server}: waitaof=require needs appendfsync everysec or always, not no"
            )));
        }
        (_, is_on, WaitAof::Auto | WaitAof::Off)
            if (is_on || can_wait) && setting(fsync) == Some("no") =>
        {
            Durability::Never
        }
        (_, _, WaitAof::Auto | WaitAof::Require) if can_wait => Durability::Waited,
        (_, _, WaitAof::Require) => {
            return Err(LogError::lasting(format!(
                "{server}: waitaof=require needs appendonly yes and the command WAITAOF (Redis \
                 7.2), and rights for it and for INFO"
            )));
        }
        (Some(_), true, _) if setting(fsync) == Some("always") => Durability::Always,
        (Some(_), true, _) => Durability::Later,
        (Some(_), false, _) => Durability::None,
        (None, ..) => Durability::Unknown,
    };
    let longest = setting(longest).and_then(|text| text.parse().ok()).unwrap_or(LONGEST);
    Ok(Facts { durability, longest })
}

/// Returns the value in a reply to CONFIG GET.
fn setting(reply: &Value) -> Option<&str> {
    match reply {
        Value::Array(pair) => text(pair.get(1)?),
        _ => None,
    }
}

/// Adds the command whose reply [`waited`] reads.
pub(super) fn wait(commands: &mut Commands, server: &Server) {
    // The server answers before the socket's timeout.
    let timeout = server.timeout.saturating_sub(server.timeout / 8).as_millis();
    commands.add(&["WAITAOF", "1", "0", &timeout.max(1).to_string()]);
}

/// Returns an error unless the server has written its file to the disk.
pub(super) fn waited(
    connection: &Connection,
    server: &Server,
    reply: &Value,
) -> Result<(), LogError> {
    match reply {
        Value::Array(counts) if matches!(counts.first(), Some(Value::Int(1..))) => Ok(()),
        Value::Array(_) => Err(LogError::transient(format!(
            "{server}: Redis did not write its append-only file to the disk within the timeout: \
             set appendfsync everysec or always, or waitaof=off"
        ))),
        // The next connection finds what the server promises now.
        Value::ServerError(error)
            if error.details().is_some_and(|text| text.contains("appendonly is disabled")) =>
        {
            Err(LogError::transient(format!("{server}: appendonly was turned off")))
        }
        other => Err(connection.unexpected("WAITAOF", other)),
    }
}
