//! Timeouts and retries of system calls.

use std::io;
use std::time::Duration;

use rustix::event::Timespec;

/// Converts a time to wait.
pub(super) fn timespec(left: Duration) -> Timespec {
    // A longer time than the clock can represent is indefinite in effect.
    let tv_sec = left.as_secs().min(u64::from(u32::MAX)).cast_signed();
    Timespec { tv_sec, tv_nsec: left.subsec_nanos().cast_signed().into() }
}

/// Retries a call that a signal interrupted.
pub(super) fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
