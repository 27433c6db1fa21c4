//! The progress of an initial copy on standard error: bars on a terminal, lines elsewhere.

use std::time::{Duration, Instant};

use pgoutput_reader::{ChangeEvent, Lsn, Op, Reader};

use crate::bars::Bars;
use crate::report::Report;

/// The interval of lines.
const LINES: Duration = Duration::from_secs(10);

/// The interval of changes to the bars.
const REDRAWS: Duration = Duration::from_millis(100);

/// What was reported of a copy.
pub(crate) struct CopyReport {
    report: Report,
    prints_on_stdout: bool,
    due_at: Instant,
    bars: Option<Bars>,
    /// The LSN of the copy, once it is complete.
    complete: Option<Lsn>,
}

impl CopyReport {
    /// Reports nothing before the first row.
    pub(crate) fn new(report: Report, prints_on_stdout: bool) -> Self {
        Self { report, prints_on_stdout, due_at: Instant::now(), bars: None, complete: None }
    }

    /// Reports the progress at the end of the copy, and from time to time before that.
    pub(crate) fn printed(&mut self, reader: &Reader, event: &ChangeEvent) {
        match event.op() {
            Op::SnapshotEnd => {
                self.complete = Some(event.lsn());
                self.bars = None;
                if let Some(progress) = reader.snapshot_progress() {
                    self.report.copying(&progress);
                }
            }
            Op::SnapshotRow => {
                let now = Instant::now();
                if self.due_at <= now {
                    self.due_at = now + self.report(reader);
                }
            }
            _ => {}
        }
    }

    /// Reports the progress, and returns the time until the next report.
    fn report(&mut self, reader: &Reader) -> Duration {
        if self.bars.is_none() && self.report != Report::Quiet {
            self.bars = Bars::on_terminal(self.prints_on_stdout);
        }
        let Some(progress) = reader.snapshot_progress() else { return REDRAWS };
        if let Some(bars) = &self.bars {
            bars.show(&progress);
            return REDRAWS;
        }
        if progress.elapsed >= LINES {
            self.report.copying(&progress);
        }
        LINES
    }

    /// Removes the bars, and returns the LSN of the copy if it is complete.
    pub(crate) fn end(self) -> Option<Lsn> {
        self.complete
    }
}
