//! Rows copied over the replication connection itself.

use std::cell::LazyCell;
use std::time::Instant;

use super::RowStep;
use super::row::CopiedRows;
use super::table_copy::TableCopy;
use crate::connection::{Connection, CopyOutAdvance, NOT_STARTED};
use crate::error::Error;
use crate::io::{BodyRange, WakePipe};

/// The connection, whose open transaction has the snapshot, and the chunk that is copied.
#[derive(Debug)]
pub(crate) struct LocalRows {
    connection: Connection,
    /// The slot that was created only for the snapshot.
    temporary_slot: Option<String>,
    /// The index of the next chunk of the table.
    next_chunk: usize,
    /// The number of chunks of all tables that were received.
    chunks_finished: u64,
    current: Option<CurrentChunk>,
}

/// The chunk that is copied.
#[derive(Debug)]
struct CurrentChunk {
    /// Whether the server has started to send the rows.
    is_started: bool,
    rows: CopiedRows,
    /// The bytes that were received last, until they are read.
    part: Option<BodyRange>,
    /// The number of the next row.
    next_row: u64,
}

impl LocalRows {
    pub(crate) fn new(connection: Connection, temporary_slot: Option<String>) -> Self {
        Self { connection, temporary_slot, next_chunk: 0, chunks_finished: 0, current: None }
    }

    /// Starts a table.
    pub(super) fn start(&mut self, tables: &[TableCopy], index: usize) -> Result<(), Error> {
        self.next_chunk = 0;
        if let Some(table) = tables.get(index) {
            self.start_chunk(table)?;
        }
        Ok(())
    }

    /// Returns the next row of the table, and waits for it until `wake_at`, which is called only if
    /// a wait is necessary.
    pub(crate) fn next(
        &mut self,
        table: &TableCopy,
        wake_at: impl FnOnce() -> Instant,
    ) -> Result<RowStep, Error> {
        // One deadline for all waits.
        let deadline = LazyCell::new(wake_at);
        loop {
            let Some(current) = &mut self.current else {
                if self.start_chunk(table)? {
                    continue;
                }
                return Ok(RowStep::TableEnd);
            };
            if let Some(part) = current.part {
                let found = current.rows.next(self.connection.copied(part));
                if found.map_err(|reason| table.row_error(current.next_row, reason))? {
                    current.next_row += 1;
                    return Ok(RowStep::Row(current.next_row - 1));
                }
                current.part = None;
            }
            let advance = self.connection.advance_copy_out(|| Some(*deadline));
            match advance.map_err(|error| table.explained(error))? {
                CopyOutAdvance::Started => current.is_started = true,
                CopyOutAdvance::Data(_) | CopyOutAdvance::Complete if !current.is_started => {
                    return Err(NOT_STARTED.into());
                }
                CopyOutAdvance::Data(part) => current.part = Some(part),
                CopyOutAdvance::TimedOut => return Ok(RowStep::TimedOut),
                CopyOutAdvance::Woken => return Ok(RowStep::Woken),
                CopyOutAdvance::Complete => {
                    let next_row = current.next_row;
                    current.rows.finish().map_err(|reason| table.row_error(next_row, reason))?;
                    self.current = None;
                    self.chunks_finished += 1;
                }
            }
        }
    }

    pub(super) fn chunks_finished(&self) -> u64 {
        self.chunks_finished
    }

    /// Returns the Insert message of the last row.
    pub(crate) fn frame(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |current| current.rows.frame())
    }

    /// Ends the transaction after the last table.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        // The server answers these commands at once, and no wake-up may end them.
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", "a copy", error))?;
        self.connection.set_wake_pipe(wake);
        let slot = self.temporary_slot.take();
        self.connection.with_short_timeout(|connection| {
            connection.simple_query("COMMIT")?;
            connection.simple_query("SET lock_timeout TO 0")?;
            slot.map_or(Ok(()), |slot| connection.drop_slot(&slot, false))
        })
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Starts the next chunk of the table. False means that there is none.
    fn start_chunk(&mut self, table: &TableCopy) -> Result<bool, Error> {
        let Some((chunk, first_row)) = table.chunks.get(self.next_chunk) else { return Ok(false) };
        self.next_chunk += 1;
        self.connection.send_copy_out(&table.statement(chunk))?;
        self.current = Some(CurrentChunk {
            is_started: false,
            rows: table.rows(),
            part: None,
            next_row: *first_row,
        });
        Ok(true)
    }
}
