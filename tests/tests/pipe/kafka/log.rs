//! A partition of the test's broker: batches of records, and open and aborted transactions.

use std::collections::{BTreeMap, HashMap};

pub(super) const INVALID_OFFSET: i16 = 1;
pub(super) const OUT_OF_ORDER: i16 = 45;
pub(super) const INVALID_EPOCH: i16 = 47;

/// The number of batches of a producer whose repetition is recognised.
const RECENT: usize = 5;

/// A partition.
#[derive(Debug, Default)]
pub(super) struct Log {
    batches: Vec<Batch>,
    pub(super) end: i64,
    producers: HashMap<i64, Sequence>,
    /// The first offsets of open transactions, by producer.
    open: BTreeMap<i64, i64>,
    aborted: Vec<Aborted>,
}

#[derive(Debug)]
struct Batch {
    last: i64,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Sequence {
    epoch: i16,
    next: i32,
    recent: Vec<(i32, i64)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Aborted {
    pub(super) producer: i64,
    pub(super) first: i64,
    marker: i64,
}

impl Log {
    /// Returns the offset before which no transaction is open.
    pub(super) fn stable(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.end)
    }

    /// Appends a batch in the format 2, and returns its offset.
    pub(super) fn append(&mut self, mut bytes: Vec<u8>) -> Result<i64, i16> {
        let i16_at = |at: usize| i16::from_be_bytes(bytes[at..at + 2].try_into().unwrap());
        let i32_at = |at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let i64_at = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(bytes[16], 2, "the format of the batch");
        assert_eq!(i32_at(8), i32::try_from(bytes.len() - 12).unwrap(), "one batch");
        let (attributes, last_delta) = (i16_at(21), i32_at(23));
        let (producer, epoch, sequence) = (i64_at(43), i16_at(51), i32_at(53));
        let base = self.end;
        if producer >= 0 {
            let known = self.producers.entry(producer).or_default();
            if epoch < known.epoch {
                return Err(INVALID_EPOCH);
            }
            if epoch > known.epoch {
                *known = Sequence { epoch, ..Sequence::default() };
            }
            if let Some((_, offset)) = known.recent.iter().find(|(first, _)| *first == sequence) {
                return Ok(*offset);
            }
            if sequence != known.next {
                return Err(OUT_OF_ORDER);
            }
            known.next = sequence + last_delta + 1;
            known.recent.push((sequence, base));
            if known.recent.len() > RECENT {
                known.recent.remove(0);
            }
            if attributes & 0x10 != 0 {
                self.open.entry(producer).or_insert(base);
            }
        }
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        self.end += i64::from(last_delta) + 1;
        self.batches.push(Batch { last: self.end - 1, bytes });
        Ok(base)
    }

    /// Ends the transaction of a producer.
    pub(super) fn end_transaction(&mut self, producer: i64, epoch: i16, commits: bool) {
        let marker = self.end;
        if let Some(first) = self.open.remove(&producer)
            && !commits
        {
            self.aborted.push(Aborted { producer, first, marker });
        }
        let known = self.producers.entry(producer).or_default();
        if epoch > known.epoch {
            *known = Sequence { epoch, ..Sequence::default() };
        }
        self.batches
            .push(Batch { last: marker, bytes: marker_batch(marker, producer, epoch, commits) });
        self.end += 1;
    }

    /// Returns batches from an offset on, and the transactions to leave out.
    pub(super) fn read(
        &self,
        from: i64,
        committed: bool,
        max: usize,
    ) -> Result<(Vec<u8>, Vec<Aborted>), i16> {
        if from < 0 || from > self.end {
            return Err(INVALID_OFFSET);
        }
        let limit = if committed { self.stable() } else { self.end };
        let start = self.batches.partition_point(|batch| batch.last < from);
        let (mut bytes, mut end) = (Vec::new(), from);
        for batch in &self.batches[start..] {
            if batch.last >= limit || !bytes.is_empty() && bytes.len() + batch.bytes.len() > max {
                break;
            }
            bytes.extend(&batch.bytes);
            end = batch.last + 1;
        }
        let is_inside = |aborted: &&Aborted| aborted.first < end && aborted.marker >= from;
        let aborted = self.aborted.iter().filter(is_inside).copied();
        Ok((bytes, if committed { aborted.collect() } else { Vec::new() }))
    }
}

/// Returns the batch that ends a transaction.
fn marker_batch(offset: i64, producer: i64, epoch: i16, commits: bool) -> Vec<u8> {
    let mut checked = Vec::new();
    // Attributes: transactional, control. The offset of the last record, and two timestamps.
    checked.extend([0, 0x30, 0, 0, 0, 0]);
    checked.extend([0; 16]);
    checked.extend(producer.to_be_bytes());
    checked.extend(epoch.to_be_bytes());
    checked.extend((-1_i32).to_be_bytes());
    checked.extend(1_i32.to_be_bytes());
    // A record of 16 bytes: attributes, timestamp and offset; the key with version and kind; the
    // value with version and the epoch of the coordinator; no headers.
    checked.extend([32, 0, 0, 0, 8, 0, 0, 0, u8::from(commits), 12, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = Vec::from(offset.to_be_bytes());
    bytes.extend(i32::try_from(checked.len() + 9).unwrap().to_be_bytes());
    bytes.extend([0, 0, 0, 0, 2]);
    bytes.extend(crc32c(&checked).to_be_bytes());
    bytes.extend(checked);
    bytes
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 * (crc & 1)))
    })
}

#[test]
fn checksum_of_the_specification() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
}
