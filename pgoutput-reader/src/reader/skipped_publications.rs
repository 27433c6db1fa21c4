//! Telling the program of publications that are skipped.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::SkippedPublication;

type Listener = dyn FnMut(&SkippedPublication) + Send;

/// A listener for skipped publications. Clones are the same listener.
#[derive(Clone)]
pub(super) struct OnSkipped(Arc<Mutex<Listener>>);

impl OnSkipped {
    pub(super) fn new(listener: impl FnMut(&SkippedPublication) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(listener)))
    }

    pub(super) fn tell(&self, skipped: &SkippedPublication) {
        // A listener that has panicked once is the program's own affair.
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(skipped);
    }
}

impl fmt::Debug for OnSkipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnSkipped")
    }
}
