//! Waiting for what a server does in its own time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_reader::Reader;

/// Longer than anything a test waits for takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until there is an answer, and gives it.
///
/// # Panics
///
/// If there is none in half a minute.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// The same where the time it may take is promised.
///
/// # Panics
///
/// If there is no answer in that time.
pub fn within<T>(time: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Does something while a reader waits, on a thread of its own, for changes of which none may come.
///
/// # Panics
///
/// If there is one, or the reader fails.
pub fn while_waiting<T>(mut reader: Reader, work: impl FnOnce() -> T) -> T {
    let stop = reader.stop_handle();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let next = reader.next();
            assert!(next.is_none(), "{next:?}");
            reader.stop().unwrap();
        });
        // A check that fails must not leave the reader waiting for ever.
        let done = catch_unwind(AssertUnwindSafe(work));
        stop.stop();
        waiting.join().unwrap();
        done.unwrap_or_else(|failure| resume_unwind(failure))
    })
}
