//! Ending a stream from elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Waker;

/// Ends a stream or reader from another thread or where a signal is handled.
///
/// A blocked read returns at once. What has arrived whole is still handed out; then the iterator ends without an error. A change that a reader would have
/// to ask the catalogue about is handed out only if the answer comes within a quarter of a second; else it comes again, unconfirmed.
#[derive(Debug, Clone)]
pub struct StopHandle {
    stopped: Arc<AtomicBool>,
    waker: Waker,
}

impl StopHandle {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { stopped: Arc::default(), waker }
    }

    /// Asks for the end. Does not wait for it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the end was asked for.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}
