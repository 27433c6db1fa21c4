//! A bound on the waits of unit tests, which build without the workspace around this crate.

use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{io, process, thread};

/// A time that no wait of a unit test reaches, on a busy machine too.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Calls `wait`. If this takes longer than [`TIMEOUT`], the test program ends and reports what it
/// waited for.
pub(crate) fn waiting<T>(what: &'static str, wait: impl FnOnce() -> T) -> T {
    let test = thread::current().name().unwrap_or("a thread without a name").to_owned();
    let (over, watched) = mpsc::channel::<()>();
    thread::spawn(move || {
        if watched.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            // Not `eprintln`, whose output the test runner would keep.
            let _ = writeln!(io::stderr(), "{test} waited {TIMEOUT:?} for {what} in vain");
            process::abort();
        }
    });
    let waited_for = wait();
    drop(over);
    waited_for
}
