//! Blocks: runs of whole records, in memory or in a spill file.
//!
//! A record is the length of a frame (4 bytes, little endian), a number (8 bytes) and the frame. A
//! block in a file has no header: its offset, length and checksum stay in memory, since nothing is
//! read from a file after a restart.

use pgoutput_decode::{Lsn, Tag, Xid};

use crate::error::SpillError;

/// The first capacity of a block: many transactions in progress may be small.
const FIRST_CAPACITY: usize = 4 * 1024;

const HEADER_LEN: usize = 12;

/// A spill file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId(pub(super) u64);

impl FileId {
    /// Returns the number that distinguishes it from all others of one assembler.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// A block in a spill file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpilledBlock {
    pub(crate) file: FileId,
    pub(crate) offset: u64,
    /// The number of bytes that were written.
    pub(crate) len: usize,
    checksum: u32,
    /// The LSN of its first message that has one.
    lsn: Lsn,
}

impl SpilledBlock {
    /// Checks the bytes that were read.
    pub(super) fn check(&self, bytes: &[u8], xid: Xid) -> Result<(), SpillError> {
        if bytes.len() == self.len && crc32fast::hash(bytes) == self.checksum {
            return Ok(());
        }
        Err(SpillError::Corrupt { xid, offset: self.offset, lsn: self.lsn })
    }
}

#[derive(Debug)]
pub(super) struct Block {
    /// The number of bytes in use; a rollback may leave fewer than there are.
    len: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    Spilled(SpilledBlock),
}

/// A record of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) number: u64,
    pub(super) frame: &'a [u8],
}

impl<'a> Record<'a> {
    /// The number of bytes of the record.
    pub(super) fn len(&self) -> usize {
        HEADER_LEN + self.frame.len()
    }

    /// Reads the record at the front of `bytes`.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        Some(Self { number: u64::from_le_bytes(*number), frame: rest.get(..len)? })
    }
}

impl Block {
    /// Creates a block for a record of this frame.
    pub(super) fn for_frame(frame: &[u8]) -> Self {
        let capacity = FIRST_CAPACITY.max(HEADER_LEN + frame.len());
        Self { len: 0, content: Content::Memory(Vec::with_capacity(capacity)) }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the bytes of its content that are in memory.
    pub(super) fn memory(&self) -> usize {
        match &self.content {
            Content::Memory(bytes) => bytes.capacity(),
            Content::Spilled(_) => 0,
        }
    }

    /// Returns whether it is in memory and this frame fits into `limit` bytes.
    pub(super) fn has_space(&self, frame: &[u8], limit: usize) -> bool {
        let fits = self.len + HEADER_LEN + frame.len() <= limit;
        fits && matches!(self.content, Content::Memory(_))
    }

    /// Appends a record to a block [with space](Self::has_space), or a new one.
    pub(super) fn push(&mut self, record: Record<'_>) {
        let Content::Memory(bytes) = &mut self.content else { return };
        // A frame is part of a message whose length is an i32.
        let len = u32::try_from(record.frame.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&record.number.to_le_bytes());
        bytes.extend_from_slice(record.frame);
        self.len = bytes.len();
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        if let Content::Memory(bytes) = &mut self.content {
            bytes.truncate(len);
        }
    }

    /// Returns its content, if it is in memory.
    pub(super) fn in_memory(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::Spilled(_) => None,
        }
    }

    pub(super) fn in_file(&self) -> Option<SpilledBlock> {
        match self.content {
            Content::Memory(_) => None,
            Content::Spilled(spilled) => Some(spilled),
        }
    }

    /// Frees the memory of a block that was written to a file.
    pub(super) fn spilled(&mut self, file: FileId, offset: u64) {
        let Content::Memory(bytes) = &self.content else { return };
        self.content = Content::Spilled(SpilledBlock {
            file,
            offset,
            len: bytes.len(),
            checksum: crc32fast::hash(bytes),
            lsn: first_lsn(bytes),
        });
    }
}

/// The LSN of the first record of a message that has one.
fn first_lsn(mut bytes: &[u8]) -> Lsn {
    while let Some(record) = Record::read(bytes) {
        if !is_description(record.frame) {
            return Lsn::new(record.number);
        }
        bytes = &bytes[record.len()..];
    }
    Lsn::ZERO
}

/// Returns whether a frame describes a table or a type. These have no LSN.
pub(super) fn is_description(frame: &[u8]) -> bool {
    matches!(frame.first(), Some(&tag) if matches!(Tag(tag), Tag::RELATION | Tag::TYPE))
}
