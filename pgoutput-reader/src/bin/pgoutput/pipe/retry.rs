//! Storing a batch in spite of transient errors.

use std::thread;
use std::time::{Duration, Instant};

use super::batch::Batch;
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
    limit: Option<Duration>,
    report: Report,
    signalled: SignalTarget,
}

impl Retry {
    pub(crate) fn new(pipe: &Pipe, signalled: SignalTarget) -> Self {
        let limit = match pipe.reading.reconnect_for {
            _ if pipe.reading.no_reconnect => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => Some(LIMIT),
        };
        Self { limit, report: Report::of(pipe.verbosity), signalled }
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
        let (since, mut delay) = (Instant::now(), FIRST_DELAY);
        for attempt in 1_u32.. {
            if self.limit.is_none_or(|limit| since.elapsed() + delay > limit) {
                return Err(given_up(&failed, since.elapsed(), attempt));
            }
            self.report.print(&format_args!("{failed}; attempt {attempt} in {delay:.1?}"));
            self.wait(delay, &failed)?;
            delay = LONGEST_DELAY.min(2 * delay);
            let result = log.open().and_then(|now| match rest(batch, stored, &now) {
                Some(0) if is_at(batch, &now) => Ok(()),
                Some(done) => {
                    batch.skip(done);
                    log.store(batch)
                }
                None => Err(foreign(log)),
            });
            match result {
                Err(error) if error.is_transient() => failed = error,
                Err(error) => return Err(error),
                Ok(()) => {
                    self.report.print(&format_args!(
                        "{} is reached again after {:.1?}, at attempt {attempt}",
                        log.name(),
                        since.elapsed()
                    ));
                    return Ok(());
                }
            }
        }
        Err(failed)
    }

    fn wait(&self, delay: Duration, failed: &LogError) -> Result<(), LogError> {
        let end = Instant::now() + delay;
        loop {
            if self.signalled.is_requested() {
                return Err(LogError::stopped(format!(
                    "stopped by a signal while the destination could not be reached ({failed}); \
                     what was not stored is sent again"
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

/// Returns whether all of the batch is stored.
fn is_at(batch: &Batch, now: &Stored) -> bool {
    now.position.as_ref() == batch.position() && now.records == 0
}

/// Returns the number of records of the batch that are stored `now`, if `stored` was before it.
fn rest(batch: &Batch, stored: &Stored, now: &Stored) -> Option<usize> {
    if is_at(batch, now) {
        return Some(0);
    }
    if now.position == stored.position {
        // Nothing, or the first records of the first event.
        return Some(now.records);
    }
    let done = batch.records_through(now.position.as_ref()?)?;
    Some(done + now.records)
}

fn given_up(failed: &LogError, after: Duration, attempts: u32) -> LogError {
    let attempts = attempts - 1;
    if attempts == 0 {
        return LogError::lasting(failed.to_string());
    }
    LogError::lasting(format!("{failed}; given up after {after:.1?} and {attempts} attempts"))
}

fn foreign(log: &dyn Log) -> LogError {
    LogError::lasting(format!(
        "{}: another program stored a position there meanwhile: let only one pgoutput pipe write \
         to a destination",
        log.name()
    ))
}
