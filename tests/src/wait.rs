//! Waiting for what a server does in its own time.

use std::thread;
use std::time::{Duration, Instant};

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
