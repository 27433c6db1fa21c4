//! Events of an initial copy, and the changes that it contains.

use std::sync::Arc;

use pgoutput_decode::message::TruncateFlags;
use pgoutput_decode::{Lsn, Oid, TupleData};

use super::{Progress, Transactions};
use crate::error::StreamError;
use crate::event::{ChangeEvent, Content, Context, CopyContext, Op, SchemaOutput};
use crate::schema::{Lookup, Schemas};

/// An event of an initial copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopyEvent<'a> {
    pub(crate) op: Op,
    pub(crate) context: &'a Arc<CopyContext>,
    /// The LSN of the snapshot.
    pub(crate) point: Lsn,
    /// The table, unless it is the end.
    pub(crate) table: Option<Oid>,
    pub(crate) row: Option<TupleData<'a>>,
    /// The number of the row in the copy of its table.
    pub(crate) number: u64,
}

impl Transactions {
    /// Puts an event of an initial copy in `out`.
    pub(in super::super) fn copy(
        &mut self,
        event: CopyEvent<'_>,
        schemas: &mut Schemas,
        out: &mut Option<ChangeEvent>,
    ) -> Result<Progress, StreamError> {
        let CopyEvent { op, context, point, table, row, number } = event;
        let table = match table {
            Some(table) => match schemas.get(table, point, &[row], point)? {
                Lookup::Found(table) => Some(table),
                Lookup::Needs(need) => return Ok(Progress::Needs(need)),
            },
            None => None,
        };
        let content = match (&table, row) {
            (Some(table), None) if op == Op::Schema => match self.novelty(table, schemas) {
                Some(content) => content,
                None => return Ok(Progress::Nothing),
            },
            (Some(table), Some(row)) => Content::of_rows(table, Some(row), None, point)?,
            (Some(_), None) => Content::Truncate(TruncateFlags::default()),
            (None, _) => {
                self.newest = Some((context.stream_lsn, None));
                // It has no event yet, and starts again with what is copied now.
                self.interrupted = None;
                if context.after.known != self.identity.known {
                    self.identity = Arc::new(context.after.with_copied(None));
                }
                let is_needed = context.after.copied.is_some();
                self.copied = is_needed.then(|| Arc::clone(&context.after));
                Content::End
            }
        };
        self.delivered += 1;
        *out = Some(ChangeEvent {
            op,
            lsn: point,
            ordinal: 0,
            fingerprint: self.fingerprint,
            delivery: self.delivered,
            index: number,
            is_last: op == Op::SnapshotEnd,
            lsns_as_text: self.output.lsns_as_text,
            schema_apart: self.output.schema_output == SchemaOutput::Once && op != Op::Schema,
            context: Context::Copy(Arc::clone(context)),
            table,
            content,
        });
        Ok(Progress::Event)
    }

    /// Returns whether an initial copy contains the current transaction's changes of this table.
    pub(super) fn is_copied(&self, table: Oid) -> bool {
        let copied = self.copied.as_ref().and_then(|identity| identity.copied.as_ref());
        copied.is_some_and(|copied| copied.contains(table, self.commit_lsn()))
    }

    /// Counts a table of a TRUNCATE that has no event, since an initial copy contains it. The ids
    /// of the tables after it are the same with and without the copy.
    pub(super) fn pass(&mut self, lsn: Lsn) {
        if let Some(current) = &mut self.current {
            (current.last_lsn, current.ordinal) = (lsn, current.ordinal_of(lsn));
        }
    }
}
