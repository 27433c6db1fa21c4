//! Polling over plain SQL: the same frames, events, positions and guarantees as a replication
//! connection.

mod acknowledge;
mod events;
mod frames;
mod missing_publication;
mod outages;
mod pooler;
mod resume;
mod workload;

use std::time::Duration;

use pgoutput_reader::ReaderBuilder;
use pgoutput_tests::Fixture;

/// The interval of polls in tests.
const INTERVAL: Duration = Duration::from_millis(20);

/// Returns the settings of a reader of the fixture that polls.
fn polling(fixture: &Fixture<'_>) -> ReaderBuilder {
    fixture.builder().poll(INTERVAL)
}
