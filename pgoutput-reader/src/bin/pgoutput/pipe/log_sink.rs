//! The sink of the pipe: events as records in a log.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use pgoutput_reader::{ChangeEvent, Position, Sink};

use super::batch::Batch;
use super::envelope::Encoder;
use super::figures::Figures;
use super::log::{Log, LogError};
use super::retry::Retry;
use super::route::Route;
use super::storage::Storage;
use crate::Failure;
use crate::args::Pipe;
use crate::filter::Filter;
use crate::signals::SignalTarget;

/// Encodes events, and stores them in a log in another thread.
pub(crate) struct LogSink {
    name: String,
    log: LogState,
    encoder: Encoder,
    filter: Filter,
    batch: Batch,
    /// The buffers of the batch before, once it is stored.
    spare: Batch,
    /// The number of records that the log has of the first event after the start.
    first_has: usize,
    figures: Arc<Figures>,
}

enum LogState {
    Closed(Box<dyn Log>, Retry),
    Open(Storage),
    Failed,
}

impl LogSink {
    pub(crate) fn new(
        pipe: &Pipe,
        filter: Filter,
        signalled: &SignalTarget,
    ) -> Result<Self, Failure> {
        let figures = Arc::<Figures>::default();
        let log = pipe.to.log(pipe)?;
        let retry = Retry::new(pipe, signalled.clone(), Arc::clone(&figures));
        Ok(Self {
            name: log.name(),
            log: LogState::Closed(log, retry),
            encoder: Encoder::new(pipe)?,
            filter,
            batch: Batch::default(),
            spare: Batch::default(),
            first_has: 0,
            figures,
        })
    }

    /// Returns what was stored since the start.
    pub(crate) fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// Returns the topics.
    pub(super) fn route(&mut self) -> &mut Route {
        self.encoder.route()
    }

    /// Returns the name of the destination, without passwords.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Sink for LogSink {
    type Error = LogError;

    fn position(&mut self) -> Result<Option<Position>, LogError> {
        let LogState::Closed(mut log, retry) = mem::replace(&mut self.log, LogState::Failed) else {
            return Err(LogError::lasting("the destination is open already"));
        };
        let stored = log.open()?;
        let position = stored.position.clone();
        self.first_has = stored.records;
        let storage = Storage::start(log, retry, stored, Arc::clone(&self.figures))
            .map_err(|error| LogError::lasting(format!("starting a thread: {error}")))?;
        self.log = LogState::Open(storage);
        Ok(position)
    }

    fn write(&mut self, event: &ChangeEvent) -> Result<(), LogError> {
        if self.filter.prints(event) {
            self.encode(event).inspect_err(|_| self.batch.cancel())?;
        }
        self.batch.end(event);
        Ok(())
    }

    fn pending_bytes(&self) -> usize {
        self.batch.bytes()
    }

    fn commit(&mut self, position: &Position) -> Result<(), LogError> {
        self.batch.set_position(position);
        if self.batch.len() > 0 {
            self.first_has = 0;
        }
        let batch = mem::replace(&mut self.batch, mem::take(&mut self.spare));
        self.storage()?.store(batch)
    }

    fn wait_stored(&mut self, timeout: Duration) -> Result<bool, LogError> {
        let stored = self.storage()?.wait(timeout)?;
        let is_stored = stored.is_some();
        self.spare = stored.unwrap_or_default();
        Ok(is_stored)
    }
}

impl LogSink {
    fn storage(&mut self) -> Result<&mut Storage, LogError> {
        match &mut self.log {
            LogState::Open(storage) => Ok(storage),
            _ => Err(LogError::lasting("the destination is not open")),
        }
    }

    fn encode(&mut self, event: &ChangeEvent) -> Result<(), LogError> {
        let is_first = self.batch.len() == 0;
        self.batch.begin(event);
        self.encoder.encode(event, &mut self.batch).map_err(|error| {
            LogError::lasting(format!("{error}; its transaction is sent again"))
        })?;
        if is_first && self.batch.len() > 0 && self.first_has > 0 {
            self.check_first()?;
        }
        Ok(())
    }

    /// Checks the event of which the log has some records against its records of now.
    fn check_first(&self) -> Result<(), LogError> {
        let (stored, now) = (self.first_has, self.batch.records_of_event_at(0));
        if stored < now {
            return Ok(());
        }
        Err(LogError::lasting(format!(
            "{} has {stored} records of an event that has {now} now: start with the --envelope, \
             --key and filters of before, so that it is stored completely",
            self.name
        )))
    }
}
