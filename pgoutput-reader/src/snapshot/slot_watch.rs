//! The slot during a copy: whether the server is about to invalidate it.

use std::fmt;
use std::time::{Duration, Instant};

use pgoutput_decode::Printable;

use crate::catalog::SlotStatus;
use crate::server_version::ServerVersion;

/// The interval of the queries.
const INTERVAL: Duration = Duration::from_secs(10);

/// Steps of a copy, in none of which a wait was necessary, from one look at the clock to the next.
const STEPS: u32 = 256;

/// The first version whose servers limit the WAL that a slot keeps.
const WITH_LIMIT: u32 = 13;

/// A slot that the server is about to invalidate during an initial copy, for
/// [`ReaderBuilder::on_slot_at_risk`](crate::ReaderBuilder::on_slot_at_risk).
///
/// Displayed with advice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlotAtRisk {
    /// The slot.
    pub slot: String,
    /// Bytes of WAL that the server can still write before it invalidates the slot at a checkpoint.
    pub bytes_left: u64,
    /// Bytes of WAL that it keeps for the slot.
    pub bytes_retained: u64,
    /// `pg_replication_slots.wal_status`: `reserved`, `extended` or `unreserved`.
    pub wal_status: String,
}

impl fmt::Display for SlotAtRisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot \"{}\" ", Printable(&self.slot))?;
        match self.bytes_left {
            0 => f.write_str("is invalidated at the server's next checkpoint")?,
            left => write!(f, "is invalidated after another {}", Size(left))?,
        }
        write!(
            f,
            " of WAL, and the copy is then lost (wal_status {}, {} kept): raise \
             max_slot_wal_keep_size, or stop, drop the slot and copy with more jobs",
            Printable(&self.wal_status),
            Size(self.bytes_retained)
        )
    }
}

/// A number of bytes, rounded down to a unit of PostgreSQL.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.0 {
            bytes if bytes >= 10 << 30 => (bytes >> 30, "GB"),
            bytes if bytes >= 10 << 20 => (bytes >> 20, "MB"),
            bytes if bytes >= 10 << 10 => (bytes >> 10, "kB"),
            bytes => (bytes, "bytes"),
        };
        write!(f, "{number} {unit}")
    }
}

/// When the slot is queried, and what was reported.
#[derive(Debug)]
pub(crate) struct SlotWatch {
    due_at: Instant,
    /// The number of steps since the last look at the clock.
    steps: u32,
    reported: Risk,
}

/// How much of the WAL that a slot may keep is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Risk {
    None,
    /// Less than half, or more than `max_wal_size` is kept.
    Half,
    Quarter,
    Eighth,
    /// Nothing.
    Exhausted,
}

impl Risk {
    fn of(status: &SlotStatus) -> Self {
        // Without a limit, the server keeps all WAL.
        let Some(left) = status.safe_wal_size else { return Self::None };
        let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
            return Self::Exhausted;
        };
        let limit = status.retained_bytes().unwrap_or_default().saturating_add(left);
        match status.wal_status.as_deref() {
            Some("unreserved") => Self::Exhausted,
            _ if left < limit / 8 => Self::Eighth,
            _ if left < limit / 4 => Self::Quarter,
            Some("extended") => Self::Half,
            _ if left < limit / 2 => Self::Half,
            _ => Self::None,
        }
    }
}

impl SlotWatch {
    /// Watches a slot of this server from now on; `None` if the server has no limit.
    pub(crate) fn new(version: ServerVersion, now: Instant) -> Option<Self> {
        let watch = Self { due_at: now, steps: STEPS, reported: Risk::None };
        (version.major() >= WITH_LIMIT).then_some(watch)
    }

    /// Returns whether the slot is to be queried now, before the next step of the copy. The clock
    /// is not read each time, since rows arrive in less time than that takes.
    pub(crate) fn is_due(&mut self, now: impl FnOnce() -> Instant) -> bool {
        self.steps += 1;
        if self.steps < STEPS {
            return false;
        }
        self.steps = 0;
        let now = now();
        let is_due = self.due_at <= now;
        if is_due {
            self.due_at = now + INTERVAL;
        }
        is_due
    }

    /// Returns the end of a wait for rows.
    pub(crate) fn waits_until(&mut self, wake_at: Instant) -> Instant {
        self.steps = STEPS;
        wake_at.min(self.due_at)
    }

    /// Returns what is to be reported about the slot: a risk that has become greater.
    pub(crate) fn observe(&mut self, slot: &str, status: &SlotStatus) -> Option<SlotAtRisk> {
        let risk = Risk::of(status);
        let is_greater = risk > self.reported;
        self.reported = risk;
        is_greater.then(|| SlotAtRisk {
            slot: slot.to_owned(),
            bytes_left: status.safe_wal_size.and_then(|left| left.try_into().ok()).unwrap_or(0),
            bytes_retained: status.retained_bytes().unwrap_or_default(),
            wal_status: status.wal_status.clone().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::Lsn;

    use super::*;

    const MB: u64 = 1 << 20;

    fn status(wal_status: &str, retained: u64, left: Option<i64>) -> SlotStatus {
        SlotStatus {
            wal_end: Lsn::new(100 * MB + retained),
            restart_lsn: Some(Lsn::new(100 * MB)),
            confirmed_flush_lsn: None,
            active: false,
            wal_status: Some(wal_status.into()),
            safe_wal_size: left,
            invalidation_reason: None,
            failover: None,
            synced: None,
        }
    }

    fn watch() -> SlotWatch {
        SlotWatch::new(ServerVersion::new(130_000), Instant::now()).unwrap()
    }

    #[test]
    fn each_increase_of_the_risk_is_reported_once() {
        let mb = |left: i64| Some(left << 20);
        let mut watch = watch();
        for (status, is_reported) in [
            (status("reserved", 10 * MB, mb(54)), false),
            (status("extended", 10 * MB, mb(54)), true),
            (status("extended", 33 * MB, mb(31)), false),
            (status("extended", 50 * MB, mb(14)), true),
            (status("extended", 51 * MB, mb(13)), false),
            (status("extended", 60 * MB, mb(4)), true),
            (status("unreserved", 65 * MB, mb(-1)), true),
            (status("unreserved", 66 * MB, mb(-2)), false),
            // The limit was raised.
            (status("reserved", 66 * MB, mb(500)), false),
            (status("reserved", 300 * MB, mb(200)), true),
            // It was removed: all WAL is kept.
            (status("extended", 900 * MB, None), false),
        ] {
            assert_eq!(watch.observe("s", &status).is_some(), is_reported, "{status:?}");
        }
    }

    #[test]
    fn the_text_has_what_is_left_and_advice() {
        let mut watch = watch();
        let risk = watch.observe("s", &status("extended", 50 * MB, Some(14 << 20))).unwrap();
        assert_eq!((risk.bytes_left, risk.bytes_retained), (14 * MB, 50 * MB));
        let expected = "slot \"s\" is invalidated after another 14 MB of WAL, and the copy is then \
                        lost (wal_status extended, 50 MB kept): raise max_slot_wal_keep_size, or \
                        stop, drop the slot and copy with more jobs";
        assert_eq!(risk.to_string(), expected);
        let risk = watch.observe("s", &status("unreserved", 65 * MB, Some(-5))).unwrap();
        let text = risk.to_string();
        assert!(text.starts_with("slot \"s\" is invalidated at the server's next checkpoint"));
    }

    #[test]
    fn the_slot_is_queried_at_once_and_then_at_intervals() {
        assert!(SlotWatch::new(ServerVersion::new(120_000), Instant::now()).is_none());
        let mut watch = watch();
        let start = Instant::now();
        assert!(watch.is_due(|| start));
        // The clock is read after some steps, or after a wait.
        for _ in 1..STEPS {
            assert!(!watch.is_due(|| panic!("the clock")));
        }
        assert!(!watch.is_due(|| start + INTERVAL / 2));
        assert!(!watch.is_due(|| panic!("the clock")));
        assert_eq!(watch.waits_until(start + INTERVAL * 2), start + INTERVAL);
        assert!(watch.is_due(|| start + INTERVAL));
        assert!(!watch.is_due(|| panic!("the clock")));
    }
}
