//! From messages to change events.

use std::collections::VecDeque;
use std::sync::Arc;

use pgoutput_decode::message::{MessageBody, TruncateBody};
use pgoutput_decode::{Lsn, Message, Oid, OldTuple, TimestampTz, TupleData};

use super::resume::Resume;
use super::tables::Tables;
use crate::Error;
use crate::error::StreamError;
use crate::event::signature::Signature;
use crate::event::{
    ChangeEvent, Content, Context, Fingerprint, Op, ReplicationOrigin, StreamIdentity, TableSchema,
    TransactionInfo, full_width,
};
use crate::stream::StreamEvent;

/// Follows the transactions of a stream and makes the events.
#[derive(Debug)]
pub(super) struct Changes {
    fingerprint: Fingerprint,
    identity: Arc<StreamIdentity>,
    open: Option<OpenTransaction>,
    last_commit_time: Option<TimestampTz>,
    /// The transaction that was open when the connection was lost: those of its events that are still to come share it.
    interrupted: Option<Arc<TransactionInfo>>,
    resume: Resume,
    /// How many events were made, which is how many were handed out once `ready` is empty.
    delivered: u64,
    /// Commit LSN and index of the newest event, also of one that was stored and gone on from.
    newest: Option<(Lsn, Option<u64>)>,
    /// TRUNCATE makes several at once.
    pub(super) ready: VecDeque<ChangeEvent>,
}

/// The transaction whose changes are coming in.
#[derive(Debug)]
struct OpenTransaction {
    transaction: Arc<TransactionInfo>,
    /// The next event's number in it.
    index: u64,
    last_lsn: Lsn,
    /// The last row's or table's number among those with `last_lsn`.
    ordinal: u32,
}

/// What a message did to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionProgress {
    Inside,
    /// It is whole; where its commit record starts and ends, and whether it had no event.
    Committed {
        commit_lsn: Lsn,
        end_lsn: Lsn,
        empty: bool,
    },
    /// A message outside of transactions, which was delivered; where its record ends.
    Alone(Lsn),
}

impl Changes {
    /// `resume` knows what was dealt with before, up to `newest`.
    pub(super) fn new(
        fingerprint: Fingerprint,
        identity: Arc<StreamIdentity>,
        resume: Resume,
        newest: Option<(Lsn, Option<u64>)>,
    ) -> Self {
        Self {
            fingerprint,
            identity,
            open: None,
            last_commit_time: None,
            interrupted: None,
            resume,
            delivered: 0,
            newest,
            ready: VecDeque::new(),
        }
    }

    pub(super) fn identity(&self) -> &Arc<StreamIdentity> {
        &self.identity
    }

    /// When the newest transaction was committed of which there was an event.
    pub(super) fn last_commit_time(&self) -> Option<TimestampTz> {
        self.last_commit_time
    }

    /// The connection was lost, and the next message is of another one. What is ready stays so.
    pub(super) fn cut(&mut self) {
        if let Some(open) = self.open.take() {
            self.interrupted = Some(open.transaction);
        }
        self.resume.cut();
    }

    /// Outside of transactions, the server has come to `lsn`.
    pub(super) fn reached(&self, lsn: Lsn) -> Result<(), Error> {
        Ok(self.resume.reached(lsn)?)
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The signature of the newest event.
    pub(super) fn signature(&self) -> Option<Signature> {
        self.newest.map(|(commit_lsn, index)| Signature::new(&self.identity, commit_lsn, index))
    }

    /// Where the open transaction was committed.
    fn commit_lsn(&self) -> Lsn {
        self.open.as_ref().map_or(Lsn::ZERO, |open| open.transaction.commit_lsn())
    }

    /// Whether changes of a transaction may still come.
    pub(super) fn in_transaction(&self) -> bool {
        self.open.is_some()
    }

    /// Takes a message in; the events it makes are in `ready`. What was made before the connection was lost is not made again.
    ///
    /// # Errors
    /// Also of the catalogue: an event counts as made only when nothing about it can fail any more.
    pub(super) fn take(
        &mut self,
        event: &StreamEvent<'_>,
        tables: &mut Tables,
    ) -> Result<TransactionProgress, Error> {
        let lsn = event.wal_start;
        match &event.message {
            Message::Begin(_) if self.open.is_some() => {
                return Err(out_of_place(event).into());
            }
            Message::Begin(begin) => {
                self.resume.begin(begin.final_lsn)?;
                let interrupted = self.interrupted.take_if(|transaction| transaction.is_of(begin));
                let transaction = interrupted
                    .unwrap_or_else(|| Arc::new(TransactionInfo::new(begin, &self.identity)));
                self.open = Some(OpenTransaction {
                    transaction,
                    index: 0,
                    last_lsn: Lsn::ZERO,
                    ordinal: 0,
                });
            }
            Message::Commit(commit) => {
                let open = self.open.take().ok_or_else(|| out_of_place(event))?;
                if self.resume.commit()? {
                    open.transaction.ended_at(commit.end_lsn);
                    let commit_lsn = open.transaction.commit_lsn();
                    let (end_lsn, empty) = (commit.end_lsn, open.index == 0);
                    return Ok(TransactionProgress::Committed { commit_lsn, end_lsn, empty });
                }
            }
            Message::Origin(origin) => {
                let open = self.open.as_ref().ok_or_else(|| out_of_place(event))?;
                let (name, commit_lsn) = (origin.name.into(), origin.commit_lsn);
                open.transaction.came_from(ReplicationOrigin { name, commit_lsn });
            }
            Message::Relation(body) => tables.update(body),
            Message::Type(body) => tables.name_type(body),
            Message::Insert(body) => {
                self.row(event, tables, Op::Insert, body.relation, (Some(body.new), None))?;
            }
            Message::Update(body) => {
                self.row(event, tables, Op::Update, body.relation, (Some(body.new), body.old))?;
            }
            Message::Delete(body) => {
                self.row(event, tables, Op::Delete, body.relation, (None, Some(body.old)))?;
            }
            Message::Truncate(body) => self.truncate(body, lsn, event, tables)?,
            Message::Message(body) => return self.message(body, event),
            // A server whose stream could not be opened rolls back with a Stream Abort nobody asked for; nothing is lost by it.
            Message::StreamAbort(_) => {}
            _ => return Err(out_of_place(event).into()),
        }
        Ok(TransactionProgress::Inside)
    }

    fn row(
        &mut self,
        event: &StreamEvent<'_>,
        tables: &mut Tables,
        op: Op,
        relation: Oid,
        (new, old): (Option<TupleData<'_>>, Option<OldTuple<'_>>),
    ) -> Result<(), Error> {
        let lsn = event.wal_start;
        if self.skip(op, lsn, event)? {
            return Ok(());
        }
        let rows = [new, old.map(full_width)];
        let table = tables.get(relation, lsn, &rows, self.commit_lsn())?;
        let content = Content::of_rows(&table, new, old, lsn)?;
        self.push(op, lsn, Some(table), content, event)
    }

    fn truncate(
        &mut self,
        body: &TruncateBody<'_>,
        lsn: Lsn,
        event: &StreamEvent<'_>,
        tables: &mut Tables,
    ) -> Result<(), Error> {
        for relation in body.relations {
            if self.skip(Op::Truncate, lsn, event)? {
                continue;
            }
            let table = tables.get(relation, lsn, &[], self.commit_lsn())?;
            self.push(Op::Truncate, lsn, Some(table), Content::Truncate(body.flags), event)?;
        }
        Ok(())
    }

    fn message(
        &mut self,
        body: &MessageBody<'_>,
        event: &StreamEvent<'_>,
    ) -> Result<TransactionProgress, Error> {
        if body.flags.is_transactional() {
            if !self.skip(Op::Message, body.lsn, event)? {
                self.push(Op::Message, body.lsn, None, Content::of_message(body), event)?;
            }
            return Ok(TransactionProgress::Inside);
        }
        if self.resume.skip_message(body.lsn)? {
            return Ok(TransactionProgress::Inside);
        }
        self.newest = Some((body.lsn, None));
        self.delivered += 1;
        self.ready.push_back(ChangeEvent {
            op: Op::Message,
            lsn: body.lsn,
            ordinal: 0,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index: 0,
            context: Context::Alone(Arc::clone(&self.identity)),
            table: None,
            content: Content::of_message(body),
        });
        Ok(TransactionProgress::Alone(body.lsn))
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
        let (index, ordinal) = open.number(op, lsn);
        self.resume.made(lsn);
        self.last_commit_time = Some(open.transaction.commit_time());
        self.newest = Some((open.transaction.commit_lsn(), Some(index)));
        self.delivered += 1;
        self.ready.push_back(ChangeEvent {
            op,
            lsn,
            ordinal,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index,
            context: Context::Transaction(Arc::clone(&open.transaction)),
            table,
            content,
        });
        Ok(())
    }

    /// Whether the next event of the open transaction was made before.
    fn skip(&mut self, op: Op, lsn: Lsn, event: &StreamEvent<'_>) -> Result<bool, Error> {
        let skipped = self.resume.skip(lsn)?;
        if skipped {
            self.open.as_mut().ok_or_else(|| out_of_place(event))?.number(op, lsn);
        }
        Ok(skipped)
    }
}

impl OpenTransaction {
    /// Numbers the next event: in the transaction, and among the rows and tables with its LSN.
    fn number(&mut self, op: Op, lsn: Lsn) -> (u64, u32) {
        let index = self.index;
        self.index += 1;
        // Messages have a numbering of their own, so that asking for them changes no row's id; none shares its LSN.
        if op == Op::Message {
            return (index, 0);
        }
        let ordinal = if self.last_lsn == lsn { self.ordinal + 1 } else { 0 };
        (self.last_lsn, self.ordinal) = (lsn, ordinal);
        (index, ordinal)
    }
}

fn out_of_place(event: &StreamEvent<'_>) -> StreamError {
    StreamError::OutOfSequence { tag: event.message.tag(), lsn: event.wal_start }
}
