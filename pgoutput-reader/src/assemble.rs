//! Assembly of transactions that the server sends in chunks while they are in progress.
//!
//! Messages go in as they arrive, and come out in commit order. Those of an ordinary transaction,
//! and those outside of transactions, pass. Those in chunks are kept, for each top-level
//! transaction, until it ends: a rollback drops them, a commit replays them as one ordinary
//! transaction.
//!
//! ```text
//!            ┌─ passes ───────────────────────────────┐
//! message ──►│                                        ├──► Delivery
//!            └─ kept ──► FrameLog ──► Replay ─────────┘
//!                          ▲  │ blocks, above the memory limit
//!                          │  ▼
//!                       spill file
//! ```
//!
//! Nothing here opens a file: a block to be written is a value that the caller takes with
//! [`next_to_spill`](Assembler::next_to_spill), and one to be read is part of [`Replayed`].

mod block;
mod frame_log;
mod in_progress;
mod replay;

use std::collections::BTreeMap;

use pgoutput_decode::message::StreamAbortBody;
use pgoutput_decode::{Lsn, Message, Xid};

pub(crate) use block::FileId;
use in_progress::InProgress;
pub(crate) use replay::Replayed;
use replay::{End, Replay};

use crate::error::{Error, SpillError, StreamError};
use crate::stream::StreamEvent;

/// The transactions in progress of one stream, and the one that is replayed.
#[derive(Debug)]
pub(crate) struct Assembler {
    open: BTreeMap<Xid, InProgress>,
    /// The transaction of the open chunk. It is not in `open` meanwhile.
    chunk: Option<(Xid, InProgress)>,
    /// A prepared transaction whose commit is next, as it was not sent when it was prepared.
    late: Option<(Xid, InProgress)>,
    /// The LSN from which the stream was started.
    start_lsn: Lsn,
    replay: Option<Replay>,
    /// The order of arrival: increases where a chunk starts or stops, so that it decides which of
    /// two descriptions, of which at most one is in a chunk, arrived later.
    order: u64,
    /// The bytes that all transactions take, with the one that is replayed.
    memory: usize,
    memory_limit: usize,
    next_file: u64,
    /// Spill files that are not needed any more.
    released: Vec<FileId>,
}

/// The LSN of a message, and its place in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The LSN of the change; zero for messages without a record of their own.
    pub(crate) lsn: Lsn,
    /// Only descriptions of tables and types have one in a replayed transaction.
    pub(crate) order: u64,
}

/// The result of a message that went in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assembled {
    /// It is in no chunk: process it now.
    Passes(Arrival),
    /// It was kept, or belongs to the protocol of chunks.
    Kept,
    /// A transaction was committed or prepared: its messages follow from
    /// [`replayed`](Assembler::replayed), before the next message goes in.
    Ended,
}

/// A block to be written.
#[derive(Debug)]
pub(crate) struct ToSpill<'a> {
    pub(crate) file: FileId,
    /// The end of the file, without blocks that were rolled back.
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

impl Assembler {
    /// Assembles the transactions of a stream that was started from `start_lsn`. `memory_limit` is
    /// in bytes.
    pub(crate) fn new(start_lsn: Lsn, memory_limit: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            chunk: None,
            late: None,
            start_lsn,
            replay: None,
            order: 0,
            memory: 0,
            memory_limit,
            next_file: 0,
            released: Vec::new(),
        }
    }

    /// Starts with the messages of a new stream.
    pub(crate) fn restart(&mut self, start_lsn: Lsn) {
        self.clear();
        self.start_lsn = start_lsn;
    }

    /// Drops everything: a new stream sends it again.
    pub(crate) fn clear(&mut self) {
        let open = std::mem::take(&mut self.open).into_iter();
        for (_, transaction) in open.chain(self.chunk.take()).chain(self.late.take()) {
            self.released.extend(transaction.file());
        }
        self.end_replay();
        self.memory = 0;
    }

    /// Returns whether a chunk is open, or a transaction whose end is next.
    pub(crate) fn in_chunk(&self) -> bool {
        self.chunk.is_some() || self.late.is_some()
    }

    /// The number of transactions of which chunks are kept.
    pub(crate) fn in_progress(&self) -> u64 {
        self.open.len() as u64
    }

    /// Returns whether messages of a transaction are ready.
    pub(crate) fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// Returns the spill files that are not needed any more.
    pub(crate) fn take_released(&mut self) -> Vec<FileId> {
        std::mem::take(&mut self.released)
    }

    /// Takes in a message of the stream.
    ///
    /// A message that passes may be passed in again.
    ///
    /// # Errors
    /// A message that is not allowed here, or of a transaction whose first chunk is missing.
    #[inline]
    pub(crate) fn message(&mut self, event: &StreamEvent<'_>) -> Result<Assembled, StreamError> {
        match event.message {
            Message::StreamStart(_)
            | Message::StreamStop
            | Message::StreamAbort(_)
            | Message::StreamCommit(_)
            | Message::StreamPrepare(_)
            | Message::BeginPrepare(_)
            | Message::Prepare(_)
            | Message::CommitPrepared(_) => self.control(event),
            _ if self.chunk.is_some() => self.keep(event),
            _ => Ok(self.passes(event)),
        }
    }

    fn passes(&self, event: &StreamEvent<'_>) -> Assembled {
        Assembled::Passes(Arrival { lsn: event.wal_start, order: self.order })
    }

    /// Keeps a message of the open chunk.
    ///
    /// A logical decoding message has only the id of the top-level transaction, and its LSN may be
    /// that of a row. So it is unknown which subtransaction it belongs to and whether it comes
    /// before the row.
    fn keep(&mut self, event: &StreamEvent<'_>) -> Result<Assembled, StreamError> {
        let Some((top, transaction)) = &mut self.chunk else { return Ok(self.passes(event)) };
        if matches!(event.message, Message::Message(_)) && transaction.is_in_chunks() {
            return Err(StreamError::MessageInChunk { xid: *top, lsn: event.wal_start });
        }
        let arrival = Arrival { lsn: event.wal_start, order: self.order };
        let before = transaction.memory();
        transaction.append(*top, &event.message, event.frame, arrival);
        self.memory += transaction.memory() - before;
        Ok(Assembled::Kept)
    }

    /// Takes in a message that starts, stops or ends a transaction in progress or a prepared one.
    ///
    /// The server sends a transaction when it is prepared only if the slot had TWO_PHASE by then.
    /// One that was prepared before is sent directly before its Commit Prepared, with an LSN from
    /// before the start of the stream. It is replayed as an ordinary transaction.
    fn control(&mut self, event: &StreamEvent<'_>) -> Result<Assembled, StreamError> {
        let out_of_sequence =
            || StreamError::OutOfSequence { tag: event.message.tag(), lsn: event.wal_start };
        let end = match &event.message {
            Message::StreamStart(start) => {
                let is_new = !self.open.contains_key(&start.xid);
                if start.is_first_segment() != is_new {
                    return Err(out_of_sequence());
                }
                let transaction = self.open.remove(&start.xid).unwrap_or_default();
                self.chunk = Some((start.xid, transaction));
                self.order += 1;
                return Ok(Assembled::Kept);
            }
            Message::StreamStop => {
                let (top, transaction) = self.chunk.take().ok_or_else(out_of_sequence)?;
                self.open.insert(top, transaction);
                self.order += 1;
                return Ok(Assembled::Kept);
            }
            Message::StreamAbort(abort) => {
                self.abort(abort);
                return Ok(Assembled::Kept);
            }
            Message::BeginPrepare(body) if body.prepare_lsn < self.start_lsn => {
                self.chunk = Some((body.xid, InProgress::whole()));
                return Ok(Assembled::Kept);
            }
            Message::Prepare(_) if self.chunk.is_some() => {
                self.late = self.chunk.take();
                return Ok(Assembled::Kept);
            }
            Message::StreamPrepare(body) if body.prepare_lsn < self.start_lsn => {
                let transaction = self.open.remove(&body.xid).ok_or_else(out_of_sequence)?;
                self.late = Some((body.xid, transaction));
                return Ok(Assembled::Kept);
            }
            Message::CommitPrepared(body) if self.late.is_some() => {
                let (xid, transaction) = self.late.take().ok_or_else(out_of_sequence)?;
                if xid != body.xid {
                    return Err(out_of_sequence());
                }
                self.open.insert(xid, transaction);
                End::of_late(body)
            }
            Message::BeginPrepare(_) | Message::Prepare(_) | Message::CommitPrepared(_) => {
                return Ok(self.passes(event));
            }
            Message::StreamCommit(body) => End::Commit(*body),
            Message::StreamPrepare(body) => End::prepare(body),
            _ => return Err(out_of_sequence()),
        };
        let transaction = self.open.remove(&end.xid()).ok_or_else(out_of_sequence)?;
        let before = transaction.memory();
        let replay = Replay::new(transaction, end);
        self.memory -= before - replay.memory();
        self.replay = Some(replay);
        Ok(Assembled::Ended)
    }

    /// Drops what was rolled back: a subtransaction with all that follows it, or the transaction.
    ///
    /// The server reports the subtransactions of one rollback one by one, so the first report may
    /// drop what the next ones name. Some servers report a rollback that was not sent at all.
    fn abort(&mut self, abort: &StreamAbortBody) {
        if abort.xid == abort.subxid {
            if let Some(transaction) = self.open.remove(&abort.xid) {
                self.memory -= transaction.memory();
                self.released.extend(transaction.file());
            }
        } else if let Some(transaction) = self.open.get_mut(&abort.xid) {
            self.memory -= transaction.memory();
            transaction.abort(abort.subxid);
            self.memory += transaction.memory();
        }
    }

    /// Returns the next block to be written, while the transactions take more memory than the
    /// limit. Call [`spilled`](Self::spilled) once it is written.
    pub(crate) fn next_to_spill(&mut self) -> Option<ToSpill<'_>> {
        if self.memory <= self.memory_limit {
            return None;
        }
        let largest = largest(&mut self.open, &mut self.chunk)?;
        let file = largest.file_or_insert_with(|| {
            self.next_file += 1;
            FileId(self.next_file)
        });
        let (log, offset) = (largest.log(), largest.log().end_of_file());
        log.first_in_memory().map(|bytes| ToSpill { file, offset, bytes })
    }

    /// Records that the block from [`next_to_spill`](Self::next_to_spill) was written.
    pub(crate) fn spilled(&mut self) {
        if let Some(largest) = largest(&mut self.open, &mut self.chunk) {
            let before = largest.memory();
            largest.spilled();
            self.memory -= before - largest.memory();
        }
    }

    /// Returns the current message of the transaction that is replayed.
    ///
    /// # Errors
    /// The message cannot be decoded.
    pub(crate) fn replayed(&self) -> Result<Replayed<'_>, Error> {
        self.replay.as_ref().map_or(Ok(Replayed::End), Replay::current)
    }

    /// Takes in the bytes that [`Replayed::Spilled`] asked for.
    ///
    /// # Errors
    /// They are not those that were written.
    pub(crate) fn load(&mut self, bytes: Vec<u8>) -> Result<(), SpillError> {
        match &mut self.replay {
            Some(replay) => replay.load(bytes),
            None => Ok(()),
        }
    }

    /// Goes on to the next message of the transaction that is replayed.
    pub(crate) fn advance(&mut self) {
        let Some(replay) = &mut self.replay else { return };
        let before = replay.memory();
        let is_over = replay.advance();
        self.memory -= before - replay.memory();
        if is_over {
            self.end_replay();
        }
    }

    fn end_replay(&mut self) {
        if let Some(replay) = self.replay.take() {
            self.memory -= replay.memory();
            self.released.extend(replay.file());
        }
    }
}

/// The transaction with the most bytes that can be written.
fn largest<'a>(
    open: &'a mut BTreeMap<Xid, InProgress>,
    chunk: &'a mut Option<(Xid, InProgress)>,
) -> Option<&'a mut InProgress> {
    open.values_mut()
        .chain(chunk.as_mut().map(|(_, transaction)| transaction))
        .filter(|transaction| transaction.log().first_in_memory().is_some())
        .max_by_key(|transaction| transaction.memory())
}

#[cfg(test)]
mod tests;
