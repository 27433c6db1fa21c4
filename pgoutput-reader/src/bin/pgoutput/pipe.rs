//! The command `pgoutput pipe`: changes into a log.

#[cfg_attr(
    not(all(feature = "redis", feature = "nats", feature = "kafka")),
    allow(dead_code, reason = "some of it is for a destination that is left out")
)]
mod batch;
mod envelope;
mod figures;
mod file;
#[cfg(feature = "kafka")]
mod kafka;
mod lines;
#[cfg_attr(
    not(all(feature = "redis", feature = "nats", feature = "kafka")),
    allow(dead_code, reason = "some of it is for a destination that is left out")
)]
mod log;
mod log_sink;
#[cfg(feature = "nats")]
mod nats;
mod published;
#[cfg(feature = "redis")]
mod redis;
mod retry;
mod route;
mod stdout;
mod storage;
mod target;

use std::panic::resume_unwind;
use std::thread;

use pgoutput_reader::{BatchLimits, Error, ErrorKind, PipeError, PipeStep};

use crate::args::Pipe;
use crate::filter::Filter;
use crate::metrics::{self, Metrics};
use crate::print::{INDEFINITELY, connect_failure, failure};
use crate::progress::CopyReport;
use crate::report::Report;
use crate::{Failure, print_line, signals};
pub(crate) use figures::{Counts, Figures};
use log::LogError;
pub(crate) use log_sink::LogSink;
pub(crate) use route::{KeyColumns, Template};
pub(crate) use target::Target;

/// The stack of the thread that reads and stores, as large as that of the main thread.
const STACK: usize = 8 * 1024 * 1024;

pub(crate) fn run(pipe: &Pipe) -> Result<(), Failure> {
    // The main thread takes the signals, so that none interrupts a wait for the destination.
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("pipe".into()).stack_size(STACK);
        let worker = worker
            .spawn_scoped(scope, || run_in_thread(pipe))
            .map_err(|error| Failure::Run(format!("starting a thread: {error}")))?;
        worker.join().unwrap_or_else(|panicked| resume_unwind(panicked))
    })
}

fn run_in_thread(pipe: &Pipe) -> Result<(), Failure> {
    let filter = Filter::of_pipe(pipe)?;
    let config = pipe.source.server.config()?;
    let places = metrics::Places::open(&pipe.metrics)?;
    let metrics_config = config.clone();
    let report = Report::of(pipe.verbosity);
    let signalled = signals::SignalTarget::install()
        .map_err(|error| Failure::Run(format!("catching signals: {error}")))?;
    let sink = LogSink::new(pipe, filter.clone(), &signalled)?;
    let destination = sink.name().to_owned();
    let builder = pipe
        .reading
        .builder(config, &pipe.source, &pipe.slot, &pipe.selection, pipe.values.binary, report)
        // Standard output keeps no position.
        .trust_slot(pipe.trust_slot || pipe.to.is_stdout());
    let mut builder = pipe.masks.set(pipe.values.set(builder));
    signalled.set_stop_handle(builder.stop_handle().map_err(|error| failure(&error))?);
    let mut running = builder
        .pipe(sink)
        .map_err(|error| match error {
            PipeError::Reader(error) => not_connected(&error, pipe, &destination),
            PipeError::Sink(_) if signalled.is_requested() => {
                Failure::Run(signals::NOT_CONNECTED.into())
            }
            error => pipe_failure(error, &destination),
        })?
        .limits(limits(pipe));
    signalled.connected();
    let prints_on_stdout = pipe.to.is_stdout();
    if prints_on_stdout {
        signals::stop_on_closed_output(running.reader().stop_handle());
    }
    if running.reader().started().slot_created {
        report.slot_created(running.reader().started());
    }
    published::check(pipe, &filter, running.sink_mut(), report)?;
    report.pipe_started(&mut running);
    filter.report_unpublished(&pipe.source, report);
    let metrics = places.map(|places| Metrics::start(places, running.reader(), &metrics_config));
    let mut metrics = metrics.transpose()?;
    if let Some(metrics) = &metrics {
        metrics.add_pipe(running.sink().figures());
    }
    let ended = copy(&mut running, report, prints_on_stdout, metrics.as_mut());
    if let Some(metrics) = metrics {
        metrics.end(running.reader());
    }
    report.piped(&running);
    let stopped = running.stop().map(drop).map_err(|error| failure(&error));
    ended.and(stopped)
}

/// Stores events until there are no more.
fn copy(
    pipe: &mut pgoutput_reader::Pipe<LogSink>,
    report: Report,
    prints_on_stdout: bool,
    mut metrics: Option<&mut Metrics>,
) -> Result<(), Failure> {
    let longest_wait = if metrics.is_some() { metrics::UPDATE } else { INDEFINITELY };
    let mut progress = CopyReport::new(report, prints_on_stdout);
    loop {
        match pipe.step(longest_wait) {
            Ok(PipeStep::Event(event)) => {
                if let Some(metrics) = &mut metrics {
                    metrics.hold(&event);
                }
                progress.printed(pipe.reader(), &event);
                continue;
            }
            Ok(PipeStep::Storing) => {
                if let Some(metrics) = &mut metrics {
                    metrics.hold_batch();
                }
            }
            Ok(PipeStep::Stored { .. }) => {
                if let Some(metrics) = &mut metrics {
                    metrics.release();
                }
            }
            Ok(PipeStep::Finished) => return Ok(()),
            Ok(_) => {}
            Err(PipeError::Sink(error)) if error.is_closed() => return Ok(()),
            Err(PipeError::Sink(error)) if error.is_stopped() => {
                print_line(&error);
                return Ok(());
            }
            Err(error) => return Err(pipe_failure(error, pipe.sink().name())),
        }
        if let Some(metrics) = &mut metrics {
            metrics.update(pipe.reader());
        }
        for notice in pipe.take_notices() {
            // A skipped publication has been reported already.
            if notice.routine() != Some("LoadPublications") {
                report.notice(&notice);
            }
        }
    }
}

fn limits(pipe: &Pipe) -> BatchLimits {
    let bytes = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    BatchLimits::new()
        .max_bytes(bytes(pipe.batch_size))
        .max_events(pipe.batch_count)
        .max_delay(pipe.batch_time)
        .max_transaction_bytes(bytes(pipe.transaction_size))
}

/// Returns the failure of a pipe that could not be connected.
fn not_connected(error: &Error, pipe: &Pipe, destination: &str) -> Failure {
    match error.kind() {
        ErrorKind::Position(_) => Failure::Run(at_destination(error, destination)),
        _ => connect_failure(error, &pipe.source.server),
    }
}

fn reader_failure(error: &Error, destination: &str) -> Failure {
    match error.kind() {
        ErrorKind::Position(_) => Failure::Run(at_destination(error, destination)),
        _ => failure(error),
    }
}

/// Returns the text of an error about the position that a destination has.
fn at_destination(error: &Error, destination: &str) -> String {
    // What the library advises is not an option of the program.
    let text = error.to_string().replace("set trust_slot(true)", "start with --trust-slot");
    format!("{destination}: {text}")
}

fn pipe_failure(error: PipeError<LogError>, destination: &str) -> Failure {
    match error {
        PipeError::Reader(error) => reader_failure(&error, destination),
        PipeError::Sink(error) => error.into(),
        error => Failure::Run(error.to_string()),
    }
}
