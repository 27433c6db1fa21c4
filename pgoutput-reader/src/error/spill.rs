//! Errors of spill files.

use std::io;
use std::path::PathBuf;

use pgoutput_decode::{Lsn, Printable, Xid};

use super::{Error, ErrorKind};

/// An error of the files that a [`Reader`](crate::Reader) keeps transactions in progress in, when
/// they take more memory than its limit.
///
/// Nothing is lost by any of them: the server sends again what was not acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// The files take as much space as they may.
    #[error(
        "transactions in progress take more than the {limit} bytes of spill files that are \
         allowed: raise the limit (SpillOptions::limit, --spill-limit), or let the server keep \
         them until they commit (Streaming::Off, --streaming off)"
    )]
    Limit {
        /// The limit, in bytes.
        limit: u64,
    },
    /// A file cannot be created or written, for example because the disk is full.
    #[error(
        "writing a spill file in {}: {source}: free some space, choose another directory \
         (SpillOptions::dir, --spill-dir), or let the server keep transactions until they commit \
         (Streaming::Off, --streaming off)",
        Printable(.dir.to_string_lossy())
    )]
    Write {
        /// The directory.
        dir: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error(
        "reading a spill file in {} at offset {offset}: {source}: check the disk, and start again",
        Printable(.dir.to_string_lossy())
    )]
    Read {
        /// The directory.
        dir: PathBuf,
        /// The offset in the file.
        offset: u64,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A block of a file is not what was written. No event of it was delivered.
    #[error(
        "the block at offset {offset} of the spill file of transaction {xid}, from WAL {lsn} on, \
         is not what was written: check the disk, and start again; the server sends the \
         transaction again"
    )]
    Corrupt {
        /// The transaction.
        xid: Xid,
        /// The offset of the block in the file.
        offset: u64,
        /// The LSN of the first change in the block.
        lsn: Lsn,
    },
}

impl From<SpillError> for Error {
    fn from(error: SpillError) -> Self {
        ErrorKind::Spill(error).into()
    }
}
