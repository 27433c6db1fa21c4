//! Creating the topic of positions, and reading its configuration.

use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::super::log::LogError;
use super::context::Context;
use super::error::Failed;
use super::properties::Properties;
use super::settings::Settings;

/// Time that an answer of librdkafka itself may take longer than the limit that it was given.
const GRACE: Duration = Duration::from_secs(5);

/// The longest wait for a configuration. Brokers that do not tell it are used all the same.
const CONFIGURATION: Duration = Duration::from_secs(5);

/// Creates the topic of positions, compacted and with one partition.
pub(super) fn create(settings: &Settings, properties: &Properties) -> Result<(), LogError> {
    let operation = format!("creating the topic {}", settings.state);
    let failed = Failed { settings, operation: &operation, topic: &settings.state, id: "" };
    let client = client(properties).map_err(|error| failed.because(&error))?;
    // With small segments, compaction keeps the topic short. -1 is the brokers' default.
    let topic = NewTopic::new(&settings.state, 1, TopicReplication::Fixed(-1))
        .set("cleanup.policy", "compact")
        .set("segment.bytes", "16777216")
        .set("min.cleanable.dirty.ratio", "0.1");
    let options = options(settings.timeout);
    let results = block_on(client.create_topics([&topic], &options), settings.timeout + GRACE);
    let result = match results {
        None => return Err(failed.with(RDKafkaErrorCode::OperationTimedOut, "")),
        Some(Err(error)) => return Err(failed.because(&error)),
        Some(Ok(results)) => results.into_iter().next(),
    };
    match result {
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
            Err(failed.with(code, ""))
        }
        _ => Ok(()),
    }
}

/// Refuses a topic whose records are deleted after some time.
pub(super) fn check_compaction(
    settings: &Settings,
    properties: &Properties,
) -> Result<(), LogError> {
    let failed = Failed { settings, operation: "connecting", topic: &settings.state, id: "" };
    let client = client(properties).map_err(|error| failed.because(&error))?;
    let resource = ResourceSpecifier::Topic(&settings.state);
    let limit = settings.timeout.min(CONFIGURATION);
    let options = options(limit);
    let configs = block_on(client.describe_configs([&resource], &options), limit + GRACE);
    let policy = match configs {
        Some(Ok(configs)) => configs
            .into_iter()
            .find_map(Result::ok)
            .and_then(|config| config.get("cleanup.policy").and_then(|entry| entry.value.clone())),
        _ => None,
    };
    match policy.as_deref() {
        Some("compact") => Ok(()),
        Some(policy) => Err(settings.lasting(format_args!(
            "the topic of positions {0} has cleanup.policy={policy}, which deletes them: \
             kafka-configs.sh --alter --topic {0} --add-config cleanup.policy=compact",
            settings.state
        ))),
        None => {
            // The right to describe configurations is not needed otherwise.
            log::warn!("the cleanup.policy of the topic {} is not known", settings.state);
            Ok(())
        }
    }
}

fn client(properties: &Properties) -> Result<AdminClient<Context>, KafkaError> {
    properties.client().create_with_context(Context::default())
}

fn options(limit: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(limit)).operation_timeout(Some(limit))
}

/// Waits for a future, for a limited time.
fn block_on<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let end = Instant::now() + limit;
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}
