//! What is said on standard error beside errors.

use std::fmt::Display;

use pgoutput_reader::{ErrorKind, Reader, ReconnectAttempt, Reconnected, ServerMessage, SlotWait};

use crate::args::Tail;
use crate::output::Output;

/// How much is said.
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

    fn say(self, message: &dyn Display) {
        if self != Self::Quiet {
            crate::say(message);
        }
    }

    fn add(self, message: &dyn Display) {
        if self == Self::Verbose {
            crate::say(message);
        }
    }

    /// What is read, and from where.
    pub(crate) fn started(self, reader: &mut Reader) {
        if self == Self::Quiet {
            return;
        }
        let published = reader.published();
        let started = reader.started();
        match published {
            Ok(published) => {
                self.say(&format_args!("{started}, {published}"));
                for warning in published.warnings() {
                    self.say(&format_args!("warning: {warning}"));
                }
            }
            Err(error) => {
                self.say(started);
                if !matches!(error.kind(), ErrorKind::Stopped { .. }) {
                    self.say(&format_args!("the published tables could not be asked for: {error}"));
                }
            }
        }
        self.add(&format_args!(
            "cluster {}, timeline {}, {}, publications \"{}\"",
            started.system_identifier,
            started.timeline,
            if started.tls { "TLS" } else { "no TLS" },
            started.publications.join("\", \"")
        ));
    }

    /// Why another attempt is made.
    pub(crate) fn lost(self, attempt: &ReconnectAttempt<'_>) {
        let ReconnectAttempt { attempt: number, cause, delay, .. } = attempt;
        self.say(&format_args!("{cause}; attempt {number} to reconnect in {delay:.1?}"));
    }

    /// Whom the creation of a slot waits for.
    pub(crate) fn waits(self, wait: &SlotWait<'_>) {
        self.say(wait);
    }

    /// The connection is back.
    pub(crate) fn reconnected(self, back: &Reconnected<'_>) {
        let Reconnected { attempt, elapsed, address, .. } = back;
        self.say(&format_args!(
            "connected to {address} again after {elapsed:.1?}, at attempt {attempt}"
        ));
    }

    /// What the server says by the way.
    pub(crate) fn notice(self, notice: &ServerMessage) {
        self.say(notice);
    }

    /// How far it has come.
    pub(crate) fn ended(self, reader: &Reader, output: &Output) {
        self.add(&format_args!(
            "{} changes written, acknowledged up to {}",
            output.written(),
            reader.health().acknowledged
        ));
    }
}
