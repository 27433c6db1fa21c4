//! Compares delivered events with committed ones.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgoutput_decode::Lsn;
use pgoutput_reader::{ChangeEvent, Error};
use serde_json::Value;

use crate::transactions::{Unit, describe, describe_json};
use crate::writer::Journal;

/// A delivered event.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) event: String,
    /// The start of the commit record of its transaction, or of its own record.
    pub(crate) commit_lsn: Lsn,
}

impl Delivered {
    pub(crate) fn of(event: &ChangeEvent) -> Self {
        Self { event: describe(event), commit_lsn: event.position().commit_lsn() }
    }

    /// Returns an event that the program printed.
    pub(crate) fn printed(event: &Value) -> Self {
        let transaction = &event["transaction"]["begin_lsn"];
        let lsn = transaction.as_u64().or(event["lsn"].as_u64()).unwrap();
        Self { event: describe_json(event), commit_lsn: Lsn::new(lsn) }
    }
}

/// The events delivered to a process, in order, and the slot's confirmed LSN over time.
#[derive(Debug, Default)]
pub(crate) struct Account {
    delivered: Mutex<Vec<Delivered>>,
    /// The number of events that are acknowledged, or about to be.
    acknowledged: AtomicUsize,
    /// The confirmed LSNs, each with the number of events that had been acknowledged when it was
    /// read.
    confirmed: Mutex<Vec<(Lsn, usize)>>,
    /// The error that ended the reading.
    failed: Mutex<Option<String>>,
}

impl Account {
    pub(crate) fn deliver(&self, event: Delivered) {
        self.delivered().push(event);
    }

    /// Records the error that ended the reading.
    pub(crate) fn fail(&self, error: &Error) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    #[track_caller]
    pub(crate) fn assert_progress(&self) {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*failed, None, "after {} events", self.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.delivered().len()
    }

    fn delivered(&self) -> MutexGuard<'_, Vec<Delivered>> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that everything so far is about to be acknowledged.
    pub(crate) fn acknowledge_all(&self) {
        self.acknowledged.store(self.len(), Ordering::Release);
    }

    /// Records a confirmed LSN. Events acknowledged meanwhile count as acknowledged before, so the
    /// check may be too lenient but never too strict.
    pub(crate) fn confirmed(&self, lsn: Lsn) {
        let acknowledged = self.acknowledged.load(Ordering::Acquire);
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).push((lsn, acknowledged));
    }

    /// Checks that every event of the journal was delivered once, in order, and confirmed only
    /// after it was delivered.
    pub(crate) fn check(&self, journal: &Journal) {
        let delivered = self.delivered();
        check_confirmed(&self.confirmed.lock().unwrap(), &delivered);
        let mut doubtful = journal.doubtful.clone();
        let certain: Vec<_> = delivered
            .iter()
            .map(|one| &one.event)
            .filter(|event| !doubtful.remove(*event))
            .collect();
        let expected: Vec<_> = journal.units.iter().flat_map(|unit| &unit.events).collect();
        if let Some(at) =
            (0..certain.len().max(expected.len())).find(|at| certain.get(*at) != expected.get(*at))
        {
            let around = |events: &[&String]| {
                let end = events.len().min(at + 3);
                format!("{:#?}", &events[at.saturating_sub(3).min(end)..end])
            };
            panic!(
                "of {} committed events, {} were delivered; event {at} differs: \
                committed {}, delivered {}",
                expected.len(),
                certain.len(),
                around(&expected),
                around(&certain)
            );
        }
    }
}

/// Checks that no confirmed LSN is after the commit of an incompletely acknowledged transaction.
fn check_confirmed(confirmed: &[(Lsn, usize)], delivered: &[Delivered]) {
    for (lsn, acknowledged) in confirmed {
        if let Some(next) = delivered.get(*acknowledged) {
            assert!(
                *lsn <= next.commit_lsn,
                "{lsn} was confirmed when {acknowledged} events were acknowledged, without {next:?}"
            );
        }
    }
}

/// The events delivered to several processes in sequence. Each process starts with a whole
/// transaction, which is not after the first one that no earlier process received completely.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    /// The number of units that were delivered completely.
    whole: usize,
}

impl Succession {
    /// Starts after this number of completely delivered units.
    pub(crate) fn of(whole: usize) -> Self {
        Self { whole }
    }

    /// Returns the number of completely delivered units.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    /// Adds the events of one process. Returns the range from its first unit to the first that it
    /// did not receive completely, or `None` without events.
    pub(crate) fn process(
        &mut self,
        units: &[Unit],
        delivered: &[Delivered],
    ) -> Option<Range<usize>> {
        let first = delivered.first()?;
        let begins = |unit: &Unit| unit.events.first() == Some(&first.event);
        let start = units.iter().position(begins).unwrap_or_else(|| {
            panic!("a process starts with {first:?}, which does not start a transaction")
        });
        assert!(start <= self.whole, "lost: {:?}, before {first:?}", units[self.whole].events[0]);
        let mut unit = start;
        let mut rest = delivered;
        while !rest.is_empty() {
            let events = &units[unit].events;
            let received = &rest[..rest.len().min(events.len())];
            let same = received.iter().map(|one| &one.event).eq(&events[..received.len()]);
            assert!(same, "committed {events:?}, delivered {received:?}");
            if received.len() == events.len() {
                unit += 1;
            }
            rest = &rest[received.len()..];
        }
        self.whole = self.whole.max(unit);
        Some(start..unit)
    }
}
