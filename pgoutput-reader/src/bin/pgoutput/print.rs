//! Prints the events of a reader.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use pgoutput_reader::{
    CaptureError, Error, ErrorKind, Lsn, Next, Op, Reader, ReaderBuilder, SetupError, SnapshotError,
};

use crate::args::Server;
use crate::filter::Filter;
use crate::metrics::{self, Metrics};
use crate::output::{Output, WriteError};
use crate::progress::CopyReport;
use crate::report::Report;
use crate::signals::{self, SignalTarget};
use crate::{Failure, existing, slot};

/// The longest time for which printed changes stay in the buffer, and are not acknowledged, on a
/// busy stream.
pub(crate) const FLUSH: Duration = Duration::from_millis(200);

/// A wait without limit in effect, which only an event, a signal or the end ends.
pub(crate) const INDEFINITELY: Duration = Duration::from_secs(u32::MAX as u64);

/// Connects a reader that a signal stops, and a closed output if that is standard output.
pub(crate) fn connect(
    mut builder: ReaderBuilder,
    server: &Server,
    signalled: &SignalTarget,
    prints_on_stdout: bool,
) -> Result<Reader, Failure> {
    signalled.set_stop_handle(builder.stop_handle().map_err(|error| failure(&error))?);
    let reader = builder.connect().map_err(|error| connect_failure(&error, server))?;
    signalled.connected();
    if prints_on_stdout {
        signals::stop_on_closed_output(reader.stop_handle());
    }
    Ok(reader)
}

/// Returns the failure of a reader that could not be connected.
pub(crate) fn connect_failure(error: &Error, server: &Server) -> Failure {
    match error.kind() {
        ErrorKind::Stopped { .. } => Failure::Run(signals::NOT_CONNECTED.into()),
        // The name may be misspelled.
        ErrorKind::Setup(SetupError::SlotMissing { .. }) => match slot::names(server) {
            Ok(names) => Failure::Run(format!("{error}; {}", existing(&names))),
            Err(_) => failure(error),
        },
        _ => failure(error),
    }
}

/// An early end of the output.
pub(crate) enum Stop {
    Reader(Error),
    Value(String, Option<Lsn>),
    Output(io::Error),
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Value(error, commit_lsn) => Self::Value(error, commit_lsn),
            WriteError::Output(error) => Self::Output(error),
        }
    }
}

/// Prints events up to the limit, and returns the LSN of an initial copy that was completed.
pub(crate) fn print(
    reader: &mut Reader,
    output: &mut Output,
    filter: &Filter,
    limit: Option<u64>,
    report: Report,
    prints_on_stdout: bool,
    mut metrics: Option<&mut Metrics>,
) -> Result<Option<Lsn>, Stop> {
    let longest_wait = if metrics.is_some() { metrics::UPDATE } else { INDEFINITELY };
    let mut left = limit;
    let mut flush_at = Instant::now() + FLUSH;
    let mut copy = CopyReport::new(report, prints_on_stdout);
    // Whether more events of a transaction follow, or more rows of a table that is copied.
    let mut is_between = false;
    let ended = loop {
        // A transaction of which all that is printed was printed is not printed again next time.
        if left == Some(0) && !(is_between && filter.is_set()) {
            break Ok(());
        }
        // Available events are taken without waiting. Before a wait, the buffer is written.
        let mut next = reader.next_timeout(Duration::ZERO);
        if matches!(next, Ok(Next::TimedOut)) {
            output.flush().map_err(Stop::Output)?;
            if let Some(metrics) = &mut metrics {
                metrics.update(reader);
            }
            next = reader.next_timeout(longest_wait);
        }
        match next {
            Ok(Next::Event(event)) => {
                if !filter.prints(&event) {
                    output.skip(&event);
                } else if left == Some(0) {
                    break Ok(());
                } else if let Err(error) = output.write(&event) {
                    break Err(error.into());
                } else if event.op() != Op::Schema {
                    left = left.map(|left| left - 1);
                }
                if let Some(metrics) = &mut metrics {
                    metrics.count(&event);
                }
                copy.printed(reader, &event);
                is_between = !event.is_last();
            }
            Ok(Next::Finished) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(Stop::Reader(error)),
        }
        for notice in reader.take_notices() {
            // A skipped publication has been reported already.
            if notice.routine() != Some("LoadPublications") {
                report.notice(&notice);
            }
        }
        if flush_at <= Instant::now() {
            output.flush().map_err(Stop::Output)?;
            flush_at = Instant::now() + FLUSH;
            if let Some(metrics) = &mut metrics {
                metrics.update(reader);
            }
        }
    };
    // Also after an error: complete changes are printed.
    output.flush().map_err(Stop::Output)?;
    ended.map(|()| copy.end())
}

/// Returns the failure of an output that cannot be written.
pub(crate) fn output_failure(path: Option<&Path>, error: &io::Error) -> Failure {
    let output = path.map(Path::display);
    let output = output.map_or_else(|| "standard output".into(), |path| path.to_string());
    Failure::Run(format!("writing to {output}: {error}"))
}

/// Returns the failure of a reader.
pub(crate) fn failure(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::Config(_)
        | ErrorKind::Capture(CaptureError::Unsupported { .. })
        | ErrorKind::Usage(_)
        | ErrorKind::Snapshot(
            SnapshotError::Condition { .. } | SnapshotError::TableRepeated { .. },
        ) => Failure::Usage(error.to_string()),
        // What the library advises is not an option of the program.
        ErrorKind::Position(_) => Failure::Run(error.to_string().replace(
            "set trust_slot(true)",
            "continue without the stored position (remove the position file)",
        )),
        _ => Failure::Run(error.to_string()),
    }
}
