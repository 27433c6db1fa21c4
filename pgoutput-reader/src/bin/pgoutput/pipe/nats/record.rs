//! The headers of a message.

use std::fmt::Write as _;

use pgoutput_reader::Position;

use super::{headers, stored};
use crate::pipe::batch::{EventId, Record};

/// The most bytes of a header block.
pub(super) const HEADERS: usize = 65_535;

/// The key of a record.
const KEY: &str = "Pgoutput-Key";

/// What a message without content is.
const TYPE: &str = "Pgoutput-Type";

/// Writes header blocks of one stream.
#[derive(Debug)]
pub(super) struct HeaderWriter {
    /// The first lines of each block.
    start: Vec<u8>,
    block: Vec<u8>,
    /// A text of this process, in the identifiers of rows of a copy.
    token: String,
    copied: u64,
    /// The position of the record's event, or a number, as text.
    position: String,
    /// The position in the header as text.
    stored: String,
    id: String,
    id_before: String,
}

/// What a header block says besides the record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'b> {
    /// What the server checks of the message before; `None` inside of an atomic batch.
    pub(super) after: Option<After>,
    pub(super) batch: Option<BatchPlace<'b>>,
    /// The last event all of whose records are stored with the message, and the number of records
    /// of the next one.
    pub(super) stored: (Option<&'b Position>, usize),
}

/// The message before.
#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    /// It has this sequence, and is known to be stored.
    Sequence(u64),
    /// It is the record whose block was written before. Its sequence would not do: if another
    /// program's message has it, the record was refused, and this one must be refused as well.
    Record,
}

/// The place of a message in an atomic batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchPlace<'b> {
    pub(super) id: &'b str,
    /// From 1.
    pub(super) number: usize,
    pub(super) is_last: bool,
}

impl HeaderWriter {
    pub(super) fn new(stream: &str, token: String) -> Self {
        let mut start = format!("{}\r\n", headers::START).into_bytes();
        headers::append(&mut start, "Nats-Expected-Stream", stream);
        Self {
            start,
            block: Vec::new(),
            token,
            copied: 0,
            position: String::new(),
            stored: String::new(),
            id: String::new(),
            id_before: String::new(),
        }
    }

    /// Returns whether a block is that of a row that this process copied.
    pub(super) fn has_copied(&self, block: &[u8]) -> bool {
        headers::value(block, "Nats-Msg-Id").is_some_and(|id| id.contains(&self.copy_name()))
    }

    fn copy_name(&self) -> String {
        format!(":copy-{}-", self.token)
    }

    /// Returns the block of a record's message.
    pub(super) fn record(&mut self, record: &Record<'_>, place: &Place<'_>) -> &[u8] {
        self.begin(place);
        std::mem::swap(&mut self.id, &mut self.id_before);
        if matches!(place.after, Some(After::Record)) {
            headers::append(&mut self.block, "Nats-Expected-Last-Msg-Id", &self.id_before);
        }
        self.id.clear();
        // Writing to a text does not fail.
        let _ = self.write_id(record);
        headers::append(&mut self.block, "Nats-Msg-Id", &self.id);
        if let Some(key) = record.key {
            headers::append(&mut self.block, KEY, key);
        }
        if record.value.is_none() {
            headers::append(&mut self.block, TYPE, "tombstone");
        }
        self.end()
    }

    /// Returns the block of a message that has only a position.
    pub(super) fn position(&mut self, place: &Place<'_>) -> &[u8] {
        self.begin(place);
        headers::append(&mut self.block, TYPE, "position");
        self.end()
    }

    fn begin(&mut self, place: &Place<'_>) {
        self.block.clear();
        self.block.extend_from_slice(&self.start);
        if let Some(After::Sequence(sequence)) = place.after {
            self.number("Nats-Expected-Last-Sequence", sequence);
        }
        if let Some(batch) = place.batch {
            headers::append(&mut self.block, "Nats-Batch-Id", batch.id);
            self.number("Nats-Batch-Sequence", batch.number as u64);
            if batch.is_last {
                headers::append(&mut self.block, "Nats-Batch-Commit", "1");
            }
        }
        self.stored.clear();
        let (position, records) = place.stored;
        stored::write(position, records, &mut self.stored);
        headers::append(&mut self.block, stored::POSITION, &self.stored);
    }

    fn number(&mut self, name: &str, number: u64) {
        self.position.clear();
        let _ = write!(self.position, "{number}");
        headers::append(&mut self.block, name, &self.position);
    }

    fn end(&mut self) -> &[u8] {
        self.block.extend_from_slice(b"\r\n");
        &self.block
    }

    /// Writes an identifier that is the same on every delivery of the record, except for a row of
    /// a copy, which has no identity.
    fn write_id(&mut self, record: &Record<'_>) -> std::fmt::Result {
        let position = record.position;
        let (system, slot) = (position.system_identifier(), position.slot());
        write!(self.id, "{system}:{slot}:")?;
        if let EventId::Copied(_) = record.id {
            self.copied += 1;
            write!(self.id, "copy-{}-{}", self.token, self.copied)?;
        } else {
            self.position.clear();
            write!(self.position, "{position}")?;
            // The LSN, and the index or the letters in its place.
            let text = self.position.trim_end_matches('.');
            let mut parts = text.split(':').skip(5);
            let (lsn, index) = (parts.next(), parts.next());
            write!(self.id, "{}:{}", lsn.unwrap_or_default(), index.unwrap_or_default())?;
        }
        if record.part > 0 { write!(self.id, "/{}", record.part) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
