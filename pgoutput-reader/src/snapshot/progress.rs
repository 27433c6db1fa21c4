//! The progress of an initial copy.

use std::fmt;
use std::time::{Duration, Instant};

/// The progress of an initial copy, from
/// [`Reader::snapshot_progress`](crate::Reader::snapshot_progress).
///
/// Displayed as `copied 2 of 5 tables, 1200000 of about 5000000 rows, 120000 rows/s`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotProgress {
    /// The number of tables that are copied in this snapshot.
    pub tables: u64,
    /// The number of those that are finished.
    pub tables_finished: u64,
    /// The number of rows that were delivered, or are held until the next one is known.
    pub rows: u64,
    /// Their size in bytes, as in the replication stream.
    pub bytes: u64,
    /// The planner's estimate of the number of rows of all tables, without regard to row filters;
    /// `None` if a table was never analyzed.
    pub estimated_rows: Option<u64>,
    /// The age of the snapshot. While it exists, VACUUM removes no row that was deleted after it.
    pub elapsed: Duration,
}

impl SnapshotProgress {
    /// Returns the number of rows per second so far.
    pub fn rows_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rows = self.rows as f64;
        rows / self.elapsed.as_secs_f64().max(0.001)
    }
}

impl fmt::Display for SnapshotProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tables, tables_finished, rows, .. } = self;
        let plural = if *tables == 1 { "" } else { "s" };
        write!(f, "copied {tables_finished} of {tables} table{plural}, {rows}")?;
        if let Some(estimate) = self.estimated_rows.filter(|_| tables_finished < tables) {
            write!(f, " of about {}", estimate.max(*rows))?;
        }
        write!(f, " rows, {:.0} rows/s", self.rows_per_second())
    }
}

/// Counts what is copied.
#[derive(Debug)]
pub(crate) struct Counters {
    tables: u64,
    tables_finished: u64,
    rows: u64,
    bytes: u64,
    estimated_rows: Option<u64>,
    since: Instant,
}

impl Counters {
    /// Starts to count a copy of tables with these estimates.
    pub(crate) fn new(estimates: &[Option<u64>]) -> Self {
        let tables = estimates.len() as u64;
        let estimated_rows = estimates.iter().copied().sum();
        let since = Instant::now();
        Self { tables, tables_finished: 0, rows: 0, bytes: 0, estimated_rows, since }
    }

    pub(crate) fn row(&mut self, bytes: usize) {
        self.rows += 1;
        self.bytes += bytes as u64;
    }

    pub(crate) fn table_finished(&mut self) {
        self.tables_finished += 1;
    }

    pub(crate) fn progress(&self) -> SnapshotProgress {
        let Self { tables, tables_finished, rows, bytes, estimated_rows, since } = *self;
        let elapsed = since.elapsed();
        SnapshotProgress { tables, tables_finished, rows, bytes, estimated_rows, elapsed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_an_estimate_until_the_end() {
        let mut counters = Counters::new(&[Some(100), Some(50)]);
        for _ in 0..160 {
            counters.row(7);
        }
        counters.table_finished();
        let progress = SnapshotProgress { elapsed: Duration::from_secs(2), ..counters.progress() };
        assert_eq!((progress.bytes, progress.estimated_rows), (1120, Some(150)));
        let text = "copied 1 of 2 tables, 160 of about 160 rows, 80 rows/s";
        assert_eq!(progress.to_string(), text);
        let finished = SnapshotProgress { tables_finished: 2, ..progress };
        assert_eq!(finished.to_string(), "copied 2 of 2 tables, 160 rows, 80 rows/s");
        assert_eq!(Counters::new(&[Some(1), None]).progress().estimated_rows, None);
    }
}
