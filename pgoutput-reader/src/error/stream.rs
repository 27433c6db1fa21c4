//! What can be wrong with what is asked for, and with a stream whose frames are sound.

#[cfg(feature = "reader")]
use std::time::Duration;

use pgoutput_decode::{Lsn, Oid, Printable, Tag};

use super::{Error, ErrorKind};
use crate::proto::ServerVersion;
#[cfg(feature = "reader")]
use crate::setup::{BlockingSession, listed};

/// Why reading cannot start as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// There is no slot of this name.
    #[error(
        "replication slot \"{}\" does not exist{}", Printable(.slot), creation(.slot)
    )]
    SlotMissing {
        /// The slot.
        slot: String,
    },
    /// Another process of the server is still creating the slot, which waits for open transactions: a program that was started before, or was killed while it waited.
    #[error(
        "replication slot \"{slot}\" is still being created by server process {pid}, which waits for open transactions to end: wait for it (slot_wait_limit, --slot-wait), \
         or end it with SELECT pg_catalog.pg_cancel_backend({pid})",
        slot = Printable(.slot)
    )]
    SlotBeingCreated {
        /// The slot.
        slot: String,
        /// The process that creates it.
        pid: i32,
    },
    /// Creating the slot had to wait for an open transaction for longer than [`slot_wait_limit`](crate::ReaderBuilder::slot_wait_limit). There is no slot.
    #[cfg(feature = "reader")]
    #[error(
        "creating replication slot \"{slot}\" waited {limit:?} for a transaction that is open{}, and was given up without leaving a slot: \
         end it (commit, ROLLBACK PREPARED, or pg_terminate_backend), or wait longer (slot_wait_limit, --slot-wait)",
        blocked_by(.sessions),
        slot = Printable(.slot)
    )]
    SlotCreationBlocked {
        /// The slot.
        slot: String,
        /// How long it was waited for.
        limit: Duration,
        /// Whose end was waited for when this was last looked at.
        sessions: Vec<BlockingSession>,
    },
    /// The settings ask for a slot to be created and not to be created, or to be of two kinds.
    #[error("{given} and {against} contradict each other: leave one out")]
    SlotCreationContradicts {
        /// One setting.
        given: &'static str,
        /// The other.
        against: &'static str,
    },
    /// The slot is a physical one.
    #[error(
        "replication slot \"{slot}\" is physical: name a logical one made for pgoutput",
        slot = Printable(.slot)
    )]
    SlotPhysical {
        /// The slot.
        slot: String,
    },
    /// The slot was made for another output plugin.
    #[error(
        "replication slot \"{slot}\" is of plugin \"{plugin}\": name one made for pgoutput, or create another",
        slot = Printable(.slot), plugin = Printable(.plugin)
    )]
    SlotPlugin {
        /// The slot.
        slot: String,
        /// Its plugin.
        plugin: String,
    },
    /// The slot was created with TWO_PHASE: the server sends prepared transactions when they are prepared, whatever the options say, and
    /// [`Reader`](crate::Reader) does not assemble them yet.
    #[error(
        "replication slot \"{slot}\" was created with TWO_PHASE, and Reader cannot assemble the prepared transactions that it sends: \
         drop the slot and create it without TWO_PHASE, on PostgreSQL 18 or later run ALTER_REPLICATION_SLOT {slot} (TWO_PHASE false) \
         on a replication connection, or read the messages with ReplicationStream",
        slot = Printable(.slot)
    )]
    SlotTwoPhase {
        /// The slot.
        slot: String,
    },
    /// The slot belongs to another database of the cluster.
    #[error(
        "replication slot \"{slot}\" is of database \"{database}\", not of \"{connected}\": connect to that one",
        slot = Printable(.slot), database = Printable(.database), connected = Printable(.connected)
    )]
    SlotDatabase {
        /// The slot.
        slot: String,
        /// The database it belongs to.
        database: String,
        /// The database connected to.
        connected: String,
    },
    /// The server has invalidated the slot (manual, section "pg_replication_slots"): what it had not sent is gone for good. A new slot is never made
    /// in its place by itself, since that would start behind the gap without a word.
    #[error(
        "replication slot \"{slot}\" was invalidated by the server ({reason}), and what it had not sent is lost to it: drop it, create it anew and take a new \
         snapshot; max_slot_wal_keep_size and idle_replication_slot_timeout set when this happens",
        slot = Printable(.slot), reason = Printable(.reason)
    )]
    SlotLost {
        /// The slot.
        slot: String,
        /// Why, in the server's word: `wal_removed`, `rows_removed`, `wal_level_insufficient`, `idle_timeout`; `wal_status lost` where it has none.
        reason: String,
    },
    /// After reconnecting, the slot is further than it was ever confirmed: someone else has read from it, or it was dropped and made anew.
    /// The changes between the two positions cannot be had from it any more.
    #[error(
        "replication slot \"{slot}\" stands at {found} and was confirmed only up to {confirmed}: another program has read from it, or it was dropped and made anew, and the changes between are lost to it; take a new snapshot",
        slot = Printable(.slot)
    )]
    SlotMoved {
        /// The slot.
        slot: String,
        /// The furthest that this reader has confirmed, or found it at.
        confirmed: Lsn,
        /// Where it stands.
        found: Lsn,
    },
    /// After reconnecting, the server belongs to another cluster.
    #[error(
        "the server is of the cluster {found} and the changes so far are of {expected}: the connection settings lead to another server now",
        found = Printable(.found), expected = Printable(.expected)
    )]
    OtherCluster {
        /// The system identifier so far.
        expected: String,
        /// The system identifier of the server reached.
        found: String,
    },
    /// After reconnecting, the server is on another timeline, as a standby is that was promoted: its log may lack what was delivered.
    #[error(
        "the server is on timeline {found} and the changes so far are of timeline {expected}: a standby was promoted, or a backup restored; make sure that it has everything that was delivered, and start the program anew"
    )]
    TimelineChanged {
        /// The timeline so far.
        expected: u32,
        /// The timeline of the server reached.
        found: u32,
    },
    /// After reconnecting, the server's log ends before what it had sent: it has lost a part of it.
    #[error(
        "the server's log ends at {ends} and it had sent changes up to {received}: it has lost a part of its log, as when a backup is restored; take a new snapshot"
    )]
    LogLost {
        /// How far the log had come.
        received: Lsn,
        /// Where it ends.
        ends: Lsn,
    },
    /// Publications do not exist in this database. Servers from 18 on would say nothing and send nothing.
    #[error(
        "no publication \"{}\" in database \"{database}\": CREATE PUBLICATION it, or name an existing one ({})", Printable(.missing.join("\", \"")), Printable(list(.existing)),
        database = Printable(.database)
    )]
    PublicationMissing {
        /// Those that were named and are not there.
        missing: Vec<String>,
        /// Those that are there. Where a name is not UTF-8, the bytes that are not are escaped, as in `caf\xe9`.
        existing: Vec<String>,
        /// The database connected to.
        database: String,
    },
    /// The server's log does not hold what logical replication needs (manual, section "Write Ahead Log").
    #[error(
        "wal_level is \"{level}\": set wal_level = logical in postgresql.conf and restart the server",
        level = Printable(.level)
    )]
    WalLevel {
        /// What it is set to.
        level: String,
    },
    /// A slot was to be created and none is free.
    #[error(
        "no replication slot is free: max_replication_slots is {limit}; drop slots that nobody uses \
         (pg_replication_slots), or raise max_replication_slots and restart the server"
    )]
    SlotsInUse {
        /// What `max_replication_slots` is set to.
        limit: u32,
    },
    /// More than one thing is missing: all that can be known at once.
    #[error("{}", several(.0))]
    Several(Vec<SetupError>),
    /// A part of the protocol that [`ReplicationStream`](crate::ReplicationStream) reads and [`Reader`](crate::Reader) does not assemble yet.
    #[error(
        "{option} is not supported yet by Reader: leave it out, or read the messages themselves with ReplicationStream"
    )]
    NotSupportedYet {
        /// The option.
        option: &'static str,
    },
}

/// How a slot that is missing is created. A name that no slot can have is put into no statement.
fn creation(slot: &str) -> String {
    let is_name = (1..=63).contains(&slot.len())
        && slot.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if is_name {
        format!(
            ": create it (--create-slot, `create_slot(true)`, or SELECT \
             pg_catalog.pg_create_logical_replication_slot('{slot}', 'pgoutput')); it will start now, \
             not where an older one stood"
        )
    } else {
        ", and none can have this name: slot names hold only lower-case letters, digits and \
         underscores, and 63 of them at most"
            .into()
    }
}

#[cfg(feature = "reader")]
fn blocked_by(sessions: &[BlockingSession]) -> String {
    if sessions.is_empty() { String::new() } else { format!(": {}", listed(sessions)) }
}

impl SetupError {
    /// The error for those of the publications `named` that were not `found` among the `existing` ones.
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

/// One after another.
fn several(errors: &[SetupError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and ")
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "there is none".into()
    } else {
        format!("there are: {}", names.join(", "))
    }
}

/// What makes no sense in a stream whose frames are sound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A change of a table that no Relation message described.
    #[error(
        "a change at WAL {lsn} is of relation {relation}, which the server has not described: please report this with the server's version"
    )]
    UnknownRelation {
        /// The table's id.
        relation: Oid,
        /// Where the change stands.
        lsn: Lsn,
    },
    /// A row with more or fewer columns than its table: nothing says which value belongs to which column.
    #[error(
        "a row of {table} at WAL {lsn} has {sent} columns and the server described {described}: PostgreSQL 15.0 and 15.1 do this with column lists, upgrade the server",
        table = Printable(.table)
    )]
    RowWidth {
        /// The table.
        table: String,
        /// Columns in the Relation message.
        described: usize,
        /// Columns in the row.
        sent: usize,
        /// Where the change stands.
        lsn: Lsn,
    },
    /// A transaction that was cut with the connection came back otherwise than it was: its rest cannot be told apart from what was
    /// delivered. Other row filters or publications, or another server, are the likely cause.
    #[error(
        "the transaction that commits at WAL {commit_lsn} was cut after {delivered} events, and after reconnecting only {again} of them came again as they were: the publication or its row filters were changed, or the server is another one; start the program anew to get the transaction whole"
    )]
    TransactionChanged {
        /// Where its commit record starts.
        commit_lsn: Lsn,
        /// How many of its events were delivered.
        delivered: u64,
        /// How many of these came again.
        again: u64,
    },
    /// A publication did not exist at this point of the log: it was dropped or renamed for a while, or created after the slot, whatever the
    /// catalogue says now. The changes from here on that it would publish cannot be had from this slot, and nothing from here on was confirmed.
    #[error(
        "publication \"{publication}\" did not exist at WAL {lsn} (it was dropped, renamed, or created after the slot), and {}", ways(*.server)
    )]
    PublicationMissing {
        /// The publication.
        publication: String,
        /// The position of the first change that the server decoded without it.
        lsn: Lsn,
        /// The server's version. From 18 on, [`MissingPublication::Skip`](crate::MissingPublication::Skip) is a way on.
        server: ServerVersion,
    },
    /// A name that is not UTF-8, as a SQL_ASCII database may hold it. Bytes that are not UTF-8 are escaped here, as in `caf\xe9`.
    /// [`ReplicationStream::next_frame`](crate::ReplicationStream::next_frame) hands over such messages as they come.
    #[error(
        "{field} \"{name}\"{} at WAL {lsn} is not UTF-8: rename it; changes from before that keep the old name, so start once with start_lsn \
         (--start-lsn) at a position after it, or read them with ReplicationStream::next_frame",
        owner(.table.as_deref(), .type_name.as_deref()),
        name = Printable(.name)
    )]
    NameNotUtf8 {
        /// Which name it is, as in "column name".
        field: &'static str,
        /// The name.
        name: String,
        /// The table, with its schema, where its name or that of its schema or of a column is meant.
        table: Option<String>,
        /// The type, with its schema, where its name or that of its schema is meant.
        type_name: Option<String>,
        /// The position of the last message that came with one: those that name tables and types have none.
        lsn: Lsn,
    },
    /// A message that cannot stand in this place of a transaction.
    #[error(
        "{tag} at WAL {lsn} does not fit in its place: please report this with the server's version"
    )]
    OutOfSequence {
        /// The message.
        tag: Tag,
        /// Where it stands.
        lsn: Lsn,
    },
}

/// Whose name it is.
fn owner(table: Option<&str>, type_name: Option<&str>) -> String {
    match (table, type_name) {
        (Some(table), _) => format!(" of table {}", Printable(table)),
        (None, Some(name)) => format!(" of type {}", Printable(name)),
        (None, None) => String::new(),
    }
}

/// What a server makes of a publication that is missing, and the ways on.
fn ways(server: ServerVersion) -> &'static str {
    if server.major() >= 18 {
        "the server leaves out its changes from there on; nothing from there on was confirmed: to miss nothing, create a new slot and \
         copy the tables again; to go on without those changes, set missing_publication(MissingPublication::Skip) \
         (--skip-missing-publication)"
    } else {
        "the server cannot decode the changes from there on; nothing from there on was confirmed: to miss nothing, create the publication and a \
         new slot, and copy the tables again; to go on without what was committed meanwhile, create the publication and start once with start_lsn \
         (--start-lsn) at a later position, such as what SELECT pg_catalog.pg_current_wal_lsn() then says"
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
            assert!(!text.contains("SELECT") && text.contains("slot names hold only"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
        let text = SetupError::SlotTwoPhase { slot: "\u{1b}[2J".into() }.to_string();
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
