//! The slot's confirmed LSN over time, and the end of the writers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_tests::{Fixture, IDLE_LAG};

/// The interval of queries.
const INTERVAL: Duration = Duration::from_millis(30);

/// The most bytes of WAL that sessions are ahead of the program.
const LEAD: u64 = 1 << 20;

/// Observes the slot until the end.
pub(super) struct Watch<'a> {
    fixture: &'a Fixture<'a>,
    confirmed: AtomicU64,
    /// The end of what is committed.
    flushed: AtomicU64,
    /// The number of successful queries.
    queries: AtomicU64,
    ended: AtomicBool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(fixture: &'a Fixture<'a>) -> Self {
        let zero = AtomicU64::default;
        Self { fixture, confirmed: zero(), flushed: zero(), queries: zero(), ended: false.into() }
    }

    /// Ends the writers.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Returns whether writers end.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits while the program is far behind.
    pub(super) fn wait_for_lag(&self) {
        while !self.has_ended() && self.lag() > LEAD {
            thread::sleep(INTERVAL);
        }
    }

    fn lag(&self) -> u64 {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        self.flushed.load(Ordering::Acquire).saturating_sub(confirmed)
    }

    /// Returns whether everything before `lsn` is confirmed.
    pub(super) fn is_confirmed(&self, lsn: u64) -> bool {
        self.confirmed.load(Ordering::Acquire) + IDLE_LAG >= lsn
    }

    /// Returns the end of what is committed, once it is known; the server may be down.
    pub(super) fn flushed(&self) -> u64 {
        let before = self.queries.load(Ordering::Acquire);
        pgoutput_tests::eventually("the end of what is committed", || {
            (self.queries.load(Ordering::Acquire) > before + 1).then_some(())
        });
        self.flushed.load(Ordering::Acquire)
    }

    /// Queries until `done`.
    pub(super) fn run(&self, done: &AtomicBool) {
        let query = "SELECT confirmed_flush_lsn::text, pg_current_wal_flush_lsn()::text
            FROM pg_replication_slots WHERE slot_name = $1";
        let number = |text: &str| text.parse::<Lsn>().unwrap().as_u64();
        let mut client = None;
        while !done.load(Ordering::Acquire) {
            client = client.or_else(|| self.fixture.database().try_client().ok());
            let seen = client.as_mut().map(|c| c.query_one(query, &[&self.fixture.slot_name()]));
            match seen {
                Some(Ok(row)) => {
                    self.confirmed.store(number(row.get(0)), Ordering::Release);
                    self.flushed.store(number(row.get(1)), Ordering::Release);
                    self.queries.fetch_add(1, Ordering::AcqRel);
                }
                // The server is down.
                _ => client = None,
            }
            thread::sleep(INTERVAL);
        }
    }
}
