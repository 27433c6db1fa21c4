//! Errors of the initial copy.

use std::fmt;
use std::time::Duration;

use pgoutput_decode::{Lsn, Printable};

use super::snapshot_table::ConditionError;
use super::{BlockingSession, Error, ErrorKind, SetupError, listed};

/// The most tables that a message names.
const NAMED: usize = 3;

/// The initial copy cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A row of a table is not in the format of COPY.
    #[error(
        "row {row} of the copy of \"{schema}\".\"{table}\" cannot be read: {reason}; please report \
         this with the server's version",
        schema = Printable(.schema), table = Printable(.table)
    )]
    Row {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
        /// The number of the row in the copy of the table, from 0. The rows of each range of pages
        /// that one COPY reads start at 2048 times the number of pages before it.
        row: u64,
        /// The reason.
        reason: CopyRowError,
    },
    /// A table that the copy is limited to is not published.
    #[error(
        "\"{schema}\".\"{table}\" is not published, so that it cannot be copied: add it to a \
         publication, or name another table (a partitioned table is published as itself only with \
         publish_via_partition_root)",
        schema = Printable(.schema), table = Printable(.table)
    )]
    NotPublished {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
    },
    /// A table that the copy is limited to is named twice.
    #[error(
        "\"{schema}\".\"{table}\" is named twice: name each table to be copied once",
        schema = Printable(.schema), table = Printable(.table)
    )]
    TableRepeated {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
    },
    /// The condition on the rows of a table cannot be used.
    #[error(
        "the condition on the rows of \"{schema}\".\"{table}\" cannot be used: {reason}",
        schema = Printable(.schema), table = Printable(.table)
    )]
    Condition {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
        /// The reason.
        reason: ConditionError,
    },
    /// The server refuses the condition on the rows of a table.
    #[error(
        "the server refuses the condition on the rows of \"{schema}\".\"{table}\": {cause}",
        schema = Printable(.schema), table = Printable(.table)
    )]
    ConditionRefused {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
        /// The error of the server.
        #[source]
        cause: Error,
    },
    /// The settings of the reader and an initial copy exclude each other.
    #[error("{option} and an initial copy exclude each other: {advice}")]
    Excluded {
        /// The setting.
        option: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// Whether the copy of an earlier run was completed cannot be seen from the slot.
    #[error(
        "slot \"{slot}\" exists, and its confirmed_flush_lsn {confirmed} does not show whether its \
         initial copy was completed (commits wait for this program): resume from a stored \
         position, or drop the slot to copy again",
        slot = Printable(.slot)
    )]
    Unknown {
        /// The slot.
        slot: String,
        /// The confirmed LSN.
        confirmed: Lsn,
    },
    /// A table was changed between the snapshot and its lock.
    #[error(
        "\"{schema}\".\"{table}\" was truncated, rewritten, altered or replaced while the copy \
         started: start again, with a new snapshot",
        schema = Printable(.schema), table = Printable(.table)
    )]
    TableChanged {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
    },
    /// The position is from inside an initial copy, and the reader makes none. The remaining tables
    /// would be missing.
    #[error(
        "the position is from inside an initial copy, whose remaining tables would be missing: set \
         Snapshot::initial() to copy them (--snapshot initial)"
    )]
    NotRequested,
    /// Another client uses the slot, so that the stream could not start after the copy.
    #[error(
        "slot \"{slot}\" is in use by server process {pid}, and nothing was copied: stop that \
         client, or wait; after a broken connection the server releases the slot at the latest \
         after wal_sender_timeout",
        slot = Printable(.slot)
    )]
    SlotInUse {
        /// The slot.
        slot: String,
        /// The server process that holds it.
        pid: i32,
    },
    /// A lock that the copy needs was not granted within
    /// [`slot_wait_limit`](crate::ReaderBuilder::slot_wait_limit).
    #[error(
        "the copy waited {limit:?} for a lock on {}{}: end the transaction that holds it \
         (pg_locks, pg_terminate_backend), or wait longer (slot_wait_limit, --slot-wait)",
        named(.tables), blocked_by(.sessions)
    )]
    LockTimeout {
        /// The table with its schema. If it is not known which one it was, all that were to be
        /// locked together, or none.
        tables: Vec<String>,
        /// The limit.
        limit: Duration,
        /// The sessions that were waited for, at the last check.
        sessions: Vec<BlockingSession>,
        /// The error of the server.
        #[source]
        cause: Error,
    },
    /// A connection of the copy has reached another server than the replication connection. The
    /// snapshot exists only on one.
    #[error(
        "{address} is another server ({found}) than that of the replication connection \
         ({expected}): copy from one server, with one host in the connection string, \
         target_session_attrs, and no proxy that balances connections",
        address = Printable(.address)
    )]
    OtherServer {
        /// The address that was connected to.
        address: String,
        /// The server of the replication connection.
        expected: ServerState,
        /// The server that was reached.
        found: ServerState,
    },
    /// Tables that are to be added are not published.
    #[error(
        "not published, so that they cannot be added: {}; add them with ALTER PUBLICATION {} ADD \
         TABLE (a partitioned table needs publish_via_partition_root)",
        Printable(.tables), Printable(.publication)
    )]
    NotPublishedNow {
        /// The tables, as they were given, separated by commas.
        tables: String,
        /// A publication of the reader.
        publication: String,
    },
    /// The snapshot of the copy has ended with the session that kept it.
    #[error("the snapshot of the copy has ended with the session that kept it: {cause}")]
    SnapshotLost {
        /// The error of the server.
        #[source]
        cause: Error,
    },
    /// A copy that no stream follows ended before it was complete.
    #[error(
        "the copy was interrupted and is not complete: discard it and start again, with a new \
         snapshot: {cause}"
    )]
    Incomplete {
        /// The error.
        #[source]
        cause: Error,
    },
    /// The copy ended before it was complete.
    #[error(
        "the initial copy was interrupted; slot \"{slot}\" keeps the changes since its creation, \
         and WAL with them: start again to copy the remaining tables, or drop the slot: {cause}",
        slot = Printable(.slot)
    )]
    Interrupted {
        /// The slot.
        slot: String,
        /// The error.
        #[source]
        cause: Error,
    },
}

/// The server that a connection of a copy has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerState {
    /// The system identifier of the cluster.
    pub system_identifier: u64,
    /// Whether the server is a standby.
    pub is_in_recovery: bool,
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.is_in_recovery { "standby" } else { "primary" };
        write!(f, "{role}, system identifier {}", self.system_identifier)
    }
}

impl SnapshotError {
    /// The server sends the changes of a prepared transaction before it is known whether it commits
    /// before the snapshot.
    pub(crate) const TWO_PHASE: Self =
        Self::Excluded { option: "two_phase", advice: "copy with a slot without two_phase" };

    /// A setting that only a stream has, of a reader that ends after the copy.
    pub(crate) const fn without_stream(option: &'static str) -> Self {
        Self::Excluded { option, advice: "a reader of Snapshot::alone() has no slot and no stream" }
    }

    pub(crate) const START_LSN: Self =
        Self::Excluded { option: "start_lsn", advice: "the stream starts after the copy" };

    /// Adds the name of the slot to an error that ended a copy, unless the slot is gone.
    pub(crate) fn interrupted(slot: &str, cause: Error) -> Error {
        let is_gone = |error: &SetupError| {
            matches!(error, SetupError::SlotLost { .. } | SetupError::SlotMissing { .. })
        };
        match cause.kind() {
            ErrorKind::Snapshot(Self::Interrupted { .. }) | ErrorKind::TemporarySlotLost { .. } => {
                cause
            }
            ErrorKind::Setup(error) if is_gone(error) => cause,
            _ => Self::Interrupted { slot: slot.to_owned(), cause }.into(),
        }
    }

    /// Returns the error of a connection below this one.
    pub(super) fn cause(&self) -> Option<&Error> {
        match self {
            Self::Interrupted { cause, .. }
            | Self::Incomplete { cause }
            | Self::ConditionRefused { cause, .. }
            | Self::SnapshotLost { cause }
            | Self::LockTimeout { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

/// The tables, a few of them by name.
fn named(tables: &[String]) -> String {
    let first: Vec<String> =
        tables.iter().take(NAMED).map(|table| Printable(table).to_string()).collect();
    match tables.len() {
        0 => "a published table".into(),
        count if count <= NAMED => first.join(", "),
        count => format!("one of {} and {} more tables", first.join(", "), count - NAMED),
    }
}

fn blocked_by(sessions: &[BlockingSession]) -> String {
    if sessions.is_empty() { String::new() } else { format!(", blocked by {}", listed(sessions)) }
}

/// The reason that a row of a COPY cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyRowError {
    /// The copy ended inside a row.
    #[error("the copy ends inside a row")]
    EndsEarly,
    /// The header of the binary format.
    #[error("the header is not that of the binary format")]
    Header,
    /// A length is negative, or longer than a value can be.
    #[error("a length is not valid")]
    Length,
    /// An escape sequence that servers do not write.
    #[error("an escape sequence is not valid")]
    Escape,
    /// A row with another number of columns.
    #[error("it has {found} columns instead of {expected}")]
    Columns {
        /// The number of columns of the table.
        expected: usize,
        /// The number of columns of the row.
        found: usize,
    },
    /// Bytes after the end of the binary format.
    #[error("bytes follow the end")]
    TrailingBytes,
}

impl From<SnapshotError> for Error {
    fn from(error: SnapshotError) -> Self {
        ErrorKind::Snapshot(error).into()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::error::ServerMessage;

    fn server(code: &str) -> Error {
        let fields = [(b'C', code.as_bytes()), (b'M', &b"says so"[..])];
        ServerMessage::new(fields.into_iter(), true).into()
    }

    #[test]
    fn an_interrupted_copy_has_the_error_that_ended_it() {
        let error = SnapshotError::interrupted("s", server("53200"));
        assert_eq!(error.sqlstate(), Some("53200"));
        assert_eq!(error.server().map(ServerMessage::message), Some("says so"));
        let source = error.source().and_then(|source| source.downcast_ref::<Error>());
        assert_eq!(source.and_then(Error::sqlstate), Some("53200"));
        assert!(error.to_string().contains("says so"), "{error}");
        // Once.
        let again = SnapshotError::interrupted("s", error);
        assert_eq!(again.to_string().matches("interrupted").count(), 1, "{again}");
    }

    #[test]
    fn nothing_that_is_not_printable_is_shown() {
        let hostile = || String::from("x\u{1b}[2J\r\n\u{9b}1m\u{202e}");
        let state = |is_in_recovery| ServerState { system_identifier: 1, is_in_recovery };
        let limit = Duration::ZERO;
        for error in [
            SnapshotError::SlotInUse { slot: hostile(), pid: 7 },
            SnapshotError::LockTimeout {
                tables: vec![hostile()],
                limit,
                sessions: vec![],
                cause: server("55P03"),
            },
            SnapshotError::OtherServer {
                address: hostile(),
                expected: state(false),
                found: state(true),
            },
            SnapshotError::Interrupted { slot: hostile(), cause: server("53200") },
        ] {
            let text = error.to_string();
            assert!(text.starts_with(char::is_alphanumeric) && text.contains('x'), "{text:?}");
            assert_eq!(Printable(&text).to_string(), text);
        }
    }

    #[test]
    fn a_slot_that_is_gone_keeps_no_changes() {
        let slot = || String::from("s");
        for error in [
            SetupError::SlotMissing { slot: slot() },
            SetupError::SlotLost { slot: slot(), reason: "wal_removed".into() },
        ] {
            let text = error.to_string();
            assert_eq!(SnapshotError::interrupted("s", error.into()).to_string(), text);
        }
    }

    #[test]
    fn a_lock_names_its_table_or_a_few() {
        let text = |tables: &[&str]| {
            let tables = tables.iter().map(|table| (*table).to_owned()).collect();
            let (limit, sessions) = (Duration::from_secs(2), Vec::new());
            let error =
                SnapshotError::LockTimeout { tables, limit, sessions, cause: server("55P03") };
            let error = Error::from(error);
            assert_eq!(error.sqlstate(), Some("55P03"));
            let text = error.to_string();
            assert!(text.contains("waited 2s") && text.contains("pg_locks"), "{text}");
            text
        };
        assert!(text(&["\"a\".\"b\""]).contains("for a lock on \"a\".\"b\": end "));
        assert!(text(&[]).contains("on a published table:"));
        assert!(text(&["a", "b", "c", "d", "e"]).contains("one of a, b, c and 2 more tables"));
    }
}
