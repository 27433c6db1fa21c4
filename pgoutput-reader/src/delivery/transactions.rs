//! The conversion of the messages of committed transactions to numbered change events.

mod copied;
mod tables;

use std::sync::Arc;

use pgoutput_decode::message::MessageBody;
use pgoutput_decode::{Lsn, Message, TimestampTz};

use super::OutputSettings;
use super::resume::Resume;
use crate::assemble::Arrival;
use crate::error::StreamError;
use crate::event::signature::Signature;
use crate::event::{
    ChangeEvent, Content, Context, Copied, END, Fingerprint, Op, ReplicationOrigin, SCHEMA,
    SchemaOutput, Shared, StreamIdentity, TableSchema, TransactionInfo, TransactionStart,
};
use crate::schema::{Need, Schemas};
pub(crate) use copied::CopyEvent;

/// The transactions of a stream, converted to events.
#[derive(Debug)]
pub(super) struct Transactions {
    fingerprint: Fingerprint,
    identity: Arc<StreamIdentity>,
    /// The same with the tables that an initial copy has finished, as long as changes may arrive
    /// that it contains.
    copied: Option<Arc<StreamIdentity>>,
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
    /// The table whose description was delivered, for the event of the same message.
    described: Option<Arc<Shared<TableSchema>>>,
    output: OutputSettings,
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

/// A message and the LSN of its change.
#[derive(Debug, Clone, Copy)]
struct Sent<'a> {
    message: &'a Message<'a>,
    lsn: Lsn,
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
    /// The transaction is complete. It may end with an event, on request.
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
        output: OutputSettings,
    ) -> Self {
        Self {
            fingerprint,
            identity,
            copied: None,
            current: None,
            last_commit_time: None,
            interrupted: None,
            resume,
            delivered: 0,
            newest,
            truncated: 0,
            described: None,
            output,
        }
    }

    /// Returns whether a transaction was delivered in part, and its end has not arrived.
    pub(super) fn is_interrupted(&self) -> bool {
        self.resume.is_interrupted()
    }

    pub(super) fn delivers_commits(&self) -> bool {
        self.output.commits
    }

    /// Sets the tables that an initial copy of an earlier run has finished.
    pub(super) fn set_copied(&mut self, copied: Copied) {
        self.copied = Some(Arc::new(self.identity.with_copied(Some(copied))));
    }

    /// The tables that copies have finished, as long as changes may arrive that these contain.
    pub(super) fn copied(&self) -> Option<&Copied> {
        self.copied.as_ref()?.copied.as_deref()
    }

    /// Replaces the identity, without copied tables.
    pub(super) fn set_identity(&mut self, identity: Arc<StreamIdentity>) {
        let copied = self.copied().cloned();
        self.copied = copied.map(|copied| Arc::new(identity.with_copied(Some(copied))));
        self.identity = identity;
        self.interrupted = None;
    }

    /// Returns whether changes after this LSN may be contained in an initial copy.
    pub(super) fn is_in_copy(&self, lsn: Lsn) -> bool {
        !Arc::ptr_eq(self.identity(lsn), &self.identity)
    }

    /// The identity of the positions at an LSN.
    pub(super) fn identity(&self, lsn: Lsn) -> &Arc<StreamIdentity> {
        let copied = self
            .copied
            .as_ref()
            .filter(|identity| identity.copied.as_ref().is_some_and(|copied| lsn < copied.end()));
        copied.unwrap_or(&self.identity)
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

    /// Returns whether everything delivered is before this LSN.
    pub(super) fn is_delivered_at(&self, lsn: Lsn) -> bool {
        self.newest.is_none_or(|(newest, index)| newest < lsn || newest == lsn && index.is_none())
    }

    /// Returns whether changes of a transaction may still follow.
    pub(super) fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// Returns whether the last message holds more events.
    pub(super) fn is_unfinished(&self) -> bool {
        self.truncated > 0 || self.described.is_some()
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
        self.described = None;
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
        message: &Message<'_>,
        arrival: Arrival,
        schemas: &mut Schemas,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        let sent = Sent { message, lsn: arrival.lsn };
        match message {
            Message::Begin(begin) => self.begin(begin.into(), sent)?,
            Message::BeginPrepare(begin) => self.begin(begin.into(), sent)?,
            Message::Commit(commit) => {
                let current = self.current.take().ok_or_else(|| out_of_sequence(sent))?;
                if self.resume.commit()? {
                    let event = (self.output.commits && current.index > 0).then_some(Op::Commit);
                    return Ok(self.end(event, &current, commit.end_lsn, out));
                }
            }
            Message::Prepare(prepare) => {
                let current = self.current.take().ok_or_else(|| out_of_sequence(sent))?;
                if self.resume.prepare() {
                    return Ok(self.end(Some(Op::Prepare), &current, prepare.end_lsn, out));
                }
            }
            Message::CommitPrepared(commit) => {
                let end = (commit.into(), commit.end_lsn);
                return self.end_prepared(Op::CommitPrepared, end, sent, out);
            }
            Message::RollbackPrepared(rollback) => {
                let end = (rollback.into(), rollback.rollback_end_lsn);
                return self.end_prepared(Op::RollbackPrepared, end, sent, out);
            }
            Message::Origin(origin) => {
                let current = self.current.as_ref().ok_or_else(|| out_of_sequence(sent))?;
                let name = origin.name.into();
                let commit_lsn = Some(origin.commit_lsn).filter(|lsn| !lsn.is_zero());
                current.transaction.set_origin(ReplicationOrigin { name, commit_lsn });
            }
            Message::Relation(body) => schemas.relation(body, arrival.order),
            Message::Type(body) => schemas.named_type(body, arrival.order),
            Message::Insert(body) => {
                let rows = (Some(body.new), None);
                return self.row(sent, schemas, Op::Insert, body.relation, rows, out);
            }
            Message::Update(body) => {
                let rows = (Some(body.new), body.old);
                return self.row(sent, schemas, Op::Update, body.relation, rows, out);
            }
            Message::Delete(body) => {
                let rows = (None, Some(body.old));
                return self.row(sent, schemas, Op::Delete, body.relation, rows, out);
            }
            Message::Truncate(body) => return self.truncate(body, sent, schemas, out),
            Message::Message(body) => return self.logical_message(body, sent, out),
            _ => return Err(out_of_sequence(sent)),
        }
        Ok(Progress::Nothing)
    }

    fn logical_message(
        &mut self,
        body: &MessageBody<'_>,
        sent: Sent<'_>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        let content = Content::of_message(body);
        if body.flags.is_transactional() {
            if self.skip(Op::Message, body.lsn, sent)? {
                return Ok(Progress::Nothing);
            }
            let sent = Sent { lsn: body.lsn, ..sent };
            self.deliver(Op::Message, None, content, sent, out)?;
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
            schema_apart: false,
            is_last: true,
            lsns_as_text: self.output.lsns_as_text,
            context: Context::Alone(Arc::clone(self.identity(body.lsn))),
            table: None,
            content,
        });
        Ok(Progress::Alone { end_lsn: body.lsn })
    }

    /// Puts the next event of the current transaction in `out`.
    fn deliver(
        &mut self,
        op: Op,
        table: Option<Arc<Shared<TableSchema>>>,
        content: Content,
        sent: Sent<'_>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<(), StreamError> {
        let current = self.current.as_mut().ok_or_else(|| out_of_sequence(sent))?;
        let lsn = sent.lsn;
        let (index, ordinal) = current.number(op, lsn);
        if op == Op::Schema {
            self.resume.described();
        } else {
            self.resume.delivered(lsn);
        }
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
            schema_apart: self.output.schema_output == SchemaOutput::Once && op != Op::Schema,
            is_last: false,
            lsns_as_text: self.output.lsns_as_text,
            context: Context::Transaction(Arc::clone(&current.transaction)),
            table,
            content,
        });
        Ok(())
    }

    fn begin(&mut self, start: TransactionStart, sent: Sent<'_>) -> Result<(), StreamError> {
        if self.current.is_some() {
            return Err(out_of_sequence(sent));
        }
        if start.gid.is_some() {
            self.resume.begin_prepared(start.commit_lsn)?;
        } else {
            self.resume.begin(start.commit_lsn)?;
        }
        let interrupted = self.interrupted.take_if(|transaction| transaction.is_of(&start));
        if self.copied.is_some() && Arc::ptr_eq(self.identity(start.commit_lsn), &self.identity) {
            // The copy contains none of the changes that follow.
            self.copied = None;
        }
        let identity = self.identity(start.commit_lsn);
        let transaction =
            interrupted.unwrap_or_else(|| Shared::new(TransactionInfo::new(start, identity)));
        self.current = Some(Current { transaction, index: 0, last_lsn: Lsn::ZERO, ordinal: 0 });
        Ok(())
    }

    /// Ends a transaction, with an event of this kind if there is one.
    fn end(
        &mut self,
        op: Option<Op>,
        current: &Current,
        end_lsn: Lsn,
        out: &mut Option<ChangeEvent>,
    ) -> Progress {
        current.transaction.ended_at(end_lsn);
        *out = op.map(|op| self.end_event(op, &current.transaction));
        let is_empty = current.index == 0 && op.is_none();
        Progress::Committed { commit_lsn: current.transaction.commit_lsn(), end_lsn, is_empty }
    }

    /// Ends a transaction whose changes were delivered when it was prepared.
    fn end_prepared(
        &mut self,
        op: Op,
        (start, end_lsn): (TransactionStart, Lsn),
        sent: Sent<'_>,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        self.begin(start, sent)?;
        let current = self.current.take().ok_or_else(|| out_of_sequence(sent))?;
        if self.resume.commit()? {
            return Ok(self.end(Some(op), &current, end_lsn, out));
        }
        Ok(Progress::Nothing)
    }

    /// Returns the event that ends a transaction.
    fn end_event(&mut self, op: Op, transaction: &Arc<Shared<TransactionInfo>>) -> ChangeEvent {
        let lsn = transaction.commit_lsn();
        self.last_commit_time = Some(transaction.commit_time());
        self.newest = Some((lsn, Some(END)));
        self.delivered += 1;
        ChangeEvent {
            op,
            lsn,
            ordinal: 0,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index: END,
            schema_apart: false,
            is_last: true,
            lsns_as_text: self.output.lsns_as_text,
            context: Context::Transaction(Arc::clone(transaction)),
            table: None,
            content: Content::End,
        }
    }

    /// Returns whether the next event of the current transaction was delivered before.
    fn skip(&mut self, op: Op, lsn: Lsn, sent: Sent<'_>) -> Result<bool, StreamError> {
        let is_old = self.resume.skip(lsn)?;
        if is_old {
            self.current.as_mut().ok_or_else(|| out_of_sequence(sent))?.number(op, lsn);
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
        let ordinal = self.ordinal_of(lsn);
        // A description has the numbers of the event that follows, and changes none.
        if op == Op::Schema {
            return (index | SCHEMA, ordinal);
        }
        self.index += 1;
        // Messages do not count, so that reading them changes no row's id. None shares its LSN.
        if op == Op::Message {
            return (index, 0);
        }
        (self.last_lsn, self.ordinal) = (lsn, ordinal);
        (index, ordinal)
    }

    /// The ordinal of the next row or table with this LSN.
    fn ordinal_of(&self, lsn: Lsn) -> u32 {
        if self.last_lsn == lsn { self.ordinal + 1 } else { 0 }
    }
}

fn out_of_sequence(sent: Sent<'_>) -> StreamError {
    StreamError::OutOfSequence { tag: sent.message.tag(), lsn: sent.lsn }
}
