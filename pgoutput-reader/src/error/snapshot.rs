//! Errors of the initial copy.

use pgoutput_decode::{Lsn, Printable};

/// The initial copy cannot start, or cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A row of a table is not in the format of COPY.
    #[error(
        "row {row} of the copy of \"{schema}\".\"{table}\" cannot be read: {reason}; please report \
         this with the server's version",
        schema = Printable(.schema), table = Printable(.table)
    )]
    Row {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
        /// The number of the row in the copy of the table, from 1.
        row: u64,
        /// The reason.
        reason: CopyRowError,
    },
    /// The settings of the reader and an initial copy exclude each other.
    #[error("{option} and an initial copy exclude each other: {advice}")]
    Excluded {
        /// The setting.
        option: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// Whether the copy of an earlier run was completed cannot be seen from the slot.
    #[error(
        "slot \"{slot}\" exists, and its confirmed_flush_lsn {confirmed} does not show whether its \
         initial copy was completed (commits wait for this program): resume from a stored \
         position, or drop the slot to copy again",
        slot = Printable(.slot)
    )]
    Unknown {
        /// The slot.
        slot: String,
        /// The confirmed LSN.
        confirmed: Lsn,
    },
    /// A table was changed between the snapshot and its lock.
    #[error(
        "\"{schema}\".\"{table}\" was truncated, rewritten, altered or replaced while the copy \
         started: start again, with a new snapshot",
        schema = Printable(.schema), table = Printable(.table)
    )]
    TableChanged {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
    },
    /// The position is from inside an initial copy, and the reader makes none. The remaining tables
    /// would be missing.
    #[error(
        "the position is from inside an initial copy, whose remaining tables would be missing: set \
         Snapshot::initial() to copy them (--snapshot initial)"
    )]
    NotRequested,
    /// The snapshot of the copy has ended with the session that kept it.
    #[error("the snapshot of the copy has ended with the session that kept it: {cause}")]
    SnapshotLost {
        /// The error of the server.
        cause: String,
    },
    /// The copy ended before it was complete.
    #[error(
        "the initial copy was interrupted; slot \"{slot}\" keeps the changes since its creation, \
         and WAL with them: start again to copy the remaining tables, or drop the slot: {cause}",
        slot = Printable(.slot)
    )]
    Interrupted {
        /// The slot.
        slot: String,
        /// The error.
        cause: String,
    },
}

impl SnapshotError {
    /// The server sends the changes of a prepared transaction before it is known whether it commits
    /// before the snapshot.
    pub(crate) const TWO_PHASE: Self =
        Self::Excluded { option: "two_phase", advice: "copy with a slot without two_phase" };

    pub(crate) const START_LSN: Self =
        Self::Excluded { option: "start_lsn", advice: "the stream starts after the copy" };
}

/// The reason that a row of a COPY cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyRowError {
    /// The copy ended inside a row.
    #[error("the copy ends inside a row")]
    EndsEarly,
    /// The header of the binary format.
    #[error("the header is not that of the binary format")]
    Header,
    /// A length is negative, or longer than a value can be.
    #[error("a length is not valid")]
    Length,
    /// An escape sequence that servers do not write.
    #[error("an escape sequence is not valid")]
    Escape,
    /// A row with another number of columns.
    #[error("it has {found} columns instead of {expected}")]
    Columns {
        /// The number of columns of the table.
        expected: usize,
        /// The number of columns of the row.
        found: usize,
    },
    /// Bytes after the end of the binary format.
    #[error("bytes follow the end")]
    TrailingBytes,
}

impl From<SnapshotError> for crate::error::Error {
    fn from(error: SnapshotError) -> Self {
        crate::error::ErrorKind::Snapshot(error).into()
    }
}
