use std::sync::Arc;

use super::*;

fn position(index: &str) -> Position {
    format!("1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:{index}.").parse().unwrap()
}

fn block(record: &Record<'_>, place: &Place<'_>) -> String {
    let mut writer = HeaderWriter::new("S", "token".into());
    String::from_utf8(writer.record(record, place).to_vec()).unwrap()
}

#[test]
fn the_block_of_a_record() {
    let (topic, at, before) = (Arc::from("a.b"), position("3"), position("2"));
    let record = Record {
        topic: &topic,
        key: Some("{\"id\":1}"),
        value: Some("{}"),
        id: EventId::InTransaction(at.commit_lsn(), 3),
        part: 0,
        is_last: true,
        position: &at,
        before: Some(&before),
    };
    let place = Place { after: Some(After::Sequence(7)), batch: None, stored: (Some(&at), 0) };
    assert_eq!(
        block(&record, &place),
        "NATS/1.0\r\nNats-Expected-Stream: S\r\nNats-Expected-Last-Sequence: 7\r\n\
         Pgoutput-Position: 1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.\r\n\
         Nats-Msg-Id: 7574093210001112223:my_slot:0/158FAC8:3\r\n\
         Pgoutput-Key: {\"id\":1}\r\n\r\n"
    );
    let batch = BatchPlace { id: "x.1", number: 2, is_last: true };
    let place = Place { after: None, batch: Some(batch), stored: (Some(&before), 2) };
    let record = Record { key: None, value: None, part: 1, is_last: false, ..record };
    assert_eq!(
        block(&record, &place),
        "NATS/1.0\r\nNats-Expected-Stream: S\r\nNats-Batch-Id: x.1\r\nNats-Batch-Sequence: 2\r\n\
         Nats-Batch-Commit: 1\r\n\
         Pgoutput-Position: 1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:2. +2\r\n\
         Nats-Msg-Id: 7574093210001112223:my_slot:0/158FAC8:3/1\r\n\
         Pgoutput-Type: tombstone\r\n\r\n"
    );
}

#[test]
fn a_table_description_and_its_event_have_different_identifiers() {
    let topic = Arc::from("a.b");
    let ids = ["s3", "3", "end"].map(|index| {
        let at = position(index);
        let id = EventId::InTransaction(at.commit_lsn(), at.index().unwrap_or(u64::MAX));
        let record = Record {
            topic: &topic,
            key: None,
            value: None,
            id,
            part: 0,
            is_last: true,
            position: &at,
            before: None,
        };
        let place = Place { after: None, batch: None, stored: (None, 0) };
        let block = block(&record, &place);
        headers::value(block.as_bytes(), "Nats-Msg-Id").unwrap().to_owned()
    });
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn rows_of_a_copy_have_identifiers_of_this_process() {
    let (topic, at) = (Arc::from("a.b"), position("-"));
    let record = Record {
        topic: &topic,
        key: None,
        value: None,
        id: EventId::Copied(at.commit_lsn()),
        part: 0,
        is_last: true,
        position: &at,
        before: None,
    };
    let place = Place { after: None, batch: None, stored: (None, 0) };
    let mut writer = HeaderWriter::new("S", "token".into());
    let mut blocks = vec![writer.record(&record, &place).to_vec()];
    blocks.push(writer.record(&record, &Place { after: Some(After::Record), ..place }).to_vec());
    let id = |block: &[u8]| headers::value(block, "Nats-Msg-Id").unwrap().to_owned();
    assert_ne!(id(&blocks[0]), id(&blocks[1]));
    // A message names the one before, so that both are stored or neither.
    let before = headers::value(&blocks[1], "Nats-Expected-Last-Msg-Id");
    assert_eq!(before, Some(id(&blocks[0]).as_str()));
    assert!(writer.has_copied(&blocks[0]));
    assert!(!HeaderWriter::new("S", "other".into()).has_copied(&blocks[0]));
}
