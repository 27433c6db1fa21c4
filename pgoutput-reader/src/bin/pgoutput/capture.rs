//! The command `pgoutput capture`.

use std::time::{Duration, Instant};

use pgoutput_reader::{
    Acknowledge, Capture as CaptureFile, Error, ErrorKind, Next, Op, Position, Reader,
    ReaderBuilder, Reconnect, SlotCreation, StreamOptions,
};

use crate::Failure;
use crate::args::Capture;
use crate::print::{FLUSH, INDEFINITELY, failure};
use crate::report::Report;
use crate::signals::{self, SignalTarget};

pub(crate) fn run(capture: &Capture) -> Result<(), Failure> {
    if capture.file.as_os_str() == "-" {
        return Err(Failure::Usage(
            "a capture cannot be written to standard output: name a file (./- is one too)".into(),
        ));
    }
    let config = capture.source.server.config()?;
    let signalled = signals::SignalTarget::install()
        .map_err(|error| Failure::Run(format!("catching signals: {error}")))?;
    let builder = builder(ReaderBuilder::from(config), capture);
    let mut reader = connect_to(builder, &signalled)?;
    let report = Report::of(capture.verbosity);
    if reader.started().slot_created {
        report.slot_created(reader.started());
    }
    report.started(&mut reader);
    report.capturing(&mut reader);
    let captured = write(&mut reader, capture, report);
    let (status, acknowledged) = (reader.capture_status(), reader.health().acknowledged);
    // Also after an error: the capture is ended, and what it has is acknowledged.
    let stopped = reader.stop();
    if let Ok(status) = &status {
        report.captured(status, acknowledged);
    }
    captured.and(stopped).map_err(|error| failure(&error))
}

/// Connects, and says what else can be done if the capture cannot be continued.
fn connect_to(mut builder: ReaderBuilder, signalled: &SignalTarget) -> Result<Reader, Failure> {
    signalled.set_stop_handle(builder.stop_handle().map_err(|error| failure(&error))?);
    let reader = builder.connect().map_err(|error| match error.kind() {
        ErrorKind::Stopped { .. } => Failure::Run(signals::NOT_CONNECTED.into()),
        ErrorKind::Position(_) | ErrorKind::History(_) => {
            Failure::Run(format!("{error}; to capture what follows, name another file"))
        }
        _ => failure(&error),
    })?;
    signalled.connected();
    Ok(reader)
}

/// Captures up to the limit. A change is acknowledged only when it is in the file for good.
fn write(reader: &mut Reader, capture: &Capture, report: Report) -> Result<(), Error> {
    let acknowledger = reader.acknowledger();
    let mut last: Option<Position> = None;
    let sync = |reader: &mut Reader, last: &mut Option<Position>| {
        let position = last.take();
        reader.sync_capture(position.as_ref())?;
        // The position is one of this reader's.
        position.map_or(Ok(()), |position| acknowledger.acknowledge_through(position))
    };
    let (mut changes, mut sync_at) = (0, Instant::now() + FLUSH);
    let ended = loop {
        let mut next = reader.next_timeout(Duration::ZERO);
        if matches!(next, Ok(Next::TimedOut)) {
            sync(reader, &mut last)?;
            next = reader.next_timeout(INDEFINITELY);
        }
        match next {
            Ok(Next::Event(event)) => {
                last = Some(event.position());
                changes += u64::from(event.op() != Op::Schema);
                if event.is_last() && capture.limit.is_some_and(|limit| changes >= limit) {
                    break Ok(());
                }
            }
            Ok(Next::Finished) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        for notice in reader.take_notices() {
            report.notice(&notice);
        }
        if sync_at <= Instant::now() {
            sync(reader, &mut last)?;
            sync_at = Instant::now() + FLUSH;
        }
    };
    // Also after an error: what is complete is acknowledged.
    let synced = sync(reader, &mut last);
    ended.and(synced)
}

fn builder(builder: ReaderBuilder, capture: &Capture) -> ReaderBuilder {
    let report = Report::of(capture.verbosity);
    let creation = if capture.create_slot { SlotCreation::IfMissing } else { SlotCreation::Never };
    let mut builder = builder
        .slot(&capture.slot)
        .slot_creation(creation)
        .options(options(capture))
        .acknowledge(if capture.no_ack { Acknowledge::Never } else { Acknowledge::Manual })
        .reconnect(match capture.reconnect_for {
            _ if capture.no_reconnect => Reconnect::never(),
            Some(seconds) => Reconnect::default().max_elapsed(Some(Duration::from_secs(seconds))),
            None => Reconnect::default(),
        })
        .on_reconnect(move |attempt| report.lost(attempt))
        .on_reconnected(move |back| report.reconnected(back))
        .on_slot_wait(move |wait| report.waiting(wait))
        .capture(file(capture));
    for publication in &capture.source.publications {
        builder = builder.publication(publication);
    }
    if let Some(seconds) = capture.slot_wait {
        builder = builder.slot_wait_limit(Duration::from_secs(seconds));
    }
    if let Some(lsn) = capture.start_lsn {
        builder = builder.start_lsn(lsn);
    }
    if let Some(lsn) = capture.until_lsn {
        builder = builder.until_lsn(lsn);
    }
    builder
}

fn file(capture: &Capture) -> CaptureFile {
    let mut file = CaptureFile::new(&capture.file);
    if let Some(bytes) = capture.rotate_size {
        file = file.rotate_size(bytes);
    }
    if let Some(age) = capture.rotate_time {
        file = file.rotate_time(age);
    }
    capture.masks.iter().cloned().fold(file, CaptureFile::mask)
}

fn options(capture: &Capture) -> StreamOptions {
    let mut options = StreamOptions::new()
        .messages(capture.messages)
        .binary(capture.binary)
        .two_phase(capture.two_phase);
    if let Some(streaming) = capture.streaming {
        options = options.streaming(streaming.into());
    }
    if let Some(version) = capture.proto_version {
        options = options.proto_version(version);
    }
    if let Some(origin) = capture.origin {
        options = options.origin(origin.into());
    }
    options
}
