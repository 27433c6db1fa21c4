//! How system calls are told a time, and made again.

use std::io;
use std::time::Duration;

use rustix::event::Timespec;

/// A time to wait.
pub(super) fn timespec(left: Duration) -> Timespec {
    // Longer than the clock can say is for ever, in effect.
    let tv_sec = left.as_secs().min(u64::from(u32::MAX)).cast_signed();
    Timespec { tv_sec, tv_nsec: left.subsec_nanos().cast_signed().into() }
}

/// A call that a signal interrupted is made again.
pub(super) fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
