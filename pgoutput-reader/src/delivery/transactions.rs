//! The conversion of the messages of committed transactions to numbered change events.

use std::sync::Arc;

use pgoutput_decode::message::{MessageBody, TruncateBody};
use pgoutput_decode::{Lsn, Message, Oid, OldTuple, TimestampTz, TupleData};

use super::resume::Resume;
use crate::error::StreamError;
use crate::event::signature::Signature;
use crate::event::{
    ChangeEvent, Content, Context, Fingerprint, Op, ReplicationOrigin, Shared, StreamIdentity,
    TableSchema, TransactionInfo, full_width,
};
use crate::schema::{Lookup, Need, Schemas};
use crate::stream::StreamEvent;

/// The transactions of a stream, converted to events.
#[derive(Debug)]
pub(super) struct Transactions {
    fingerprint: Fingerprint,
    identity: Arc<StreamIdentity>,
    current: Option<Current>,
    last_commit_time: Option<TimestampTz>,
    /// The transaction that the end of a stream interrupted. Its remaining events share this.
    interrupted: Option<Arc<Shared<TransactionInfo>>>,
    resume: Resume,
    /// The number of events delivered.
    delivered: u64,
    /// Commit LSN and index of the newest event, or of the one that was resumed after.
    newest: Option<(Lsn, Option<u64>)>,
    /// The number of relations of the current Truncate that are delivered.
    truncated: usize,
}

/// The transaction whose changes are arriving.
#[derive(Debug)]
struct Current {
    transaction: Arc<Shared<TransactionInfo>>,
    /// The index of the next event.
    index: u64,
    last_lsn: Lsn,
    /// The ordinal of the last row or table among those with `last_lsn`.
    ordinal: u32,
}

/// The result of a message.
#[derive(Debug)]
pub(super) enum Progress {
    Nothing,
    /// An event.
    Event,
    /// The event of a message outside of transactions, whose record ends at `end_lsn`.
    Alone {
        end_lsn: Lsn,
    },
    /// The transaction is complete.
    Committed {
        commit_lsn: Lsn,
        end_lsn: Lsn,
        /// Whether it had no event.
        is_empty: bool,
    },
    Needs(Need),
}

impl Transactions {
    /// `resume` holds what was delivered before, up to `newest`.
    pub(super) fn new(
        fingerprint: Fingerprint,
        identity: Arc<StreamIdentity>,
        resume: Resume,
        newest: Option<(Lsn, Option<u64>)>,
    ) -> Self {
        Self {
            fingerprint,
            identity,
            current: None,
            last_commit_time: None,
            interrupted: None,
            resume,
            delivered: 0,
            newest,
            truncated: 0,
        }
    }

    pub(super) fn identity(&self) -> &Arc<StreamIdentity> {
        &self.identity
    }

    pub(super) fn last_commit_time(&self) -> Option<TimestampTz> {
        self.last_commit_time
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The signature of the newest event.
    pub(super) fn signature(&self) -> Option<Signature> {
        self.newest.map(|(commit_lsn, index)| Signature::new(&self.identity, commit_lsn, index))
    }

    /// Returns whether changes of a transaction may still follow.
    pub(super) fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// Returns whether the last message holds more events.
    pub(super) fn is_unfinished(&self) -> bool {
        self.truncated > 0
    }

    /// Starts with the messages of a new stream.
    pub(super) fn restart(&mut self) {
        // A transaction that was only repeated does not replace the one that it comes before.
        if let Some(Current { transaction, .. }) = self.current.take()
            && self
                .interrupted
                .as_ref()
                .is_none_or(|last| last.commit_lsn() <= transaction.commit_lsn())
        {
            self.interrupted = Some(transaction);
        }
        self.truncated = 0;
    }

    /// Checks that the server, which has decoded everything before `lsn` and is outside of
    /// transactions, did not pass over an interrupted one.
    pub(super) fn reached(&self, lsn: Lsn) -> Result<(), StreamError> {
        self.resume.reached(lsn)
    }

    /// Processes a message. Its event is put in `out`. Events that were delivered on an earlier
    /// stream are skipped.
    pub(super) fn message(
        &mut self,
        event: &StreamEvent<'_>,
        schemas: &mut Schemas,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        match &event.message {
            Message::Begin(_) if self.current.is_some() => return Err(out_of_sequence(event)),
            Message::Begin(begin) => {
                self.resume.begin(begin.final_lsn)?;
                let interrupted = self.interrupted.take_if(|transaction| transaction.is_of(begin));
                let transaction = interrupted
                    .unwrap_or_else(|| Shared::new(TransactionInfo::new(begin, &self.identity)));
                let last_lsn = Lsn::ZERO;
                self.current = Some(Current { transaction, index: 0, last_lsn, ordinal: 0 });
            }
            Message::Commit(commit) => {
                let current = self.current.take().ok_or_else(|| out_of_sequence(event))?;
                if self.resume.commit()? {
                    current.transaction.ended_at(commit.end_lsn);
                    return Ok(Progress::Committed {
                        commit_lsn: current.transaction.commit_lsn(),
                        end_lsn: commit.end_lsn,
                        is_empty: current.index == 0,
                    });
                }
            }
            Message::Origin(origin) => {
                let current = self.current.as_ref().ok_or_else(|| out_of_sequence(event))?;
                let (name, commit_lsn) = (origin.name.into(), origin.commit_lsn);
                current.transaction.set_origin(ReplicationOrigin { name, commit_lsn });
            }
            Message::Relation(body) => schemas.relation(body),
            Message::Type(body) => schemas.named_type(body),
            Message::Insert(body) => {
                let rows = (Some(body.new), None);
                return self.row(event, schemas, Op::Insert, body.relation, rows, out);
            }
            Message::Update(body) => {
                let rows = (Some(body.new), body.old);
                return self.row(event, schemas, Op::Update, body.relation, rows, out);
            }
            Message::Delete(body) => {
                let rows = (None, Some(body.old));
                return self.row(event, schemas, Op::Delete, body.relation, rows, out);
            }
            Message::Truncate(body) => return self.truncate(body, event, schemas, out),
            Message::Message(body) => return self.logical_message(body, event, out),
            // A server that could not start to stream a transaction rolls it back with a Stream
            // Abort. No event was part of it.
            Message::StreamAbort(_) => {}
            _ => return Err(out_of_sequence(event)),
        }
        Ok(Progress::Nothing)
    }

    fn row(
        &mut self,
        event: &StreamEvent<'_>,
        schemas: &mut Schemas,
        op: Op,
        relation: Oid,
        (new, old): (Option<TupleData<'_>>, Option<OldTuple<'_>>),
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        let lsn = event.wal_start;
        if self.skip(op, lsn, event)? {
            return Ok(Progress::Nothing);
        }
        let rows = [new, old.map(full_width)];
        let table = match schemas.get(relation, lsn, &rows, self.commit_lsn())? {
            Lookup::Found(table) => table,
            Lookup::Needs(need) => return Ok(Progress::Needs(need)),
        };
        let content = Content::of_rows(&table, new, old, lsn)?;
        self.deliver(op, lsn, Some(table), content, event, out)?;
        Ok(Progress::Event)
    }

    /// Delivers one event for each relation, one at a time.
    fn truncate(
        &mut self,
        body: &TruncateBody<'_>,
        event: &StreamEvent<'_>,
        schemas: &mut Schemas,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        let lsn = event.wal_start;
        let mut relations = body.relations.into_iter().skip(self.truncated);
        while let Some(relation) = relations.next() {
            if !self.skip(Op::Truncate, lsn, event)? {
                let table = match schemas.get(relation, lsn, &[], self.commit_lsn())? {
                    Lookup::Found(table) => table,
                    Lookup::Needs(need) => return Ok(Progress::Needs(need)),
                };
                let content = Content::Truncate(body.flags);
                self.deliver(Op::Truncate, lsn, Some(table), content, event, out)?;
                self.truncated = if relations.next().is_some() { self.truncated + 1 } else { 0 };
                return Ok(Progress::Event);
            }
            self.truncated += 1;
        }
        self.truncated = 0;
        Ok(Progress::Nothing)
    }

    fn logical_message(
        &mut self,
        body: &MessageBody<'_>,
        event: &StreamEvent<'_>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        let content = Content::of_message(body);
        if body.flags.is_transactional() {
            if self.skip(Op::Message, body.lsn, event)? {
                return Ok(Progress::Nothing);
            }
            self.deliver(Op::Message, body.lsn, None, content, event, out)?;
            return Ok(Progress::Event);
        }
        if self.resume.skip_message(body.lsn)? {
            return Ok(Progress::Nothing);
        }
        self.newest = Some((body.lsn, None));
        self.delivered += 1;
        *out = Some(ChangeEvent {
            op: Op::Message,
            lsn: body.lsn,
            ordinal: 0,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index: 0,
            context: Context::Alone(Arc::clone(&self.identity)),
            table: None,
            content,
        });
        Ok(Progress::Alone { end_lsn: body.lsn })
    }

    /// Puts the next event of the current transaction in `out`.
    fn deliver(
        &mut self,
        op: Op,
        lsn: Lsn,
        table: Option<Arc<Shared<TableSchema>>>,
        content: Content,
        event: &StreamEvent<'_>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<(), StreamError> {
        let current = self.current.as_mut().ok_or_else(|| out_of_sequence(event))?;
        let (index, ordinal) = current.number(op, lsn);
        self.resume.delivered(lsn);
        self.last_commit_time = Some(current.transaction.commit_time());
        self.newest = Some((current.transaction.commit_lsn(), Some(index)));
        self.delivered += 1;
        *out = Some(ChangeEvent {
            op,
            lsn,
            ordinal,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index,
            context: Context::Transaction(Arc::clone(&current.transaction)),
            table,
            content,
        });
        Ok(())
    }

    /// Returns whether the next event of the current transaction was delivered before.
    fn skip(&mut self, op: Op, lsn: Lsn, event: &StreamEvent<'_>) -> Result<bool, StreamError> {
        let is_old = self.resume.skip(lsn)?;
        if is_old {
            self.current.as_mut().ok_or_else(|| out_of_sequence(event))?.number(op, lsn);
        }
        Ok(is_old)
    }

    fn commit_lsn(&self) -> Lsn {
        self.current.as_ref().map_or(Lsn::ZERO, |current| current.transaction.commit_lsn())
    }
}

impl Current {
    /// The index of the next event in the transaction, and its ordinal among those with its LSN.
    fn number(&mut self, op: Op, lsn: Lsn) -> (u64, u32) {
        let index = self.index;
        self.index += 1;
        // Messages do not count, so that reading them changes no row's id. None shares its LSN.
        if op == Op::Message {
            return (index, 0);
        }
        let ordinal = if self.last_lsn == lsn { self.ordinal + 1 } else { 0 };
        (self.last_lsn, self.ordinal) = (lsn, ordinal);
        (index, ordinal)
    }
}

fn out_of_sequence(event: &StreamEvent<'_>) -> StreamError {
    StreamError::OutOfSequence { tag: event.message.tag(), lsn: event.wal_start }
}
