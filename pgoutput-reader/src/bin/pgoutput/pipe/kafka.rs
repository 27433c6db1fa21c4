//! A log in Kafka: a topic for each table, and the position in a compacted topic.
//!
//! In the mode `transactional`, the records of a batch and its position are one transaction of a
//! producer, which later producers with the same transactional id fence. In the mode `idempotent`,
//! the position is written after its records, so that a crash repeats them.

mod admin;
mod context;
mod error;
mod id;
mod names;
mod offsets;
mod producer;
mod properties;
mod settings;
mod state;
mod state_topic;

use pgoutput_reader::Position;

use super::batch::Batch;
use super::log::{Log, LogError, Stored};
use crate::Failure;
use crate::args::Pipe;
use names::TopicNames;
use offsets::Offsets;
use producer::Producer;
use properties::Properties;
use settings::Mode;
pub(crate) use settings::Settings;
use state::State;

impl Settings {
    /// Returns the log, which is not connected yet.
    pub(crate) fn log(&self, pipe: &Pipe) -> Result<Box<dyn Log>, Failure> {
        Ok(Box::new(Kafka {
            id: match &self.id {
                Some(id) => id.clone(),
                None => id::default(pipe)?,
            },
            properties: Properties::new(self).map_err(Failure::Usage)?,
            settings: self.clone(),
            trusts: pipe.trust_slot,
            names: TopicNames::default(),
            offsets: Offsets::default(),
            producer: None,
            was_open: false,
        }))
    }
}

/// The topics of a cluster.
struct Kafka {
    settings: Settings,
    properties: Properties,
    /// The transactional id, which is also the key of the position.
    id: String,
    /// Whether topics may have lost records.
    trusts: bool,
    names: TopicNames,
    /// The ends of the partitions that were written last.
    offsets: Offsets,
    /// The producer; `None` before `open`, and after an error.
    producer: Option<Producer>,
    /// Whether it was opened before.
    was_open: bool,
}

impl Log for Kafka {
    fn open(&mut self) -> Result<Stored, LogError> {
        // It is closed first, so that its threads end before others start.
        self.producer = None;
        state_topic::check(&self.settings, &self.properties, !self.was_open)?;
        // Aborts the last transaction of an earlier producer, or waits until it is committed.
        // What is read afterwards does not change any more.
        let producer = Producer::open(&self.settings, &self.properties, &self.id)?;
        let found = state::read(&self.settings, &self.properties, &self.id, self.trusts)?;
        self.producer = Some(producer);
        self.was_open = true;
        let Some(State { position, offsets }) = found else {
            self.offsets = Offsets::default();
            return Ok(Stored::default());
        };
        // Ends that are not trusted are not stored again.
        self.offsets = if self.trusts { Offsets::default() } else { offsets };
        Ok(Stored::at(position))
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        let Some(producer) = self.producer.take() else {
            return Err(self.settings.transient("it is not connected"));
        };
        let Some(position) = batch.position() else {
            self.producer = Some(producer);
            return Ok(());
        };
        match self.write(&producer, batch, position) {
            Ok(()) => {
                self.producer = Some(producer);
                Ok(())
            }
            Err(error) => {
                producer.abort();
                Err(error)
            }
        }
    }

    fn name(&self) -> String {
        self.settings.name()
    }
}

impl Kafka {
    fn write(
        &mut self,
        producer: &Producer,
        batch: &Batch,
        position: &Position,
    ) -> Result<(), LogError> {
        producer.begin()?;
        for record in batch.records() {
            let topic =
                self.names.get(record.topic).map_err(|error| self.settings.lasting(error))?;
            producer.send(topic, record.key, record.value)?;
        }
        // The position contains the ends of the partitions, which are known once this is done.
        producer.flush()?;
        self.offsets.add(producer.take_offsets());
        let state = State::text(position, &self.offsets);
        producer.send_state(&self.settings.state, &self.id, &state)?;
        match self.settings.mode {
            Mode::Transactional => producer.commit(),
            Mode::Idempotent => producer.flush(),
        }
    }
}
