//! Changes of tables, and the descriptions of the tables as events of their own.

use std::sync::Arc;

use pgoutput_decode::message::TruncateBody;
use pgoutput_decode::{Lsn, Oid, OldTuple, TupleData};

use super::{Progress, Sent, Transactions};
use crate::error::StreamError;
use crate::event::{ChangeEvent, Content, Op, SchemaOutput, Shared, TableSchema, full_width};
use crate::schema::{Lookup, Novelty, Schemas};

impl Transactions {
    /// Delivers the change of a row.
    pub(super) fn row(
        &mut self,
        sent: Sent<'_>,
        schemas: &mut Schemas,
        op: Op,
        relation: Oid,
        (new, old): (Option<TupleData<'_>>, Option<OldTuple<'_>>),
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        if self.is_copied(relation) {
            return Ok(Progress::Nothing);
        }
        if self.skip(op, sent.lsn, sent)? {
            self.repeated(relation, schemas);
            return Ok(Progress::Nothing);
        }
        let rows = [new, old.map(full_width)];
        let (lookup, is_described) = self.table(relation, sent.lsn, &rows, schemas)?;
        let table = match lookup {
            Lookup::Found(table) => table,
            Lookup::Needs(need) => return Ok(Progress::Needs(need)),
        };
        let content = Content::of_rows(&table, new, old, sent.lsn)?;
        if is_described || !self.describe(&table, sent, schemas, out)? {
            self.deliver(op, Some(table), content, sent, out)?;
        }
        Ok(Progress::Event)
    }

    /// Delivers one event for each relation, one at a time.
    pub(super) fn truncate(
        &mut self,
        body: &TruncateBody<'_>,
        sent: Sent<'_>,
        schemas: &mut Schemas,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        let mut relations = body.relations.into_iter().skip(self.truncated);
        while let Some(relation) = relations.next() {
            if self.is_copied(relation) {
                self.pass(sent.lsn);
                self.truncated += 1;
                continue;
            }
            if self.skip(Op::Truncate, sent.lsn, sent)? {
                self.repeated(relation, schemas);
                self.truncated += 1;
                continue;
            }
            let (lookup, is_described) = self.table(relation, sent.lsn, &[], schemas)?;
            let table = match lookup {
                Lookup::Found(table) => table,
                Lookup::Needs(need) => return Ok(Progress::Needs(need)),
            };
            if is_described || !self.describe(&table, sent, schemas, out)? {
                let content = Content::Truncate(body.flags);
                self.deliver(Op::Truncate, Some(table), content, sent, out)?;
                self.truncated = if relations.next().is_some() { self.truncated + 1 } else { 0 };
            }
            return Ok(Progress::Event);
        }
        self.truncated = 0;
        Ok(Progress::Nothing)
    }

    /// Looks up the table of a change, and returns whether its description has just been delivered
    /// for the same message.
    fn table(
        &mut self,
        relation: Oid,
        lsn: Lsn,
        rows: &[Option<TupleData<'_>>],
        schemas: &mut Schemas,
    ) -> Result<(Lookup, bool), StreamError> {
        if let Some(table) = self.described.take() {
            return Ok((Lookup::Found(table), true));
        }
        Ok((schemas.get(relation, lsn, rows, self.commit_lsn())?, false))
    }

    /// Delivers the description of a table if that is an event of its own: before the first event
    /// of the table, or because it changed. The event of the same message is next.
    fn describe(
        &mut self,
        table: &Arc<Shared<TableSchema>>,
        sent: Sent<'_>,
        schemas: &mut Schemas,
        out: &mut Option<ChangeEvent>,
    ) -> Result<bool, StreamError> {
        let Some(content) = self.novelty(table, schemas) else { return Ok(false) };
        self.deliver(Op::Schema, Some(Arc::clone(table)), content, sent, out)?;
        self.described = Some(Arc::clone(table));
        Ok(true)
    }

    /// Returns the content of an event that describes the table, with its change; `None` if there
    /// is no such event.
    pub(super) fn novelty(
        &self,
        table: &Arc<Shared<TableSchema>>,
        schemas: &mut Schemas,
    ) -> Option<Content> {
        if !self.output.describes() {
            return None;
        }
        let change = match schemas.delivering(table) {
            Novelty::Known => return None,
            Novelty::First => None,
            Novelty::Changed(change) => Some(change),
        };
        // The position that this run was resumed from may be that of the change.
        let is_reported = self.output.schema_changes && !self.resume.has_described();
        let change = change.filter(|_| is_reported);
        let is_event = change.is_some() || self.output.schema_output == SchemaOutput::Once;
        is_event.then_some(Content::Schema(change))
    }

    /// Records the description of an event that was delivered before.
    fn repeated(&self, relation: Oid, schemas: &mut Schemas) {
        if self.output.describes() {
            schemas.repeated(relation);
        }
    }
}
