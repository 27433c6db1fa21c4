//! The command `pgoutput tail`.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use pgoutput_reader::decode::value::JsonOptions;
use pgoutput_reader::{
    Acknowledge, ChangeEvent, Config, Error, ErrorKind, Lsn, MissingPublication, Next, Op,
    Position, Reader, ReaderBuilder, Reconnect, SlotCreation, Snapshot, SpillOptions,
    StreamOptions,
};

use crate::Failure;
use crate::args::{LsnFormat, Tail};
use crate::output::{Output, WriteError};
use crate::position_file::PositionFile;
use crate::report::Report;
use crate::{signals, stdout};

/// The longest time for which printed changes stay in the buffer, and are not acknowledged, on a
/// busy stream.
const FLUSH: Duration = Duration::from_millis(200);

/// The interval of reports of an initial copy.
const COPY_REPORT: Duration = Duration::from_secs(10);

/// A wait without limit in effect, which only an event, a signal or the end ends.
const INDEFINITELY: Duration = Duration::from_secs(u32::MAX as u64);

pub(crate) fn run(tail: &Tail) -> Result<(), Failure> {
    let config = Config::from_dsn_or_env(tail.dsn.as_deref())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let (file, position_file, stored) = match (&tail.output, &tail.position_file) {
        (Some(output), Some(path)) => {
            let (position_file, file, stored) =
                PositionFile::open(output, path).map_err(Failure::Run)?;
            (file, Some((position_file, stored.length)), stored.position)
        }
        _ => (stdout::open().map_err(Failure::Run)?, None, None),
    };
    let signalled = signals::SignalTarget::install()
        .map_err(|error| Failure::Run(format!("catching signals: {error}")))?;
    let mut builder = builder(config, tail);
    // What is stored may be beyond the LSN, if that is still there from an earlier start.
    let is_beyond = |position: &Position| {
        tail.start_lsn.is_none_or(|start_lsn| start_lsn <= position.commit_lsn())
    };
    if let Some(position) = stored.filter(is_beyond) {
        builder = builder.resume(position);
    } else if let Some(lsn) = tail.start_lsn {
        builder = builder.start_lsn(lsn);
    }
    signalled.set_stop_handle(builder.stop_handle().map_err(|error| failure(&error))?);
    let mut reader = builder.connect().map_err(|error| match error.kind() {
        ErrorKind::Stopped { .. } => Failure::Run(signals::NOT_CONNECTED.into()),
        _ => failure(&error),
    })?;
    signalled.connected();
    if tail.output.is_none() {
        signals::stop_on_closed_output(reader.stop_handle());
    }
    let report = Report::of(tail);
    report.started(&mut reader);

    let mut output = Output::new(file, position_file, tail, reader.acknowledger());
    let printed = print(&mut reader, &mut output, tail.limit, report);
    report.ended(&reader, &output);
    // Also after an error: printed changes are acknowledged, if the server can still be reached.
    let stopped = reader.stop().map_err(|error| failure(&error));
    match printed {
        // Nobody reads the output any more, which is an orderly end.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => stopped,
        Err(Stop::Output(error)) => {
            let output = tail.output.as_deref().map(Path::display);
            let output = output.map_or_else(|| "standard output".into(), |path| path.to_string());
            Err(Failure::Run(format!("writing to {output}: {error}")))
        }
        Err(Stop::Value(error, commit_lsn)) => {
            let other = if tail.binary { "without" } else { "with" };
            let over = commit_lsn.map_or_else(String::new, |lsn| {
                // The server skips what was committed before the LSN that it is given.
                let after = Lsn::new(lsn.as_u64().saturating_add(1));
                format!(", or skip the whole transaction with --start-lsn {after}")
            });
            Err(Failure::Run(format!(
                "a value cannot be read: {error}; its transaction is not confirmed and is sent \
                 again: read it {other} --binary{over}"
            )))
        }
        Err(Stop::Reader(error)) => Err(failure(&error)),
        Ok(()) => stopped,
    }
}

fn builder(config: Config, tail: &Tail) -> ReaderBuilder {
    let report = Report::of(tail);
    let mut builder = ReaderBuilder::from(config)
        .slot(&tail.slot)
        .slot_creation(slot_creation(tail))
        .options(options(tail))
        .spill(spill(tail))
        .commits(tail.commits)
        .schema_changes(tail.schema_changes)
        .schema_output(tail.schema.into())
        .lsns_as_text(tail.lsn_format == LsnFormat::Hex)
        .json_options(
            JsonOptions::default()
                .numeric_as_string(tail.numeric_strings)
                .bigint_as_string(tail.bigint_strings),
        )
        .acknowledge(if tail.no_ack { Acknowledge::Never } else { Acknowledge::Manual })
        .reconnect(reconnect(tail))
        .on_reconnect(move |attempt| report.lost(attempt))
        .on_reconnected(move |back| report.reconnected(back))
        .on_slot_wait(move |wait| report.waiting(wait));
    if tail.skip_missing_publication {
        builder = builder.on_skipped_publication(|skipped| crate::print_line(skipped));
    }
    for publication in &tail.publications {
        builder = builder.publication(publication);
    }
    if let Some(seconds) = tail.slot_wait {
        builder = builder.slot_wait_limit(Duration::from_secs(seconds));
    }
    if tail.snapshot.is_some() {
        builder = builder.snapshot(Snapshot::initial().jobs(tail.jobs));
    }
    if let Some(lsn) = tail.until_lsn {
        builder = builder.until_lsn(lsn);
    }
    builder
}

fn slot_creation(tail: &Tail) -> SlotCreation {
    if tail.temporary {
        SlotCreation::Temporary
    } else if tail.failover {
        SlotCreation::Failover
    } else if tail.create_slot {
        SlotCreation::IfMissing
    } else {
        SlotCreation::Never
    }
}

fn options(tail: &Tail) -> StreamOptions {
    let mut options =
        StreamOptions::new().messages(tail.messages).binary(tail.binary).two_phase(tail.two_phase);
    if let Some(streaming) = tail.streaming {
        options = options.streaming(streaming.into());
    }
    if tail.skip_missing_publication {
        options = options.missing_publication(MissingPublication::Skip);
    }
    if let Some(version) = tail.proto_version {
        options = options.proto_version(version);
    }
    if let Some(origin) = tail.origin {
        options = options.origin(origin.into());
    }
    options
}

fn spill(tail: &Tail) -> SpillOptions {
    let mut options = SpillOptions::new()
        .memory_limit(usize::try_from(tail.memory_limit).unwrap_or(usize::MAX))
        .fallback(!tail.no_spill_fallback);
    if let Some(dir) = &tail.spill_dir {
        options = options.dir(dir);
    }
    if let Some(limit) = tail.spill_limit {
        options = options.limit(limit);
    }
    options
}

fn reconnect(tail: &Tail) -> Reconnect {
    match tail.reconnect_for {
        _ if tail.no_reconnect => Reconnect::never(),
        Some(seconds) => Reconnect::default().max_elapsed(Some(Duration::from_secs(seconds))),
        None => Reconnect::default(),
    }
}

/// An early end of the output.
enum Stop {
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

fn print(
    reader: &mut Reader,
    output: &mut Output,
    limit: Option<u64>,
    report: Report,
) -> Result<(), Stop> {
    let mut left = limit;
    let mut flush_at = Instant::now() + FLUSH;
    let mut report_at = Instant::now() + COPY_REPORT;
    let ended = loop {
        if left == Some(0) {
            break Ok(());
        }
        // Available events are taken without waiting. Before a wait, the buffer is written.
        let mut next = reader.next_timeout(Duration::ZERO);
        if matches!(next, Ok(Next::TimedOut)) {
            output.flush().map_err(Stop::Output)?;
            next = reader.next_timeout(INDEFINITELY);
        }
        match next {
            Ok(Next::Event(event)) => {
                if let Err(error) = output.write(&event) {
                    break Err(error.into());
                }
                copied(reader, &event, &mut report_at, report);
                if event.op() != Op::Schema {
                    left = left.map(|left| left - 1);
                }
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
        }
    };
    // Also after an error: complete changes are printed.
    output.flush().map_err(Stop::Output)?;
    ended
}

/// Reports the progress of the initial copy at its end, and from time to time before that.
fn copied(reader: &Reader, event: &ChangeEvent, report_at: &mut Instant, report: Report) {
    let is_end = event.op() == Op::SnapshotEnd;
    if is_end || event.op() == Op::SnapshotRow && *report_at <= Instant::now() {
        *report_at = Instant::now() + COPY_REPORT;
        if let Some(progress) = reader.snapshot_progress() {
            report.copying(&progress);
        }
    }
}

fn failure(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::Config(_) | ErrorKind::Usage(_) => Failure::Usage(error.to_string()),
        _ => Failure::Run(error.to_string()),
    }
}
