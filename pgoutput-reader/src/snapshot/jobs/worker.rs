//! A job: copies one chunk after another, and continues after a lost connection.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::exchange::{Batch, Exchange};
use super::keeper::check_server;
use crate::connection::{Connection, CopyOutAdvance, NOT_STARTED, SessionOpener};
use crate::error::{Error, ServerState, is_transient};
use crate::snapshot::session::{CopySettings, LOCK_NOT_AVAILABLE};
use crate::snapshot::table_copy::TableCopy;

/// The bytes of a batch, apart from its last row.
const BATCH_LEN: usize = 64 * 1024;

/// The delays before the attempts to connect again. The snapshot may be gone meanwhile, so there
/// is no use in trying for long.
const DELAYS: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// A job.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) tables: Arc<[TableCopy]>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) opener: SessionOpener,
    pub(super) settings: CopySettings,
    pub(super) snapshot: String,
    pub(super) server: ServerState,
}

/// Ends the copy if the thread panics.
struct FailAtPanic<'a>(&'a Exchange);

impl Drop for FailAtPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail(crate::error::ErrorKind::ThreadPanicked { doing: "copying" }.into());
        }
    }
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start(self) -> Result<(), Error> {
        thread::Builder::new()
            .name(format!("pgoutput-copy-{}", self.number + 1))
            .spawn(move || {
                let _at_panic = FailAtPanic(&self.exchange);
                if let Err(error) = self.run() {
                    self.exchange.fail(error);
                }
            })
            .map_err(|error| Error::io("starting a thread for", "copying", error))?;
        Ok(())
    }

    fn run(&self) -> Result<(), Error> {
        let mut connection = None;
        while let Some((table, chunk)) = self.exchange.take() {
            // The number of rows of the chunk that the reader has.
            let mut sent = 0;
            let mut delays = DELAYS.iter();
            while let Err(error) = self.copy(&mut connection, table, chunk, &mut sent) {
                if self.exchange.is_closed() {
                    return Ok(());
                }
                let delay = delays.next().filter(|_| is_transient(&error));
                let Some(delay) = delay else {
                    if error.sqlstate() != Some(LOCK_NOT_AVAILABLE) {
                        return Err(error);
                    }
                    let copied = self.tables.get(table).map(|copy| &copy.table);
                    self.exchange.fail_before(table, self.settings.lock_error(error, copied));
                    return Ok(());
                };
                log::warn!("a job of the copy connects again: {error}");
                connection = None;
                thread::sleep(*delay);
            }
            self.exchange.finish(table);
        }
        Ok(())
    }

    /// Copies a chunk without its first `sent` rows. The order of its rows is always the same.
    fn copy(
        &self,
        connection: &mut Option<Connection>,
        table: usize,
        chunk: usize,
        sent: &mut u64,
    ) -> Result<(), Error> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.connect()?),
        };
        let Some((copy, (chunk, first_row))) =
            self.tables.get(table).and_then(|copy| Some((copy, copy.chunks.get(chunk)?)))
        else {
            return Ok(());
        };
        connection.send_copy_out(&copy.statement(chunk))?;
        let (mut rows, mut is_started) = (copy.rows(), false);
        let mut row = 0;
        let new_batch = |row: u64| Batch::new(self.number, table, first_row + row);
        let mut batch = new_batch(*sent);
        loop {
            let advance = connection.advance_copy_out(|| None);
            match advance.map_err(|error| copy.explained(error))? {
                CopyOutAdvance::Started => is_started = true,
                CopyOutAdvance::Data(_) | CopyOutAdvance::Complete if !is_started => {
                    return Err(NOT_STARTED.into());
                }
                CopyOutAdvance::Data(part) => {
                    let error = |row: u64| move |reason| copy.row_error(first_row + row, reason);
                    while rows.next(connection.copied(part)).map_err(error(row))? {
                        row += 1;
                        if row > *sent + batch.rows() as u64 {
                            batch.push(rows.frame());
                        }
                    }
                    if batch.len() >= BATCH_LEN {
                        let next = *sent + batch.rows() as u64;
                        if !self.exchange.send(std::mem::replace(&mut batch, new_batch(next))) {
                            return Err(self.closed());
                        }
                        *sent = next;
                    }
                }
                CopyOutAdvance::Complete => break,
                CopyOutAdvance::Woken if self.exchange.is_closed() => return Err(self.closed()),
                CopyOutAdvance::TimedOut | CopyOutAdvance::Woken => {}
            }
        }
        rows.finish().map_err(|reason| copy.row_error(first_row + row, reason))?;
        let left = batch.rows() as u64;
        if left > 0 && !self.exchange.send(batch) {
            return Err(self.closed());
        }
        *sent += left;
        Ok(())
    }

    fn connect(&self) -> Result<Connection, Error> {
        let mut connection = self.opener.open()?;
        // It may have ended while this connected.
        if !self.exchange.set_waker(self.number, connection.waker()) {
            return Err(self.closed());
        }
        self.settings.apply(&mut connection)?;
        check_server(&mut connection, self.server)?;
        connection.begin_with_snapshot(&self.snapshot)?;
        Ok(connection)
    }

    fn closed(&self) -> Error {
        Error::stopped("copying tables from", &self.opener.address())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::error::ErrorKind;
    use crate::io::WakePipe;
    use crate::source::mock_server::MockServer;

    /// Its wake-up would have been missed.
    #[test]
    fn a_copy_that_ends_while_a_job_connects_ends_the_job() {
        let server = MockServer::new("worker-closed");
        let config = server.config();
        let connection = Connection::connect(&config).unwrap();
        let reader = WakePipe::new().unwrap().waker();
        let worker = Worker {
            number: 0,
            tables: Arc::from([]),
            exchange: Arc::new(Exchange::new(NonZeroU32::MIN, reader)),
            opener: connection.session_opener(&config),
            settings: CopySettings { lock_timeout: Duration::ZERO },
            snapshot: "kept".into(),
            server: ServerState { system_identifier: 700, is_in_recovery: false },
        };
        assert!(worker.connect().is_ok());
        assert!(server.session_commands().len() > 1);
        worker.exchange.close();
        let error = worker.connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Stopped { .. }), "{error}");
        // Nothing but the settings of every connection.
        let commands = server.session_commands();
        assert!(commands.iter().all(|command| command.contains("_timeout")), "{commands:?}");
    }
}
