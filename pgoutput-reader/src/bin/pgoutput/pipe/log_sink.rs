//! The sink of the pipe: events as records in a log.

use std::sync::Arc;

use pgoutput_reader::{ChangeEvent, Position, Sink};

use super::batch::Batch;
use super::envelope::Encoder;
use super::figures::Figures;
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
    figures: Arc<Figures>,
}

impl LogSink {
    pub(crate) fn new(
        pipe: &Pipe,
        filter: Filter,
        signalled: &SignalTarget,
    ) -> Result<Self, Failure> {
        let figures = Arc::<Figures>::default();
        Ok(Self {
            log: pipe.to.log(pipe)?,
            encoder: Encoder::new(pipe)?,
            filter,
            retry: Retry::new(pipe, signalled.clone(), Arc::clone(&figures)),
            batch: Batch::default(),
            stored: Stored::default(),
            figures,
        })
    }

    /// Returns what was stored since the start.
    pub(crate) fn figures(&self) -> &Arc<Figures> {
        &self.figures
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
        let is_first = self.batch.len() == 0;
        if self.filter.prints(event) {
            self.batch.begin(event);
            self.encoder.encode(event, &mut self.batch).map_err(|error| {
                LogError::lasting(format!("{error}; its transaction is sent again"))
            })?;
        }
        self.batch.end(event);
        if is_first && self.batch.len() > 0 && self.stored.records > 0 {
            self.check_first()?;
        }
        Ok(())
    }

    fn pending_bytes(&self) -> usize {
        self.batch.bytes()
    }

    fn commit(&mut self, position: &Position) -> Result<(), LogError> {
        self.batch.set_position(position);
        // Of the first event after the start, these are stored already.
        self.batch.skip(self.stored.records);
        self.retry.store(&mut *self.log, &mut self.batch, &self.stored)?;
        // Without a record, that event is still to come.
        let records = if self.batch.len() == 0 { self.stored.records } else { 0 };
        self.stored = Stored { position: Some(position.clone()), records };
        self.figures.stored(self.batch.len(), self.batch.bytes());
        self.batch.clear();
        Ok(())
    }
}

impl LogSink {
    /// Checks the event of which the log has some records against its records of now.
    fn check_first(&self) -> Result<(), LogError> {
        let (stored, now) = (self.stored.records, self.batch.records_of_event_at(0));
        if stored < now {
            return Ok(());
        }
        Err(LogError::lasting(format!(
            "{} has {stored} records of an event that has {now} now: start with the --envelope, \
             --key and filters of before, so that it is stored completely",
            self.log.name()
        )))
    }
}
