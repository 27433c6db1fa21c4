//! How transactions in progress are kept.

use std::path::PathBuf;

use crate::error::SpillError;
use crate::io::SpillFiles;

/// The default of [`SpillOptions::memory_limit`].
const MEMORY_LIMIT: usize = 64 * 1024 * 1024;

/// The least memory: a block of the files.
const LEAST_MEMORY: usize = 64 * 1024;

/// How a [`Reader`](crate::Reader) keeps transactions that the server sends while they are in
/// progress, until they are committed or rolled back.
///
/// Up to a limit for all of them together they are kept in memory. Above it, the largest ones are
/// written to files. The files have no name: however the program ends, nothing is left of them.
/// After a restart the server sends again what was not acknowledged.
///
/// ```
/// use pgoutput_reader::SpillOptions;
///
/// let options = SpillOptions::new().memory_limit(16 << 20).dir("/var/tmp").limit(10 << 30);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpillOptions {
    pub(crate) memory_limit: usize,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) limit: Option<u64>,
    pub(crate) fallback: bool,
}

impl SpillOptions {
    /// Returns the default options: 64 MiB of memory, and files of any size in the system's
    /// directory for temporary files.
    pub fn new() -> Self {
        Self { memory_limit: MEMORY_LIMIT, dir: None, limit: None, fallback: true }
    }

    /// Sets the number of bytes that all transactions in progress may take in memory together, at
    /// least 64 KiB. A single change that is larger is kept in memory while it is written to a
    /// file, and again while it is delivered.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes.max(LEAST_MEMORY);
        self
    }

    /// Sets the directory of the files. [`connect`](crate::ReaderBuilder::connect) checks that files
    /// can be created there. The default is that of [`std::env::temp_dir`], which on
    /// some systems is in memory.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Sets the number of bytes that all files may take together. By default there is no limit but
    /// that of the disk.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Sets whether the reader continues if the limit is reached or a file cannot be written, which
    /// is the default. It then replaces the connection, with
    /// [`Streaming::Off`](crate::Streaming::Off): from there on the server keeps each transaction
    /// until it commits. [`on_reconnect`](crate::ReaderBuilder::on_reconnect) gets the reason.
    /// Otherwise, and for a reader that [never reconnects](crate::Reconnect::never), the
    /// [`SpillError`](crate::SpillError) ends the reader, and nothing is lost.
    ///
    /// A [temporary slot](crate::SlotCreation::Temporary) is lost with its connection. So with one
    /// streaming is off, unless you request it.
    #[must_use]
    pub fn fallback(mut self, fallback: bool) -> Self {
        self.fallback = fallback;
        self
    }

    /// Checks that files can be created in the directory that was set.
    pub(crate) fn check_dir(&self) -> Result<(), SpillError> {
        if self.dir.is_some() {
            SpillFiles::new(self.dir.clone(), None).check()?;
        }
        Ok(())
    }
}

impl Default for SpillOptions {
    fn default() -> Self {
        Self::new()
    }
}
