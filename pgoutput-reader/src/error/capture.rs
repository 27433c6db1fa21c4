//! Errors of capture files.

use std::io;

use pgoutput_decode::{Lsn, Printable};

use super::{Error, ErrorKind};

/// An error of a capture file: see [`Capture`](crate::Capture) and
/// [`Reader::replay`](crate::Reader::replay).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// A call of the operating system failed.
    #[error("{doing} {}: {source}", Printable(.name))]
    Io {
        /// The activity, as in "reading".
        doing: &'static str,
        /// The name of the file.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file does not begin as a capture does.
    #[error(
        "{} is not a capture: it does not begin with PGOCAP; name a file that pgoutput capture or \
         ReaderBuilder::capture wrote",
        Printable(.name)
    )]
    NotACapture {
        /// The name of the file.
        name: String,
    },
    /// The format is newer than this program.
    #[error(
        "{} has version {found} of the capture format, and this program reads version 1: use a \
         newer pgoutput",
        Printable(.name)
    )]
    Version {
        /// The name of the file.
        name: String,
        /// The version in the file.
        found: u32,
    },
    /// A record of a kind that this version does not know, and that may not be skipped.
    #[error(
        "{} has a record of the unknown kind {kind:#04x} at offset {offset}: use a newer pgoutput",
        Printable(.name)
    )]
    UnknownRecord {
        /// The name of the file.
        name: String,
        /// The kind.
        kind: u8,
        /// The offset of the record.
        offset: u64,
    },
    /// A record is damaged.
    #[error(
        "{} is damaged at offset {offset}: {reason}; everything before it was read: restore the \
         file from a copy",
        Printable(.name)
    )]
    Corrupt {
        /// The name of the file.
        name: String,
        /// The offset of the record.
        offset: u64,
        /// The reason.
        reason: &'static str,
    },
    /// The file ends without the record that ends a capture.
    #[error(
        "{} ends at offset {offset} without the record that ends a capture: the program that wrote \
         it is still running or was killed; everything before that was read, and capturing to the \
         same file continues it",
        Printable(.name)
    )]
    Unfinished {
        /// The name of the file.
        name: String,
        /// The end of the last whole record.
        offset: u64,
    },
    /// A row needs facts of the catalogue that the capture lacks.
    #[error(
        "{} lacks the catalogue's facts about {} before offset {offset}: replay it from its first \
         file on, without skipping events",
        Printable(.name), Printable(.about)
    )]
    FactsMissing {
        /// The name of the file.
        name: String,
        /// The table or the setting.
        about: String,
        /// The offset of the next record.
        offset: u64,
    },
    /// The files are not parts of one capture, in order.
    #[error(
        "{} does not continue {}: {reason}; name the files of one capture in their order, without \
         a gap",
        Printable(.name), Printable(.before)
    )]
    NotNext {
        /// The name of the file.
        name: String,
        /// The name of the file before it.
        before: String,
        /// The reason.
        reason: &'static str,
    },
    /// The file to be continued was captured with other settings.
    #[error(
        "{} cannot be continued: it was captured with another {setting}; give the same settings, \
         or name another file",
        Printable(.name)
    )]
    OtherSettings {
        /// The name of the file.
        name: String,
        /// The setting.
        setting: &'static str,
    },
    /// The slot has confirmed changes that the file to be continued lacks.
    #[error(
        "{} cannot be continued: it ends at {received}, and the slot has confirmed {confirmed}, so \
         changes in between may be missing; name another file",
        Printable(.name)
    )]
    Gap {
        /// The name of the file.
        name: String,
        /// The last LSN in the file.
        received: Lsn,
        /// The slot's confirmed LSN.
        confirmed: Lsn,
    },
    /// The capture is to be written to a folder, a pipe or a device.
    #[error(
        "{} is not a regular file, and a capture is continued by reading it: name a file, or one \
         that does not exist yet",
        Printable(.name)
    )]
    NotAFile {
        /// The name of the file.
        name: String,
    },
    /// Another process writes to the file.
    #[error("{} is locked by another process that captures to it", Printable(.name))]
    InUse {
        /// The name of the file.
        name: String,
    },
    /// A column that is to be masked is not in its table, so that it may have been renamed.
    #[error(
        "column {} is to be masked, and {}.{} has no column of that name now: nothing more is \
         read; correct the mask, or remove it",
        Printable(.column), Printable(.schema), Printable(.table)
    )]
    MaskedColumnMissing {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A masked column is of a table that is not published, so nothing would be masked.
    #[error(
        "the mask {} names no table that the publications publish, so it would mask nothing: \
         correct the mask, or publish the table first",
        Printable(.mask)
    )]
    MaskedTableNotPublished {
        /// The mask.
        mask: String,
    },
    /// A masked column is of a partitioned table that is published as its partitions.
    #[error(
        "the mask {} names a partitioned table that is published as its partitions: mask these \
         too: {}; or set publish_via_partition_root of the publication (PostgreSQL 13 and later)",
        Printable(.mask), Printable(&.partitions.join(", "))
    )]
    MaskedTableHasPartitions {
        /// The mask.
        mask: String,
        /// The masks that the partitions lack.
        partitions: Vec<String>,
    },
    /// A table with a masked column was renamed, so that the mask would stop to apply.
    #[error(
        "{}, masked by {}, is now {}: nothing more is captured to this file; capture to another \
         file with the mask {}",
        Printable(.former), Printable(.mask), Printable(.now), Printable(.mask_now)
    )]
    MaskedTableRenamed {
        /// The name of the table when it was masked, as in SQL.
        former: String,
        /// The mask.
        mask: String,
        /// The name of the table now.
        now: String,
        /// The mask for the table of this name.
        mask_now: String,
    },
    /// A capture does not go together with another setting.
    #[error("a capture cannot have {setting}: leave it out")]
    Unsupported {
        /// The setting.
        setting: &'static str,
    },
    /// The method of a reader that replays a capture needs a server.
    #[error("{method} needs a server, and this reader replays a capture")]
    NoServer {
        /// The method.
        method: &'static str,
    },
    /// The reader captures nothing.
    #[error("this reader captures nothing: set ReaderBuilder::capture")]
    NotCapturing,
}

impl From<CaptureError> for Error {
    fn from(error: CaptureError) -> Self {
        ErrorKind::Capture(error).into()
    }
}
