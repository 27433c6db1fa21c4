//! The events of an initial copy.

use pgoutput_decode::Message;

use super::{Events, Waited};
use crate::delivery::{CopyEvent, Outcome};
use crate::error::Error;
use crate::event::Op;
use crate::source::{CopyPart, CopyStep, Source};

impl<S: Source> Events<S> {
    /// Processes a part of the initial copy. The newest row of a table is held until it is known
    /// whether it is the last.
    pub(super) fn copy(&mut self, step: CopyStep) -> Result<Option<Waited>, Error> {
        let op = match step {
            CopyStep::Table => {
                let Some(part) = self.source.copy_part() else { return Ok(None) };
                if let Message::Relation(body) = Message::decode(part.relation, false)? {
                    self.schemas.relation(&body, 0);
                }
                Op::Schema
            }
            CopyStep::Again => Op::Truncate,
            CopyStep::Row => Op::SnapshotRow,
            CopyStep::TableEnd => {
                if self.lookahead.held().is_none() {
                    return Ok(None);
                }
                self.lookahead.mark_last();
                return Ok(Some(self.release_held()));
            }
            CopyStep::End => Op::SnapshotEnd,
            CopyStep::TimedOut | CopyStep::Woken => return Ok(None),
        };
        loop {
            let Some(part) = self.source.copy_part() else { return Ok(None) };
            let row = match op {
                Op::SnapshotRow => match Message::decode(part.row, false)? {
                    Message::Insert(insert) => Some(insert.new),
                    _ => None,
                },
                _ => None,
            };
            let CopyPart { context, point, table, number, .. } = part;
            // The event that empties the table has the same number otherwise.
            let number = if op == Op::Schema { number.wrapping_sub(1) } else { number };
            let event = CopyEvent { op, context, point, table, row, number };
            let (schemas, out) = (&mut self.schemas, self.lookahead.next_place());
            match self.delivery.copy(event, schemas, out)? {
                Outcome::Needs(need) => {
                    let facts = self.source.answer(&need, &self.schemas)?;
                    self.schemas.learn(&need, facts);
                }
                Outcome::Nothing => return Ok(None),
                _ => break,
            }
        }
        if op != Op::SnapshotEnd {
            self.lookahead.exchange();
        }
        Ok(self.lookahead.ready().map(|_| Waited::Event))
    }

    /// Returns the event that is held if it belongs to a table of an initial copy whose connection
    /// was lost. Whether it is the last one will never be known: the next snapshot has other rows,
    /// and what follows may be the end of the copy.
    pub(super) fn release_copied(&mut self) -> Option<Waited> {
        self.lookahead.holds_copied().then(|| self.release_held())
    }
}
