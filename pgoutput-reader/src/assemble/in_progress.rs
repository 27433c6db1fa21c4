//! A transaction in progress, with the points at which its subtransactions start.

use std::collections::BTreeMap;

use pgoutput_decode::{Message, Xid};

use super::Arrival;
use super::block::{Block, FileId, is_description};
use super::frame_log::{FrameLog, Mark};

/// A top-level transaction whose end has not arrived.
#[derive(Debug, Default)]
pub(super) struct InProgress {
    log: FrameLog,
    /// The point before the first frame of each subtransaction.
    starts: BTreeMap<Xid, Mark>,
    /// The subtransactions in the order of `starts`.
    order: Vec<Xid>,
    /// The transaction of the last frame.
    last: Option<Xid>,
    /// Whether the frames came outside of chunks.
    whole: bool,
    file: Option<FileId>,
}

impl InProgress {
    /// A transaction whose frames come outside of chunks.
    pub(super) fn whole() -> Self {
        Self { whole: true, ..Self::default() }
    }

    /// Returns whether the frames came in chunks, which decides how they are decoded.
    pub(super) fn is_in_chunks(&self) -> bool {
        !self.whole
    }

    pub(super) fn log(&self) -> &FrameLog {
        &self.log
    }

    /// The bytes that it takes.
    pub(super) fn memory(&self) -> usize {
        self.log.memory()
    }

    /// The spill file, if there is one.
    pub(super) fn file(&self) -> Option<FileId> {
        self.file
    }

    pub(super) fn file_or_insert_with(&mut self, file: impl FnOnce() -> FileId) -> FileId {
        *self.file.get_or_insert_with(file)
    }

    /// Appends a message of a chunk of the transaction `top`.
    pub(super) fn append(
        &mut self,
        top: Xid,
        message: &Message<'_>,
        frame: &[u8],
        arrival: Arrival,
    ) {
        // Origin, which has no id, belongs to the transaction itself.
        let xid = message.stream_xid().unwrap_or(top);
        if self.last != Some(xid) {
            self.last = Some(xid);
            if xid != top && !self.starts.contains_key(&xid) {
                self.starts.insert(xid, self.log.end());
                self.order.push(xid);
            }
        }
        let number = if is_description(frame) { arrival.order } else { arrival.lsn.as_u64() };
        self.log.push(number, frame);
    }

    /// Drops the frames of a subtransaction that was rolled back, and all that follow.
    ///
    /// Those belong to its own subtransactions, or to a transaction around it that is rolled back
    /// with it: while a subtransaction is active, nothing else writes.
    pub(super) fn abort(&mut self, sub: Xid) {
        let Some(start) = self.starts.get(&sub).copied() else { return };
        self.log.truncate(start);
        self.last = None;
        while let Some(xid) = self.order.last()
            && self.starts.get(xid).is_some_and(|mark| *mark >= start)
        {
            self.starts.remove(xid);
            self.order.pop();
        }
    }

    /// Records that the first block in memory was written to the transaction's file.
    pub(super) fn spilled(&mut self) {
        if let Some(file) = self.file {
            self.log.spilled(file);
        }
    }

    pub(super) fn into_blocks(self) -> Vec<Block> {
        self.log.into_blocks()
    }
}
