//! The ends of partitions, which tell whether a topic has lost records.

use std::collections::BTreeMap;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::super::log::LogError;
use super::context::Context;
use super::error::{Failed, code};

/// The number of partitions whose ends are stored.
const PARTITIONS: usize = 100;

/// The offsets after the last records of partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offsets(BTreeMap<String, BTreeMap<i32, i64>>);

impl Offsets {
    /// Notes that a partition has records before this offset.
    pub(super) fn reached(&mut self, topic: &str, partition: i32, end: i64) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.insert(partition, end);
        } else {
            self.0.insert(topic.to_owned(), BTreeMap::from([(partition, end)]));
        }
    }

    /// Adds those of a batch. Others are forgotten if they are too many.
    pub(super) fn add(&mut self, batch: Self) {
        let len = |offsets: &Self| offsets.0.values().map(BTreeMap::len).sum::<usize>();
        let mut left = PARTITIONS.saturating_sub(len(&batch));
        let earlier = std::mem::replace(self, batch);
        for (topic, partition, end) in earlier.iter() {
            let known = self.0.get(topic).is_some_and(|ends| ends.contains_key(&partition));
            if !known && left > 0 {
                self.reached(topic, partition, end);
                left -= 1;
            }
        }
        while len(self) > PARTITIONS {
            self.0.pop_last();
        }
    }

    /// Returns topics, partitions and offsets.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.0.iter().flat_map(|(topic, ends)| {
            ends.iter().map(move |(partition, end)| (topic.as_str(), *partition, *end))
        })
    }

    /// Checks that partitions still have the records that were stored.
    ///
    /// # Errors
    /// A topic was deleted, or a partition ends before its last record.
    pub(super) fn check(
        &self,
        consumer: &BaseConsumer<Context>,
        failed: &Failed<'_>,
    ) -> Result<(), LogError> {
        let settings = failed.settings;
        for (topic, partition, end) in self.iter() {
            let (_, high) = match consumer.fetch_watermarks(topic, partition, settings.timeout) {
                Ok(watermarks) => watermarks,
                Err(error) => match code(&error) {
                    RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownPartition => (0, 0),
                    _ => return Err(Failed { topic, ..*failed }.because(&error)),
                },
            };
            // Tansu reports ends that are too low, but not 0.
            let is_short = high < end;
            if is_short && (high == 0 || !has_record(consumer, topic, partition, end - 1, failed)?)
            {
                return Err(settings.lasting(format_args!(
                    "the topic {topic} lost records: partition {partition} ends at {high}, after \
                     {end} was stored: restore it, or start once with --trust-slot"
                )));
            }
        }
        Ok(())
    }
}

/// Returns whether the partition has a record at or after this offset.
fn has_record(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partition: i32,
    offset: i64,
    failed: &Failed<'_>,
) -> Result<bool, LogError> {
    let settings = failed.settings;
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(topic, partition, Offset::Offset(offset))
        .and_then(|()| consumer.assign(&assignment))
        .map_err(|error| failed.because(&error))?;
    let since = Instant::now();
    while since.elapsed() < settings.timeout {
        match consumer.poll(settings.timeout.saturating_sub(since.elapsed())) {
            // A lower offset is the beginning of a partition that ends before the offset.
            Some(Ok(record)) => return Ok(record.offset() >= offset),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(false),
            Some(Err(error)) => match code(&error) {
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition => return Ok(false),
                _ => {}
            },
            None => {}
        }
    }
    Err(failed.with(RDKafkaErrorCode::OperationTimedOut, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_bounded() {
        let mut all = Offsets::default();
        for batch in 0..30 {
            let mut offsets = Offsets::default();
            for partition in 0..20 {
                offsets.reached(&format!("t{}", batch % 7), partition, batch);
            }
            all.add(offsets);
            assert!(all.iter().count() <= PARTITIONS);
            let last: Vec<_> = all.iter().filter(|(_, _, end)| *end == batch).collect();
            assert_eq!(last.len(), 20);
        }
    }
}
