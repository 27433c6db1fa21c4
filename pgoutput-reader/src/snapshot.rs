//! The initial copy of the published tables.

mod condition;
#[doc(hidden)]
pub mod inspect;
mod jobs;
mod local;
mod plan;
mod progress;
mod published;
mod relation;
mod row;
mod selection;
mod session;
mod slot_watch;
mod table_copy;

use std::num::NonZeroU32;

pub(crate) use jobs::{JobRows, Keeper};
pub(crate) use local::LocalRows;
pub(crate) use progress::Counters;
pub use progress::{SnapshotProgress, TableProgress};
pub(crate) use published::{PublishedNow, PublishedTable};
pub(crate) use selection::Selection;
pub use selection::SnapshotTable;
pub(crate) use selection::name as sql_name;
pub(crate) use session::{CopySettings, table_name};
pub use slot_watch::SlotAtRisk;
pub(crate) use slot_watch::SlotWatch;
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
    selection: Selection,
    is_alone: bool,
    is_initial: bool,
    is_added: bool,
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
        Self {
            jobs: NonZeroU32::MIN,
            selection: Selection::default(),
            is_alone: false,
            is_initial: true,
            is_added: false,
        }
    }

    /// A copy without changes after it: [`Op::SnapshotEnd`](crate::Op::SnapshotEnd) is the last
    /// event. The reader has no slot, and the copy retains no WAL.
    ///
    /// Each transaction whose commit record starts before the [LSN](crate::ChangeEvent::lsn) of the
    /// events is in the copy, and no other. A slot that existed before the copy can continue there:
    /// pass the LSN to [`start_lsn`](crate::ReaderBuilder::start_lsn). A slot that is created
    /// afterwards starts later, and the changes in between are missing.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Reader, Snapshot};
    ///
    /// let reader = Reader::builder("host=localhost dbname=app")
    ///     .publication("my_publication")
    ///     .snapshot(Snapshot::alone())
    ///     .connect()?;
    /// for event in reader {
    ///     println!("{:?}", event?.after());
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// A copy whose connection is lost is not continued. The error is
    /// [`SnapshotError::Incomplete`](crate::SnapshotError::Incomplete).
    pub fn alone() -> Self {
        Self { is_alone: true, ..Self::initial() }
    }

    /// Returns whether no stream follows.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Copies of the tables that join the publications while the stream is read, and none before
    /// the first change.
    ///
    /// Every few seconds the reader compares the published tables with those it knows, and copies
    /// the others like [`Reader::add_tables`](crate::Reader::add_tables): first an event that
    /// empties the table ([`Op::Truncate`](crate::Op::Truncate)), then its rows. A table that
    /// leaves the publications and joins them again is copied again, since changes are missing.
    ///
    /// The known tables are part of each [position](crate::Position), so that a reader that resumes
    /// also finds what joined meanwhile. Without a stored position the tables that are published at
    /// the start are known.
    pub fn added() -> Self {
        Self { is_initial: false, is_added: true, ..Self::initial() }
    }

    /// Sets whether tables that join the publications are copied as well: see
    /// [`added`](Self::added).
    ///
    /// ```
    /// use pgoutput_reader::Snapshot;
    ///
    /// let snapshot = Snapshot::initial().and_added(true);
    /// ```
    #[must_use]
    pub fn and_added(mut self, added: bool) -> Self {
        self.is_added = added;
        self
    }

    /// Returns whether the tables are copied before the first change.
    pub(crate) fn is_initial(&self) -> bool {
        self.is_initial
    }

    /// Returns whether tables that join the publications are copied.
    pub(crate) fn is_added(&self) -> bool {
        self.is_added
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

    /// Limits the copy to these tables, of which it may copy only some rows. The changes of all
    /// published tables are delivered.
    ///
    /// ```
    /// use pgoutput_reader::{Snapshot, SnapshotTable};
    ///
    /// let snapshot = Snapshot::initial().only([
    ///     SnapshotTable::new("public", "customers"),
    ///     SnapshotTable::new("public", "orders").filter("id > 100"),
    /// ]);
    /// ```
    ///
    /// Give the same tables when a copy is continued: a table that was not copied before may stay
    /// without its rows. A table is named as it is published: a partitioned table only with
    /// `publish_via_partition_root`, and its partitions otherwise.
    ///
    /// # Errors
    /// [`connect`](crate::ReaderBuilder::connect) returns
    /// [`NotPublished`](crate::SnapshotError::NotPublished) before it creates anything, and
    /// [`ConditionRefused`](crate::SnapshotError::ConditionRefused) for a condition that the server
    /// refuses. A slot that was created for the copy is then dropped.
    #[must_use]
    pub fn only(mut self, tables: impl IntoIterator<Item = SnapshotTable>) -> Self {
        self.selection = Selection::of(tables);
        self
    }

    pub(crate) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Returns the number of jobs.
    pub(crate) fn job_count(&self) -> NonZeroU32 {
        self.jobs
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

    /// Returns the number of chunks that were received.
    pub(crate) fn chunks_finished(&self) -> u64 {
        match self {
            Self::Local(rows) => rows.chunks_finished(),
            Self::Jobs(rows) => rows.chunks_finished(),
        }
    }
}
