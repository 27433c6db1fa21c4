//! The record with the position, in a compacted topic.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use pgoutput_reader::Position;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::super::log::LogError;
use super::context::Context;
use super::error::{Failed, code, is_moving};
use super::offsets::Offsets;
use super::properties::{Properties, transaction_timeout};
use super::settings::Settings;

/// The number of offsets at the end of the topic that are read first. The position is usually
/// there; if it is not, more is read.
const FIRST: i64 = 1000;

/// The interval of checks whether an open transaction has ended.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The position of a pipe, and the ends of partitions that it wrote to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) position: Position,
    pub(super) offsets: Offsets,
}

/// The JSON object of a state.
#[derive(Debug, Serialize, Deserialize)]
struct Text<'t> {
    #[serde(borrow)]
    position: Cow<'t, str>,
    #[serde(default)]
    ends: Cow<'t, Offsets>,
}

impl State {
    /// Returns the JSON object that is stored.
    pub(super) fn text(position: &Position, offsets: &Offsets) -> String {
        let text = Text { position: position.to_string().into(), ends: Cow::Borrowed(offsets) };
        // A map with numbers as keys and without other content cannot fail.
        serde_json::to_string(&text).unwrap_or_default()
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let Text { position, ends } = serde_json::from_slice(text).ok()?;
        Some(Self { position: position.parse().ok()?, offsets: ends.into_owned() })
    }
}

/// Reads the last state that was committed with this key. `trusts` tells whether partitions may
/// have lost records.
pub(super) fn read(
    settings: &Settings,
    properties: &Properties,
    id: &str,
    trusts: bool,
) -> Result<Option<State>, LogError> {
    let operation = format!("reading the topic {}", settings.state);
    let failed = Failed { settings, operation: &operation, topic: &settings.state, id };
    let refused = |error: KafkaError| failed.because(&error);
    let uncommitted = consumer(properties, id, "read_uncommitted").map_err(refused)?;
    let committed = consumer(properties, id, "read_committed").map_err(refused)?;
    let (low, high) = watermarks(&uncommitted, &failed)?;
    await_open_transactions(&committed, high, &failed)?;
    let mut from = (high - FIRST).max(low);
    loop {
        let found = last_from(&committed, from, &failed)?;
        if let Some(text) = found {
            let state = State::parse(&text).ok_or_else(|| {
                settings.lasting(format_args!(
                    "the record with the key {id} in the topic {} is not a position of pgoutput: \
                     use another state or transactional_id",
                    settings.state
                ))
            })?;
            if !trusts {
                state.offsets.check(&uncommitted, &failed)?;
            }
            return Ok(Some(state));
        }
        if from <= low {
            return Ok(None);
        }
        from = (high - 8 * (high - from)).max(low);
    }
}

/// Returns a client that reads from partitions without being in a consumer group.
pub(super) fn consumer(
    properties: &Properties,
    id: &str,
    isolation: &str,
) -> Result<BaseConsumer<Context>, KafkaError> {
    let mut config = properties.client();
    // Assigning partitions needs a name of a group, although nothing is committed to it.
    config.set("group.id", id);
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("enable.partition.eof", "true");
    config.set("auto.offset.reset", "earliest");
    config.set("isolation.level", isolation);
    config.set("queued.max.messages.kbytes", "4096");
    config.set("fetch.message.max.bytes", "1048576");
    config.create_with_context(Context::default())
}

/// Returns the first offset of the topic and the end, with a little patience for a new topic.
fn watermarks(
    consumer: &BaseConsumer<Context>,
    failed: &Failed<'_>,
) -> Result<(i64, i64), LogError> {
    let settings = failed.settings;
    let since = Instant::now();
    loop {
        match consumer.fetch_watermarks(&settings.state, 0, settings.timeout) {
            Ok(watermarks) => return Ok(watermarks),
            Err(error) if is_moving(code(&error)) && since.elapsed() < settings.timeout => {
                std::thread::sleep(CHECK_INTERVAL);
            }
            Err(error) => return Err(failed.because(&error)),
        }
    }
}

/// Waits until no transaction of another pipe is open before this offset: committed records after
/// its beginning cannot be read until then.
fn await_open_transactions(
    committed: &BaseConsumer<Context>,
    high: i64,
    failed: &Failed<'_>,
) -> Result<(), LogError> {
    let settings = failed.settings;
    let since = Instant::now();
    loop {
        let (_, stable) = watermarks(committed, failed)?;
        if stable >= high {
            return Ok(());
        }
        // Brokers abort it after this time, if its pipe has the same timeout.
        if since.elapsed().as_millis() > transaction_timeout(settings) {
            return Err(settings.transient(format_args!(
                "another program has an open transaction on the topic {}",
                settings.state
            )));
        }
        std::thread::sleep(CHECK_INTERVAL);
    }
}

/// Returns the value of the last record with the key, among those from an offset on.
fn last_from(
    committed: &BaseConsumer<Context>,
    from: i64,
    failed: &Failed<'_>,
) -> Result<Option<Vec<u8>>, LogError> {
    let (settings, id) = (failed.settings, failed.id);
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(&settings.state, 0, Offset::Offset(from))
        .and_then(|()| committed.assign(&assignment))
        .map_err(|error| failed.because(&error))?;
    let mut found = None;
    let mut since = Instant::now();
    while since.elapsed() < settings.timeout {
        match committed.poll(settings.timeout.saturating_sub(since.elapsed())) {
            Some(Ok(record)) => {
                since = Instant::now();
                if record.key() == Some(id.as_bytes()) {
                    // Without a value, the position was removed by hand.
                    found = record.payload().map(<[u8]>::to_vec);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(found),
            Some(Err(error)) => {
                let error = failed.with(code(&error), "");
                if !error.is_transient() {
                    return Err(error);
                }
            }
            None => {}
        }
    }
    let (code, reason) = committed
        .context()
        .connection_error()
        .unwrap_or((RDKafkaErrorCode::OperationTimedOut, String::new()));
    Err(failed.with(code, &reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: &str = "1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.";

    #[test]
    fn text_and_back() {
        let mut offsets = Offsets::default();
        offsets.reached("t", 0, 5);
        offsets.reached("t", 11, 7);
        let position: Position = POSITION.parse().unwrap();
        let text = State::text(&position, &offsets);
        assert_eq!(text, format!(r#"{{"position":"{POSITION}","ends":{{"t":{{"0":5,"11":7}}}}}}"#));
        assert_eq!(State::parse(text.as_bytes()), Some(State { position, offsets }));
        assert_eq!(State::parse(br#"{"position":"x"}"#), None);
        assert_eq!(State::parse(b""), None);
    }
}
