//! A log that waits for the test.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pgoutput_reader::{ChangeEvent, Reader};

use super::*;

/// The committed capture whose events are stored.
const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.pgocap");

/// What the log does with the next batch, when the test says it.
enum Order {
    Store,
    Fail,
    Panic,
}

struct Waiting {
    orders: Receiver<Order>,
    stored: SyncSender<Vec<String>>,
}

impl Log for Waiting {
    fn open(&mut self) -> Result<Stored, LogError> {
        Ok(Stored::default())
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        match self.orders.recv().unwrap() {
            Order::Store => {
                let values = batch.records().map(|record| record.value.unwrap().into());
                self.stored.send(values.collect()).unwrap();
                Ok(())
            }
            Order::Fail => Err(LogError::lasting("the disk is full")),
            Order::Panic => panic!("a bug"),
        }
    }

    fn name(&self) -> String {
        "waiting".into()
    }
}

fn add(batch: &mut Batch, event: &ChangeEvent, value: &str) {
    batch.begin(event);
    let pushed = batch.push(&Arc::from("topic"), |record| {
        record.value(|out| out.push_str(value));
        Ok::<_, ()>(())
    });
    pushed.unwrap();
    batch.end(event);
    batch.set_position(&event.position());
}

fn batch(value: &str) -> Batch {
    let event = Reader::replay(CAPTURE).open().unwrap().next().unwrap().unwrap();
    let mut batch = Batch::default();
    add(&mut batch, &event, value);
    batch
}

fn start(first_has: usize) -> (Storage, SyncSender<Order>, Receiver<Vec<String>>) {
    let (order, orders) = mpsc::sync_channel(9);
    let (stored, values) = mpsc::sync_channel(9);
    let has = Stored { position: None, records: first_has };
    let log = Box::new(Waiting { orders, stored });
    let storage = Storage::start(log, Retry::none(), has, Arc::default()).unwrap();
    (storage, order, values)
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_batch_is_stored_while_the_next_one_is_written() {
    let (mut storage, order, values) = start(0);
    for number in 0..3 {
        storage.store(batch(&number.to_string())).unwrap();
        // This returns, although the log waits.
        assert!(storage.wait(Duration::ZERO).unwrap().is_none());
        assert!(storage.wait(Duration::from_millis(1)).unwrap().is_none());
        order.send(Order::Store).unwrap();
        let spare = storage.wait(LONG).unwrap().unwrap();
        assert_eq!((spare.len(), values.try_recv().unwrap()), (0, vec![number.to_string()]));
    }
}

#[test]
fn what_is_stored_of_the_first_event_is_left_out_once() {
    let (mut storage, order, values) = start(1);
    let texts = ["first", "second"];
    for text in texts {
        storage.store(batch(text)).unwrap();
        order.send(Order::Store).unwrap();
        storage.wait(LONG).unwrap().unwrap();
    }
    assert_eq!(values.try_iter().collect::<Vec<_>>(), [vec![], vec!["second".to_owned()]]);
}

#[test]
fn an_error_ends_the_thread() {
    let (mut storage, order, _values) = start(0);
    storage.store(batch("lost")).unwrap();
    order.send(Order::Fail).unwrap();
    assert_eq!(storage.wait(LONG).unwrap_err().to_string(), "the disk is full");
    assert!(storage.store(batch("next")).is_err() || storage.wait(LONG).is_err());
}

#[test]
fn a_panic_is_passed_on() {
    let (mut storage, order, _values) = start(0);
    storage.store(batch("lost")).unwrap();
    order.send(Order::Panic).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| storage.wait(LONG).map(drop))).unwrap_err();
    assert_eq!(*panicked.downcast::<&str>().unwrap(), "a bug");
}

#[test]
fn an_event_that_is_cancelled_leaves_nothing() {
    let events: Vec<_> =
        Reader::replay(CAPTURE).open().unwrap().take(2).map(Result::unwrap).collect();
    let mut batch = Batch::default();
    add(&mut batch, &events[0], "kept");
    let bytes = batch.bytes();
    batch.begin(&events[1]);
    for _ in 0..2 {
        let pushed = batch.push(&Arc::from("topic"), |record| {
            record.key(|key| key.push('k'));
            record.value(|value| value.push_str("half"));
            Ok::<_, ()>(())
        });
        pushed.unwrap();
    }
    batch.cancel();
    assert_eq!((batch.len(), batch.bytes(), batch.records_of_event_at(0)), (1, bytes, 1));
    add(&mut batch, &events[1], "whole");
    let values: Vec<_> = batch.records().map(|record| record.value.unwrap().to_owned()).collect();
    assert_eq!(values, ["kept", "whole"]);
    assert_eq!(batch.records().map(|record| record.part).collect::<Vec<_>>(), [0, 0]);
}
