//! What consumers read.

use std::time::Duration;

use pgoutput_tests::waiting;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// A record with its key.
pub(super) type Record = (Option<String>, Option<String>);

/// Returns the values of a topic's first partition, as a consumer with `read_committed` reads them.
pub(super) fn values(port: u16, topic: &str) -> Vec<String> {
    let records = records(port, topic, "read_committed");
    records.into_iter().map(|(_, value)| value.unwrap_or("null".into())).collect()
}

/// Returns the records of a topic's first partition.
pub(super) fn records(port: u16, topic: &str, isolation: &str) -> Vec<Record> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    config.set("group.id", "test").set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true").set("isolation.level", isolation);
    config.set("auto.offset.reset", "error").set("check.crcs", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.into()).unwrap());
    waiting(format!("the end of {topic}"), || {
        let mut records = Vec::new();
        loop {
            match consumer.poll(Duration::from_secs(1)) {
                Some(Ok(record)) => records.push((text(record.key()), text(record.payload()))),
                Some(Err(KafkaError::PartitionEOF(_))) => return records,
                Some(Err(error)) if error.to_string().contains("UnknownTopic") => return records,
                Some(Err(error)) => panic!("{topic}: {error}"),
                None => {}
            }
        }
    })
}
