//! Events as records.

mod seed;

use std::sync::Arc;

use pgoutput_reader::ChangeEvent;

use super::batch::Batch;
use super::route::Route;
use crate::args::{EnvelopeArg, Pipe};

/// Writes events in the chosen envelope.
pub(crate) struct Encoder {
    envelope: EnvelopeArg,
    route: Route,
}

impl Encoder {
    pub(crate) fn new(pipe: &Pipe, name: String) -> Self {
        Self { envelope: pipe.envelope, route: Route::new(pipe, name) }
    }

    /// Adds the records of an event.
    ///
    /// # Errors
    /// A value cannot be read.
    pub(crate) fn encode(&mut self, event: &ChangeEvent, batch: &mut Batch) -> Result<(), String> {
        let topic: Arc<str> = self.route.topic(event);
        match self.envelope {
            EnvelopeArg::Seed => seed::encode(event, &topic, self.route.key(), batch),
            EnvelopeArg::Debezium => Err("the envelope debezium is not written yet".into()),
        }
    }
}
