//! Random streams into sinks that fail, without a server.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgoutput_decode::{Lsn, Message};
use proptest::prelude::*;

use super::step::{Events, Steps};
use super::{BatchLimits, PipeError, PipeStep, Sink};
use crate::assemble::Arrival;
use crate::delivery::{
    Acknowledge, Acknowledger, Delivery, Idle, Outcome, OutputSettings, Resume, Settings,
};
use crate::error::Error;
use crate::event::{ChangeEvent, Fingerprint, Position, ReaderId, StreamIdentity};
use crate::reader::Next;
use crate::schema::{Facts, Need, Schemas, TableDescription};

/// A transaction: the size that the sink reports of each event; 0 for one that it leaves out.
type Sizes = Vec<usize>;

fn identity() -> StreamIdentity {
    StreamIdentity {
        reader: ReaderId::unique(),
        system_identifier: 7,
        timeline: 1,
        slot: "s".into(),
        publications: 1,
        copied: None,
        known: None,
    }
}

fn lsn_of(transaction: usize) -> u64 {
    1000 * (transaction as u64 + 1)
}

/// Returns the events of a reader that starts from the beginning.
fn events(transactions: &[Sizes]) -> Vec<ChangeEvent> {
    let identity = identity();
    let settings = Settings {
        fingerprint: Fingerprint::new(7, "app"),
        resume: Resume::default(),
        newest: None,
        acknowledger: Acknowledger::new(identity.reader, Acknowledge::Manual),
        identity: Arc::new(identity),
        mode: Acknowledge::Manual,
        idle: Idle::Keepalives,
        until: None,
        output: OutputSettings::default(),
    };
    let mut delivery = Delivery::new(settings, Instant::now());
    let (mut schemas, start) = (Schemas::new("app", 10), Instant::now());
    let mut events = Vec::new();
    for (transaction, sizes) in transactions.iter().enumerate() {
        let commit_lsn = lsn_of(transaction);
        let begin = [&b"B"[..], &commit_lsn.to_be_bytes(), &[0; 8], &[0, 0, 0, 9]].concat();
        let relation = b"R\0\0\0\x01public\0t\0d\0\x01\x01id\0\0\0\0\x17\xff\xff\xff\xff".to_vec();
        let insert = b"I\0\0\0\x01N\0\x01t\0\0\0\x017".to_vec();
        let end_lsn = commit_lsn + 48;
        let lsns = [commit_lsn.to_be_bytes(), end_lsn.to_be_bytes(), [0; 8]].concat();
        let commit = [&b"C\0"[..], &lsns].concat();
        let messages = [begin, relation].into_iter().chain(sizes.iter().map(|_| insert.clone()));
        for bytes in messages.chain([commit]) {
            let message = Message::decode(&bytes, false).unwrap();
            let arrival = Arrival { lsn: Lsn::new(commit_lsn), order: 0 };
            let mut out = None;
            loop {
                let outcome =
                    delivery.message(&message, arrival, &mut schemas, || start, &mut out).unwrap();
                let Outcome::Needs(need) = outcome else { break };
                let Need::Table { relation, .. } = &need else { panic!("{need:?}") };
                let description = TableDescription::by_stream(relation, schemas.stream_types());
                schemas.learn(&need, Facts::Table(description));
            }
            events.extend(out);
        }
        events.last_mut().unwrap().is_last = true;
    }
    events
}

/// What a source does.
#[derive(Debug, Clone)]
enum Item {
    Event(ChangeEvent),
    /// Nothing has arrived.
    Pause,
    Fails,
}

/// A source of events from a list.
struct Listed {
    items: VecDeque<Item>,
    acknowledged: Rc<RefCell<Vec<Position>>>,
}

impl Events for Listed {
    fn next(&mut self, timeout: Duration) -> Result<Next, Error> {
        match self.items.front() {
            Some(Item::Pause) if timeout.is_zero() => Ok(Next::TimedOut),
            Some(Item::Pause) => {
                self.items.pop_front();
                Ok(Next::TimedOut)
            }
            Some(Item::Event(_)) => {
                let Some(Item::Event(event)) = self.items.pop_front() else { unreachable!() };
                Ok(Next::Event(event))
            }
            Some(Item::Fails) => {
                self.items.clear();
                Err(Error::usage("the source failed"))
            }
            None => Ok(Next::Finished),
        }
    }

    fn acknowledge_through(&self, position: Position) -> Result<(), Error> {
        self.acknowledged.borrow_mut().push(position);
        Ok(())
    }
}

/// The content of a destination.
#[derive(Debug, Default)]
struct Content {
    events: Vec<(u64, u64)>,
    position: Option<Position>,
    /// The number of events after each batch, with the size of the batch.
    batches: Vec<(usize, usize)>,
}

/// A failure of the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Before,
    After,
}

#[derive(Debug, PartialEq, Eq)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

/// Events by the commit LSN and the index.
type Ids = Vec<(u64, u64)>;

struct Memory<'c> {
    content: &'c RefCell<Content>,
    sizes: &'c [Sizes],
    pending: Ids,
    bytes: usize,
    /// The commit that fails.
    fault: Option<(usize, Fault)>,
    /// The write that fails.
    unwritable: Option<usize>,
    /// How often a batch is not stored yet when the pipe does not wait.
    late: usize,
    storing: Option<(Ids, usize, Position)>,
    asked: usize,
}

impl<'c> Memory<'c> {
    fn new(content: &'c RefCell<Content>, sizes: &'c [Sizes]) -> Self {
        Self {
            content,
            sizes,
            pending: Vec::new(),
            bytes: 0,
            fault: None,
            unwritable: None,
            late: 0,
            storing: None,
            asked: 0,
        }
    }
}

fn id(event: &ChangeEvent) -> (u64, u64) {
    let position = event.position();
    (position.commit_lsn().as_u64(), position.index().unwrap())
}

fn size(sizes: &[Sizes], (commit_lsn, index): (u64, u64)) -> usize {
    sizes[usize::try_from(commit_lsn / 1000 - 1).unwrap()][usize::try_from(index).unwrap()]
}

impl Sink for Memory<'_> {
    type Error = Broken;

    fn position(&mut self) -> Result<Option<Position>, Broken> {
        Ok(self.content.borrow().position.clone())
    }

    fn write(&mut self, event: &ChangeEvent) -> Result<(), Broken> {
        if let Some(left) = &mut self.unwritable {
            let is_now = *left == 0;
            *left = left.checked_sub(1).unwrap_or(usize::MAX);
            if is_now {
                return Err(Broken);
            }
        }
        let size = size(self.sizes, id(event));
        if size > 0 {
            self.pending.push(id(event));
            self.bytes += size;
        }
        Ok(())
    }

    fn pending_bytes(&self) -> usize {
        self.bytes
    }

    fn commit(&mut self, position: &Position) -> Result<(), Broken> {
        assert!(self.storing.is_none(), "a batch is committed while another is stored");
        let (pending, bytes) = (std::mem::take(&mut self.pending), std::mem::take(&mut self.bytes));
        self.storing = Some((pending, bytes, position.clone()));
        self.asked = 0;
        if self.late == 0 { self.finish() } else { Ok(()) }
    }

    fn wait_stored(&mut self, timeout: Duration) -> Result<bool, Broken> {
        self.asked += 1;
        if timeout.is_zero() && self.asked <= self.late {
            return Ok(false);
        }
        self.finish()?;
        Ok(true)
    }
}

impl Memory<'_> {
    fn finish(&mut self) -> Result<(), Broken> {
        let Some((mut events, bytes, position)) = self.storing.take() else { return Ok(()) };
        let fault = self.fault.take_if(|(left, _)| *left == 0).map(|(_, fault)| fault);
        if let Some((left, _)) = &mut self.fault {
            *left -= 1;
        }
        if fault == Some(Fault::Before) {
            return Err(Broken);
        }
        let mut content = self.content.borrow_mut();
        content.events.append(&mut events);
        content.position = Some(position);
        let events = content.events.len();
        content.batches.push((events, bytes));
        if fault == Some(Fault::After) { Err(Broken) } else { Ok(()) }
    }
}

/// A stream, and what goes wrong in each run.
#[derive(Debug, Clone)]
struct Scene {
    transactions: Vec<Sizes>,
    bytes: usize,
    events: u64,
    transaction_bytes: usize,
    runs: Vec<Run>,
}

#[derive(Debug, Clone)]
struct Run {
    fault: Option<(usize, Fault)>,
    /// The number of events before the source fails, or else ends.
    events: usize,
    fails: bool,
    /// The numbers of events before which nothing has arrived.
    pauses: Vec<usize>,
    unwritable: Option<usize>,
    late: usize,
}

fn run() -> impl Strategy<Value = Run> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::After)];
    (
        proptest::option::of((0..6_usize, fault)),
        0..60_usize,
        any::<bool>(),
        proptest::collection::vec(0..60_usize, 0..6),
        proptest::option::weighted(0.3, 0..60_usize),
        prop_oneof![Just(0), 1..6_usize, Just(usize::MAX)],
    )
        .prop_map(|(fault, events, fails, pauses, unwritable, late)| Run {
            fault,
            events,
            fails,
            pauses,
            unwritable,
            late,
        })
}

fn scene() -> impl Strategy<Value = Scene> {
    let size = prop_oneof![1 => Just(0), 4 => 1..20_usize];
    let transaction = proptest::collection::vec(size, 1..12);
    (
        proptest::collection::vec(transaction, 1..12),
        prop_oneof![Just(0), 1..60_usize, Just(usize::MAX)],
        prop_oneof![Just(0), 1..10_u64, Just(u64::MAX)],
        prop_oneof![Just(0), 1..60_usize, Just(usize::MAX)],
        proptest::collection::vec(run(), 0..8),
    )
        .prop_map(|(transactions, bytes, events, transaction_bytes, runs)| Scene {
            transactions,
            bytes,
            events,
            transaction_bytes,
            runs,
        })
}

/// Runs a pipe from what is stored to the end of the run.
fn piped(scene: &Scene, content: &RefCell<Content>, run: &Run) -> Result<(), TestCaseError> {
    let all = events(&scene.transactions);
    let stored = content.borrow().position.clone();
    let next = stored
        .map_or(0, |stored| 1 + all.iter().position(|event| event.position() == stored).unwrap());
    let mut items = VecDeque::new();
    for (number, event) in all.into_iter().skip(next).take(run.events).enumerate() {
        items.extend(run.pauses.contains(&number).then_some(Item::Pause));
        items.push_back(Item::Event(event));
    }
    items.extend(run.fails.then_some(Item::Fails));
    let acknowledged = Rc::<RefCell<Vec<Position>>>::default();
    let source = Listed { items, acknowledged: Rc::clone(&acknowledged) };
    let sink = Memory {
        fault: run.fault,
        unwritable: run.unwritable,
        late: run.late,
        ..Memory::new(content, &scene.transactions)
    };
    let mut steps = Steps::new(source, sink);
    steps.limits = BatchLimits::new()
        .max_bytes(scene.bytes)
        .max_events(scene.events)
        .max_delay(Duration::from_secs(3600))
        .max_transaction_bytes(scene.transaction_bytes);
    let before = content.borrow().batches.len();
    let ended = loop {
        let batches = content.borrow().batches.len();
        match steps.step(Duration::from_secs(1)) {
            Ok(PipeStep::Finished) => break Ok(()),
            Err(error) => break Err(error),
            Ok(PipeStep::Stored { .. }) => {
                prop_assert_eq!(content.borrow().batches.len(), batches + 1);
                let last = acknowledged.borrow().last().cloned();
                prop_assert_eq!(&last, &content.borrow().position);
            }
            Ok(_) => prop_assert_eq!(content.borrow().batches.len(), batches),
        }
    };
    let stored = content.borrow().batches.len() - before;
    match ended {
        Ok(()) => prop_assert_eq!(acknowledged.borrow().len(), stored),
        Err(PipeError::Sink(Broken)) => {
            let missing = stored - acknowledged.borrow().len();
            // A write fails after what is complete was stored.
            let expected = usize::from(run.fault.is_some_and(|(_, fault)| fault == Fault::After));
            prop_assert!(missing == expected || missing == 0 && run.unwritable.is_some());
        }
        Err(PipeError::Reader(_)) => {
            prop_assert!(run.fails);
            prop_assert_eq!(acknowledged.borrow().len(), stored);
        }
    }
    prop_assert!(matches!(steps.step(Duration::ZERO), Ok(PipeStep::Finished)));
    Ok(())
}

/// Checks that batches end with transactions, except for those that are too large.
fn check_batches(scene: &Scene, content: &Content) -> Result<(), TestCaseError> {
    for (end, _) in &content.batches {
        let Some(&(commit_lsn, _)) = end.checked_sub(1).and_then(|last| content.events.get(last))
        else {
            continue;
        };
        let splits = content.events.get(*end).is_some_and(|next| next.0 == commit_lsn);
        let sizes = &scene.transactions[usize::try_from(commit_lsn / 1000 - 1).unwrap()];
        let bytes: usize = sizes.iter().sum();
        prop_assert!(!splits || bytes >= scene.transaction_bytes.max(1), "{bytes} in parts");
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_fails_each_event_is_stored_once_and_in_order(scene in scene()) {
        let content = RefCell::<Content>::default();
        for run in &scene.runs {
            piped(&scene, &content, run)?;
        }
        let last = Run {
            fault: None,
            events: usize::MAX,
            fails: false,
            pauses: Vec::new(),
            unwritable: None,
            late: 1,
        };
        piped(&scene, &content, &last)?;
        let content = content.into_inner();
        let all = events(&scene.transactions);
        let expected: Vec<_> =
            all.iter().map(id).filter(|id| size(&scene.transactions, *id) > 0).collect();
        prop_assert_eq!(&content.events, &expected);
        prop_assert_eq!(&content.position, &all.last().map(ChangeEvent::position));
        check_batches(&scene, &content)?;
    }
}

/// Returns the number of events of each batch of a stream that ends in an orderly way.
fn batches(transactions: &[Sizes], limits: BatchLimits, pauses: &[usize]) -> Vec<u64> {
    let content = RefCell::<Content>::default();
    let sink = Memory::new(&content, transactions);
    let mut items = VecDeque::new();
    for (number, event) in events(transactions).into_iter().enumerate() {
        items.extend(pauses.contains(&number).then_some(Item::Pause));
        items.push_back(Item::Event(event));
    }
    let mut steps = Steps::new(Listed { items, acknowledged: Rc::default() }, sink);
    steps.limits = limits;
    let mut batches = Vec::new();
    loop {
        match steps.step(Duration::from_secs(1)).unwrap() {
            PipeStep::Stored { events, .. } => batches.push(events),
            PipeStep::Finished => return batches,
            _ => {}
        }
    }
}

fn unlimited() -> BatchLimits {
    BatchLimits::new()
        .max_bytes(usize::MAX)
        .max_events(u64::MAX)
        .max_delay(Duration::from_secs(3600))
        .max_transaction_bytes(usize::MAX)
}

#[test]
fn the_first_limit_that_is_reached_ends_a_batch() {
    let three = [vec![5, 5], vec![5, 5], vec![5, 5]];
    assert_eq!(batches(&three, unlimited(), &[]), [6]);
    assert_eq!(batches(&three, unlimited().max_bytes(11), &[]), [4, 2]);
    assert_eq!(batches(&three, unlimited().max_events(1), &[]), [2, 2, 2]);
    for limits in
        [unlimited().max_bytes(0), unlimited().max_events(0), unlimited().max_delay(Duration::ZERO)]
    {
        assert_eq!(batches(&three, limits, &[]), [2, 2, 2]);
    }
    assert_eq!(batches(&three, unlimited().max_transaction_bytes(0), &[]), [1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_batch_ends_when_nothing_more_has_arrived_but_not_within_a_transaction() {
    let two = [vec![5, 5], vec![5, 5]];
    assert_eq!(batches(&two, unlimited(), &[2]), [2, 2]);
    assert_eq!(batches(&two, unlimited(), &[1, 3]), [4]);
}

/// The transaction before it counts for itself, and the one after it starts another batch.
#[test]
fn only_a_transaction_beyond_the_limit_is_stored_in_parts() {
    let limits = unlimited().max_transaction_bytes(20);
    assert_eq!(batches(&[vec![10], vec![10, 9]], limits, &[]), [3]);
    assert_eq!(batches(&[vec![10], vec![10, 10, 9], vec![1]], limits, &[]), [3, 1, 1]);
}

#[test]
fn events_that_are_left_out_do_not_end_a_batch() {
    let two = [vec![0], vec![0, 0]];
    let limits = unlimited().max_events(1).max_bytes(1).max_transaction_bytes(0);
    assert_eq!(batches(&two, limits, &[1]), [3]);
}

/// What is complete is stored before the error of an event is returned; a part is not.
#[test]
fn an_event_that_cannot_be_written_does_not_hold_back_what_is_complete() {
    // At 2, the batch has a part of the second transaction.
    for (unwritable, stored) in [(0, 0), (1, 1), (2, 0), (3, 3)] {
        let content = RefCell::<Content>::default();
        let transactions = [vec![5], vec![5, 5], vec![5]];
        let sink = Memory {
            unwritable: Some(unwritable),
            late: usize::MAX,
            ..Memory::new(&content, &transactions)
        };
        let items = events(&transactions).into_iter().map(Item::Event).collect();
        let acknowledged = Rc::<RefCell<Vec<Position>>>::default();
        let source = Listed { items, acknowledged: Rc::clone(&acknowledged) };
        let mut steps = Steps::new(source, sink);
        steps.limits = unlimited();
        let error = loop {
            if let Err(error) = steps.step(Duration::from_secs(1)) {
                break error;
            }
        };
        assert!(matches!(error, PipeError::Sink(Broken)), "{error:?}");
        assert_eq!(content.borrow().events.len(), stored, "{unwritable}");
        assert_eq!(acknowledged.borrow().len(), usize::from(stored > 0));
        assert!(matches!(steps.step(Duration::ZERO), Ok(PipeStep::Finished)));
    }
}
