//! Messages on standard error other than errors.

use std::fmt::Display;

use pgoutput_reader::{
    ErrorKind, Reader, ReconnectAttempt, Reconnected, ServerMessage, SlotWait, SnapshotProgress,
    StreamError,
};

use crate::args::Tail;
use crate::output::Output;

/// The amount of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    Quiet,
    Plain,
    Verbose,
}

impl Report {
    pub(crate) fn of(tail: &Tail) -> Self {
        match (tail.quiet, tail.verbose) {
            (true, _) => Self::Quiet,
            (false, false) => Self::Plain,
            (false, true) => Self::Verbose,
        }
    }

    fn print(self, message: &dyn Display) {
        if self != Self::Quiet {
            crate::print_line(message);
        }
    }

    fn print_verbose(self, message: &dyn Display) {
        if self == Self::Verbose {
            crate::print_line(message);
        }
    }

    /// Reports what is read, and from where.
    pub(crate) fn started(self, reader: &mut Reader) {
        if self == Self::Quiet {
            return;
        }
        let published = reader.published();
        let started = reader.started();
        match published {
            Ok(published) => {
                self.print(&format_args!("{started}, {published}"));
                for warning in published.warnings() {
                    self.print(&format_args!("warning: {warning}"));
                }
            }
            Err(error) => {
                self.print(started);
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

    /// Reports the acknowledged LSN.
    pub(crate) fn ended(self, reader: &Reader, output: &Output) {
        self.print_verbose(&format_args!(
            "{} changes written, acknowledged up to {}",
            output.written(),
            reader.health().acknowledged
        ));
    }
}
