//! Stopping a stream or reader from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::wake::Waker;

/// Ends a stream or reader from another thread or a signal handler.
///
/// A blocked read returns at once. Messages that have arrived completely are still delivered; then
/// the iterator ends without an error. If a reader needs the catalogue for a change, it waits for
/// at most a quarter of a second. Without an answer it does not deliver the change, and the server
/// sends it again, since it is not acknowledged.
#[derive(Debug, Clone)]
pub struct StopHandle {
    stopped: Arc<AtomicBool>,
    waker: Waker,
}

impl StopHandle {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { stopped: Arc::default(), waker }
    }

    /// Asks the stream or reader to end, without waiting for it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Returns whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}
