//! The end: a running query is cancelled, and what was acknowledged is confirmed.

use std::time::{Duration, Instant};

use pgoutput_decode::Lsn;

use super::open::is_worn_out;
use super::session::PollStep;
use super::{PollSession, Polling};
use crate::error::{Error, is_transient};
use crate::io::{StopHandle, Waits, WakePipe};

/// The longest time in which the slot is advanced at the end.
const LIMIT: Duration = Duration::from_secs(5);

/// The delay between two attempts, while the query that was cancelled still holds the slot.
const DELAY: Duration = Duration::from_millis(50);

impl Polling {
    /// Confirms what was acknowledged and closes the session.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        // The handle that stopped the reader does not end these waits.
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", &self.address, error))?;
        let is_busy = self.session.as_ref().is_some_and(PollSession::is_busy);
        if let Some(facts) = self.batch.facts.filter(|_| is_busy && self.batch.messages == 0) {
            let stop = StopHandle::new(wake.waker());
            self.catalog.wait_with(Waits { wake: wake.clone(), stop });
            let cancelled = self.catalog.cancel_reading(&self.opener.start.slot, facts.pid);
            if let Err(error) = cancelled {
                log::warn!("cancelling a poll: {error}");
            }
        }
        let target = self.acknowledged();
        if target <= self.confirmed {
            return Ok(());
        }
        let end = Instant::now() + LIMIT;
        let mut session = self.session.take().filter(|_| !is_busy);
        loop {
            match self.confirm(session.take(), target, &wake, end) {
                // The session may have been closed meanwhile, and the slot held for a moment.
                Err(error)
                    if (is_transient(&error) || is_worn_out(&error)) && Instant::now() < end =>
                {
                    std::thread::sleep(DELAY);
                }
                confirmed => return confirmed,
            }
        }
    }

    /// Advances the slot in this session, or in a new one.
    fn confirm(
        &self,
        session: Option<PollSession>,
        target: Lsn,
        wake: &WakePipe,
        end: Instant,
    ) -> Result<(), Error> {
        let mut session = if let Some(session) = session {
            session
        } else {
            let (connection, statements) = self.opener.session()?;
            PollSession::new(connection, statements, wake.clone())
        };
        session.set_wake_pipe(wake.clone());
        session.begin()?;
        loop {
            match session.step(|| Some(end))? {
                // PostgreSQL 10 would move the slot back.
                PollStep::Begun(facts) if facts.confirmed >= Some(target) => return Ok(()),
                PollStep::Begun(_) => session.batch(Some(target), None)?,
                PollStep::Ended => return Ok(()),
                PollStep::TimedOut => return Err(Error::timeout("polling", &self.address)),
                PollStep::Advanced(_) | PollStep::Message(_) | PollStep::Woken => {}
            }
        }
    }
}
