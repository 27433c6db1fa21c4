//! The messages of an assembled transaction, one at a time.

use std::collections::VecDeque;

use pgoutput_decode::message::{
    BeginBody, BeginPrepareBody, CommitBody, CommitPreparedBody, PrepareBody, StreamCommitBody,
    StreamPrepareBody,
};
use pgoutput_decode::{Lsn, Message, TimestampTz, Xid};

use super::Arrival;
use super::block::{Block, FileId, Record, SpilledBlock, is_description};
use super::in_progress::InProgress;
use crate::error::{Error, SpillError};

/// The transaction that is replayed, as if the server had sent it after its end.
#[derive(Debug)]
pub(super) struct Replay {
    end: End,
    /// Whether the first message was replayed.
    begun: bool,
    in_chunks: bool,
    blocks: VecDeque<Block>,
    /// The offset of the current record in the first block.
    offset: usize,
    /// The content of the first block, if that is in a file and was read.
    loaded: Vec<u8>,
    /// The bytes that the remaining blocks take.
    memory: usize,
    file: Option<FileId>,
}

/// The message that ended the transaction.
#[derive(Debug)]
pub(super) enum End {
    Commit(StreamCommitBody),
    Prepare {
        flags: u8,
        prepare_lsn: Lsn,
        end_lsn: Lsn,
        prepare_time: TimestampTz,
        xid: Xid,
        gid: Box<str>,
    },
}

/// The current message of a replay.
#[derive(Debug)]
pub(crate) enum Replayed<'a> {
    Message(Message<'a>, Arrival),
    /// Read this block and [load](super::Assembler::load) it first.
    Spilled(SpilledBlock),
    /// There is no replay, or it is over.
    End,
}

impl End {
    /// The end of a transaction that is sent only when it is committed, after it was prepared.
    pub(super) fn of_late(body: &CommitPreparedBody<'_>) -> Self {
        let CommitPreparedBody { flags, commit_lsn, end_lsn, commit_time, xid, .. } = *body;
        Self::Commit(StreamCommitBody { xid, flags, commit_lsn, end_lsn, commit_time })
    }

    pub(super) fn prepare(body: &StreamPrepareBody<'_>) -> Self {
        let StreamPrepareBody { flags, prepare_lsn, end_lsn, prepare_time, xid, gid } = *body;
        Self::Prepare { flags, prepare_lsn, end_lsn, prepare_time, xid, gid: gid.into() }
    }

    pub(super) fn xid(&self) -> Xid {
        match self {
            Self::Commit(body) => body.xid,
            Self::Prepare { xid, .. } => *xid,
        }
    }

    /// The LSN of the record that ended the transaction.
    fn lsn(&self) -> Lsn {
        match self {
            Self::Commit(body) => body.commit_lsn,
            Self::Prepare { prepare_lsn, .. } => *prepare_lsn,
        }
    }

    /// The message before the changes of an ordinary transaction.
    fn first_message(&self) -> Message<'_> {
        match *self {
            Self::Commit(StreamCommitBody { xid, commit_lsn, commit_time, .. }) => {
                Message::Begin(BeginBody { final_lsn: commit_lsn, commit_time, xid })
            }
            Self::Prepare { prepare_lsn, end_lsn, prepare_time, xid, ref gid, .. } => {
                let body = BeginPrepareBody { prepare_lsn, end_lsn, prepare_time, xid, gid };
                Message::BeginPrepare(body)
            }
        }
    }

    /// The message after the changes.
    fn last_message(&self) -> Message<'_> {
        match *self {
            Self::Commit(StreamCommitBody { flags, commit_lsn, end_lsn, commit_time, .. }) => {
                Message::Commit(CommitBody { flags, commit_lsn, end_lsn, commit_time })
            }
            Self::Prepare { flags, prepare_lsn, end_lsn, prepare_time, xid, ref gid } => {
                let body = PrepareBody { flags, prepare_lsn, end_lsn, prepare_time, xid, gid };
                Message::Prepare(body)
            }
        }
    }
}

impl Replay {
    pub(super) fn new(transaction: InProgress, end: End) -> Self {
        let file = transaction.file();
        let (memory, in_chunks) = (transaction.memory(), transaction.is_in_chunks());
        let blocks = transaction.into_blocks().into();
        let loaded = Vec::new();
        let (begun, offset) = (false, 0);
        let mut replay = Self { end, begun, in_chunks, blocks, offset, loaded, memory, file };
        replay.drop_finished_blocks();
        replay
    }

    pub(super) fn file(&self) -> Option<FileId> {
        self.file
    }

    /// The bytes that the remaining blocks take.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn current(&self) -> Result<Replayed<'_>, Error> {
        let own = Arrival { lsn: self.end.lsn(), order: 0 };
        if !self.begun {
            return Ok(Replayed::Message(self.end.first_message(), own));
        }
        let Some(block) = self.blocks.front() else {
            return Ok(Replayed::Message(self.end.last_message(), own));
        };
        let bytes = match (block.in_memory(), block.in_file()) {
            (Some(bytes), _) => bytes,
            (None, Some(spilled)) if self.loaded.is_empty() => {
                return Ok(Replayed::Spilled(spilled));
            }
            (None, _) => &self.loaded,
        };
        // The bytes were checked when they were kept, and again when they were read.
        let Some(record) = bytes.get(self.offset..).and_then(Record::read) else {
            let (xid, lsn) = (self.end.xid(), own.lsn);
            let offset = block.in_file().map_or(0, |spilled| spilled.offset);
            return Err(SpillError::Corrupt { xid, offset, lsn }.into());
        };
        let arrival = if is_description(record.frame) {
            Arrival { lsn: Lsn::ZERO, order: record.number }
        } else {
            Arrival { lsn: Lsn::new(record.number), order: 0 }
        };
        let message = Message::decode(record.frame, self.in_chunks)
            .map_err(|error| error.at_lsn(arrival.lsn.max(own.lsn)))?;
        Ok(Replayed::Message(message, arrival))
    }

    pub(super) fn load(&mut self, bytes: Vec<u8>) -> Result<(), SpillError> {
        if let Some(spilled) = self.blocks.front().and_then(Block::in_file) {
            spilled.check(&bytes, self.end.xid())?;
            self.loaded = bytes;
        }
        Ok(())
    }

    /// Goes on to the next message. Returns whether there is none.
    pub(super) fn advance(&mut self) -> bool {
        if !self.begun {
            self.begun = true;
            return false;
        }
        let Some(block) = self.blocks.front() else { return true };
        let bytes = block.in_memory().unwrap_or(&self.loaded);
        let record = bytes.get(self.offset..).and_then(Record::read);
        self.offset += record.map_or(block.len(), |record| record.len());
        self.drop_finished_blocks();
        false
    }

    fn drop_finished_blocks(&mut self) {
        while let Some(block) = self.blocks.front()
            && self.offset >= block.len()
        {
            self.memory -= block.memory();
            self.blocks.pop_front();
            self.offset = 0;
            self.loaded = Vec::new();
        }
    }
}
