//! Errors of the setup, and of a replication stream whose frames are valid.

#[cfg(feature = "reader")]
use std::time::Duration;

use pgoutput_decode::{Lsn, Oid, Printable, Tag, Xid};

#[cfg(feature = "reader")]
use super::blocking_session::{BlockingSession, listed};
use super::{Error, ErrorKind};
use crate::server_version::ServerVersion;

/// An error of the setup: reading cannot start as requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The slot does not exist.
    #[error(
        "replication slot \"{}\" does not exist{}",
        Printable(.slot),
        creation(.slot)
    )]
    SlotMissing {
        /// The slot.
        slot: String,
    },
    /// Another server process is still creating the slot and waits for open transactions. Its
    /// client was started earlier, or was killed while it waited.
    #[error(
        "replication slot \"{slot}\" is still being created by server process {pid}, which waits \
         for open transactions to end: wait for it (slot_wait_limit, --slot-wait), or end it with \
         SELECT pg_catalog.pg_cancel_backend({pid})",
        slot = Printable(.slot)
    )]
    SlotBeingCreated {
        /// The slot.
        slot: String,
        /// The server process that creates it.
        pid: i32,
    },
    /// Creating the slot waited for an open transaction for longer than
    /// [`slot_wait_limit`](crate::ReaderBuilder::slot_wait_limit). The slot does not exist.
    #[cfg(feature = "reader")]
    #[error(
        "the creation of replication slot \"{slot}\" waited {limit:?} for an open transaction{}, \
         and was cancelled, leaving no slot: end it (commit, ROLLBACK PREPARED, or \
         pg_terminate_backend), or wait longer (slot_wait_limit, --slot-wait)",
        blocked_by(.sessions),
        slot = Printable(.slot)
    )]
    SlotCreationBlocked {
        /// The slot.
        slot: String,
        /// The limit.
        limit: Duration,
        /// The sessions that were waited for, at the last check.
        sessions: Vec<BlockingSession>,
    },
    /// The slot is a physical slot.
    #[error(
        "replication slot \"{slot}\" is physical: use a logical one created for pgoutput",
        slot = Printable(.slot)
    )]
    SlotPhysical {
        /// The slot.
        slot: String,
    },
    /// The slot was created for another output plugin.
    #[error(
        "replication slot \"{slot}\" is of plugin \"{plugin}\": use one created for pgoutput, or \
         create another",
        slot = Printable(.slot), plugin = Printable(.plugin)
    )]
    SlotPlugin {
        /// The slot.
        slot: String,
        /// Its plugin.
        plugin: String,
    },
    /// The slot belongs to another database of the cluster.
    #[error(
        "replication slot \"{slot}\" belongs to database \"{database}\", not \"{connected}\": \
         connect to that database",
        slot = Printable(.slot), database = Printable(.database), connected = Printable(.connected)
    )]
    SlotDatabase {
        /// The slot.
        slot: String,
        /// The slot's database.
        database: String,
        /// The database connected to.
        connected: String,
    },
    /// The server has invalidated the slot (manual, section "pg_replication_slots"), and the
    /// changes that it had not sent are lost. The reader never recreates the slot on its own, as
    /// the new one would silently start after the gap.
    #[error(
        "replication slot \"{slot}\" was invalidated by the server ({reason}), and changes that \
         were not sent are lost: drop it, recreate it and take a new snapshot; \
         max_slot_wal_keep_size and idle_replication_slot_timeout control when this happens",
        slot = Printable(.slot), reason = Printable(.reason)
    )]
    SlotLost {
        /// The slot.
        slot: String,
        /// The reason, in the server's words: `wal_removed`, `rows_removed`,
        /// `wal_level_insufficient`, `idle_timeout`; `wal_status lost` if the server reports none.
        reason: String,
    },
    /// After a reconnection, the slot is ahead of what this reader confirmed. Another program has
    /// read from it, or it was dropped and recreated. The changes in between are no longer
    /// available from it.
    #[error(
        "replication slot \"{slot}\" is at {found}, and this reader confirmed it only up to \
         {confirmed}: another program has read from it, or it was dropped and recreated, and it \
         no longer has the changes in between; take a new snapshot",
        slot = Printable(.slot)
    )]
    SlotMoved {
        /// The slot.
        slot: String,
        /// The latest LSN that this reader confirmed, or found as the slot's confirmed LSN.
        confirmed: Lsn,
        /// The slot's confirmed LSN now.
        found: Lsn,
    },
    /// Publications do not exist in this database. Servers from 18 on would silently send nothing
    /// for them.
    #[error(
        "no publication \"{}\" in database \"{database}\": create it with CREATE PUBLICATION, or \
         name an existing one ({})",
        Printable(.missing.join("\", \"")),
        Printable(list(.existing)),
        database = Printable(.database)
    )]
    PublicationMissing {
        /// The missing publications.
        missing: Vec<String>,
        /// The existing publications. Bytes of a name that are not UTF-8 are escaped, as in
        /// `caf\xe9`.
        existing: Vec<String>,
        /// The database connected to.
        database: String,
    },
    /// A name, or a row filter, of a published table is not UTF-8, so that it cannot be named in a
    /// query of the initial copy.
    #[cfg(feature = "reader")]
    #[error(
        "{name} of published table {table} is not UTF-8: rename it (ALTER TABLE, in a session with \
         the encoding of the database), or leave the table out of the publication",
        name = Printable(.name), table = Printable(.table)
    )]
    NameNotUtf8 {
        /// The name of the table, its schema or a column, or a row filter. Bytes that are not UTF-8
        /// are escaped, as in `caf\xe9`.
        name: String,
        /// The table with its schema, escaped in the same way.
        table: String,
    },
    /// The publications have different column lists for a table. The server refuses to stream its
    /// changes (PostgreSQL 15 and later).
    #[cfg(feature = "reader")]
    #[error(
        "the publications have different column lists for table {table}, whose changes the server \
         cannot stream then: give it the same list in each (ALTER PUBLICATION)",
        table = Printable(.table)
    )]
    ColumnListsDiffer {
        /// The table with its schema. Bytes that are not UTF-8 are escaped.
        table: String,
    },
    /// The publications disagree on the generated columns of a table. The server refuses to stream
    /// its changes (PostgreSQL 18 and later).
    #[cfg(feature = "reader")]
    #[error(
        "the publications have different values of publish_generated_columns, and table {table} \
         has generated columns, so that the server cannot stream its changes: set the same value \
         for each (ALTER PUBLICATION)",
        table = Printable(.table)
    )]
    GeneratedColumnsDiffer {
        /// The table with its schema. Bytes that are not UTF-8 are escaped.
        table: String,
    },
    /// The server's WAL does not contain what logical replication needs (manual, section "Write
    /// Ahead Log").
    #[error(
        "wal_level is \"{level}\": set wal_level = logical in postgresql.conf and restart the \
         server",
        level = Printable(.level)
    )]
    WalLevel {
        /// The value of `wal_level`.
        level: String,
    },
    /// No replication slot is free, and one had to be created.
    #[error(
        "no replication slot is free: max_replication_slots is {limit}; drop unused slots \
         (pg_replication_slots), or raise max_replication_slots and restart the server"
    )]
    SlotsInUse {
        /// The value of `max_replication_slots`.
        limit: u32,
    },
    /// More than one prerequisite is missing: all of them.
    #[error("{}", several(.0))]
    Several(Vec<SetupError>),
}

/// Advice on creating a missing slot. A name that no slot can have is not put into a statement.
fn creation(slot: &str) -> String {
    let is_name = (1..=63).contains(&slot.len())
        && slot.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if is_name {
        format!(
            ": create it (--create-slot, `slot_creation(SlotCreation::IfMissing)`, or SELECT \
             pg_catalog.pg_create_logical_replication_slot('{slot}', 'pgoutput')); it starts at \
             the current WAL position, not where an older slot ended"
        )
    } else {
        ", and no slot can have this name: slot names contain only lower-case letters, digits and \
         underscores, at most 63 of them"
            .into()
    }
}

#[cfg(feature = "reader")]
fn blocked_by(sessions: &[BlockingSession]) -> String {
    if sessions.is_empty() { String::new() } else { format!(": {}", listed(sessions)) }
}

impl SetupError {
    /// The error for those of the publications `named` that were not `found` among the `existing`
    /// ones.
    pub(crate) fn missing(
        named: &[String],
        found: &[String],
        existing: Vec<String>,
        database: &str,
    ) -> Self {
        let missing = named.iter().filter(|name| !found.contains(name)).cloned().collect();
        Self::PublicationMissing { missing, existing, database: database.into() }
    }
}

/// The messages of all errors, joined.
fn several(errors: &[SetupError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and ")
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "there are none".into()
    } else {
        format!("there are: {}", names.join(", "))
    }
}

/// An inconsistency in a replication stream whose frames are valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A change of a table that no Relation message described.
    #[error(
        "a change at WAL {lsn} is of relation {relation}, which the server has not described: \
         please report this with the server's version"
    )]
    UnknownRelation {
        /// The table's id.
        relation: Oid,
        /// The LSN of the change.
        lsn: Lsn,
    },
    /// A row with more or fewer columns than its table, so that its values cannot be assigned to
    /// columns.
    #[error(
        "a row of {table} at WAL {lsn} has {sent} columns and the server described {described}: \
         PostgreSQL 15.0 and 15.1 do this with column lists; upgrade the server",
        table = Printable(.table)
    )]
    RowWidth {
        /// The table.
        table: String,
        /// Columns in the Relation message.
        described: usize,
        /// Columns in the row.
        sent: usize,
        /// The LSN of the change.
        lsn: Lsn,
    },
    /// A transaction that was interrupted by the loss of the connection was sent again with other
    /// events, so its rest cannot be distinguished from the delivered events. Changed row filters
    /// or publications, or another server, are the likely cause.
    #[error(
        "the transaction that commits at WAL {commit_lsn} was interrupted after {delivered} \
         events, and after the reconnection only {again} of them came again unchanged: the \
         publication or its row filters were changed, or the server is another one; restart the \
         program to read the transaction from its beginning"
    )]
    TransactionChanged {
        /// The transaction's commit LSN.
        commit_lsn: Lsn,
        /// The number of its events that were delivered, without descriptions of tables.
        delivered: u64,
        /// The number of these that came again unchanged.
        again: u64,
    },
    /// A publication did not exist at this point of the WAL, although it may exist now: it was
    /// dropped or renamed for a while, or created after the slot. The changes from here on that it
    /// would publish are not available from this slot, and nothing from here on was confirmed.
    #[error(
        "publication \"{publication}\" did not exist at WAL {lsn} (it was dropped, renamed, or \
         created after the slot), and {}",
        remedies(*.server)
    )]
    PublicationMissing {
        /// The publication.
        publication: String,
        /// The LSN of the first change that the server decoded without it.
        lsn: Lsn,
        /// The server's version. From 18 on,
        /// [`MissingPublication::Skip`](crate::MissingPublication::Skip) continues without the
        /// publication.
        server: ServerVersion,
    },
    /// A name that is not UTF-8, as in a SQL_ASCII database. Bytes that are not UTF-8 are escaped
    /// here, as in `caf\xe9`.
    /// [`ReplicationStream::next_frame`](crate::ReplicationStream::next_frame) returns such
    /// messages undecoded.
    #[error(
        "{field} \"{name}\"{} at WAL {lsn} is not UTF-8: rename it; earlier changes keep the old \
         name, so start once with start_lsn (--start-lsn) at a position after it, or read them \
         with ReplicationStream::next_frame",
        owner(.table.as_deref(), .type_name.as_deref()),
        name = Printable(.name)
    )]
    NameNotUtf8 {
        /// The kind of name, such as "column name".
        field: &'static str,
        /// The name.
        name: String,
        /// The table, with its schema, if the name is that of a table, its schema or a column.
        table: Option<String>,
        /// The type, with its schema, if the name is that of a type or its schema.
        type_name: Option<String>,
        /// The LSN of the last message that had one. Messages that name tables and types have none.
        lsn: Lsn,
    },
    /// A chunk of a transaction in progress has a transactional message. The server does not send
    /// to which subtransaction it belongs, so it is unknown whether it is rolled back.
    /// [`Reader`](crate::Reader) then replaces the connection by one with
    /// [`Streaming::Off`](crate::Streaming::Off); this error ends it only if it may not reconnect.
    #[error(
        "transaction {xid} has a logical decoding message at WAL {lsn} and is sent while it is in \
         progress, which does not tell the subtransaction of the message: let the server keep \
         transactions until they commit (Streaming::Off, --streaming off)"
    )]
    MessageInChunk {
        /// The top-level transaction.
        xid: Xid,
        /// The LSN of the message.
        lsn: Lsn,
    },
    /// A table with a [masked](crate::ReaderBuilder::mask) column was renamed, so that the mask would
    /// stop to apply.
    #[error(
        "{}, masked by {}, is now {}: nothing more is read; start again with the mask {}",
        Printable(.former), Printable(.mask), Printable(.now), Printable(.mask_now)
    )]
    MaskedTableRenamed {
        /// The name of the table when it was masked, as in SQL.
        former: String,
        /// The mask.
        mask: String,
        /// The name of the table now.
        now: String,
        /// The mask for the table of this name.
        mask_now: String,
    },
    /// A transaction has more events than [`Reader::transactions`](crate::Reader::transactions)
    /// allows. None is lost: they are read again.
    #[error(
        "the transaction committed at WAL {commit_lsn} has more than {max_events} events: read it \
         one event at a time with Reader::next_transaction, or raise the limit"
    )]
    TransactionTooLarge {
        /// The commit LSN.
        commit_lsn: Lsn,
        /// The limit.
        max_events: usize,
    },
    /// A message that is not allowed at this point of a transaction.
    #[error("unexpected {tag} at WAL {lsn}: please report this with the server's version")]
    OutOfSequence {
        /// The message.
        tag: Tag,
        /// The LSN of the message.
        lsn: Lsn,
    },
}

/// The owner of the name.
fn owner(table: Option<&str>, type_name: Option<&str>) -> String {
    match (table, type_name) {
        (Some(table), _) => format!(" of table {}", Printable(table)),
        (None, Some(name)) => format!(" of type {}", Printable(name)),
        (None, None) => String::new(),
    }
}

/// The server's treatment of a missing publication, and advice.
fn remedies(server: ServerVersion) -> &'static str {
    if server.major() >= 18 {
        "the server leaves out its changes from there on; nothing from there on was confirmed: to \
         lose nothing, create a new slot and copy the tables again; to continue without those \
         changes, set StreamOptions::missing_publication(MissingPublication::Skip) \
         (--skip-missing-publication)"
    } else {
        "the server cannot decode the changes from there on; nothing from there on was confirmed: \
         to lose nothing, create the publication and a new slot, and copy the tables again; to \
         continue without what was committed meanwhile, create the publication and start once \
         with start_lsn (--start-lsn) at a later position, such as the result of SELECT \
         pg_catalog.pg_current_wal_lsn()"
    }
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        ErrorKind::Setup(error).into()
    }
}

impl From<StreamError> for Error {
    fn from(error: StreamError) -> Self {
        ErrorKind::Stream(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_slot_can_have_is_in_no_statement() {
        let missing = |slot: &str| SetupError::SlotMissing { slot: slot.into() }.to_string();
        let text = missing("my_slot1");
        assert!(
            text.contains("pg_create_logical_replication_slot('my_slot1', 'pgoutput')"),
            "{text}"
        );
        let long = "s".repeat(64);
        for slot in ["", "S", "a-b", "x', 'y'); --", "\u{1b}[2J", "\u{e9}", &long] {
            let text = missing(slot);
            assert!(!text.contains("SELECT") && text.contains("slot names contain only"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}
