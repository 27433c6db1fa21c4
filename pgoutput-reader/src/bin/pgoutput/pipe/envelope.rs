//! Events as records.

mod debezium;
mod seed;

use pgoutput_reader::decode::value::JsonOptions;
use pgoutput_reader::{ChangeEvent, TableSchema};

use super::batch::Batch;
use super::route::{Route, SourceNames};
use crate::Failure;
use crate::args::{EnvelopeArg, Pipe};
use debezium::Debezium;

/// Writes events in the chosen envelope.
pub(crate) struct Encoder {
    envelope: Envelope,
    route: Route,
}

enum Envelope {
    Seed(JsonOptions),
    Debezium(Box<Debezium>),
}

impl Encoder {
    /// Creates the encoder of `--envelope`.
    ///
    /// # Errors
    /// The connection settings are invalid, or options contradict the envelope.
    pub(crate) fn new(pipe: &Pipe) -> Result<Self, Failure> {
        let source = SourceNames::of(pipe)?;
        let envelope = match pipe.envelope {
            EnvelopeArg::Seed => Envelope::Seed(pipe.values.json_options()),
            EnvelopeArg::Debezium if pipe.reading.two_phase => {
                return Err(Failure::Usage(
                    "--envelope debezium cannot say that a prepared transaction was rolled back: \
                     leave out --two-phase"
                        .into(),
                ));
            }
            EnvelopeArg::Debezium => {
                Envelope::Debezium(Box::new(Debezium::new(&pipe.debezium, &source)))
            }
        };
        Ok(Self { envelope, route: Route::new(pipe, source) })
    }

    /// Returns the topics.
    pub(crate) fn route(&mut self) -> &mut Route {
        &mut self.route
    }

    /// Adds the records of an event.
    ///
    /// # Errors
    /// A value cannot be written, or two tables have the same topic.
    pub(crate) fn encode(&mut self, event: &ChangeEvent, batch: &mut Batch) -> Result<(), String> {
        let Some(table) = event.table() else {
            let topic = self.route.without_table(event);
            return match &mut self.envelope {
                Envelope::Seed(_) => seed::encode_without_table(event, &topic, batch),
                Envelope::Debezium(debezium) => debezium.encode_without_table(event, &topic, batch),
            };
        };
        let route = self.route.of_table(table)?;
        match &mut self.envelope {
            Envelope::Seed(options) => seed::encode(event, route, *options, batch),
            Envelope::Debezium(debezium) => {
                debezium.encode(event, route, batch).map_err(|error| in_change(event, &error))
            }
        }
    }
}

/// Returns the error of a value with its change.
#[cold]
fn in_change(event: &ChangeEvent, error: &str) -> String {
    let name = |table: &TableSchema| format!(" of {}.{}", table.schema_name(), table.name());
    let table = event.table().map(|table| name(table)).unwrap_or_default();
    format!("change at {}{table}: {error}", event.lsn())
}
