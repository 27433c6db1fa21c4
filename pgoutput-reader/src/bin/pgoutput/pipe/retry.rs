//! Storing a batch in spite of transient errors.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::figures::Figures;
use super::log::{Log, LogError, Stored};
use crate::args::Pipe;
use crate::report::Report;
use crate::signals::SignalTarget;

/// The delay before the first attempt. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest delay between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// The time after which attempts end, by default.
const LIMIT: Duration = Duration::from_secs(300);

/// The interval in which a delay looks for a request to end.
const SLICE: Duration = Duration::from_millis(50);

/// The policy after an error that may pass.
pub(crate) struct Retry {
    /// The time after which attempts end; `None` for no further attempt.
    limit: Option<Duration>,
    first_delay: Duration,
    report: Report,
    signalled: SignalTarget,
    figures: Arc<Figures>,
}

/// What a log has of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// All of it, and the position.
    All,
    /// So many records at its beginning.
    Records(usize),
    /// It cannot be told: all rows of a table in a copy have the same position.
    InCopy,
    /// What this program did not store.
    Foreign,
}

impl Retry {
    pub(crate) fn new(pipe: &Pipe, signalled: SignalTarget, figures: Arc<Figures>) -> Self {
        let limit = match pipe.reading.reconnect_for {
            _ if pipe.reading.no_reconnect => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => Some(LIMIT),
        };
        let report = Report::of(pipe.verbosity);
        Self { limit, first_delay: FIRST_DELAY, report, signalled, figures }
    }

    /// A policy without further attempts.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            limit: None,
            first_delay: Duration::ZERO,
            report: Report::Quiet,
            signalled: SignalTarget::default(),
            figures: Arc::default(),
        }
    }

    /// Stores the batch, which follows what is `stored`.
    pub(crate) fn store(
        &self,
        log: &mut dyn Log,
        batch: &mut Batch,
        stored: &Stored,
    ) -> Result<(), LogError> {
        let mut failed = match log.store(batch) {
            Err(error) if error.is_transient() => error,
            result => return result,
        };
        let (since, mut delay) = (Instant::now(), self.first_delay);
        let mut attempts = 0_u32;
        loop {
            self.figures.failed();
            if self.limit.is_none_or(|limit| since.elapsed() + delay > limit) {
                return Err(given_up(&failed, since.elapsed(), attempts));
            }
            attempts = attempts.saturating_add(1);
            self.report.print(&format_args!("{failed}; attempt {attempts} in {delay:.1?}"));
            self.wait(delay, &failed)?;
            delay = LONGEST_DELAY.min(2 * delay);
            match again(log, batch, stored) {
                Err(error) if error.is_transient() => failed = error,
                Err(error) => return Err(error),
                Ok(()) => {
                    self.report.print(&format_args!(
                        "stored in {} after {:.1?}, at attempt {attempts}",
                        log.name(),
                        since.elapsed()
                    ));
                    return Ok(());
                }
            }
        }
    }

    fn wait(&self, delay: Duration, failed: &LogError) -> Result<(), LogError> {
        let end = Instant::now() + delay;
        loop {
            if self.signalled.is_requested() {
                return Err(LogError::stopped(format!(
                    "stopped by a signal after an error of the destination ({failed}); what was \
                     not stored is sent again"
                )));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(SLICE));
        }
    }
}

/// Reads what is stored, and stores the rest.
fn again(log: &mut dyn Log, batch: &mut Batch, stored: &Stored) -> Result<(), LogError> {
    let now = log.open()?;
    let found = match log.has_last_batch() {
        Some(true) => Found::All,
        Some(false) => Found::Records(now.records),
        None => found(batch, stored, &now),
    };
    match found {
        Found::All => Ok(()),
        Found::Records(done) => {
            batch.skip(done);
            log.store(batch)
        }
        Found::InCopy => Err(LogError::lasting(format!(
            "{}: it is not known whether rows of the initial copy were stored: start again, which \
             repeats the table",
            log.name()
        ))),
        Found::Foreign => Err(LogError::lasting(format!(
            "{}: a position was stored there meanwhile that is not of this run: the last records \
             of an earlier run arrived late, or another program writes there; start again, and \
             let only one pgoutput pipe write to a destination",
            log.name()
        ))),
    }
}

/// Returns what the log has of the batch `now`, if it had what is `stored` before.
fn found(batch: &Batch, stored: &Stored, now: &Stored) -> Found {
    let is_at_end = now.position.as_ref() == batch.position();
    if is_at_end && now.position == stored.position && batch.len() > 0 {
        return Found::InCopy;
    }
    if is_at_end {
        return if now.records == 0 { Found::All } else { Found::Foreign };
    }
    let done = if now.position == stored.position {
        0
    } else {
        let through = now.position.as_ref().and_then(|position| batch.records_through(position));
        let Some(through) = through else { return Found::Foreign };
        through
    };
    // An event all of whose records are stored would be that of the position.
    if now.records > 0 && now.records >= batch.records_of_event_at(done) {
        return Found::Foreign;
    }
    Found::Records(done + now.records)
}

fn given_up(failed: &LogError, after: Duration, attempts: u32) -> LogError {
    if attempts == 0 {
        return LogError::lasting(failed.to_string());
    }
    let plural = if attempts == 1 { "" } else { "s" };
    LogError::lasting(format!(
        "{failed}; given up after {after:.1?} and {attempts} attempt{plural}"
    ))
}

#[cfg(test)]
mod tests;
