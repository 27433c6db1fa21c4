//! The command `pgoutput snapshot`.

use std::fs::File;
use std::io;
use std::time::Duration;

use pgoutput_reader::{Acknowledge, Config, ReaderBuilder, StreamOptions};

use crate::args::Snapshot;
use crate::filter::Filter;
use crate::output::Output;
use crate::print::{Stop, connect, failure, output_failure, print};
use crate::report::Report;
use crate::{Failure, signals, stdout};

/// The end of a copy that was not completed.
const INCOMPLETE: &str = "ended before the copy was complete: discard what was printed";

pub(crate) fn run(arguments: &Snapshot) -> Result<(), Failure> {
    let config = arguments.source.server.config()?;
    let path = arguments.output.as_deref();
    let prints_on_stdout = path.is_none();
    let file = match path {
        // Rows of another moment must not be mixed with these.
        Some(path) => File::create_new(path).map_err(|error| {
            Failure::Run(format!("{}: {error}; name a new file", path.display()))
        })?,
        None => stdout::open().map_err(Failure::Run)?,
    };
    let signalled = signals::SignalTarget::install()
        .map_err(|error| Failure::Run(format!("catching signals: {error}")))?;
    let mut reader = connect(
        builder(config, arguments),
        &arguments.source.server,
        &signalled,
        prints_on_stdout,
    )?;
    let report = Report::of(arguments.verbosity);
    report.copy_started(&mut reader);

    let synced = file.try_clone();
    let objects = &arguments.objects;
    let mut output = Output::new(file, None, objects.format, false, reader.acknowledger());
    let filter = Filter::default();
    let printed = print(&mut reader, &mut output, &filter, None, report, prints_on_stdout, None);
    let stopped = reader.stop().map_err(|error| failure(&error));
    match printed {
        Ok(Some(lsn)) => {
            if let Some(path) = path {
                let synced = synced.and_then(|file| file.sync_all());
                synced.map_err(|error| output_failure(Some(path), &error))?;
            }
            report.copy_ended(lsn);
            stopped
        }
        Ok(None) => Err(Failure::Run(INCOMPLETE.into())),
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Err(Failure::Run(INCOMPLETE.into()))
        }
        Err(Stop::Output(error)) => Err(output_failure(path, &error)),
        Err(Stop::Value(error, _)) => {
            let other = if objects.values.binary { "without" } else { "with" };
            let advice = format!("a value cannot be read: {error}; read it {other} --binary");
            Err(Failure::Run(advice))
        }
        Err(Stop::Reader(error)) => Err(failure(&error)),
    }
}

fn builder(config: Config, arguments: &Snapshot) -> ReaderBuilder {
    let report = Report::of(arguments.verbosity);
    let objects = &arguments.objects;
    let mut snapshot = pgoutput_reader::Snapshot::alone().jobs(arguments.jobs);
    if !arguments.tables.is_empty() {
        snapshot = snapshot.only(arguments.tables.iter().cloned());
    }
    let mut builder = arguments
        .masks
        .set(objects.set(ReaderBuilder::from(config)))
        .options(StreamOptions::new().binary(objects.values.binary))
        .snapshot(snapshot)
        .acknowledge(Acknowledge::Never)
        .on_slot_wait(move |wait| report.waiting(wait));
    for publication in &arguments.source.publications {
        builder = builder.publication(publication);
    }
    if let Some(seconds) = arguments.slot_wait {
        builder = builder.slot_wait_limit(Duration::from_secs(seconds));
    }
    builder
}
