//! The frames of a transaction, in the order of arrival.

use super::block::{Block, FileId, Record};

/// The length up to which the first blocks grow. A longer record has a block of its own.
const BLOCK_LEN: usize = 64 * 1024;

/// The number of blocks after which the length doubles, up to 16 times. So the descriptions of the
/// blocks, which stay in memory, are few also for a very large transaction.
const DOUBLE_AFTER: usize = 1024;

/// The frames of a transaction, in blocks of which the first ones may be in a file.
#[derive(Debug, Default)]
pub(super) struct FrameLog {
    blocks: Vec<Block>,
    /// The number of blocks at the front that are in the file.
    spilled: usize,
    memory: usize,
}

/// A point between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    block: usize,
    offset: usize,
}

impl FrameLog {
    /// The bytes that its blocks in memory take.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// The point after the last frame.
    pub(super) fn end(&self) -> Mark {
        match self.blocks.last() {
            Some(last) => Mark { block: self.blocks.len() - 1, offset: last.len() },
            None => Mark { block: 0, offset: 0 },
        }
    }

    pub(super) fn push(&mut self, number: u64, frame: &[u8]) {
        let limit = BLOCK_LEN << (self.blocks.len() / DOUBLE_AFTER).min(4);
        if !self.blocks.last().is_some_and(|last| last.has_space(frame, limit)) {
            let block = Block::for_frame(frame);
            self.memory += block.memory();
            self.blocks.push(block);
        }
        if let Some(last) = self.blocks.last_mut() {
            self.memory -= last.memory();
            last.push(Record { number, frame });
            self.memory += last.memory();
        }
    }

    /// Drops all frames after a point.
    pub(super) fn truncate(&mut self, mark: Mark) {
        // A block without frames is dropped as well, since it may be large.
        let kept = mark.block + usize::from(mark.offset > 0);
        while self.blocks.len() > kept
            && let Some(dropped) = self.blocks.pop()
        {
            self.memory -= dropped.memory();
        }
        if self.blocks.len() > mark.block
            && let Some(last) = self.blocks.last_mut()
        {
            last.truncate(mark.offset);
        }
        self.spilled = self.spilled.min(self.blocks.len());
    }

    /// The content of the first block that is in memory.
    pub(super) fn first_in_memory(&self) -> Option<&[u8]> {
        self.blocks.get(self.spilled)?.in_memory()
    }

    /// The end of the last block in the file.
    pub(super) fn end_of_file(&self) -> u64 {
        let last = self.spilled.checked_sub(1).and_then(|last| self.blocks.get(last));
        last.and_then(Block::in_file).map_or(0, |block| block.offset + block.len as u64)
    }

    /// Records that the first block in memory was written to the end of the file.
    pub(super) fn spilled(&mut self, file: FileId) {
        let offset = self.end_of_file();
        if let Some(block) = self.blocks.get_mut(self.spilled) {
            self.memory -= block.memory();
            block.spilled(file, offset);
            self.memory += block.memory();
            self.spilled += 1;
        }
    }

    pub(super) fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }
}
