//! The initial copy, before the changes of the stream.

use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Oid};

use super::CopyPart;
use crate::connection::Connection;
use crate::error::Error;
use crate::event::{Copied, CopyContext, StreamIdentity};
use crate::snapshot::{Counters, PublishedTable, RowStep, Rows, SnapshotProgress, TableCopy};

/// The tables to be copied in one snapshot.
#[derive(Debug)]
pub(crate) struct CopyPlan {
    pub(crate) tables: Vec<TableCopy>,
    /// The tables that were copied before.
    pub(crate) copied: Copied,
    /// Whether an earlier run may have delivered rows of any table.
    pub(crate) repeats: bool,
    /// Whether the stream has changes from before the snapshot of tables that are not copied.
    pub(crate) skips: bool,
    /// The LSN of the snapshot.
    pub(crate) point: Lsn,
    /// The LSN at which the stream continues.
    pub(crate) stream_lsn: Lsn,
    /// The confirmed LSN of the slot, from which on the server reports its position.
    pub(crate) confirmed: Lsn,
}

/// A copy in one snapshot.
#[derive(Debug)]
pub(crate) struct InitialCopy {
    rows: Rows,
    tables: Arc<[TableCopy]>,
    copied: Copied,
    repeats: bool,
    skips: bool,
    point: Lsn,
    stream_lsn: Lsn,
    confirmed: Lsn,
    identity: Arc<StreamIdentity>,
    counters: Counters,
    /// The index of the next table.
    next: usize,
    current: Option<Current>,
}

/// The table that is being copied, or the end.
#[derive(Debug)]
struct Current {
    context: Arc<CopyContext>,
    /// The index of the table; `None` after the last one.
    table: Option<usize>,
    relation: Vec<u8>,
    repeats: bool,
    /// The number of the last row.
    row: u64,
}

/// A step of a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CopyStep {
    /// A table starts.
    Table,
    /// Rows of the table that starts may have been delivered before.
    Again,
    /// A row of it.
    Row,
    /// The table is finished.
    TableEnd,
    /// All tables are finished.
    End,
    /// The deadline passed. Nothing is lost.
    TimedOut,
    /// The wait was ended from outside. Nothing is lost.
    Woken,
}

/// The number of an event of a table that is not a row.
const NO_ROW: u64 = u64::MAX;

impl InitialCopy {
    pub(crate) fn new(rows: Rows, plan: CopyPlan, identity: Arc<StreamIdentity>) -> Self {
        let CopyPlan { tables, copied, repeats, skips, point, stream_lsn, confirmed } = plan;
        let all = tables.len() as u64;
        let left = tables.into_iter().filter(|copy| !copied.has(copy.table.oid));
        let tables: Arc<[TableCopy]> = left.collect();
        let estimates: Vec<_> = tables.iter().map(|copy| copy.table.estimated_rows()).collect();
        let chunks = tables.iter().map(|copy| copy.chunks.len() as u64).sum();
        let counters = Counters::new(&estimates, chunks, all - tables.len() as u64);
        let (next, current) = (0, None);
        Self {
            rows,
            tables,
            copied,
            repeats,
            skips,
            point,
            stream_lsn,
            confirmed,
            identity,
            counters,
            next,
            current,
        }
    }

    /// Returns whether the end was reached.
    pub(crate) fn is_complete(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.table.is_none())
    }

    /// Returns the identity with the tables that are known now.
    pub(crate) fn identity(&self) -> Arc<StreamIdentity> {
        Arc::clone(&self.identity)
    }

    pub(crate) fn progress(&self) -> SnapshotProgress {
        self.counters.progress(self.rows.chunks_finished())
    }

    /// Returns whether an earlier run may have delivered rows of any table.
    pub(crate) fn repeats(&self) -> bool {
        self.repeats
    }

    /// Returns the tables that were copied when the connection is lost.
    pub(crate) fn copied(&self) -> Copied {
        let in_part = self.current.as_ref().filter(|current| current.row != NO_ROW);
        match in_part.and_then(|current| self.tables.get(current.table?)) {
            Some(copy) => self.copied.during(copy.table.oid),
            None => self.copied.clone(),
        }
    }

    /// Returns the connection that copied, on which the stream starts; `None` if it has started.
    pub(crate) fn into_connection(self) -> Option<Connection> {
        match self.rows {
            Rows::Local(rows) => Some(rows.into_connection()),
            Rows::Jobs(_) => None,
        }
    }

    /// Waits for the next step, until `wake_at`, which is called only if a wait is necessary.
    ///
    /// # Errors
    /// Those of the server and the connections, and a row that cannot be read.
    pub(crate) fn step(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<CopyStep, Error> {
        let Some(current) = &mut self.current else { return self.start_table() };
        let Some(table) = current.table.and_then(|index| self.tables.get(index)) else {
            return Ok(CopyStep::End);
        };
        if std::mem::take(&mut current.repeats) {
            return Ok(CopyStep::Again);
        }
        let step = match &mut self.rows {
            Rows::Local(rows) => rows.next(table, wake_at)?,
            Rows::Jobs(rows) => rows.next(wake_at)?,
        };
        Ok(match step {
            RowStep::Row(row) => {
                current.row = row;
                let bytes = match &self.rows {
                    Rows::Local(rows) => rows.frame().len(),
                    Rows::Jobs(rows) => rows.frame().len(),
                };
                self.counters.row(bytes);
                CopyStep::Row
            }
            RowStep::TableEnd => {
                self.copied = finished(&self.copied, table.table.oid, self.point, self.skips);
                self.identity = Arc::new(knowing(&self.identity, &table.table));
                self.counters.table_finished();
                self.current = None;
                CopyStep::TableEnd
            }
            RowStep::TimedOut => CopyStep::TimedOut,
            RowStep::Woken => CopyStep::Woken,
        })
    }

    /// Returns what the last step is about.
    pub(crate) fn part(&self) -> Option<CopyPart<'_>> {
        let current = self.current.as_ref()?;
        let table = current.table.and_then(|index| self.tables.get(index));
        Some(CopyPart {
            context: &current.context,
            point: self.point,
            table: table.map(|copy| copy.table.oid),
            relation: &current.relation,
            row: match &self.rows {
                Rows::Local(rows) => rows.frame(),
                Rows::Jobs(rows) => rows.frame(),
            },
            number: current.row,
        })
    }

    /// Starts the next table, or ends the copy.
    fn start_table(&mut self) -> Result<CopyStep, Error> {
        if let Rows::Jobs(rows) = &mut self.rows {
            rows.start_workers(&self.tables)?;
        }
        let index = self.next;
        let Some(copy) = self.tables.get(index) else { return self.end() };
        self.rows.start(&self.tables, index)?;
        self.next += 1;
        self.counters.table_started(&copy.table);
        let oid = copy.table.oid;
        let within = self.identity.with_copied(Some(self.copied.during(oid)));
        let after = knowing(&self.identity, &copy.table);
        let copied = finished(&self.copied, oid, self.point, self.skips);
        let context = CopyContext {
            within: Arc::new(within),
            after: Arc::new(after.with_copied(Some(copied))),
            stream_lsn: self.stream_lsn,
            number: index as u64,
        };
        self.current = Some(Current {
            context: Arc::new(context),
            table: Some(index),
            relation: copy.table.relation_message(),
            repeats: self.repeats || self.copied.in_part() == Some(oid),
            row: NO_ROW,
        });
        Ok(CopyStep::Table)
    }

    fn end(&mut self) -> Result<CopyStep, Error> {
        match &mut self.rows {
            Rows::Local(rows) => rows.finish()?,
            Rows::Jobs(rows) => rows.finish()?,
        }
        // After the snapshot, no change is in the copy. The server reports positions from the
        // slot's confirmed LSN on, also if it sends no change from before the snapshot.
        let copied =
            if self.skips { self.copied.skipping_all() } else { self.copied.complete(self.point) };
        let copied = Some(copied).filter(|copied| copied.end() > self.confirmed);
        let after = Arc::new(self.identity.with_copied(copied));
        let context = CopyContext {
            within: Arc::clone(&after),
            after,
            stream_lsn: self.stream_lsn,
            number: self.tables.len() as u64,
        };
        self.current = Some(Current {
            context: Arc::new(context),
            table: None,
            relation: Vec::new(),
            repeats: false,
            row: NO_ROW,
        });
        Ok(CopyStep::End)
    }
}

/// Returns what is copied once this table is finished too. `skips` is whether the tables between
/// it and the last one are not copied.
fn finished(copied: &Copied, table: Oid, point: Lsn, skips: bool) -> Copied {
    if skips { copied.skipping_before(table).with(table, point) } else { copied.with(table, point) }
}

/// Returns the identity once the table is known.
fn knowing(identity: &StreamIdentity, table: &PublishedTable) -> StreamIdentity {
    identity.knowing(table.oid, table.entries_id)
}

#[cfg(test)]
mod tests;
