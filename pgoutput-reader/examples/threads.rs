//! Processes changes on several threads, each of them at its own speed. A change is acknowledged
//! when it is done, and the slot advances up to the first one that is not.
//!
//! ```text
//! cargo run --example threads -- "postgresql://app@localhost/app" my_slot my_publication
//! ```
//!
//! It needs `cargo add pgoutput-reader`. Here each row of the published tables is a job, whose
//! column `milliseconds` says how long it takes. The slot must exist. To create it:
//!
//! ```sql
//! CREATE TABLE job (id bigint PRIMARY KEY, milliseconds integer NOT NULL);
//! CREATE PUBLICATION my_publication FOR TABLE job;
//! SELECT pg_catalog.pg_create_logical_replication_slot('my_slot', 'pgoutput');
//! ```
//!
//! Changes are finished in any order, and those that were not acknowledged before a restart come
//! again. If changes of one row must stay in order, give each thread a channel of its own, and
//! choose it by the row's key.

use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pgoutput_reader::{Acknowledge, Acknowledger, ChangeEvent, Op, Reader};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const WORKERS: usize = 4;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dsn, slot, publication] = arguments.as_slice() else {
        return Err("usage: threads CONNINFO|URI SLOT PUBLICATION".into());
    };
    let mut reader = Reader::builder(dsn)
        .slot(slot)
        .publication(publication)
        .acknowledge(Acknowledge::Manual)
        .connect()?;
    let (acknowledger, stop) = (reader.acknowledger(), reader.stop_handle());
    // A full channel blocks the reader, so that memory is bounded. Its heartbeat keeps the
    // connection alive meanwhile.
    let (sender, receiver) = sync_channel(2 * WORKERS);
    let receiver = Mutex::new(receiver);
    let result = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                let (receiver, acknowledger) = (&receiver, acknowledger.clone());
                // A worker that fails ends the program.
                let stop = stop.clone();
                scope.spawn(move || work(receiver, &acknowledger).inspect_err(|_| stop.stop()))
            })
            .collect();
        let read = read(&mut reader, &sender);
        // The workers finish what is in the channel.
        drop(sender);
        let worked = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".into())));
        worked.collect::<Vec<_>>().into_iter().collect::<Result<()>>().and(read)
    });
    // Also after an error: what is done was acknowledged.
    reader.stop()?;
    result
}

/// Gives changes to the workers until the reader ends.
fn read(reader: &mut Reader, sender: &SyncSender<ChangeEvent>) -> Result<()> {
    for event in reader {
        // Without workers there is an error, which one of them returns.
        if sender.send(event?).is_err() {
            break;
        }
    }
    Ok(())
}

/// Processes changes until there are no more.
fn work(receiver: &Mutex<Receiver<ChangeEvent>>, acknowledger: &Acknowledger) -> Result<()> {
    loop {
        // The lock is held while this worker waits for a change, not while it processes one.
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(event) = next else { return Ok(()) };
        process(&event).map_err(|error| format!("change at {}: {error}", event.lsn()))?;
        acknowledger.acknowledge(event.position())?;
    }
}

fn process(event: &ChangeEvent) -> Result<()> {
    let (Op::Insert, Some(job)) = (event.op(), event.after()) else { return Ok(()) };
    let milliseconds: i32 = job.get("milliseconds")?;
    thread::sleep(Duration::from_millis(milliseconds.try_into()?));
    writeln!(io::stdout(), "job {} done", job.get::<i64>("id")?)?;
    Ok(())
}
