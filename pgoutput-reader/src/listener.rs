//! Callbacks of the program.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The target of log records about what a listener, or a method of the reader, reports too. A
/// program that prints that can leave them out.
pub(crate) const REPORTED: &str = "pgoutput_reader::reported";

/// A callback that any thread may call, one at a time. Clones share it.
pub(crate) struct Listener<F: ?Sized>(Arc<Mutex<F>>);

impl<F: ?Sized> Listener<F> {
    pub(crate) fn new(callback: Arc<Mutex<F>>) -> Self {
        Self(callback)
    }

    /// Calls it.
    pub(crate) fn with(&self, call: impl FnOnce(&mut F)) {
        // After a panic the callback may be called again. Its state is the program's
        // responsibility.
        call(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<F: ?Sized> Clone for Listener<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: ?Sized> fmt::Debug for Listener<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
