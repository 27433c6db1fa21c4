//! Rows copied by several jobs, each with a connection of its own.
//!
//! ```text
//! keeper ── snapshot, locks
//! worker ─┐
//! worker ─┼─► Exchange ──► the thread of the reader
//! worker ─┘   (batches of rows, of one table after another)
//! ```

mod exchange;
mod keeper;
mod worker;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use super::RowStep;
use super::session::CopySettings;
use super::table_copy::TableCopy;
use crate::connection::SessionOpener;
use crate::error::Error;
use crate::io::WakePipe;
use exchange::{Batch, Exchange, Received};
pub(crate) use keeper::Keeper;
use worker::Worker;

/// The rows that jobs copy.
#[derive(Debug)]
pub(crate) struct JobRows {
    keeper: Keeper,
    opener: SessionOpener,
    settings: CopySettings,
    jobs: NonZeroU32,
    exchange: Arc<Exchange>,
    wake: WakePipe,
    is_started: bool,
    /// The index of the table that is delivered.
    table: usize,
    batch: Option<Batch>,
}

impl JobRows {
    /// Rows of tables in the snapshot that the keeper has. `wake` ends a wait for rows.
    pub(crate) fn new(
        keeper: Keeper,
        opener: SessionOpener,
        settings: CopySettings,
        jobs: NonZeroU32,
        wake: WakePipe,
    ) -> Self {
        let exchange = Arc::new(Exchange::new(jobs, wake.waker()));
        let (is_started, table, batch) = (false, 0, None);
        Self { keeper, opener, settings, jobs, exchange, wake, is_started, table, batch }
    }

    /// Starts the workers.
    pub(crate) fn start_workers(&mut self, tables: &Arc<[TableCopy]>) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_started, true) {
            return Ok(());
        }
        self.exchange.offer(tables.iter().map(|table| table.chunks.len()).collect());
        for number in 0..self.jobs.get() as usize {
            let worker = Worker {
                number,
                tables: Arc::clone(tables),
                exchange: Arc::clone(&self.exchange),
                opener: self.opener.clone(),
                settings: self.settings.of_job(),
                snapshot: self.keeper.snapshot().into(),
                server: self.keeper.server(),
            };
            worker.start()?;
        }
        Ok(())
    }

    /// Starts to deliver a table.
    pub(super) fn start(&mut self, table: usize) {
        self.table = table;
    }

    /// Returns the next row of the table, and waits for it until `wake_at`, which is called only if
    /// a wait is necessary.
    pub(crate) fn next(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<RowStep, Error> {
        let mut wake_at = Some(wake_at);
        loop {
            if let Some(batch) = &mut self.batch {
                if let Some(row) = batch.advance() {
                    return Ok(RowStep::Row(row));
                }
                self.batch = None;
            }
            match self.exchange.receive(self.table)? {
                Received::Batch(batch) => self.batch = Some(batch),
                Received::TableEnd => {
                    // Its locks have kept the tables as they are in the snapshot until now.
                    self.keeper.check()?;
                    return Ok(RowStep::TableEnd);
                }
                Received::Nothing => {
                    let Some(wake_at) = wake_at.take() else { return Ok(RowStep::TimedOut) };
                    let woken = self.wake.wait(Some(wake_at()));
                    if !woken.map_err(|error| Error::io("waiting for", "a copy", error))? {
                        return Ok(RowStep::TimedOut);
                    }
                    // Rows, or a stop.
                    if self.exchange.is_empty(self.table) {
                        return Ok(RowStep::Woken);
                    }
                }
            }
        }
    }

    pub(super) fn chunks_finished(&self) -> u64 {
        self.exchange.chunks_finished()
    }

    /// Returns the Insert message of the last row.
    pub(crate) fn frame(&self) -> &[u8] {
        self.batch.as_ref().map_or(&[], Batch::frame)
    }

    /// Ends the transaction of the snapshot after the last table.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.keeper.finish()
    }
}

impl Drop for JobRows {
    fn drop(&mut self) {
        self.exchange.close();
    }
}
