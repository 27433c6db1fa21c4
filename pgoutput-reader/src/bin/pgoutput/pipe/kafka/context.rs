//! Events of librdkafka: log lines, errors of brokers, and results of deliveries.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;

use super::error::code;
use super::offsets::Offsets;

/// Receives the events of one client.
#[derive(Debug, Default)]
pub(super) struct Context(Mutex<Events>);

/// The events that were not taken yet.
#[derive(Debug, Default)]
struct Events {
    /// The first record that was not stored.
    undelivered: Option<Undelivered>,
    offsets: Offsets,
    /// The last error of a connection.
    connection: Option<(RDKafkaErrorCode, String)>,
    all_down: bool,
}

/// A record that was not stored.
#[derive(Debug, Clone)]
pub(super) struct Undelivered {
    pub(super) code: RDKafkaErrorCode,
    pub(super) topic: String,
    pub(super) bytes: usize,
}

impl Context {
    /// Returns the first record that was not stored.
    pub(super) fn undelivered(&self) -> Option<Undelivered> {
        self.events().undelivered.clone()
    }

    /// Returns the offsets after the records that were stored.
    pub(super) fn take_offsets(&self) -> Offsets {
        mem::take(&mut self.events().offsets)
    }

    /// Returns the last error of a connection.
    pub(super) fn connection_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.events().connection.clone()
    }

    /// Returns whether no broker could be reached.
    pub(super) fn all_down(&self) -> bool {
        self.events().all_down
    }

    /// Forgets the events of an earlier batch.
    pub(super) fn clear(&self) {
        *self.events() = Events::default();
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Debug => log::trace!(target: "librdkafka", "{facility}: {message}"),
            _ => log::debug!(target: "librdkafka", "{facility}: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::debug!(target: "librdkafka", "{error}: {reason}");
        let mut events = self.events();
        match code(&error) {
            RDKafkaErrorCode::AllBrokersDown => events.all_down = true,
            // The fatal error is asked for where it matters.
            RDKafkaErrorCode::Fatal => {}
            code => events.connection = Some((code, reason.to_owned())),
        }
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut events = self.events();
        match result {
            Ok(message) => {
                events.offsets.reached(message.topic(), message.partition(), message.offset() + 1);
            }
            Err((error, message)) => {
                let is_first = match &events.undelivered {
                    None => true,
                    // The others were removed from the queue because of one.
                    Some(first) => is_purged(first.code) && !is_purged(code(error)),
                };
                if is_first {
                    events.undelivered = Some(Undelivered {
                        code: code(error),
                        topic: message.topic().to_owned(),
                        bytes: message.key_len() + message.payload_len(),
                    });
                }
            }
        }
    }
}

/// Returns whether the record was removed from the queue because of another error.
pub(super) fn is_purged(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
}
