//! The settings of a capture.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mask::MaskedColumn;

/// A file to which a [`Reader`](crate::Reader) writes what it receives, so that
/// [`Reader::replay`](crate::Reader::replay) delivers the same events again without a server.
///
/// The file has the messages of the server, their times, and what the catalogue said about the
/// tables. It has everything that was published, in clear text, except for the columns that are
/// [masked](Self::mask).
///
/// A file that does not exist is created. A capture that exists is continued: an incomplete record
/// at its end is removed, and the reader resumes after the last position that
/// [`Reader::sync_capture`](crate::Reader::sync_capture) has written. The settings must be the same
/// as before. Any other file is left alone, with an error. While it is written, the file is locked.
///
/// ```no_run
/// use pgoutput_reader::{Acknowledge, Capture, Reader};
///
/// let mut reader = Reader::builder("postgresql://app@localhost/app")
///     .slot("my_slot")
///     .publication("my_publication")
///     .acknowledge(Acknowledge::Manual)
///     .capture(Capture::new("changes.pgocap").mask("public.people.email".parse()?))
///     .connect()?;
/// let acknowledger = reader.acknowledger();
/// while let Some(event) = reader.next() {
///     let position = event?.position();
///     // … process the event; then, so that the capture lacks nothing that the slot has discarded:
///     reader.sync_capture(Some(&position))?;
///     acknowledger.acknowledge(position)?;
/// }
/// reader.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    pub(super) path: PathBuf,
    pub(super) rotate_size: Option<u64>,
    pub(super) rotate_time: Option<Duration>,
    pub(super) masks: Vec<MaskedColumn>,
}

impl Capture {
    /// Captures to this file.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            rotate_size: None,
            rotate_time: None,
            masks: Vec::new(),
        }
    }

    /// Starts another file when one has this many bytes, as soon as no transaction is open. Each
    /// file can be replayed alone. Their names are the path with a number, from
    /// `changes.pgocap.000001` on.
    #[must_use]
    pub fn rotate_size(mut self, bytes: u64) -> Self {
        self.rotate_size = Some(bytes);
        self
    }

    /// Starts another file when one is this old and something more is received, as
    /// [`rotate_size`](Self::rotate_size) does.
    #[must_use]
    pub fn rotate_time(mut self, age: Duration) -> Self {
        self.rotate_time = Some(age);
        self
    }

    /// Replaces the values of a column before they are written, in new rows, old rows and keys.
    ///
    /// A value becomes a constant of its type: 0, false, `masked`, an empty `bytea`, `{}` for
    /// `json`, a UUID of zeros, midnight, or 2000-01-01. Values of other types become NULL. NULL
    /// stays NULL, and an unchanged TOAST value stays absent.
    ///
    /// Only columns are masked: a logical decoding message that repeats a value is written as it
    /// is. If a table has the name but lacks the column, the error is
    /// [`CaptureError::MaskedColumnMissing`](crate::CaptureError::MaskedColumnMissing).
    ///
    /// The table must be published under its name when the reader connects. If a partitioned table
    /// is published as its partitions, mask each of them. A table that is renamed while a capture
    /// masks it ends the capture with
    /// [`CaptureError::MaskedTableRenamed`](crate::CaptureError::MaskedTableRenamed).
    #[must_use]
    pub fn mask(mut self, column: MaskedColumn) -> Self {
        self.masks.push(column);
        self
    }

    pub(crate) fn masks(&self) -> &[MaskedColumn] {
        &self.masks
    }

    pub(super) fn rotates(&self) -> bool {
        self.rotate_size.is_some() || self.rotate_time.is_some()
    }
}

/// The state of a capture, from [`Reader::capture_status`](crate::Reader::capture_status).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureStatus {
    /// The current file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The number of messages that were captured by this reader, in all files.
    pub messages: u64,
    /// The masks of which no table was seen yet.
    pub unseen_masks: Vec<MaskedColumn>,
}
