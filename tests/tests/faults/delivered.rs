//! What was delivered, held against what was committed.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgoutput_decode::Lsn;
use pgoutput_reader::{ChangeEvent, Error};
use serde_json::Value;

use crate::transactions::{Unit, describe, describe_json};
use crate::writer::Journal;

/// One event that was handed over.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) event: String,
    /// Where its transaction's commit record starts, or its own.
    pub(crate) commit_lsn: Lsn,
}

impl Delivered {
    pub(crate) fn of(event: &ChangeEvent) -> Self {
        Self { event: describe(event), commit_lsn: event.position().commit_lsn() }
    }

    /// One that the program has printed.
    pub(crate) fn printed(event: &Value) -> Self {
        let transaction = &event["transaction"]["begin_lsn"];
        let lsn = transaction.as_u64().or(event["lsn"].as_u64()).unwrap();
        Self { event: describe_json(event), commit_lsn: Lsn::new(lsn) }
    }
}

/// The events that a process was handed, in order, and how far the slot was meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Account {
    delivered: Mutex<Vec<Delivered>>,
    /// How many of them may be forgotten by the server.
    taken: AtomicUsize,
    /// A confirmed position, and how many events had been taken when it was seen.
    confirmed: Mutex<Vec<(Lsn, usize)>>,
    /// What ended the reading.
    failed: Mutex<Option<String>>,
}

impl Account {
    pub(crate) fn deliver(&self, event: Delivered) {
        self.delivered().push(event);
    }

    /// The reading has ended with an error.
    pub(crate) fn fail(&self, error: &Error) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    #[track_caller]
    pub(crate) fn assert_going_on(&self) {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*failed, None, "after {} events", self.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.delivered().len()
    }

    fn delivered(&self) -> MutexGuard<'_, Vec<Delivered>> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything so far is about to be taken.
    pub(crate) fn take_all(&self) {
        self.taken.store(self.len(), Ordering::Release);
    }

    /// The slot was seen there. What is taken meanwhile counts as taken before: that excuses more than it should, and never less.
    pub(crate) fn confirmed(&self, lsn: Lsn) {
        let taken = self.taken.load(Ordering::Acquire);
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).push((lsn, taken));
    }

    /// Every event of the journal once, in its order, and none confirmed before it was delivered.
    pub(crate) fn check(&self, journal: &Journal) {
        let delivered = self.delivered();
        check_confirmed(&self.confirmed.lock().unwrap(), &delivered);
        let mut doubtful = journal.doubtful.clone();
        let sure: Vec<_> = delivered
            .iter()
            .map(|one| &one.event)
            .filter(|event| !doubtful.remove(*event))
            .collect();
        let expected: Vec<_> = journal.units.iter().flat_map(|unit| &unit.events).collect();
        if let Some(at) =
            (0..sure.len().max(expected.len())).find(|at| sure.get(*at) != expected.get(*at))
        {
            let around = |events: &[&String]| {
                let end = events.len().min(at + 3);
                format!("{:#?}", &events[at.saturating_sub(3).min(end)..end])
            };
            panic!(
                "of {} events {} came; event {at} is another one: committed {}, delivered {}",
                expected.len(),
                sure.len(),
                around(&expected),
                around(&sure)
            );
        }
    }
}

/// No position is beyond the commit of what was not taken whole.
fn check_confirmed(confirmed: &[(Lsn, usize)], delivered: &[Delivered]) {
    for (lsn, taken) in confirmed {
        if let Some(next) = delivered.get(*taken) {
            assert!(
                *lsn <= next.commit_lsn,
                "{lsn} was confirmed when {taken} events were taken, and {next:?} was not"
            );
        }
    }
}

/// What several processes were handed, one after the other: each starts with a whole transaction, none later than the first one that
/// no earlier process was handed whole.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    /// Units that were delivered whole.
    whole: usize,
}

impl Succession {
    /// After so many units that were delivered whole.
    pub(crate) fn of(whole: usize) -> Self {
        Self { whole }
    }

    /// How many units have been delivered whole.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    /// One process's events; gives the first of its units and the first that it was not handed whole, if it was handed anything.
    pub(crate) fn process(
        &mut self,
        units: &[Unit],
        delivered: &[Delivered],
    ) -> Option<Range<usize>> {
        let first = delivered.first()?;
        let begins = |unit: &Unit| unit.events.first() == Some(&first.event);
        let start = units.iter().position(begins).unwrap_or_else(|| {
            panic!("a process starts with {first:?}, which starts no transaction")
        });
        assert!(start <= self.whole, "lost: {:?}, before {first:?}", units[self.whole].events[0]);
        let mut unit = start;
        let mut rest = delivered;
        while !rest.is_empty() {
            let events = &units[unit].events;
            let came = &rest[..rest.len().min(events.len())];
            let same = came.iter().map(|one| &one.event).eq(&events[..came.len()]);
            assert!(same, "committed {events:?}, delivered {came:?}");
            if came.len() == events.len() {
                unit += 1;
            }
            rest = &rest[came.len()..];
        }
        self.whole = self.whole.max(unit);
        Some(start..unit)
    }
}
