//! Errors of a server that does not continue what was read.

use pgoutput_decode::Lsn;

use super::{Error, ErrorKind};

/// A server whose history does not continue what was read: it belongs to another cluster, is on
/// another timeline, or has lost WAL.
///
/// The expected history is that of the stored position passed to
/// [`ReaderBuilder::resume`](crate::ReaderBuilder::resume) or, after a lost connection, that of the
/// reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The server belongs to another cluster.
    #[error(
        "the server belongs to the cluster with system identifier {found}, and what was read came \
         from {expected}: connect to that cluster; for another one, start again from a snapshot"
    )]
    OtherCluster {
        /// The system identifier of the cluster that was read.
        expected: u64,
        /// The server's system identifier.
        found: u64,
    },
    /// The server is on an older timeline, so it does not have what was read.
    #[error(
        "the server is still on timeline {found}, and what was read came from timeline \
         {expected}: connect to the server that was promoted"
    )]
    TimelineBehind {
        /// The timeline that was read.
        expected: u32,
        /// The server's timeline.
        found: u32,
    },
    /// The server left the timeline that was read before the end of what was read, so it may not
    /// have all of it.
    #[error(
        "the server is on timeline {found}, whose history {}: it may not contain what was read up \
         to {lsn}; start again from a snapshot",
        .switch.map_or_else(
            || format!("has no timeline {expected}"),
            |switch| format!("left timeline {expected} at {switch}"),
        )
    )]
    TimelineForked {
        /// The timeline that was read.
        expected: u32,
        /// The server's timeline.
        found: u32,
        /// The LSN up to which it was read.
        lsn: Lsn,
        /// The LSN at which the server's history left the timeline that was read; `None` if it was
        /// never on it.
        switch: Option<Lsn>,
    },
    /// The server is on a later timeline than the stored position, and SQL does not show where it
    /// left the position's timeline.
    #[error(
        "the server is on timeline {found}, and the position came from timeline {expected}: \
         polling cannot read the history of timelines; resume once over a replication connection, \
         without poll"
    )]
    TimelineUnknown {
        /// The timeline of the position.
        expected: u32,
        /// The server's timeline.
        found: u32,
    },
    /// The server is on a later timeline than before the connection was lost, as a standby that was
    /// promoted. Its history was not compared with what was delivered, as
    /// [`resume`](crate::ReaderBuilder::resume) does.
    #[error(
        "the server is on timeline {found}, and what was read came from timeline {expected}: a \
         standby was promoted, or a backup restored; restart the program, and resume from a stored \
         position, which is compared with the server's history (ReaderBuilder::resume)"
    )]
    TimelineChanged {
        /// The timeline before.
        expected: u32,
        /// The server's timeline now.
        found: u32,
    },
    /// The server's WAL ends before what was read, so it does not contain all of it.
    #[error(
        "the server's WAL ends at {ends}, and it was read up to {lsn}: if it is a standby that \
         has not replayed so far yet, wait; otherwise the server has lost WAL, for example by a \
         restored backup: start again from a snapshot"
    )]
    WalEndsEarly {
        /// The LSN up to which it was read.
        lsn: Lsn,
        /// The end of the server's WAL.
        ends: Lsn,
    },
}

impl From<HistoryError> for Error {
    fn from(error: HistoryError) -> Self {
        ErrorKind::History(error).into()
    }
}
