//! The sink of the pipe: events as records in a log.

use pgoutput_reader::{ChangeEvent, Position, Sink};

use super::batch::Batch;
use super::envelope::Encoder;
use super::log::{Log, LogError, Stored};
use super::retry::Retry;
use crate::Failure;
use crate::args::Pipe;
use crate::filter::Filter;
use crate::signals::SignalTarget;

/// Encodes events and stores them in a log.
pub(crate) struct LogSink {
    log: Box<dyn Log>,
    encoder: Encoder,
    filter: Filter,
    retry: Retry,
    batch: Batch,
    /// What the log has stored.
    stored: Stored,
    figures: Figures,
}

/// What was stored since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) batches: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl LogSink {
    pub(crate) fn new(
        pipe: &Pipe,
        name: String,
        filter: Filter,
        signalled: &SignalTarget,
    ) -> Result<Self, Failure> {
        Ok(Self {
            log: pipe.to.log(pipe)?,
            encoder: Encoder::new(pipe, name),
            filter,
            retry: Retry::new(pipe, signalled.clone()),
            batch: Batch::default(),
            stored: Stored::default(),
            figures: Figures::default(),
        })
    }

    /// Returns what was stored since the start.
    pub(crate) fn figures(&self) -> Figures {
        self.figures
    }

    /// Returns the name of the destination, without passwords.
    pub(crate) fn name(&self) -> String {
        self.log.name()
    }
}

impl Sink for LogSink {
    type Error = LogError;

    fn position(&mut self) -> Result<Option<Position>, LogError> {
        self.stored = self.log.open()?;
        Ok(self.stored.position.clone())
    }

    fn write(&mut self, event: &ChangeEvent) -> Result<(), LogError> {
        if !self.filter.prints(event) {
            return Ok(());
        }
        self.batch.begin(event);
        self.encoder.encode(event, &mut self.batch).map_err(|error| {
            LogError::lasting(format!(
                "a value cannot be written: {error}; its transaction is sent again"
            ))
        })
    }

    fn pending_bytes(&self) -> usize {
        self.batch.bytes()
    }

    fn commit(&mut self, position: &Position) -> Result<(), LogError> {
        self.batch.set_position(position);
        // Of the first event after the start, these are stored already.
        self.batch.skip(self.stored.records);
        self.retry.store(&mut *self.log, &mut self.batch, &self.stored)?;
        self.stored = Stored::at(position.clone());
        self.figures.batches += 1;
        self.figures.records += self.batch.len() as u64;
        self.figures.bytes += self.batch.bytes() as u64;
        self.batch.clear();
        Ok(())
    }
}
