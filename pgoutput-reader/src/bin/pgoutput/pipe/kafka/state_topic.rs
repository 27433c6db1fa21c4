//! The topic of positions: whether it exists, and keeps them.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{IsError as _, RDKafkaErrorCode};

use super::super::log::LogError;
use super::admin;
use super::context::Context;
use super::error::{Failed, code};
use super::properties::Properties;
use super::settings::Settings;
use super::state;

/// The first wait for an answer. It doubles until the time is over, so that an error of the
/// connection is noticed early.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Connects, and checks the topic; its configuration only if it is the `first` time. Creates it
/// if it is missing and the settings allow it.
///
/// # Errors
/// The brokers cannot be reached or refuse the connection; the topic is missing, has several
/// partitions or does not keep positions.
pub(super) fn check(
    settings: &Settings,
    properties: &Properties,
    first: bool,
) -> Result<(), LogError> {
    let failed = Failed { settings, operation: "connecting", topic: &settings.state, id: "" };
    let consumer = state::consumer(properties, "pgoutput", "read_uncommitted")
        .map_err(|error| failed.because(&error))?;
    let mut partitions = partitions(&consumer, &failed)?;
    if partitions == 0 {
        if !settings.create {
            return Err(settings.lasting(missing(settings)));
        }
        admin::create(settings, properties)?;
        let since = Instant::now();
        while partitions == 0 && since.elapsed() < settings.timeout {
            std::thread::sleep(FIRST_WAIT / 10);
            partitions = self::partitions(&consumer, &failed)?;
        }
    }
    match partitions {
        1 if !first => Ok(()),
        1 => admin::check_compaction(settings, properties),
        0 => Err(settings.transient(format_args!("the topic {} is not ready", settings.state))),
        _ => Err(settings.lasting(format_args!(
            "the topic {} has {partitions} partitions, but positions need a topic with one",
            settings.state
        ))),
    }
}

pub(super) fn missing(settings: &Settings) -> String {
    let Settings { state, brokers, .. } = settings;
    format!(
        "the topic of positions {state} does not exist: kafka-topics.sh --bootstrap-server \
         {brokers} --create --topic {state} --partitions 1 --config cleanup.policy=compact"
    )
}

/// Returns the number of partitions of the topic; 0 if it does not exist.
fn partitions(consumer: &BaseConsumer<Context>, failed: &Failed<'_>) -> Result<usize, LogError> {
    let settings = failed.settings;
    let (since, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        let left = settings.timeout.saturating_sub(since.elapsed());
        let metadata =
            consumer.client().fetch_metadata(Some(&settings.state), wait.min(left).max(POLL));
        match metadata {
            Ok(metadata) => {
                let topic = metadata.topics().iter().find(|topic| topic.name() == settings.state);
                let Some(topic) = topic else { return Ok(0) };
                return match topic.error() {
                    None => Ok(topic.partitions().len()),
                    Some(error) if !error.is_error() => Ok(topic.partitions().len()),
                    Some(error) => match RDKafkaErrorCode::from(error) {
                        RDKafkaErrorCode::UnknownTopicOrPartition
                        | RDKafkaErrorCode::LeaderNotAvailable => Ok(0),
                        code => Err(failed.with(code, "")),
                    },
                };
            }
            Err(error) => {
                // Takes the errors of the connections.
                let _ = consumer.poll(POLL);
                let context = consumer.context();
                let known = context.connection_error();
                let is_over = since.elapsed() >= settings.timeout || context.all_down();
                match known {
                    Some((code, reason)) => {
                        let error = failed.with(code, &reason);
                        if is_over || !error.is_transient() {
                            return Err(error);
                        }
                    }
                    None if is_over => return Err(failed.with(code(&error), "")),
                    None => {}
                }
            }
        }
        wait *= 2;
    }
}

/// The time to take events.
const POLL: Duration = Duration::from_millis(1);
