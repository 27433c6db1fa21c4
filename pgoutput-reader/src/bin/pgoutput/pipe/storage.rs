//! The thread that stores batches, while the next one is read and encoded.

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::batch::Batch;
use super::figures::Figures;
use super::log::{Log, LogError, Stored};
use super::retry::Retry;

/// A log in a thread of its own. It stores one batch at a time.
pub(crate) struct Storage {
    batches: Option<SyncSender<Batch>>,
    results: Receiver<Result<Batch, LogError>>,
    thread: Option<JoinHandle<()>>,
}

impl Storage {
    /// Starts the thread. The log is open, and has what is `stored`.
    pub(crate) fn start(
        log: Box<dyn Log>,
        retry: Retry,
        stored: Stored,
        figures: Arc<Figures>,
    ) -> io::Result<Self> {
        let (batches, received) = mpsc::sync_channel(1);
        let (sender, results) = mpsc::sync_channel(1);
        let mut worker = Worker { log, retry, stored, figures };
        let thread = thread::Builder::new().name("storage".into()).spawn(move || {
            while let Ok(batch) = received.recv() {
                let result = worker.store(batch);
                let is_over = result.is_err();
                if sender.send(result).is_err() || is_over {
                    break;
                }
            }
        })?;
        Ok(Self { batches: Some(batches), results, thread: Some(thread) })
    }

    /// Stores a batch after the one before it was [stored](Self::wait).
    pub(crate) fn store(&mut self, batch: Batch) -> Result<(), LogError> {
        match &self.batches {
            Some(batches) if batches.send(batch).is_ok() => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// Waits for at most `timeout` until the batch is stored, and returns its buffers.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<Option<Batch>, LogError> {
        let result = if timeout.is_zero() {
            self.results.try_recv().map_err(|error| error == TryRecvError::Disconnected)
        } else {
            let result = self.results.recv_timeout(timeout);
            result.map_err(|error| error == RecvTimeoutError::Disconnected)
        };
        match result {
            Ok(result) => result.map(Some),
            Err(false) => Ok(None),
            Err(true) => Err(self.ended()),
        }
    }

    /// Returns the error of a thread that has ended.
    fn ended(&mut self) -> LogError {
        self.join();
        LogError::lasting("storing has ended after an error")
    }

    fn join(&mut self) {
        self.batches = None;
        if let Some(Err(panicked)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            resume_unwind(panicked);
        }
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.join();
    }
}

/// What the thread has.
struct Worker {
    log: Box<dyn Log>,
    retry: Retry,
    /// What the log has stored.
    stored: Stored,
    figures: Arc<Figures>,
}

impl Worker {
    /// Stores a batch, and returns its buffers.
    fn store(&mut self, mut batch: Batch) -> Result<Batch, LogError> {
        // Of the first event after the start, these are stored already.
        batch.skip(self.stored.records);
        let new = batch.records().len();
        self.retry.store(&mut *self.log, &mut batch, &self.stored)?;
        // Without a record, that event is still to come.
        let records = if batch.len() == 0 { self.stored.records } else { 0 };
        self.stored = Stored { position: batch.position().cloned(), records };
        self.figures.stored(new, batch.bytes());
        batch.clear();
        Ok(batch)
    }
}

#[cfg(test)]
mod tests;
