//! The end: a running query is cancelled, and what was acknowledged is confirmed.

use std::time::{Duration, Instant};

use super::open::confirms_ends;
use super::{PollSession, Polling};
use crate::error::Error;
use crate::io::{StopHandle, Waits, WakePipe};

/// The longest time in which the slot is advanced at the end.
const LIMIT: Duration = Duration::from_secs(5);

/// The delay between two attempts, while the query that was cancelled still holds the slot.
const DELAY: Duration = Duration::from_millis(50);

/// The SQLSTATE of a slot that another process holds.
const IN_USE: &str = "55006";

impl Polling {
    /// Confirms what was acknowledged and closes the session.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        // The handle that stopped the reader does not end these queries.
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", &self.address, error))?;
        let stop = StopHandle::new(wake.waker());
        self.catalog.wait_with(Waits { wake, stop });
        let slot = self.opener.start.slot.clone();
        let is_busy = self.session.as_ref().is_some_and(PollSession::is_busy);
        if let Some(facts) = self.batch.facts.filter(|_| is_busy && self.batch.messages == 0)
            && let Err(error) = self.catalog.cancel_reading(&slot, facts.pid)
        {
            log::warn!("cancelling a poll: {error}");
        }
        let target = self.acknowledged();
        if target <= self.confirmed {
            return Ok(());
        }
        drop(self.session.take());
        let options = self.opener.start.plugin_values(self.version)?.into_iter();
        let options: Vec<_> = options.flat_map(|(name, value)| [name.to_owned(), value]).collect();
        let since = Instant::now();
        loop {
            let left = LIMIT.saturating_sub(since.elapsed()).max(DELAY);
            let advanced = if confirms_ends(self.version) {
                self.catalog.consume_slot(left, &slot, target, options.clone())
            } else {
                self.catalog.advance_slot(left, &slot, target)
            };
            match advanced {
                Err(error) if error.sqlstate() == Some(IN_USE) && since.elapsed() < LIMIT => {
                    std::thread::sleep(DELAY);
                }
                advanced => return advanced,
            }
        }
    }
}
