//! The initial copy of the published tables.

#[doc(hidden)]
pub mod inspect;
mod jobs;
mod local;
mod plan;
mod progress;
mod published;
mod relation;
mod row;
mod session;
mod table_copy;

use std::num::NonZeroU32;

pub(crate) use jobs::{JobRows, Keeper};
pub(crate) use local::LocalRows;
pub(crate) use progress::Counters;
pub use progress::SnapshotProgress;
pub(crate) use published::PublishedTable;
pub(crate) use session::{CopySettings, table_name};
pub(crate) use table_copy::TableCopy;

use crate::error::Error;

/// The pages of a chunk, of which one job copies one after another: 8 MB.
pub(crate) const CHUNK_PAGES: u32 = 1024;

/// The result of waiting for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowStep {
    /// A row. The number is that in the copy of its table: the same whenever it is read in this
    /// snapshot.
    Row(u64),
    /// The table has no more rows.
    TableEnd,
    /// The deadline passed. Nothing is lost.
    TimedOut,
    /// The wait was ended from outside. Nothing is lost.
    Woken,
}

/// The initial copy of a reader: the rows that the published tables have when it starts, delivered
/// before the changes.
///
/// ```no_run
/// use pgoutput_reader::{Op, Reader, SlotCreation, Snapshot};
///
/// let reader = Reader::builder("host=localhost dbname=app")
///     .slot("my_slot")
///     .publication("my_publication")
///     .slot_creation(SlotCreation::IfMissing)
///     .snapshot(Snapshot::initial())
///     .connect()?;
/// for event in reader {
///     let event = event?;
///     match event.op() {
///         Op::SnapshotRow => println!("{:?}", event.after()),
///         Op::SnapshotEnd => println!("everything before {} is copied", event.lsn()),
///         _ => println!("{event:?}"),
///     }
/// }
/// # Ok::<(), pgoutput_reader::Error>(())
/// ```
///
/// The reader creates the slot and copies the tables in its snapshot, so that copy and stream
/// together have each row exactly once. The rows are events with [`Op::SnapshotRow`], one table
/// after another; [`Op::SnapshotEnd`] follows the last one.
///
/// [`Op::SnapshotRow`]: crate::Op::SnapshotRow
/// [`Op::SnapshotEnd`]: crate::Op::SnapshotEnd
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    jobs: NonZeroU32,
}

impl Snapshot {
    /// A copy before the first change.
    ///
    /// If the slot exists and was read before, nothing is copied. If it exists and its copy was not
    /// completed, or if a stored [position](crate::Position) is from inside the copy, the tables
    /// that are not finished are copied in a snapshot of their own. A table of which rows were
    /// delivered before is copied again from its beginning, after an event that empties it
    /// ([`Op::Truncate`](crate::Op::Truncate)).
    pub fn initial() -> Self {
        Self { jobs: NonZeroU32::MIN }
    }

    /// Sets the number of connections that copy at the same time, 1 by default.
    ///
    /// One job uses the replication connection, and the stream starts after the copy. With several
    /// jobs each has a connection of its own, and so has the snapshot; the stream is open
    /// meanwhile.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    ///
    /// use pgoutput_reader::Snapshot;
    ///
    /// let snapshot = Snapshot::initial().jobs(NonZeroU32::new(4).unwrap());
    /// ```
    #[must_use]
    pub fn jobs(mut self, jobs: NonZeroU32) -> Self {
        self.jobs = jobs;
        self
    }

    /// Returns the number of jobs if there are several.
    pub(crate) fn several_jobs(&self) -> Option<NonZeroU32> {
        Some(self.jobs).filter(|jobs| jobs.get() > 1)
    }
}

/// The rows of tables, which are copied in one snapshot.
#[derive(Debug)]
pub(crate) enum Rows {
    Local(Box<LocalRows>),
    Jobs(Box<JobRows>),
}

impl Rows {
    /// Starts the table with this index.
    pub(crate) fn start(&mut self, tables: &[TableCopy], index: usize) -> Result<(), Error> {
        match self {
            Self::Local(rows) => rows.start(tables, index),
            Self::Jobs(rows) => {
                rows.start(index);
                Ok(())
            }
        }
    }
}
