//! The producer: records and position in one transaction.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::super::log::LogError;
use super::context::{Context, is_purged};
use super::error::{Failed, code, is_fenced, is_too_large};
use super::offsets::Offsets;
use super::properties::{Properties, transaction_timeout};
use super::settings::{Mode, Settings};

/// The time between two looks for events. The client's own wait for them is busy in its last
/// millisecond.
const PAUSE: Duration = Duration::from_micros(200);

/// The number of records after which events are taken, which free the memory of records.
const RECORDS: u32 = 64;

/// The longest time to abort a transaction. Brokers abort it later by themselves.
const ABORT: Duration = Duration::from_secs(5);

/// The producer of a pipe.
pub(super) struct Producer {
    client: BaseProducer<Context>,
    settings: Settings,
    id: String,
    /// The start of the batch.
    began: Cell<Instant>,
    sent: Cell<u32>,
    /// Whether a transaction can be aborted.
    is_open: Cell<bool>,
}

impl Producer {
    /// Connects, and fences earlier producers with the same transactional id.
    pub(super) fn open(
        settings: &Settings,
        properties: &Properties,
        id: &str,
    ) -> Result<Self, LogError> {
        let mut config = properties.producer(settings, id);
        config.set_log_level(RDKafkaLogLevel::Info);
        let operation = "creating a producer";
        let failed = Failed { settings, operation, topic: &settings.state, id };
        let client: BaseProducer<Context> = config
            .create_with_context(Context::default())
            .map_err(|error| failed.because(&error))?;
        if settings.mode == Mode::Transactional {
            client.init_transactions(settings.timeout).map_err(|error| {
                let failed = Failed { operation: "preparing transactions", ..failed };
                client.poll(Duration::ZERO);
                match (code(&error), client.context().connection_error()) {
                    // The connection knows more.
                    (RDKafkaErrorCode::OperationTimedOut, Some((code, reason))) => {
                        failed.with(code, &reason)
                    }
                    _ => failed.because(&error),
                }
            })?;
        }
        Ok(Self {
            client,
            settings: settings.clone(),
            id: id.into(),
            began: Cell::new(Instant::now()),
            sent: Cell::new(0),
            is_open: Cell::new(false),
        })
    }

    /// Starts a batch.
    pub(super) fn begin(&self) -> Result<(), LogError> {
        self.client.poll(Duration::ZERO);
        self.client.context().clear();
        self.began.set(Instant::now());
        if self.settings.mode == Mode::Transactional {
            let begun = self.client.begin_transaction();
            begun.map_err(|error| self.failure("beginning a transaction", "", &error))?;
            self.is_open.set(true);
        }
        Ok(())
    }

    /// Adds a record to the queue. Waits while the queue is full.
    pub(super) fn send(
        &self,
        topic: &str,
        key: Option<&str>,
        value: Option<&str>,
    ) -> Result<(), LogError> {
        let mut record = BaseRecord::to(topic);
        record.key = key;
        record.payload = value;
        self.enqueue(record)
    }

    /// Adds the position to the queue.
    pub(super) fn send_state(&self, topic: &str, id: &str, text: &str) -> Result<(), LogError> {
        self.enqueue(BaseRecord::to(topic).partition(0).key(id).payload(text))
    }

    fn enqueue(&self, mut record: BaseRecord<'_, str, str>) -> Result<(), LogError> {
        self.sent.set(self.sent.get().wrapping_add(1));
        if self.sent.get().is_multiple_of(RECORDS) {
            self.client.poll(Duration::ZERO);
        }
        loop {
            let topic = record.topic;
            let size = record.key.map_or(0, str::len) + record.payload.map_or(0, str::len);
            match self.client.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) if code(&error) == RDKafkaErrorCode::QueueFull => {
                    self.wait();
                    self.check()?;
                    record = back;
                }
                Err((error, _)) if is_too_large(code(&error)) => {
                    return Err(self.failed("", topic).too_large(size));
                }
                Err((error, _)) => {
                    // An earlier record may be the cause.
                    self.check()?;
                    return Err(self.failure(&format!("writing to topic {topic}"), topic, &error));
                }
            }
        }
    }

    /// Waits until brokers have all records of the queue.
    pub(super) fn flush(&self) -> Result<(), LogError> {
        while self.client.in_flight_count() > 0 {
            self.wait();
            self.check()?;
        }
        self.check()
    }

    /// Takes the events that are there, or else waits.
    fn wait(&self) {
        let before = self.client.in_flight_count();
        self.client.poll(Duration::ZERO);
        if self.client.in_flight_count() == before {
            thread::sleep(PAUSE);
        }
    }

    /// Returns the offsets after the records that were stored.
    pub(super) fn take_offsets(&self) -> Offsets {
        self.client.context().take_offsets()
    }

    /// Commits the transaction.
    pub(super) fn commit(&self) -> Result<(), LogError> {
        self.flush()?;
        // Whatever happens now, brokers may have committed it.
        self.is_open.set(false);
        self.client.commit_transaction(self.left().max(ABORT)).map_err(|error| {
            if let KafkaError::Transaction(error) = &error {
                self.is_open.set(error.txn_requires_abort());
            }
            self.failure("committing a transaction", &self.settings.state, &error)
        })
    }

    /// Aborts the transaction, so that consumers need not wait until brokers do it.
    pub(super) fn abort(self) {
        if self.is_open.get() {
            // The producer is not used again, so the result does not matter.
            let _ = self.client.abort_transaction(ABORT);
        }
    }

    fn left(&self) -> Duration {
        self.settings.timeout.saturating_sub(self.began.get().elapsed())
    }

    /// Returns the error of the batch, if it has one.
    fn check(&self) -> Result<(), LogError> {
        if let Some((code, text)) = self.client.client().fatal_error() {
            return Err(self.fatal(code, &text));
        }
        let Some(undelivered) = self.client.context().undelivered() else {
            if !self.left().is_zero() {
                return Ok(());
            }
            let (code, reason) = self
                .client
                .context()
                .connection_error()
                .unwrap_or((RDKafkaErrorCode::OperationTimedOut, String::new()));
            return Err(self.failed("storing a batch", "").with(code, &reason));
        };
        let topic = &undelivered.topic;
        let operation = format!("writing to topic {topic}");
        let failed = self.failed(&operation, topic);
        if is_too_large(undelivered.code) {
            return Err(failed.too_large(undelivered.bytes));
        }
        if is_purged(undelivered.code) && self.is_open.get() {
            // Records are removed when the transaction has failed; this returns the cause.
            if let Err(error) = self.client.begin_transaction() {
                return Err(self.failure(&operation, topic, &error));
            }
        }
        let reason = match undelivered.code {
            RDKafkaErrorCode::MessageTimedOut => self.client.context().connection_error(),
            _ => None,
        };
        let reason = reason.map(|(_, reason)| reason).unwrap_or_default();
        if is_fenced(undelivered.code) {
            return Err(self.fatal(undelivered.code, &reason));
        }
        Err(failed.with(undelivered.code, &reason))
    }

    /// Returns the error of a function of the client.
    fn failure(&self, operation: &str, topic: &str, error: &KafkaError) -> LogError {
        if let Some((code, text)) = self.client.client().fatal_error() {
            return self.fatal(code, &text);
        }
        if is_fenced(code(error)) {
            return self.fatal(code(error), "");
        }
        self.failed(operation, topic).because(error)
    }

    /// Returns the error of a producer that brokers do not accept any more.
    fn fatal(&self, code: RDKafkaErrorCode, text: &str) -> LogError {
        self.is_open.set(false);
        // Brokers abort a transaction of a process that was suspended.
        if is_fenced(code) && self.began.get().elapsed().as_millis() >= self.transaction_timeout() {
            return self
                .settings
                .transient("brokers have aborted a transaction that took too long");
        }
        self.failed("writing", "").with(code, text)
    }

    fn transaction_timeout(&self) -> u128 {
        transaction_timeout(&self.settings)
    }

    fn failed<'f>(&'f self, operation: &'f str, topic: &'f str) -> Failed<'f> {
        Failed { settings: &self.settings, operation, topic, id: &self.id }
    }
}
