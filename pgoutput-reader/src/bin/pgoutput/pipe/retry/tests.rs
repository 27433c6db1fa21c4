//! Logs that fail before, during and after storing.

use std::cell::RefCell;
use std::rc::Rc;

use pgoutput_reader::{ChangeEvent, Position, Reader};
use proptest::prelude::*;

use super::*;

/// The committed capture whose events are stored.
const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.pgocap");

fn events() -> Vec<ChangeEvent> {
    let events: Vec<_> =
        Reader::replay(CAPTURE).open().unwrap().map(|event| event.unwrap()).collect();
    assert!(events.len() > 5, "{} events", events.len());
    events
}

/// Returns a batch of these events, with the number of records of each.
fn batch(events: &[ChangeEvent], records: impl Fn(usize) -> usize) -> Batch {
    let mut batch = Batch::default();
    let topic = Arc::from("topic");
    for (index, event) in events.iter().enumerate() {
        let records = records(index);
        if records > 0 {
            batch.begin(event);
        }
        for part in 0..records {
            let text = format!("{} {part}", event.position());
            let pushed = batch.push(&topic, |record| {
                record.value(|value| value.push_str(&text));
                Ok::<_, ()>(())
            });
            pushed.unwrap();
        }
        batch.end(event);
    }
    batch.set_position(&events.last().unwrap().position());
    batch
}

/// The next answer of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Works,
    /// Storing fails after so many records, or all and the position.
    Stores(usize),
    /// Opening fails.
    Unreachable,
    Lasting,
}

/// A log that stores records one after another, each with the position of its event.
#[derive(Debug, Default)]
struct Mock {
    values: Vec<String>,
    stored: Stored,
    answers: Vec<Answer>,
    opened: usize,
    /// What it returns instead of what it has.
    foreign: Option<Stored>,
}

impl Mock {
    fn answer(&mut self) -> Answer {
        self.answers.pop().unwrap_or(Answer::Works)
    }

    fn add(&mut self, batch: &Batch, limit: usize) -> bool {
        for (index, record) in batch.records().enumerate() {
            if index == limit {
                return false;
            }
            self.values.push(record.value.unwrap().into());
            if record.is_last {
                self.stored = Stored::at(record.position.clone());
            } else {
                self.stored.records += 1;
            }
        }
        self.stored = Stored::at(batch.position().unwrap().clone());
        true
    }
}

impl Log for Mock {
    fn open(&mut self) -> Result<Stored, LogError> {
        self.opened += 1;
        match self.answer() {
            Answer::Unreachable => Err(LogError::transient("mock: unreachable")),
            Answer::Lasting => Err(LogError::lasting("mock: refused")),
            _ => Ok(self.foreign.clone().unwrap_or_else(|| self.stored.clone())),
        }
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        match self.answer() {
            Answer::Works => {
                self.add(batch, usize::MAX);
                Ok(())
            }
            Answer::Stores(records) => {
                self.add(batch, records);
                Err(LogError::transient("mock: connection lost"))
            }
            Answer::Unreachable => Err(LogError::transient("mock: unreachable")),
            Answer::Lasting => Err(LogError::lasting("mock: refused")),
        }
    }

    fn name(&self) -> String {
        "mock".into()
    }
}

fn retry(limit: Option<Duration>) -> Retry {
    Retry { limit, ..Retry::none() }
}

/// A time that does not pass in a test.
const LONG: Option<Duration> = Some(Duration::from_secs(3600));

fn values(batch: &Batch) -> Vec<String> {
    batch.records().map(|record| record.value.unwrap().to_owned()).collect()
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => Just(Answer::Works),
        4 => (0..12_usize).prop_map(Answer::Stores),
        1 => Just(Answer::Stores(usize::MAX)),
        2 => Just(Answer::Unreachable),
        1 => Just(Answer::Lasting),
    ]
}

proptest! {
    #[test]
    fn whatever_a_log_does_it_has_each_record_once_or_the_retry_ends(
        answers in proptest::collection::vec(answer(), 0..8),
        records in proptest::collection::vec(0..3_usize, 3..8),
    ) {
        let events = events();
        let end = records.len().min(events.len());
        let mut batch = batch(&events[..end], |index| records[index]);
        let expected = values(&batch);
        let mut log = Mock { answers, ..Mock::default() };
        let figures = retry(LONG);
        let result = figures.store(&mut log, &mut batch, &Stored::default());
        match result {
            Ok(()) => {
                prop_assert_eq!(&log.values, &expected);
                prop_assert_eq!(log.stored.position.as_ref(), batch.position());
            }
            Err(error) => {
                prop_assert_eq!(error.to_string(), "mock: refused");
                prop_assert!(expected.starts_with(&log.values));
            }
        }
        prop_assert_eq!(figures.figures.counts().errors == 0, log.opened == 0);
    }
}

#[test]
fn records_of_the_first_event_that_are_stored_before_the_start_are_skipped() {
    let events = events();
    let first = Stored::at(events[0].position());
    for stored in [Stored { records: 2, ..first }, Stored { position: None, records: 2 }] {
        let mut batch = batch(&events[1..4], |_| 3);
        let expected = values(&batch)[2..].to_vec();
        batch.skip(2);
        let mut log = Mock {
            answers: vec![Answer::Works, Answer::Works, Answer::Stores(2)],
            stored: stored.clone(),
            ..Mock::default()
        };
        retry(LONG).store(&mut log, &mut batch, &stored).unwrap();
        assert_eq!(log.values, expected);
    }
}

#[test]
fn what_the_program_did_not_store_is_refused() {
    let events = events();
    let position = |index: usize| Some(events[index].position());
    let stored = Stored::at(events[0].position());
    for foreign in [
        Stored { position: None, records: 0 },
        // Behind what was stored, ahead of the batch, and more records than the events have.
        Stored { position: position(5), records: 0 },
        Stored { position: position(0), records: 2 },
        Stored { position: position(1), records: 9 },
        Stored { position: position(3), records: 1 },
    ] {
        let mut batch = batch(&events[1..4], |_| 2);
        let answers = vec![Answer::Works, Answer::Works, Answer::Unreachable];
        let mut log = Mock { answers, foreign: Some(foreign.clone()), ..Mock::default() };
        let error = retry(LONG).store(&mut log, &mut batch, &stored).unwrap_err();
        assert!(error.to_string().contains("another program"), "{foreign:?}: {error}");
        assert!(log.values.is_empty(), "{foreign:?}");
    }
}

/// In a copy, rows of one table have the same position.
#[test]
fn a_batch_whose_position_was_stored_before_is_neither_repeated_nor_passed_over() {
    let events = events();
    let mut batch = batch(&events[..1], |_| 1);
    let stored = Stored::at(events[0].position());
    let answers = vec![Answer::Works, Answer::Works, Answer::Unreachable];
    let mut log = Mock { answers, stored: stored.clone(), ..Mock::default() };
    let error = retry(LONG).store(&mut log, &mut batch, &stored).unwrap_err();
    assert!(error.to_string().contains("rows of the initial copy"), "{error}");
    assert!(log.values.is_empty());
}

#[test]
fn attempts_end_with_the_limit_and_the_message_counts_them() {
    let events = events();
    let store = |limit| {
        let mut log = Mock { answers: vec![Answer::Unreachable; 500], ..Mock::default() };
        let mut retry = retry(limit);
        retry.first_delay = Duration::from_millis(10);
        let stored = &Stored::default();
        let error = retry.store(&mut log, &mut batch(&events[..2], |_| 1), stored).unwrap_err();
        assert!(!error.is_transient());
        (error.to_string(), log.opened)
    };
    assert_eq!(store(None), ("mock: unreachable".into(), 0));
    let (text, opened) = store(Some(Duration::from_millis(100)));
    assert!(text.starts_with("mock: unreachable; given up after "), "{text}");
    assert!((1..=5).contains(&opened) && text.contains(&format!("and {opened} attempt")), "{text}");
}

#[test]
fn a_signal_ends_a_delay() {
    let events = events();
    let signalled = SignalTarget::default();
    let mut retry = retry(LONG);
    (retry.first_delay, retry.signalled) = (Duration::from_secs(600), signalled.clone());
    let mut log = Mock { answers: vec![Answer::Unreachable], ..Mock::default() };
    let error = Rc::new(RefCell::new(None));
    thread::scope(|scope| {
        scope.spawn(move || {
            thread::sleep(SLICE);
            signalled.request();
        });
        let result = retry.store(&mut log, &mut batch(&events[..2], |_| 1), &Stored::default());
        *error.borrow_mut() = Some(result.unwrap_err());
    });
    let text = error.borrow().as_ref().unwrap().to_string();
    assert!(text.starts_with("stopped by a signal"), "{text}");
    assert!(text.contains("mock: unreachable") && text.contains("sent again"), "{text}");
}

#[test]
fn the_position_of_a_batch_without_records_is_stored() {
    let events = events();
    let mut empty = batch(&events[..3], |_| 0);
    let answers = vec![Answer::Works, Answer::Works, Answer::Unreachable];
    let mut log = Mock { answers, ..Mock::default() };
    retry(LONG).store(&mut log, &mut empty, &Stored::default()).unwrap();
    let position: Position = events[2].position();
    assert_eq!((log.stored, log.values.len()), (Stored::at(position), 0));
}
