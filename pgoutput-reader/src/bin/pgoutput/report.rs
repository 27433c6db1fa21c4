//! Messages on standard error other than errors.

use std::fmt::Display;

use pgoutput_reader::{
    CaptureStatus, Error, ErrorKind, Lsn, Pipe, Published, Reader, ReconnectAttempt, Reconnected,
    ServerMessage, SlotAtRisk, SlotWait, SnapshotProgress, Started, StreamError,
};

use crate::args::Verbosity;
use crate::output::Output;
use crate::pipe::{Counts, LogSink};

/// The amount of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    Quiet,
    Plain,
    Verbose,
}

impl Report {
    pub(crate) fn of(verbosity: Verbosity) -> Self {
        match (verbosity.quiet, verbosity.verbose) {
            (true, _) => Self::Quiet,
            (false, false) => Self::Plain,
            (false, true) => Self::Verbose,
        }
    }

    /// Prints a line, unless that was declined.
    pub(crate) fn print(self, message: &dyn Display) {
        if self != Self::Quiet {
            crate::print_line(message);
        }
    }

    /// Prints a line if more lines were asked for.
    pub(crate) fn print_verbose(self, message: &dyn Display) {
        if self == Self::Verbose {
            crate::print_line(message);
        }
    }

    /// Reports what is read, and from where.
    pub(crate) fn started(self, reader: &mut Reader) {
        if self != Self::Quiet {
            let published = reader.published();
            self.source(reader.started(), &reader.started().to_string(), published);
        }
    }

    /// Reports what a pipe reads, and from where.
    pub(crate) fn pipe_started(self, pipe: &mut Pipe<LogSink>) {
        if self != Self::Quiet {
            let published = pipe.published();
            let started = pipe.reader().started();
            self.source(started, &started.to_string(), published);
            self.print(&format_args!("storing in {}", pipe.sink().name()));
        }
    }

    /// Reports a slot that was created on the way, and how to drop it.
    pub(crate) fn slot_created(self, started: &Started) {
        let Started { slot, start_lsn, .. } = started;
        self.print(&format_args!("created slot \"{slot}\" at {start_lsn}"));
        self.keeps_wal(slot);
    }

    /// Reports what a new slot costs, and how to drop it.
    pub(crate) fn keeps_wal(self, slot: &str) {
        self.print(&format_args!(
            "the server keeps WAL for slot \"{slot}\" until it is read, or dropped: \
             pgoutput slot drop {slot}, with the same connection options"
        ));
    }

    /// Reports what is copied, and from where, if no changes follow.
    pub(crate) fn copy_started(self, reader: &mut Reader) {
        if self == Self::Quiet {
            return;
        }
        let published = reader.published();
        let started = reader.started();
        let text = format!(
            "PostgreSQL {} at {}, database \"{}\", snapshot at {}",
            started.server_version, started.address, started.database, started.start_lsn
        );
        self.source(started, &text, published);
    }

    fn source(self, started: &Started, text: &str, published: Result<Published, Error>) {
        match published {
            Ok(published) => {
                self.print(&format_args!("{text}, {published}"));
                for warning in published.warnings() {
                    self.print(&format_args!("warning: {warning}"));
                }
            }
            Err(error) => {
                self.print(&text);
                if !matches!(error.kind(), ErrorKind::Stopped { .. }) {
                    self.print(&format_args!("the published tables could not be queried: {error}"));
                }
            }
        }
        self.print_verbose(&format_args!(
            "cluster {}, timeline {}, {}, publications \"{}\"",
            started.system_identifier,
            started.timeline,
            if started.tls { "TLS" } else { "no TLS" },
            started.publications.join("\", \"")
        ));
    }

    /// Reports the progress of the initial copy.
    pub(crate) fn copying(self, progress: &SnapshotProgress) {
        self.print(progress);
    }

    /// Reports where the changes after a copy start.
    pub(crate) fn copy_ended(self, lsn: Lsn) {
        self.print(&format_args!(
            "the copy is complete; a slot that was created before it continues with \
             pgoutput tail --start-lsn {lsn}"
        ));
    }

    /// Reports a slot that the server is about to invalidate.
    pub(crate) fn slot_at_risk(self, slot: &SlotAtRisk) {
        self.print(&format_args!("warning: {slot}"));
    }

    /// Reports a lost connection and the next attempt.
    pub(crate) fn lost(self, attempt: &ReconnectAttempt<'_>) {
        let ReconnectAttempt { attempt: number, cause, delay, .. } = attempt;
        let what = match cause.kind() {
            ErrorKind::Spill(_) | ErrorKind::Stream(StreamError::MessageInChunk { .. }) => {
                "; from here on with --streaming off"
            }
            _ => "",
        };
        self.print(&format_args!("{cause}{what}; attempt {number} to reconnect in {delay:.1?}"));
    }

    /// Reports what the creation of a slot waits for.
    pub(crate) fn waiting(self, wait: &SlotWait<'_>) {
        self.print(wait);
    }

    /// Reports a reconnection.
    pub(crate) fn reconnected(self, back: &Reconnected<'_>) {
        let Reconnected { attempt, elapsed, address, .. } = back;
        self.print(&format_args!(
            "connected to {address} again after {elapsed:.1?}, at attempt {attempt}"
        ));
    }

    /// Reports a notice of the server.
    pub(crate) fn notice(self, notice: &ServerMessage) {
        self.print(notice);
    }

    /// Reports the file of a capture.
    pub(crate) fn capturing(self, reader: &mut Reader) {
        if let Ok(status) = reader.capture_status() {
            self.print(&format_args!("capturing to {}", status.path.display()));
        }
    }

    /// Reports what was captured, and masks without effect.
    pub(crate) fn captured(self, status: &CaptureStatus, acknowledged: Lsn) {
        for mask in &status.unseen_masks {
            self.print(&format_args!(
                "warning: --mask {mask} masked nothing: no table with this column was captured"
            ));
        }
        let (messages, path) = (status.messages, status.path.display());
        self.print(&format_args!("captured {messages} messages to {path}"));
        self.print_verbose(&format_args!("acknowledged up to {acknowledged}"));
    }

    /// Reports what is replayed.
    pub(crate) fn replaying(self, reader: &Reader) {
        self.print_verbose(&format_args!("capture of {}", reader.started()));
    }

    /// Reports what was stored, and the acknowledged LSN.
    pub(crate) fn piped(self, pipe: &Pipe<LogSink>) {
        let Counts { batches, records, bytes, .. } = pipe.sink().figures().counts();
        self.print_verbose(&format_args!(
            "{records} records of {bytes} bytes stored in {batches} batches, acknowledged up to {}",
            pipe.reader().health().acknowledged
        ));
    }

    /// Reports the acknowledged LSN.
    pub(crate) fn ended(self, reader: &Reader, output: &Output) {
        let skipped = match output.skipped() {
            0 => String::new(),
            skipped => format!(", {skipped} left out"),
        };
        self.print_verbose(&format_args!(
            "{} changes written{skipped}, acknowledged up to {}",
            output.written(),
            reader.health().acknowledged
        ));
    }
}
