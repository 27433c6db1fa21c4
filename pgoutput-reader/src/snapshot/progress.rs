//! The progress of an initial copy.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgoutput_decode::Printable;

use super::published::PublishedTable;

/// The progress of an initial copy, from
/// [`Reader::snapshot_progress`](crate::Reader::snapshot_progress).
///
/// Displayed as `copied 2 of 5 tables, 1200000 of about 5000000 rows, 120000 rows/s`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotProgress {
    /// The number of tables of the copy.
    pub tables: u64,
    /// The number of those that are finished.
    pub tables_finished: u64,
    /// The number of those that were finished in an earlier snapshot, before an interruption.
    /// Nothing else includes them.
    pub tables_before: u64,
    /// The number of chunks of the other tables. A chunk is a table or a partition or, with several
    /// jobs, a range of its pages.
    pub chunks: u64,
    /// The number of chunks that were received. Jobs are ahead of the rows that are delivered.
    pub chunks_finished: u64,
    /// The number of rows that were delivered, or are held until the next one is known.
    pub rows: u64,
    /// Their size in bytes, as in the replication stream.
    pub bytes: u64,
    /// The planner's estimate of the number of rows of all tables, without regard to row filters
    /// and conditions; `None` if a table was never analyzed.
    pub estimated_rows: Option<u64>,
    /// The age of the snapshot. While it exists, VACUUM removes no row that was deleted after it.
    pub elapsed: Duration,
    /// The table whose rows are being delivered; `None` between two tables.
    pub table: Option<TableProgress>,
}

/// The progress of a table in an initial copy.
///
/// Displayed as `public.orders: 1200 of about 5000 rows`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableProgress {
    /// The schema of the table.
    pub schema: Arc<str>,
    /// The table.
    pub name: Arc<str>,
    /// The number of its rows that were delivered, or are held.
    pub rows: u64,
    /// The planner's estimate of the number of its rows; `None` if it was never analyzed.
    pub estimated_rows: Option<u64>,
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
        let Self { tables, tables_finished, tables_before, rows, .. } = self;
        let plural = if *tables == 1 { "" } else { "s" };
        write!(f, "copied {tables_finished} of {tables} table{plural}")?;
        if *tables_before > 0 {
            write!(f, " ({tables_before} before the interruption)")?;
        }
        let estimate = self.estimated_rows.filter(|_| tables_finished < tables);
        write!(f, ", {}, {:.0} rows/s", Rows { rows: *rows, estimate }, self.rows_per_second())
    }
}

impl fmt::Display for TableProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, name, rows, estimated_rows } = self;
        let rows = Rows { rows: *rows, estimate: *estimated_rows };
        write!(f, "{}.{}: {rows}", Printable(schema), Printable(name))
    }
}

/// Displays `7 rows` or `7 of about 100 rows`.
struct Rows {
    rows: u64,
    estimate: Option<u64>,
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, estimate } = *self;
        write!(f, "{rows}")?;
        let all = estimate.map_or(rows, |estimate| estimate.max(rows));
        if estimate.is_some() {
            write!(f, " of about {all}")?;
        }
        f.write_str(if all == 1 { " row" } else { " rows" })
    }
}

/// Counts what is copied.
#[derive(Debug)]
pub(crate) struct Counters {
    counted: SnapshotProgress,
    since: Instant,
}

impl Counters {
    /// Starts to count a copy of tables with these estimates and this number of chunks, after
    /// others that are finished.
    pub(crate) fn new(estimates: &[Option<u64>], chunks: u64, tables_before: u64) -> Self {
        let counted = SnapshotProgress {
            tables: estimates.len() as u64 + tables_before,
            tables_finished: tables_before,
            tables_before,
            chunks,
            chunks_finished: 0,
            rows: 0,
            bytes: 0,
            estimated_rows: estimates.iter().copied().sum(),
            elapsed: Duration::ZERO,
            table: None,
        };
        Self { counted, since: Instant::now() }
    }

    pub(crate) fn table_started(&mut self, table: &PublishedTable) {
        self.counted.table = Some(TableProgress {
            schema: table.schema.as_str().into(),
            name: table.name.as_str().into(),
            rows: 0,
            estimated_rows: table.estimated_rows(),
        });
    }

    pub(crate) fn row(&mut self, bytes: usize) {
        self.counted.rows += 1;
        self.counted.bytes += bytes as u64;
        if let Some(table) = &mut self.counted.table {
            table.rows += 1;
        }
    }

    pub(crate) fn table_finished(&mut self) {
        self.counted.tables_finished += 1;
        self.counted.table = None;
    }

    pub(crate) fn progress(&self, chunks_finished: u64) -> SnapshotProgress {
        let elapsed = self.since.elapsed();
        SnapshotProgress { chunks_finished, elapsed, ..self.counted.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::table;
    use super::*;

    #[test]
    fn the_text_has_an_estimate_until_the_end() {
        let mut counters = Counters::new(&[Some(100), Some(50)], 4, 0);
        for _ in 0..160 {
            counters.row(7);
        }
        counters.table_finished();
        let progress = SnapshotProgress { elapsed: Duration::from_secs(2), ..counters.progress(3) };
        assert_eq!((progress.bytes, progress.estimated_rows), (1120, Some(150)));
        assert_eq!((progress.chunks_finished, progress.chunks), (3, 4));
        let text = "copied 1 of 2 tables, 160 of about 160 rows, 80 rows/s";
        assert_eq!(progress.to_string(), text);
        let finished = SnapshotProgress { tables_finished: 2, ..progress };
        assert_eq!(finished.to_string(), "copied 2 of 2 tables, 160 rows, 80 rows/s");
        assert_eq!(Counters::new(&[Some(1), None], 2, 0).progress(0).estimated_rows, None);
    }

    #[test]
    fn tables_that_were_finished_before_are_counted_once() {
        let mut counters = Counters::new(&[Some(100)], 1, 2);
        let progress = SnapshotProgress { elapsed: Duration::from_secs(1), ..counters.progress(0) };
        let text =
            "copied 2 of 3 tables (2 before the interruption), 0 of about 100 rows, 0 rows/s";
        assert_eq!(progress.to_string(), text);
        counters.table_finished();
        let progress = counters.progress(1);
        assert_eq!((progress.tables_finished, progress.tables), (3, 3));
    }

    #[test]
    fn one_row_is_singular() {
        for (rows, estimate, expected) in [
            (1, None, "1 row"),
            (0, None, "0 rows"),
            (0, Some(1), "0 of about 1 row"),
            (1, Some(1), "1 of about 1 row"),
            (1, Some(2), "1 of about 2 rows"),
            (3, Some(2), "3 of about 3 rows"),
        ] {
            assert_eq!(Rows { rows, estimate }.to_string(), expected);
        }
    }

    #[test]
    fn a_table_is_shown_with_its_rows_and_without_control_characters() {
        let mut counters = Counters::new(&[Some(100)], 1, 0);
        assert_eq!(counters.progress(0).table, None);
        counters.table_started(&table("public", "a\x1b[2J"));
        counters.row(7);
        let progress = counters.progress(0).table.unwrap();
        assert_eq!((&*progress.schema, progress.rows), ("public", 1));
        let text = progress.to_string();
        assert!(text.starts_with("public.a") && text.ends_with("[2J: 1 of about 100 rows"));
        assert!(!text.contains('\x1b'), "{text:?}");
        counters.table_finished();
        assert_eq!(counters.progress(1).table, None);
    }
}
