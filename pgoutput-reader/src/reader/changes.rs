//! From messages to change events.

use std::collections::VecDeque;
use std::sync::Arc;

use pgoutput_decode::message::{MessageBody, TruncateBody};
use pgoutput_decode::{Lsn, Message, Oid, OldTuple, TimestampTz, TupleData};

use super::tables::Tables;
use crate::Error;
use crate::error::StreamError;
use crate::event::{
    ChangeEvent, Content, Context, Fingerprint, Op, ReplicationOrigin, Source, TableSchema,
    Transaction,
};
use crate::stream::StreamEvent;

/// Follows the transactions of a stream and makes the events.
#[derive(Debug)]
pub(super) struct Changes {
    fingerprint: Fingerprint,
    source: Arc<Source>,
    open: Option<Open>,
    last_commit_time: Option<TimestampTz>,
    /// How many events were made, which is how many were handed out once `ready` is empty.
    delivered: u64,
    /// TRUNCATE makes several at once.
    pub(super) ready: VecDeque<ChangeEvent>,
}

/// The transaction whose changes are coming in.
#[derive(Debug)]
struct Open {
    transaction: Arc<Transaction>,
    /// The next event's number in it.
    index: u64,
    last_lsn: Lsn,
    /// The last row's or table's number among those with `last_lsn`.
    ordinal: u32,
}

/// What a message did to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Inside,
    /// It is whole, and this is where its commit record ends.
    Committed(Lsn),
}

impl Changes {
    pub(super) fn new(fingerprint: Fingerprint, source: Arc<Source>) -> Self {
        Self {
            fingerprint,
            source,
            open: None,
            last_commit_time: None,
            delivered: 0,
            ready: VecDeque::new(),
        }
    }

    pub(super) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// When the newest transaction was committed.
    pub(super) fn last_commit_time(&self) -> Option<TimestampTz> {
        self.last_commit_time
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether changes of a transaction may still come.
    pub(super) fn in_transaction(&self) -> bool {
        self.open.is_some()
    }

    /// Takes a message in; the events it makes are in `ready`.
    pub(super) fn take(
        &mut self,
        event: &StreamEvent<'_>,
        tables: &mut Tables,
    ) -> Result<Progress, Error> {
        let lsn = event.wal_start;
        match &event.message {
            Message::Begin(_) if self.open.is_some() => {
                return Err(out_of_place(event).into());
            }
            Message::Begin(begin) => {
                self.last_commit_time = Some(begin.commit_time);
                let transaction = Arc::new(Transaction::new(begin, &self.source));
                self.open = Some(Open { transaction, index: 0, last_lsn: Lsn::ZERO, ordinal: 0 });
            }
            Message::Commit(commit) => {
                let open = self.open.take().ok_or_else(|| out_of_place(event))?;
                open.transaction.ended_at(commit.end_lsn);
                return Ok(Progress::Committed(commit.end_lsn));
            }
            Message::Origin(origin) => {
                let open = self.open.as_ref().ok_or_else(|| out_of_place(event))?;
                let (name, commit_lsn) = (origin.name.into(), origin.commit_lsn);
                open.transaction.came_from(ReplicationOrigin { name, commit_lsn });
            }
            Message::Relation(body) => tables.update(body),
            Message::Type(body) => tables.name_type(body),
            Message::Insert(body) => {
                self.row(event, tables, Op::Insert, body.relation, [Some(body.new), None])?;
            }
            Message::Update(body) => {
                let rows = [Some(body.new), body.old.map(full_width)];
                self.row(event, tables, Op::Update, body.relation, rows)?;
            }
            Message::Delete(body) => {
                let rows = [Some(full_width(body.old)), None];
                self.row(event, tables, Op::Delete, body.relation, rows)?;
            }
            Message::Truncate(body) => self.truncate(body, lsn, event, tables)?,
            Message::Message(body) => self.message(body, event)?,
            // A server whose stream could not be opened rolls back with a Stream Abort nobody asked for; nothing is lost by it.
            Message::StreamAbort(_) => {}
            _ => return Err(out_of_place(event).into()),
        }
        Ok(Progress::Inside)
    }

    fn row(
        &mut self,
        event: &StreamEvent<'_>,
        tables: &mut Tables,
        op: Op,
        relation: Oid,
        rows: [Option<TupleData<'_>>; 2],
    ) -> Result<(), Error> {
        let table = tables.get(relation, event.wal_start)?;
        for row in rows.iter().flatten() {
            Tables::check_width(&table, row, event.wal_start)?;
        }
        self.push(op, event.wal_start, Some(table), frame(event), event)
    }

    fn truncate(
        &mut self,
        body: &TruncateBody<'_>,
        lsn: Lsn,
        event: &StreamEvent<'_>,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        for relation in body.relations {
            let table = tables.get(relation, lsn)?;
            self.push(Op::Truncate, lsn, Some(table), Content::Truncate(body.flags), event)?;
        }
        Ok(())
    }

    fn message(&mut self, body: &MessageBody<'_>, event: &StreamEvent<'_>) -> Result<(), Error> {
        if body.flags.is_transactional() {
            return self.push(Op::Message, body.lsn, None, frame(event), event);
        }
        self.delivered += 1;
        self.ready.push_back(ChangeEvent {
            op: Op::Message,
            lsn: body.lsn,
            ordinal: 0,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index: 0,
            context: Context::Alone(Arc::clone(&self.source)),
            table: None,
            content: frame(event),
        });
        Ok(())
    }

    /// Makes an event of the open transaction.
    fn push(
        &mut self,
        op: Op,
        lsn: Lsn,
        table: Option<Arc<TableSchema>>,
        content: Content,
        event: &StreamEvent<'_>,
    ) -> Result<(), Error> {
        let open = self.open.as_mut().ok_or_else(|| out_of_place(event))?;
        // Messages have a numbering of their own, so that asking for them changes no row's id; none shares its LSN.
        let ordinal = match op {
            Op::Message => 0,
            _ if open.last_lsn == lsn => open.ordinal + 1,
            _ => 0,
        };
        if op != Op::Message {
            (open.last_lsn, open.ordinal) = (lsn, ordinal);
        }
        self.delivered += 1;
        self.ready.push_back(ChangeEvent {
            op,
            lsn,
            ordinal,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index: open.index,
            context: Context::Transaction(Arc::clone(&open.transaction)),
            table,
            content,
        });
        open.index += 1;
        Ok(())
    }
}

fn frame(event: &StreamEvent<'_>) -> Content {
    Content::Frame { bytes: event.frame().into(), in_stream: event.in_stream() }
}

fn out_of_place(event: &StreamEvent<'_>) -> StreamError {
    StreamError::OutOfPlace { tag: event.message.tag(), lsn: event.wal_start }
}

fn full_width(old: OldTuple<'_>) -> TupleData<'_> {
    match old {
        OldTuple::Key(key) => key.full_width(),
        OldTuple::Full(tuple) => tuple,
    }
}
