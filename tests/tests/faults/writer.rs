//! Writes transactions one after the other, with a journal of the committed ones.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pgoutput_harness::Database;
use pgoutput_tests::{Random, eventually};
use postgres::Client;

use crate::transactions::{Plan, Unit};

/// The interval of checks by a writer that is ahead.
const PAUSE: Duration = Duration::from_millis(1);

/// The committed units, in order.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) units: Vec<Unit>,
    /// Messages that may or may not have reached the WAL before the server went down.
    pub(crate) doubtful: BTreeSet<String>,
    /// The number of events in the units.
    pub(crate) events: usize,
}

pub(crate) struct Writer<'a> {
    database: &'a Database<'a>,
    journal: Mutex<Journal>,
    ended: AtomicBool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(database: &'a Database<'a>) -> Self {
        Self { database, journal: Mutex::default(), ended: AtomicBool::new(false) }
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins no further transaction.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Writes until the end: each transaction when `may` permits its number.
    pub(crate) fn run(&self, seed: u64, may: impl Fn(u64) -> bool) {
        let mut random = Random::new(seed);
        let mut client =
            eventually("the server to take connections", || self.database.try_client().ok());
        let major = self.database.server().major();
        for number in 1.. {
            while !may(number) && !self.ended.load(Ordering::Acquire) {
                thread::sleep(PAUSE);
            }
            if self.ended.load(Ordering::Acquire) {
                return;
            }
            let shape = random.any();
            for attempt in 0.. {
                let plan = Plan::new(&mut Random::new(shape), number, attempt, major);
                if self.write(&mut client, number, &plan) {
                    break;
                }
            }
        }
    }

    /// Returns whether the transaction is complete.
    fn write(&self, client: &mut Client, number: u64, plan: &Plan) -> bool {
        let done = match plan.execute(client) {
            Ok(()) => true,
            // The server went down before or after the commit.
            Err(error) => {
                let code = error.code().map(|code| code.code().to_owned());
                assert!(code.is_none_or(|code| code.starts_with("57P")), "{error:?}");
                let id = i64::try_from(number).unwrap();
                eventually("the server to return the journal", || {
                    let mut again = self.database.try_client().ok()?;
                    let row = again.query_opt("SELECT FROM journal WHERE id = $1", &[&id]).ok()?;
                    *client = again;
                    Some(row.is_some())
                })
            }
        };
        let mut journal = self.journal();
        if done {
            let outside = plan.outside.iter().map(|message| Unit { events: vec![message.clone()] });
            let units: Vec<_> =
                outside.chain([plan.unit.clone()]).filter(|unit| !unit.events.is_empty()).collect();
            journal.events += units.iter().map(|unit| unit.events.len()).sum::<usize>();
            journal.units.extend(units);
        } else {
            journal.doubtful.extend(plan.outside.clone());
        }
        done
    }
}
