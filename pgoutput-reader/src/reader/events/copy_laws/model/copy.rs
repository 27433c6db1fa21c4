//! A copy in one snapshot, as the reader makes it.

use std::collections::VecDeque;
use std::sync::Arc;

use pgoutput_decode::{Lsn, Oid};

use super::super::history::{Change, State, relation};
use crate::event::{Copied, CopyContext, StreamIdentity};
use crate::source::{CopyPart, CopyStep};

/// The number of an event of a table that is not a row.
const NO_ROW: u64 = u64::MAX;

/// A part of a copy, with what [`CopyPart`] borrows.
#[derive(Debug)]
struct Part {
    step: CopyStep,
    context: Arc<CopyContext>,
    table: Option<u32>,
    relation: Vec<u8>,
    row: Vec<u8>,
    number: u64,
    /// The tables that are copied if the connection is lost after this step.
    copied: Copied,
}

/// What is left to be copied.
#[derive(Debug, Clone)]
pub(in super::super) struct Left {
    pub(in super::super) copied: Copied,
    /// Whether an earlier run may have delivered rows of any table.
    pub(in super::super) repeats: bool,
}

/// The LSNs of a copy.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct CopyLsns {
    pub(in super::super) point: Lsn,
    pub(in super::super) stream: Lsn,
    pub(in super::super) confirmed: Lsn,
}

#[derive(Debug)]
pub(in super::super) struct ModelCopy {
    point: Lsn,
    left: Left,
    parts: VecDeque<Part>,
    current: Option<Part>,
}

impl ModelCopy {
    pub(in super::super) fn new(
        rows: &State,
        tables: &[u32],
        lsns: CopyLsns,
        left: Left,
        identity: &StreamIdentity,
    ) -> Self {
        let CopyLsns { point, stream, confirmed } = lsns;
        let Left { mut copied, repeats } = left.clone();
        let context = |within, after, number| {
            let identity = |copied| Arc::new(identity.with_copied(copied));
            let (within, after) = (identity(within), identity(after));
            Arc::new(CopyContext { within, after, stream_lsn: stream, number })
        };
        let (mut parts, mut number) = (VecDeque::new(), 0);
        let remaining = tables.iter().filter(|table| !left.copied.has(Oid::new(**table)));
        for table in remaining.copied() {
            let oid = Oid::new(table);
            let (during, after) = (copied.during(oid), copied.with(oid, point));
            let context = context(Some(during.clone()), Some(after.clone()), number);
            let part = |step, row, number, copied: &Copied| Part {
                step,
                context: Arc::clone(&context),
                table: Some(table),
                relation: relation(table, None),
                row,
                number,
                copied: copied.clone(),
            };
            parts.push_back(part(CopyStep::Table, Vec::new(), NO_ROW, &copied));
            if repeats || copied.in_part() == Some(oid) {
                parts.push_back(part(CopyStep::Again, Vec::new(), NO_ROW, &copied));
            }
            for (number, (id, value)) in (1..).zip(rows.get(&table).into_iter().flatten()) {
                let row = Change::Insert { table, id: *id, value: *value }.frame(None);
                parts.push_back(part(CopyStep::Row, row, number, &during));
            }
            parts.push_back(part(CopyStep::TableEnd, Vec::new(), NO_ROW, &after));
            copied = after;
            number += 1;
        }
        let complete = copied.complete(point);
        let after = Some(complete.clone()).filter(|copied| copied.end() > confirmed);
        parts.push_back(Part {
            step: CopyStep::End,
            context: context(after.clone(), after, number),
            table: None,
            relation: Vec::new(),
            row: Vec::new(),
            number: NO_ROW,
            copied: complete,
        });
        Self { point, left, parts, current: None }
    }

    /// The number of steps.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Returns the next step; `None` after the end.
    pub(super) fn step(&mut self) -> Option<CopyStep> {
        let part = self.parts.pop_front()?;
        self.left.copied.clone_from(&part.copied);
        let step = part.step;
        self.current = Some(part);
        Some(step)
    }

    /// Returns whether the end was delivered.
    pub(super) fn is_complete(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns what is left if the connection is lost now.
    pub(super) fn left(&self) -> Left {
        self.left.clone()
    }

    pub(super) fn part(&self) -> Option<CopyPart<'_>> {
        let part = self.current.as_ref()?;
        let Part { context, table, relation, row, number, .. } = part;
        let (table, number) = (table.map(Oid::new), *number);
        Some(CopyPart { context, point: self.point, table, relation, row, number })
    }
}
