//! The exchange between the jobs and the reader: chunks one way, batches of rows the other.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::io::Waker;

/// The batches of one job that the reader has not received: with this many, the job waits.
const WAITING: usize = 4;

/// Rows of a chunk, in their order.
#[derive(Debug)]
pub(super) struct Batch {
    worker: usize,
    table: usize,
    /// The Insert messages of the rows, one after another.
    frames: Vec<u8>,
    /// The end of each row in them.
    ends: Vec<usize>,
    /// The number of the first row.
    first_row: u64,
    /// The number of rows that were read.
    read: usize,
}

impl Batch {
    pub(super) fn new(worker: usize, table: usize, first_row: u64) -> Self {
        Self { worker, table, frames: Vec::new(), ends: Vec::new(), first_row, read: 0 }
    }

    pub(super) fn push(&mut self, frame: &[u8]) {
        self.frames.extend_from_slice(frame);
        self.ends.push(self.frames.len());
    }

    /// The number of bytes of all rows.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Advances to the next row and returns its number; `None` after the last one.
    pub(super) fn advance(&mut self) -> Option<u64> {
        if self.read == self.ends.len() {
            return None;
        }
        self.read += 1;
        Some(self.first_row + self.read as u64 - 1)
    }

    /// The Insert message of the row.
    pub(super) fn frame(&self) -> &[u8] {
        let end = |row: usize| self.ends.get(row).copied();
        let start = self.read.checked_sub(2).and_then(end).unwrap_or_default();
        let end = self.read.checked_sub(1).and_then(end).unwrap_or_default();
        self.frames.get(start..end).unwrap_or_default()
    }
}

/// The answer to the reader.
#[derive(Debug)]
pub(super) enum Received {
    Batch(Batch),
    /// There are no more rows of the table.
    TableEnd,
    /// None has arrived yet.
    Nothing,
}

/// The chunks to be copied and the batches that were copied.
#[derive(Debug)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// Notified when a job may go on.
    room: Condvar,
    /// Wakes the reader.
    reader: Waker,
}

#[derive(Debug, Default)]
struct State {
    /// The number of chunks of each table.
    chunks: Vec<usize>,
    /// The table and the chunk that is taken next.
    next: (usize, usize),
    /// The number of chunks of each table that are finished.
    finished: Vec<usize>,
    /// The sum of these numbers.
    chunks_finished: u64,
    /// The batches of each table that the reader has not received.
    batches: BTreeMap<usize, VecDeque<Batch>>,
    /// The number of such batches of each job.
    waiting: Vec<usize>,
    /// The connection of each job, to end its wait.
    wakers: BTreeMap<usize, Waker>,
    /// The first error of a job.
    failed: Option<Error>,
    /// The first table that cannot be copied in this snapshot, and why.
    blocked: Option<(usize, Error)>,
    closed: bool,
}

impl State {
    fn is_blocked(&self, table: usize) -> bool {
        self.blocked.as_ref().is_some_and(|(first, _)| *first <= table)
    }
}

impl Exchange {
    pub(super) fn new(jobs: NonZeroU32, reader: Waker) -> Self {
        let waiting = vec![0; jobs.get() as usize];
        let state = Mutex::new(State { waiting, ..State::default() });
        Self { state, room: Condvar::new(), reader }
    }

    /// Offers the chunks of all tables, whose numbers these are.
    pub(super) fn offer(&self, chunks: Vec<usize>) {
        let mut state = self.lock();
        state.finished = vec![0; chunks.len()];
        state.chunks = chunks;
    }

    /// Takes the next chunk: the indices of its table and of itself. `None` means that there is
    /// none, or that the copy has ended.
    pub(super) fn take(&self) -> Option<(usize, usize)> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        loop {
            let (table, chunk) = state.next;
            if state.is_blocked(table) {
                return None;
            }
            if chunk < *state.chunks.get(table)? {
                state.next = (table, chunk + 1);
                return Some((table, chunk));
            }
            state.next = (table + 1, 0);
        }
    }

    /// Passes a batch to the reader, and waits while the job is too far ahead. False means that the
    /// copy has ended.
    pub(super) fn send(&self, batch: Batch) -> bool {
        let mut state = self.lock();
        let worker = batch.worker;
        let is_ahead =
            |state: &State| state.waiting.get(worker).is_some_and(|waiting| *waiting >= WAITING);
        while !state.closed && is_ahead(&state) {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        if let Some(waiting) = state.waiting.get_mut(worker) {
            *waiting += 1;
        }
        state.batches.entry(batch.table).or_default().push_back(batch);
        drop(state);
        self.reader.wake();
        true
    }

    /// Records that a chunk was sent to its end.
    pub(super) fn finish(&self, table: usize) {
        let mut state = self.lock();
        state.chunks_finished += 1;
        if let Some(finished) = state.finished.get_mut(table) {
            *finished += 1;
        }
        drop(state);
        self.reader.wake();
    }

    /// Ends the copy with an error before this table. The tables before it are finished.
    pub(super) fn fail_before(&self, table: usize, error: Error) {
        let mut state = self.lock();
        if state.blocked.as_ref().is_none_or(|(first, _)| table < *first) {
            state.blocked = Some((table, error));
        }
        drop(state);
        self.reader.wake();
    }

    pub(super) fn chunks_finished(&self) -> u64 {
        self.lock().chunks_finished
    }

    /// Ends the copy with an error.
    pub(super) fn fail(&self, error: Error) {
        self.lock().failed.get_or_insert(error);
        self.close();
    }

    /// Ends the copy.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.wakers.values().for_each(Waker::wake);
        drop(state);
        self.room.notify_all();
        self.reader.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Sets the waker of a job's connection. False means that the copy has ended: the waker was not
    /// used.
    pub(super) fn set_waker(&self, worker: usize, waker: Waker) -> bool {
        let mut state = self.lock();
        state.wakers.insert(worker, waker);
        !state.closed
    }

    /// Takes the next batch of a table.
    ///
    /// # Errors
    /// That of a job.
    pub(super) fn receive(&self, table: usize) -> Result<Received, Error> {
        let mut state = self.lock();
        if let Some(batch) = state.batches.get_mut(&table).and_then(VecDeque::pop_front) {
            if let Some(waiting) = state.waiting.get_mut(batch.worker) {
                *waiting -= 1;
            }
            drop(state);
            self.room.notify_all();
            return Ok(Received::Batch(batch));
        }
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        if let Some((_, error)) = state.blocked.take_if(|(first, _)| *first <= table) {
            return Err(error);
        }
        if state.finished.get(table) == state.chunks.get(table) {
            state.batches.remove(&table);
            return Ok(Received::TableEnd);
        }
        if state.closed {
            return Err(Error::stopped("copying tables from", "the server"));
        }
        Ok(Received::Nothing)
    }

    /// Returns whether there is nothing for the reader.
    pub(super) fn is_empty(&self, table: usize) -> bool {
        let state = self.lock();
        let has_batch = state.batches.get(&table).is_some_and(|batches| !batches.is_empty());
        let is_finished = state.finished.get(table) == state.chunks.get(table);
        !has_batch && !is_finished && !state.is_blocked(table) && !state.closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::WakePipe;

    #[test]
    fn tables_before_one_that_is_blocked_are_finished() {
        let pipe = WakePipe::new().unwrap();
        let exchange = Exchange::new(NonZeroU32::new(3).unwrap(), pipe.waker());
        exchange.offer(vec![2, 1, 1]);
        assert_eq!([exchange.take(), exchange.take()], [Some((0, 0)), Some((0, 1))]);
        assert_eq!(exchange.take(), Some((1, 0)));
        exchange.fail_before(1, Error::usage("blocked"));
        exchange.fail_before(2, Error::usage("later"));
        assert_eq!(exchange.take(), None);
        exchange.finish(0);
        assert!(matches!(exchange.receive(0), Ok(Received::Nothing)));
        assert!(exchange.is_empty(0) && !exchange.is_empty(1));
        exchange.finish(0);
        assert!(matches!(exchange.receive(0), Ok(Received::TableEnd)));
        assert!(exchange.receive(1).unwrap_err().to_string().contains("blocked"));
    }

    #[test]
    fn a_connection_that_comes_after_the_end_is_told() {
        let pipe = WakePipe::new().unwrap();
        let exchange = Exchange::new(NonZeroU32::MIN, pipe.waker());
        assert!(exchange.set_waker(0, pipe.waker()));
        exchange.close();
        assert!(!exchange.set_waker(0, pipe.waker()));
    }
}
