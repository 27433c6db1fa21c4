//! Whether streams are as this program left them.

use redis::Value;

use super::commands::Commands;
use super::connection::{Connection, text};
use super::entry_id::EntryId;
use super::state::STREAM;
use crate::pipe::log::LogError;

/// Adds the command whose reply [`verify`] reads.
pub(super) fn ask(commands: &mut Commands, stream: &str) {
    commands.add(&["XINFO", "STREAM", stream]);
}

/// Verifies that the last entry of a stream is the one that is stored in the state.
///
/// XINFO also knows it if the entry was trimmed or deleted since.
///
/// # Errors
/// What happened to the stream, and the cure.
pub(super) fn verify(
    connection: &Connection,
    (server, state): (&str, &str),
    stream: &str,
    expected: Option<EntryId>,
    reply: &Value,
) -> Result<(), LogError> {
    let fields = match reply {
        Value::Array(fields) => fields,
        Value::ServerError(error) if is_missing(error.details()) => {
            return match expected {
                None => Ok(()),
                Some(id) => Err(deleted((server, state), stream, id)),
            };
        }
        other => return Err(connection.unexpected(&format!("XINFO STREAM {stream}"), other)),
    };
    let found = last_generated_id(fields).ok_or_else(|| {
        LogError::lasting(format!("{server}: XINFO STREAM {stream}: an unexpected reply"))
    })?;
    // Without entries so far, as XGROUP CREATE … MKSTREAM leaves it.
    let is_new = found == EntryId::default();
    match expected {
        None if is_new => Ok(()),
        None => Err(LogError::lasting(format!(
            "{server}: the stream {stream} has entries of another program or an earlier slot: \
             delete or rename it, or choose another --topic"
        ))),
        Some(expected) if found == expected => Ok(()),
        Some(expected) if found > expected => {
            Err(written_by_others(server, stream, found, expected))
        }
        Some(expected) => Err(LogError::lasting(format!(
            "{server}: the stream {stream} lost entries (last ID {found}, {expected} expected): \
             {START_AGAIN}"
        ))),
    }
}

/// Adds the commands whose replies [`verify_after`] reads.
pub(super) fn ask_after(commands: &mut Commands, stream: &str, last: EntryId) {
    commands.add(&["EXISTS", stream]);
    commands.begin(6);
    commands.argument(b"XRANGE");
    commands.argument(stream.as_bytes());
    commands.id(EntryId::default().after(Some(last)));
    for argument in ["+", "COUNT", "1"] {
        commands.argument(argument.as_bytes());
    }
}

/// Verifies that nothing follows the entry that was just stored as the last one.
///
/// The key is watched from then on, so a later change is found by the next transaction.
///
/// # Errors
/// What happened to the stream, and the cure.
pub(super) fn verify_after(
    connection: &Connection,
    names: (&str, &str),
    stream: &str,
    last: EntryId,
    (exists, later): (&Value, &Value),
) -> Result<(), LogError> {
    match (exists, later) {
        (Value::Int(0), _) => Err(deleted(names, stream, last)),
        (Value::Int(_), Value::Array(entries)) => match entries.first() {
            None => Ok(()),
            Some(Value::Array(entry)) => {
                let found = entry.first().and_then(text).and_then(|text| text.parse().ok());
                Err(written_by_others(names.0, stream, found.unwrap_or_default(), last))
            }
            Some(other) => Err(connection.unexpected(&format!("XRANGE {stream}"), other)),
        },
        (Value::Int(_), other) => Err(connection.unexpected(&format!("XRANGE {stream}"), other)),
        (other, _) => Err(connection.unexpected(&format!("EXISTS {stream}"), other)),
    }
}

fn deleted((server, state): (&str, &str), stream: &str, id: EntryId) -> LogError {
    LogError::lasting(format!(
        "{server}: the stream {stream} was deleted, with changes through {id}: {START_AGAIN}; if \
         it is not needed any more: HDEL {state} {STREAM}{stream}"
    ))
}

fn written_by_others(server: &str, stream: &str, found: EntryId, expected: EntryId) -> LogError {
    LogError::lasting(format!(
        "{server}: another program wrote to the stream {stream} (last ID {found}, {expected} \
         expected): stop it; then {START_AGAIN}"
    ))
}

/// The cure if the content of the destination cannot be trusted.
pub(super) const START_AGAIN: &str = "drop the slot, delete the streams and the state, and start \
                                      again with --create-slot --snapshot initial";

fn is_missing(details: Option<&str>) -> bool {
    details.is_some_and(|details| details.contains("no such key"))
}

fn last_generated_id(fields: &[Value]) -> Option<EntryId> {
    let field =
        fields.chunks(2).find(|pair| pair.first().and_then(text) == Some("last-generated-id"))?;
    text(field.get(1)?)?.parse().ok()
}
