//! Change events.

mod content;
mod copied;
pub(crate) mod fnv;
#[cfg(feature = "json")]
pub(crate) mod json;
mod key;
mod known_tables;
mod message_id;
mod position;
mod row;
mod schema_change;
mod schema_output;
mod shared;
pub(crate) mod signature;
mod stream_identity;
mod table;
mod transaction;

use std::fmt;
use std::sync::Arc;

use pgoutput_decode::Lsn;
use pgoutput_decode::message::{MessageBody, TruncateFlags};

pub(crate) use content::{Content, full_width};
pub(crate) use copied::Copied;
#[cfg(feature = "json")]
pub use json::JsonError;
pub(crate) use known_tables::KnownTables;
pub(crate) use message_id::Fingerprint;
pub use message_id::MessageId;
pub use position::Position;
pub(crate) use position::{END, SCHEMA};
pub use row::Row;
pub use schema_change::SchemaChange;
pub use schema_output::SchemaOutput;
pub(crate) use shared::Shared;
pub(crate) use stream_identity::{EventSelection, ReaderId, StreamIdentity, change_since};
pub use table::{ColumnSchema, TableSchema};
pub(crate) use transaction::TransactionStart;
pub use transaction::{ReplicationOrigin, TransactionInfo};

/// The operation of a change event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// `I`: a row was added.
    Insert,
    /// `U`: a row was changed.
    Update,
    /// `D`: a row was removed.
    Delete,
    /// `T`: a table was emptied.
    Truncate,
    /// `M`: a message from `pg_logical_emit_message`.
    Message,
    /// `S`: the description of a table, directly before the event that needs it. Only on request:
    /// when it [changes](crate::ReaderBuilder::schema_changes), or
    /// [once for each table](SchemaOutput::Once).
    Schema,
    /// `C`: the transaction of the events before is complete. Only on request: see
    /// [`ReaderBuilder::commits`](crate::ReaderBuilder::commits).
    Commit,
    /// `P`: the transaction of the events before is prepared. Only under
    /// [`two_phase`](crate::StreamOptions::two_phase).
    Prepare,
    /// `K`: a transaction that was prepared is committed. Only under
    /// [`two_phase`](crate::StreamOptions::two_phase), like the next one.
    CommitPrepared,
    /// `A`: a transaction that was prepared is rolled back.
    RollbackPrepared,
    /// `R`: a row of the [initial copy](crate::Snapshot), or of a table that was added later.
    SnapshotRow,
    /// `Z`: the initial copy, or that of tables that were added later, is complete.
    SnapshotEnd,
}

impl Op {
    /// Returns the letter for it in JSON.
    pub const fn code(self) -> char {
        match self {
            Self::Insert => 'I',
            Self::Update => 'U',
            Self::Delete => 'D',
            Self::Truncate => 'T',
            Self::Message => 'M',
            Self::Schema => 'S',
            Self::Commit => 'C',
            Self::Prepare => 'P',
            Self::CommitPrepared => 'K',
            Self::RollbackPrepared => 'A',
            Self::SnapshotRow => 'R',
            Self::SnapshotEnd => 'Z',
        }
    }
}

/// One change, with its transaction, its table as it was then, and its rows.
///
/// It owns a copy of its rows, whose form has been checked. Values are read when you ask for them.
/// Serialised with `serde_json` it has the documented JSON shape (feature `json`).
#[derive(Clone)]
pub struct ChangeEvent {
    pub(crate) op: Op,
    pub(crate) lsn: Lsn,
    /// Distinguishes the changes of one transaction that share an LSN.
    pub(crate) ordinal: u32,
    pub(crate) fingerprint: Fingerprint,
    /// The event's number on this reader, from 1, without gaps.
    pub(crate) delivery: u64,
    /// The index of the event in its transaction, from 0; for the description of a table with the
    /// bit [`SCHEMA`]. In an initial copy it is the number of the row in its table.
    pub(crate) index: u64,
    /// Whether the JSON has only the id of the table, since another event has its description.
    #[cfg_attr(not(feature = "json"), expect(dead_code))]
    pub(crate) schema_apart: bool,
    /// Whether no event of its transaction follows.
    pub(crate) is_last: bool,
    /// Whether LSNs are written as `X/Y` in JSON.
    #[cfg_attr(not(feature = "json"), expect(dead_code))]
    pub(crate) lsns_as_text: bool,
    pub(crate) context: Context,
    pub(crate) table: Option<Arc<Shared<TableSchema>>>,
    pub(crate) content: Content,
}

/// The transaction of an event, or the stream of a message outside of transactions.
#[derive(Clone)]
pub(crate) enum Context {
    Transaction(Arc<Shared<TransactionInfo>>),
    /// A message outside of transactions.
    Alone(Arc<StreamIdentity>),
    /// A part of an initial copy.
    Copy(Arc<CopyContext>),
}

/// The place of events in an initial copy: those of one table, or the end.
#[derive(Debug)]
pub(crate) struct CopyContext {
    /// The identity before the last row of the table.
    pub(crate) within: Arc<StreamIdentity>,
    /// The identity once the table is finished.
    pub(crate) after: Arc<StreamIdentity>,
    /// The LSN at which the stream continues.
    pub(crate) stream_lsn: Lsn,
    /// The number of the table in its run, from 1.
    pub(crate) number: u64,
}

impl ChangeEvent {
    /// Returns the operation.
    pub fn op(&self) -> Op {
        self.op
    }

    /// Returns the id of the change. It is the same on every delivery, and differs from that of
    /// every other change read with the same publications.
    ///
    /// Several changes may share one LSN (of a COPY, of a TRUNCATE of several tables), and the
    /// server does not report which of them a row filter or publication leaves out. With other
    /// publications or filters, their ordinals differ.
    ///
    /// The id is a version 8 UUID (RFC 9562). It consists of the LSN, whether the event is a
    /// message or a description, its ordinal among the changes of its transaction with that LSN,
    /// and a fingerprint of the cluster's system identifier and the database. For a row of an
    /// initial copy it consists of the LSN of the snapshot, the numbers of the table and of the row
    /// in the copy, and the fingerprint. Nothing in it is random.
    pub fn message_id(&self) -> MessageId {
        if let Context::Copy(copy) = &self.context {
            return MessageId::of_copy(self.lsn, copy.number, self.index, self.fingerprint);
        }
        let (kind, ordinal) = match self.op {
            Op::Message => (message_id::Kind::Other, self.ordinal),
            // The ordinal of a message is 0.
            Op::Schema => (message_id::Kind::Other, self.ordinal.saturating_add(1)),
            _ => (message_id::Kind::Change, self.ordinal),
        };
        MessageId::new(self.lsn, kind, ordinal, self.fingerprint)
    }

    /// Returns the LSN of the change. For a row or a commit it is the start of its record. For a
    /// message it is the end, which is what the server sends. A description of a table has the LSN
    /// of the event that follows it. Many changes may share one LSN, so it is not a key.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Returns the position of the event, to acknowledge it and to resume after it.
    pub fn position(&self) -> Position {
        let (identity, lsn, index) = match &self.context {
            Context::Transaction(transaction) => {
                (transaction.identity(), transaction.commit_lsn(), Some(self.index))
            }
            Context::Alone(identity) => (identity, self.lsn, None),
            Context::Copy(copy) => {
                let identity = if self.is_last { &copy.after } else { &copy.within };
                (identity, copy.stream_lsn, None)
            }
        };
        Position::new(identity, lsn, index, self.delivery)
    }

    /// Returns whether this is the last event of its transaction, so that what was read of it is
    /// complete. A message outside of transactions is always the last. In an [initial
    /// copy](crate::Snapshot) the rows of one table count as a transaction.
    ///
    /// The reader knows it because it returns an event only once it has received what follows: the
    /// next event, or the Commit, which the server sends at once. If the reader ends in between,
    /// this is false, and the server sends the transaction again.
    ///
    /// ```no_run
    /// # let mut reader = pgoutput_reader::Reader::builder("").connect()?;
    /// let mut batch = Vec::new();
    /// for event in &mut reader {
    ///     let event = event?;
    ///     let is_last = event.is_last();
    ///     batch.push(event);
    ///     if is_last {
    ///         // … store the whole transaction …
    ///         batch.clear();
    ///     }
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    pub fn is_last(&self) -> bool {
        self.is_last
    }

    /// Returns the transaction; `None` for a message that was written outside of transactions, and
    /// for an event of an [initial copy](crate::Snapshot).
    pub fn transaction(&self) -> Option<&Arc<TransactionInfo>> {
        match &self.context {
            Context::Transaction(transaction) => Some(transaction.value()),
            Context::Alone(_) | Context::Copy(_) => None,
        }
    }

    /// Returns the table at the time of the change; `None` for a message and for the end of a
    /// transaction.
    pub fn table(&self) -> Option<&Arc<TableSchema>> {
        self.table.as_ref().map(|table| table.value())
    }

    /// Returns the old row. The replica identity of the table determines whether it is absent, has
    /// only the key columns, or has all columns.
    pub fn before(&self) -> Option<Row<'_>> {
        let (_, old) = self.content.rows()?;
        Some(Row::old(self.table.as_ref()?, old?, self.lsn))
    }

    /// Returns the new row.
    ///
    /// An unchanged TOAST value is taken from the old row if that has it; otherwise it is
    /// [`Unchanged`](pgoutput_decode::TupleColumn::Unchanged).
    pub fn after(&self) -> Option<Row<'_>> {
        let (new, old) = self.content.rows()?;
        Some(Row::new(self.table.as_ref()?, new?, old, self.lsn))
    }

    /// Returns the options of a TRUNCATE; `None` for every other operation.
    pub fn truncate(&self) -> Option<TruncateFlags> {
        match self.content {
            Content::Truncate(flags) => Some(flags),
            _ => None,
        }
    }

    /// Returns how the table changed since its last event; `None` for every operation other than
    /// [`Op::Schema`], and without [`schema_changes`](crate::ReaderBuilder::schema_changes).
    pub fn schema_change(&self) -> Option<&SchemaChange> {
        match &self.content {
            Content::Schema(change) => change.as_deref(),
            _ => None,
        }
    }

    /// Returns the logical decoding message; `None` for every other operation. Bytes of its prefix
    /// that are not UTF-8 are escaped, as in `caf\xe9`.
    pub fn logical_message(&self) -> Option<MessageBody<'_>> {
        match &self.content {
            Content::Message(message) => Some(message.body()),
            _ => None,
        }
    }
}

impl fmt::Debug for ChangeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ChangeEvent");
        out.field("op", &self.op).field("lsn", &self.lsn).field("position", &self.position());
        if let Some(transaction) = self.transaction() {
            out.field("xid", &transaction.xid());
        }
        if let Some(table) = &self.table {
            out.field("table", &format_args!("{}.{}", table.schema_name(), table.name()));
        }
        if let Some(before) = self.before() {
            out.field("before", &before);
        }
        if let Some(after) = self.after() {
            out.field("after", &after);
        }
        if let Some(message) = self.logical_message() {
            out.field("message", &message);
        }
        if let Some(change) = self.schema_change() {
            out.field("schema_change", change);
        }
        out.finish_non_exhaustive()
    }
}
