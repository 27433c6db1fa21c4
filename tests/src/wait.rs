//! Waiting for a reader, for a bounded time.

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use pgoutput_harness::{PATIENCE, Wait, waiting};
use pgoutput_reader::{ChangeEvent, Error, Reader, ReplicationStream, StopHandle, StreamEventBuf};

/// The next item of a stream that would wait for it indefinitely.
pub trait InTime {
    /// What it gives.
    type Item;

    /// The next item, as `next` returns it.
    ///
    /// # Panics
    ///
    /// If it takes longer than [`PATIENCE`]: the stream is stopped then.
    fn next_in_time(&mut self) -> Option<Self::Item>;

    /// The items, each in time.
    fn in_time(&mut self) -> impl Iterator<Item = Self::Item> {
        iter::from_fn(|| self.next_in_time())
    }
}

impl InTime for Reader {
    type Item = Result<ChangeEvent, Error>;

    #[track_caller]
    fn next_in_time(&mut self) -> Option<Self::Item> {
        let wait = stopped_in_time("the next event of a reader", self.stop_handle());
        let next = self.next();
        wait.done();
        next
    }
}

impl InTime for ReplicationStream {
    type Item = Result<StreamEventBuf, Error>;

    #[track_caller]
    fn next_in_time(&mut self) -> Option<Self::Item> {
        let wait = stopped_in_time("the next message of a stream", self.stop_handle());
        let next = self.next();
        wait.done();
        next
    }
}

/// A wait for what a reader or a stream does, which is stopped where it takes longer than
/// [`PATIENCE`].
pub fn stopped_in_time(what: &str, stop: StopHandle) -> Wait {
    Wait::or(what, PATIENCE, move || stop.stop())
}

/// Does something while a reader waits, on a thread of its own, for changes of which none may come.
///
/// # Panics
///
/// If there is one, or the reader fails.
pub fn while_waiting<T>(mut reader: Reader, work: impl FnOnce() -> T) -> T {
    let stop = reader.stop_handle();
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let next = reader.next();
            assert!(next.is_none(), "{next:?}");
            reader.stop().unwrap();
        });
        // A check that fails must not leave the reader waiting for ever.
        let done = catch_unwind(AssertUnwindSafe(work));
        stop.stop();
        waiting("a reader that was stopped", || reading.join()).unwrap();
        done.unwrap_or_else(|failure| resume_unwind(failure))
    })
}
