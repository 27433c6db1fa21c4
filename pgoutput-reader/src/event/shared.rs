//! The descriptions that many events share.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
#[cfg(feature = "json")]
use std::sync::OnceLock;

#[cfg(feature = "json")]
use super::json::Fragment;

/// A table or transaction that many events share, with its JSON once an event was written.
pub(crate) struct Shared<T> {
    value: Arc<T>,
    #[cfg(feature = "json")]
    json: OnceLock<Fragment>,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Arc<Self> {
        Arc::new(Self {
            value: Arc::new(value),
            #[cfg(feature = "json")]
            json: OnceLock::new(),
        })
    }

    pub(super) fn value(&self) -> &Arc<T> {
        &self.value
    }

    /// Returns the JSON of the value, which `write` writes the first time.
    #[cfg(feature = "json")]
    pub(super) fn json<E>(
        &self,
        write: impl FnOnce(&T) -> Result<Fragment, E>,
    ) -> Result<&Fragment, E> {
        match self.json.get() {
            Some(json) => Ok(json),
            None => write(&self.value).map(|json| self.json.get_or_init(|| json)),
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
