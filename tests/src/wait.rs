//! Bounded waits for a reader.

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use pgoutput_harness::{TIMEOUT, Wait, waiting};
use pgoutput_reader::{ChangeEvent, Error, Reader, ReplicationStream, StopHandle, StreamEventBuf};

/// An iterator whose `next` may wait indefinitely.
pub trait InTime {
    /// The type of its items.
    type Item;

    /// Returns the next item, like `next`.
    ///
    /// # Panics
    /// If it takes longer than [`TIMEOUT`]. The stream is stopped then.
    fn next_in_time(&mut self) -> Option<Self::Item>;

    /// Iterates with [`next_in_time`](Self::next_in_time).
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

/// Registers a wait for a reader or a stream, which is stopped if that takes longer than
/// [`TIMEOUT`].
pub fn stopped_in_time(what: &str, stop: StopHandle) -> Wait {
    Wait::with_remedy(what, TIMEOUT, move || stop.stop())
}

/// Runs `work` while a reader waits in a thread of its own for changes, none of which may arrive.
///
/// # Panics
/// If one arrives, or the reader fails.
pub fn while_waiting<T>(mut reader: Reader, work: impl FnOnce() -> T) -> T {
    let stop = reader.stop_handle();
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let next = reader.next();
            assert!(next.is_none(), "{next:?}");
            reader.stop().unwrap();
        });
        // A failed check must not leave the reader waiting.
        let done = catch_unwind(AssertUnwindSafe(work));
        stop.stop();
        waiting("a reader that was stopped", || reading.join()).unwrap();
        done.unwrap_or_else(|failure| resume_unwind(failure))
    })
}
