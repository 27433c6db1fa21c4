//! Tables that are added between two transactions, as the reader does it.

use std::collections::BTreeSet;

use pgoutput_decode::Oid;

use super::super::history::state;
use super::super::wal::commit_lsn;
use super::copy::{CopyLsns, Left, ModelCopy};
use super::{Model, reset};
use crate::delivery::Between;
use crate::error::Error;
use crate::event::Copied;
use crate::source::Step;

/// Tables that are added.
#[derive(Debug, Clone)]
pub(in super::super) struct Addition {
    /// The number of steps between transactions after the last addition.
    pub(in super::super) after: usize,
    pub(in super::super) tables: BTreeSet<u32>,
    /// The number of transactions that commit meanwhile, and are in the snapshot.
    pub(in super::super) during: usize,
    /// The number of steps after which the connection is lost, modulo one more than there are.
    pub(in super::super) cut: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Additions {
    /// The tables that are not finished.
    tables: BTreeSet<u32>,
    interrupted: Option<Copied>,
    is_running: bool,
    /// The number of steps between transactions since the last addition.
    steps: usize,
}

impl Additions {
    pub(super) fn new(tables: Vec<u32>) -> Self {
        Self { tables: tables.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }
}

impl Model {
    pub(super) fn start_addition(&mut self, between: Between<'_>) {
        if self.copy.is_some() || self.is_lost {
            return;
        }
        self.additions.steps += 1;
        let is_next = |next: &mut Addition| next.after < self.additions.steps;
        let next = self.plan.additions.first_mut().is_some_and(is_next);
        let next = next.then(|| self.plan.additions.remove(0));
        let (mut during, mut cut) = (0, None);
        if let Some(addition) = next {
            (during, cut) = (addition.during, addition.cut);
            self.additions.tables.extend(addition.tables);
            self.additions.steps = 0;
        }
        let Additions { tables, interrupted, .. } = &mut self.additions;
        if tables.is_empty() && interrupted.is_none() {
            return;
        }
        let lsn = between.lsn;
        let read = (0..self.plan.end).filter(|transaction| commit_lsn(*transaction) < lsn).count();
        self.visible = self.visible.max(read + during).min(self.plan.end);
        let copied = interrupted.take().or_else(|| between.copied?.after(lsn)).unwrap_or_default();
        let copied = copied.adding(tables.iter().copied().map(Oid::new));
        let lsns = CopyLsns { point: self.wal.end(self.visible), stream: lsn, confirmed: lsn };
        let rows = state(&self.history, self.visible);
        let tables: Vec<u32> = tables.iter().copied().collect();
        let left = Left { copied, repeats: true };
        let copy = ModelCopy::new(&rows, &tables, lsns, left, &self.identity);
        self.cut_in = cut.map(|cut| cut % (copy.len() + 1));
        self.copy = Some(copy);
        self.additions.is_running = true;
    }

    pub(super) fn step_of_addition(&mut self, mut copy: ModelCopy) -> Result<Step<usize>, Error> {
        let is_complete = copy.is_complete();
        if !is_complete && self.cut_in == Some(0) {
            self.cut_in = None;
            let copied = copy.left().copied;
            self.additions.tables = copied.to_add().map(Oid::as_u32).collect();
            self.additions.interrupted = Some(copied);
            self.additions.is_running = false;
            self.is_lost = true;
            return Err(reset());
        }
        self.cut_in = self.cut_in.map(|steps| steps.saturating_sub(1));
        if let Some(step) = copy.step() {
            self.copy = Some(copy);
            return Ok(Step::Copy(step));
        }
        self.additions.tables.clear();
        self.additions.is_running = false;
        self.cut_in = None;
        Ok(Step::TimedOut)
    }
}
