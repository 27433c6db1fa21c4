//! The command `pgoutput tail`.

use std::io;

use pgoutput_reader::{
    Acknowledge, Config, Idle, Lsn, Position, Reader, ReaderBuilder, SlotCreation,
};

use crate::args::{SnapshotArg, Tail};
use crate::filter::Filter;
use crate::metrics::{self, Metrics};
use crate::output::Output;
use crate::position_file::PositionFile;
use crate::print::{Stop, connect, failure, output_failure, print};
use crate::report::Report;
use crate::{Failure, signals, stdout};

pub(crate) fn run(tail: &Tail) -> Result<(), Failure> {
    let filter = Filter::of_tail(tail)?;
    let config = tail.source.server.config()?;
    let places = metrics::Places::open(&tail.metrics)?;
    let metrics_config = config.clone();
    let (file, position_file, stored) = match (&tail.output, &tail.position_file) {
        (Some(output), Some(path)) => {
            let copies = tail.reading.snapshot.contains(&SnapshotArg::Initial);
            let (position_file, file, stored) =
                PositionFile::open(output, path, copies).map_err(Failure::Run)?;
            (file, Some((position_file, stored.length)), stored.position)
        }
        _ => (stdout::open().map_err(Failure::Run)?, None, None),
    };
    let signalled = signals::SignalTarget::install()
        .map_err(|error| Failure::Run(format!("catching signals: {error}")))?;
    let mut builder = builder(config, tail);
    let stores_positions = position_file.is_some();
    // What is stored may be beyond the LSN, if that is still there from an earlier start.
    let is_beyond = |position: &Position| {
        tail.start_lsn.is_none_or(|start_lsn| start_lsn <= position.commit_lsn())
    };
    if let Some(position) = stored.filter(is_beyond) {
        builder = builder.resume(position);
    } else if let Some(lsn) = tail.start_lsn {
        builder = builder.start_lsn(lsn);
    }
    let prints_on_stdout = tail.output.is_none();
    let polls_old_server =
        |reader: &Reader| tail.poll.is_some() && reader.started().server_version.major() < 11;
    let mut reader = connect(builder.clone(), &tail.source.server, &signalled, prints_on_stdout)?;
    if stores_positions && polls_old_server(&reader) {
        // An LSN that such a server confirms while idle is ahead of the position that is stored,
        // and does not identify it.
        reader.stop().map_err(|error| failure(&error))?;
        reader =
            connect(builder.idle(Idle::Never), &tail.source.server, &signalled, prints_on_stdout)?;
    }
    let report = Report::of(tail.verbosity);
    if reader.started().slot_created && !tail.temporary {
        report.slot_created(reader.started());
    }
    report.started(&mut reader);
    filter.report_unpublished(&tail.source, report);

    let (format, acknowledger) = (tail.objects.format, reader.acknowledger());
    let mut output = Output::new(file, position_file, format, tail.position, acknowledger);
    let metrics = places.map(|places| Metrics::start(places, &reader, &metrics_config));
    let mut metrics = metrics.transpose()?;
    let printed = print(
        &mut reader,
        &mut output,
        &filter,
        tail.limit,
        report,
        prints_on_stdout,
        metrics.as_mut(),
    );
    if let Some(metrics) = metrics {
        metrics.end(&reader);
    }
    report.ended(&reader, &output);
    // Also after an error: printed changes are acknowledged, if the server can still be reached.
    let stopped = reader.stop().map_err(|error| failure(&error));
    match printed {
        // Nobody reads the output any more, which is an orderly end.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => stopped,
        Err(Stop::Output(error)) => Err(output_failure(tail.output.as_deref(), &error)),
        Err(Stop::Value(error, commit_lsn)) => {
            let other = if tail.objects.values.binary { "without" } else { "with" };
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
        Ok(_) => stopped,
    }
}

fn builder(config: Config, tail: &Tail) -> ReaderBuilder {
    let report = Report::of(tail.verbosity);
    let binary = tail.objects.values.binary;
    let builder =
        tail.reading.builder(config, &tail.source, &tail.slot, &tail.selection, binary, report);
    let mut builder = tail
        .objects
        .set(builder)
        .schema_changes(tail.schema_changes)
        .acknowledge(if tail.no_ack { Acknowledge::Never } else { Acknowledge::Manual });
    if tail.temporary {
        builder = builder.slot_creation(SlotCreation::Temporary);
    }
    builder = tail.masks.set(builder);
    if let Some(interval) = tail.poll {
        builder = builder.poll(interval);
    }
    builder
}
