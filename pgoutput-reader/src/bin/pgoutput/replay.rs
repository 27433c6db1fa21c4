//! The command `pgoutput replay`.

use std::io;
use std::path::Path;

use pgoutput_reader::decode::value::JsonOptions;
use pgoutput_reader::decode::{Decoder, Message};
use pgoutput_reader::{CapturedFrame, CapturedFrames, Lsn, Reader, ReplayBuilder, TimestampTz};

use crate::args::{LsnFormat, Point, Replay};
use crate::filter::Filter;
use crate::output::Output;
use crate::print::{Stop, failure, output_failure, print};
use crate::report::Report;
use crate::{Failure, signals, stdout};

pub(crate) fn run(replay: &Replay) -> Result<(), Failure> {
    if replay.objects.values.binary {
        return Err(Failure::Usage(
            "the capture has the format of values: leave --binary out".into(),
        ));
    }
    let file = stdout::open().map_err(Failure::Run)?;
    let signalled = signals::SignalTarget::install()
        .map_err(|error| Failure::Run(format!("catching signals: {error}")))?;
    let filter = Filter::of_replay(replay)?;
    let mut reader = builder(replay)?.open().map_err(|error| failure(&error))?;
    signalled.set_stop_handle(reader.stop_handle());
    signalled.connected();
    signals::stop_on_closed_output(reader.stop_handle());
    let report = Report::of(replay.verbosity);
    report.replaying(&reader);

    let (format, acknowledger) = (replay.objects.format, reader.acknowledger());
    let mut output = Output::new(file, None, format, replay.position, acknowledger);
    match print(&mut reader, &mut output, &filter, replay.limit, report, true, None) {
        // Nobody reads the output any more, which is an orderly end.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Stop::Output(error)) => Err(output_failure(None, &error)),
        Err(Stop::Value(error, _)) => {
            Err(Failure::Run(format!("a value of the capture cannot be read: {error}")))
        }
        Err(Stop::Reader(error)) => Err(failure(&error)),
        Ok(_) => Ok(()),
    }
}

fn builder(replay: &Replay) -> Result<ReplayBuilder, Failure> {
    let Some((first, rest)) = replay.files.split_first() else {
        return Err(Failure::Usage("name a file to replay".into()));
    };
    check(replay)?;
    let objects = &replay.objects;
    let first =
        if is_stdin(first) { Reader::replay_from(io::stdin()) } else { Reader::replay(first) };
    let mut builder = rest
        .iter()
        .fold(first, ReplayBuilder::and)
        .commits(replay.commits)
        .schema_changes(replay.schema_changes)
        .schema_output(objects.schema.into())
        .lsns_as_text(objects.values.lsn_format == LsnFormat::Hex)
        .json_options(
            JsonOptions::default()
                .numeric_as_string(objects.values.numeric_strings)
                .bigint_as_string(objects.values.bigint_strings),
        );
    if let Some(point) = replay.from {
        // A time after all transactions leaves nothing.
        builder = builder.from_lsn(lsn_at(point, replay)?.unwrap_or(Lsn::MAX));
    }
    if let Some(lsn) = replay.until.map(|point| lsn_at(point, replay)).transpose()?.flatten() {
        builder = builder.until_lsn(lsn);
    }
    Ok(builder)
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Checks that the files and the range fit together.
fn check(replay: &Replay) -> Result<(), Failure> {
    let usage = |message: &str| Err(Failure::Usage(message.into()));
    if replay.files.iter().any(|file| is_stdin(file)) {
        if replay.files.len() > 1 {
            return usage("- is standard input: name it alone, or name the files");
        }
        if [replay.from, replay.until].iter().flatten().any(|at| matches!(at, Point::Time(_))) {
            return usage(
                "the file is read once more to find a time: name the file instead of -, or give \
                 an LSN",
            );
        }
    }
    match (replay.from, replay.until) {
        (Some(Point::Lsn(from)), Some(Point::Lsn(until))) if until < from => {
            usage("--until is before --from, so there would be nothing to print")
        }
        (Some(Point::Time(from)), Some(Point::Time(until))) if until < from => {
            usage("--until is before --from, so there would be nothing to print")
        }
        _ => Ok(()),
    }
}

/// Returns the LSN of a point; `None` for a time after all transactions.
fn lsn_at(point: Point, replay: &Replay) -> Result<Option<Lsn>, Failure> {
    let time = match point {
        Point::Lsn(lsn) => return Ok(Some(lsn)),
        Point::Time(time) => time,
    };
    for file in &replay.files {
        if let Some(lsn) = first_commit(file, time)? {
            return Ok(Some(lsn));
        }
    }
    Ok(None)
}

/// Returns the commit LSN of the first transaction of a file that was committed at this time or
/// later.
fn first_commit(file: &Path, time: TimestampTz) -> Result<Option<Lsn>, Failure> {
    let mut frames = CapturedFrames::open(file).map_err(|error| failure(&error.into()))?;
    let mut decoder = Decoder::new();
    // The replay reports what cannot be read here.
    while let Ok(Some(frame)) = frames.next_frame() {
        let frame = match frame {
            CapturedFrame::Message { frame, .. } => frame,
            CapturedFrame::Restarted { .. } => {
                decoder = Decoder::new();
                continue;
            }
            _ => continue,
        };
        // Rows have no time, and do not change the state of the decoder.
        if matches!(frame.data.first(), Some(b'I' | b'U' | b'D' | b'T')) {
            continue;
        }
        let committed = match decoder.decode(frame.data) {
            Ok(Message::Begin(begin)) => (begin.commit_time, begin.final_lsn),
            Ok(Message::StreamCommit(commit)) => (commit.commit_time, commit.commit_lsn),
            Ok(Message::BeginPrepare(begin)) => (begin.prepare_time, begin.prepare_lsn),
            Ok(Message::StreamPrepare(prepare)) => (prepare.prepare_time, prepare.prepare_lsn),
            Ok(Message::CommitPrepared(commit)) => (commit.commit_time, commit.commit_lsn),
            _ => continue,
        };
        if committed.0 >= time {
            return Ok(Some(committed.1));
        }
    }
    Ok(None)
}
