//! The records of a batch, before they are stored.

use std::ops::Range;
use std::sync::Arc;

use pgoutput_reader::{ChangeEvent, Lsn, Position};

/// The largest buffer that is kept for the next batch.
const KEPT: usize = 4 * 1024 * 1024;

/// Records in order, with the positions of the events that they are of.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Keys and values one after another.
    text: String,
    records: Vec<Entry>,
    events: Vec<Event>,
    /// The last event that was added or left out.
    last: Option<Position>,
    /// The position of the last event, also if that has no record.
    position: Option<Position>,
    /// The number of records that are stored already.
    skipped: usize,
    /// The number of records before the rows of a table whose copy is not complete; `None` if the
    /// batch has nothing else.
    settled: Option<usize>,
    /// Whether the last event ends its transaction, or the copy of its table.
    is_whole: bool,
}

#[derive(Debug)]
struct Entry {
    topic: Arc<str>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    event: usize,
    part: u32,
}

#[derive(Debug)]
struct Event {
    position: Position,
    before: Option<Position>,
    id: EventId,
    records: u32,
}

/// The place of an event among all events of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventId {
    /// An event of a transaction: its commit LSN, and the index of the event in it from 0, or
    /// `u64::MAX` for the event that ends it. The same on every delivery, and growing.
    InTransaction(Lsn, u64),
    /// A logical message outside of transactions, with the LSN of its end.
    Message(Lsn),
    /// A row of a copy, the truncation before it or the end of the copy, with the LSN of the
    /// snapshot. A copy that was interrupted is repeated from a new snapshot, in any order.
    Copied(Lsn),
}

impl EventId {
    fn of(event: &ChangeEvent) -> Self {
        let position = event.position();
        match (event.transaction(), event.logical_message()) {
            (Some(transaction), _) => {
                Self::InTransaction(transaction.commit_lsn(), position.index().unwrap_or(u64::MAX))
            }
            (None, Some(_)) => Self::Message(event.lsn()),
            (None, None) => Self::Copied(event.lsn()),
        }
    }
}

/// A record of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'b> {
    pub(crate) topic: &'b Arc<str>,
    pub(crate) key: Option<&'b str>,
    /// The content; `None` for a tombstone.
    pub(crate) value: Option<&'b str>,
    pub(crate) id: EventId,
    /// The number of the record among those of its event, from 0.
    pub(crate) part: u32,
    /// Whether it is the last record of its event.
    pub(crate) is_last: bool,
    /// The position of its event.
    pub(crate) position: &'b Position,
    /// The position of the event before it, also if that was left out; `None` if its event is the
    /// first of the batch.
    pub(crate) before: Option<&'b Position>,
}

impl Batch {
    /// Starts the records of an event.
    pub(crate) fn begin(&mut self, event: &ChangeEvent) {
        let (position, id) = (event.position(), EventId::of(event));
        let before = self.last.clone();
        self.events.push(Event { position, before, id, records: 0 });
    }

    /// Removes the event that was begun last.
    pub(crate) fn cancel(&mut self) {
        if let Some(event) = self.events.pop() {
            self.records.truncate(self.records.len().saturating_sub(event.records as usize));
        }
        let end = |record: &Entry| {
            let ends =
                [&record.key, &record.value].map(|range| range.as_ref().map(|range| range.end));
            ends.into_iter().flatten().max()
        };
        self.text.truncate(self.records.iter().rev().find_map(end).unwrap_or(0));
    }

    /// Ends an event, which has no record if it was left out.
    pub(crate) fn end(&mut self, event: &ChangeEvent) {
        self.last = Some(event.position());
        self.is_whole = event.is_last();
        let is_copied = event.transaction().is_none() && event.table().is_some();
        if !is_copied || self.is_whole {
            self.settled = Some(self.records.len());
        }
    }

    /// Adds a record of the event. `write` appends its key and its value, each if there is one.
    ///
    /// # Errors
    /// Those of `write`; the record is then not added.
    pub(crate) fn push<E>(
        &mut self,
        topic: &Arc<str>,
        write: impl FnOnce(&mut RecordWriter<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.text.len();
        let mut writer = RecordWriter { text: &mut self.text, key: None, value: None };
        if let Err(error) = write(&mut writer) {
            self.text.truncate(start);
            return Err(error);
        }
        let RecordWriter { key, value, .. } = writer;
        let index = self.events.len().saturating_sub(1);
        if let Some(event) = self.events.last_mut() {
            let (topic, part) = (Arc::clone(topic), event.records);
            self.records.push(Entry { topic, key, value, event: index, part });
            event.records += 1;
        }
        Ok(())
    }

    /// Sets the position of the batch.
    pub(crate) fn set_position(&mut self, position: &Position) {
        self.position = Some(position.clone());
    }

    /// Returns the position that is stored with the batch.
    pub(crate) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Returns the size of keys and values in bytes; at least 1 for each record.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.records.len()
    }

    /// Returns the number of records.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether the last event ends its transaction, or the copy of its table.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns the number of records before the rows of a table whose copy is not complete, since
    /// that starts again after an interruption. `None` if the batch has nothing else.
    pub(crate) fn settled(&self) -> Option<usize> {
        self.settled
    }

    /// Counts records at the beginning as stored.
    pub(crate) fn skip(&mut self, records: usize) {
        self.skipped = records.min(self.records.len());
    }

    /// Returns the number of records up to the last one of the event at this position, if it has
    /// one in this batch.
    pub(crate) fn records_through(&self, position: &Position) -> Option<usize> {
        let event = self.events.iter().rposition(|event| event.position == *position)?;
        Some(self.records.partition_point(|record| record.event <= event))
    }

    /// Returns the number of records of the event that the record of this index is of; 0 if there
    /// is no such record.
    pub(crate) fn records_of_event_at(&self, record: usize) -> usize {
        let event = self.records.get(record).and_then(|record| self.events.get(record.event));
        event.map_or(0, |event| event.records as usize)
    }

    /// Returns the records that are not stored yet.
    pub(crate) fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        let text = |range: &Option<Range<usize>>| {
            range.as_ref().and_then(|range| self.text.get(range.clone()))
        };
        let records = self.records.get(self.skipped..).unwrap_or_default();
        records.iter().map(move |record| {
            // A record is added to an event.
            let event = &self.events[record.event];
            Record {
                topic: &record.topic,
                key: text(&record.key),
                value: text(&record.value),
                id: event.id,
                part: record.part,
                is_last: record.part + 1 == event.records,
                position: &event.position,
                before: event.before.as_ref(),
            }
        })
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.records.clear();
        self.events.clear();
        self.last = None;
        self.position = None;
        self.skipped = 0;
        self.settled = None;
        self.is_whole = false;
    }
}

/// Appends the key and the value of a record.
pub(crate) struct RecordWriter<'b> {
    text: &'b mut String,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

impl RecordWriter<'_> {
    /// Appends the key. What `write` returns is returned.
    pub(crate) fn key<T>(&mut self, write: impl FnOnce(&mut String) -> T) -> T {
        let start = self.text.len();
        let result = write(self.text);
        self.key = Some(start..self.text.len());
        result
    }

    /// Appends the value. What `write` returns is returned.
    pub(crate) fn value<T>(&mut self, write: impl FnOnce(&mut String) -> T) -> T {
        let start = self.text.len();
        let result = write(self.text);
        self.value = Some(start..self.text.len());
        result
    }
}
