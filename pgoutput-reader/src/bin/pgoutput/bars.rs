//! Bars on standard error while tables are copied.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgoutput_reader::SnapshotProgress;

/// The bars on the screen, which every other line is printed above.
static SHOWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Prints on standard error, above the bars if there are any.
pub(crate) fn above<T>(print: impl FnOnce() -> T) -> T {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some(bars) => bars.suspend(print),
        None => print(),
    }
}

/// A bar for the whole copy, and a line for the table that is being printed. A drop removes them.
pub(crate) struct Bars {
    copy: ProgressBar,
    table: ProgressBar,
}

impl Bars {
    /// Returns bars if standard error is a terminal, and the objects are not printed on one.
    pub(crate) fn on_terminal(prints_on_stdout: bool) -> Option<Self> {
        let is_alone = !(prints_on_stdout && io::stdout().is_terminal());
        (is_alone && io::stderr().is_terminal()).then(Self::new)
    }

    fn new() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let style = |template| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let copy = ProgressBar::no_length().with_style(style("[{bar:24}] {wide_msg}"));
        let table = ProgressBar::no_length().with_style(style("{wide_msg}"));
        let (copy, table) = (bars.add(copy), bars.add(table));
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bars);
        Self { copy, table }
    }

    /// Shows the progress.
    pub(crate) fn show(&self, progress: &SnapshotProgress) {
        // A table that was never analyzed has no estimate.
        let (done, all) = match progress.estimated_rows {
            Some(estimate) => (progress.rows, estimate),
            None => (progress.chunks_finished, progress.chunks),
        };
        self.copy.set_length(all.max(done).max(1));
        self.copy.set_position(done);
        self.copy.set_message(progress.to_string());
        let table = progress.table.as_ref();
        self.table.set_message(table.map_or_else(String::new, ToString::to_string));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.copy.finish_and_clear();
        self.table.finish_and_clear();
        // It is not an error if nobody sees it.
        let _ = shown.map(|bars| bars.clear());
    }
}
