//! A reader in this process, a writer, and an observer of the slot, while a test causes faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_reader::{
    Acknowledge, Config, Error, Reader, ReaderBuilder, Reconnect, SpillOptions, StopHandle,
    StreamOptions, Streaming,
};
use pgoutput_tests::{Fixture, PUBLICATION, Random, eventually, waiting};

use crate::delivered::{Account, Delivered, Succession};
use crate::writer::Writer;

/// The most events that the writer may be ahead of the reader.
const LEAD: usize = 500;

/// The number of events that wait for a manual acknowledgement.
const UNACKNOWLEDGED: usize = 97;

/// The longest permitted silence of the server.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(1);

/// Makes a reader send several status updates per second. Servers before 12 do not support that.
pub(crate) const FREQUENT_UPDATES: &str = "options='-c wal_sender_timeout=600ms'";

/// A reader that is running.
pub(crate) struct Reading<'a> {
    pub(crate) fixture: &'a Fixture<'a>,
    writer: &'a Writer<'a>,
    account: &'a Account,
    reconnects: &'a AtomicUsize,
    /// Ends the writer and the observer.
    ended: &'a AtomicBool,
    stop: StopHandle,
}

impl Reading<'_> {
    /// Waits until everything that is committed now was delivered.
    pub(crate) fn catch_up(&self, after: &dyn std::fmt::Debug) {
        let committed = self.writer.journal().events;
        eventually(&format!("what was committed before or within {after:?}"), || {
            self.account.assert_progress();
            (self.account.len() >= committed).then_some(())
        });
    }

    /// Returns how often the reader has started to reconnect.
    pub(crate) fn reconnects(&self) -> usize {
        self.reconnects.load(Ordering::Acquire)
    }
}

/// Ends the threads also when a test fails.
impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.writer.end();
        self.ended.store(true, Ordering::Release);
        self.stop.stop();
    }
}

/// Reads changes while `disturb` runs, then the rest, and checks all of it. Returns how often the
/// reader started to reconnect.
pub(crate) fn disturbed(
    fixture: &Fixture<'_>,
    dsn: &str,
    seed: u64,
    manual: bool,
    disturb: impl FnOnce(&Reading<'_>, &mut Random),
) -> usize {
    let mut random = Random::new(seed);
    let (account, writer) = (Account::default(), Writer::new(fixture.database()));
    let (ended, reconnects) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let reader = reader(fixture, dsn, manual, &mut random, &reconnects);
    let stop = reader.stop_handle();
    let is_reported = thread::scope(|scope| {
        let reading = Reading {
            fixture,
            writer: &writer,
            account: &account,
            reconnects: &reconnects,
            ended: &ended,
            stop: stop.clone(),
        };
        let consumer = scope.spawn(|| {
            let is_reported = consume(reader, manual, &account);
            is_reported.unwrap_or_else(|error| {
                account.fail(&error);
                false
            })
        });
        let writing = scope.spawn(|| {
            writer.run(seed, |_| writer.journal().events <= account.len() + LEAD);
        });
        scope.spawn(|| watch(fixture, &ended, &account));
        disturb(&reading, &mut random);
        writer.end();
        waiting("the writer to end", || writing.join()).unwrap();
        reading.catch_up(&"all faults");
        stop.stop();
        let is_reported = waiting("the reader to stop", || consumer.join()).unwrap();
        account.assert_progress();
        is_reported
    });
    let journal = writer.journal();
    account.check(&journal);
    fixture.wait_until_free();
    let left = fixture
        .read_with(|builder| builder.options(StreamOptions::new().messages(fixture.major() >= 14)));
    // Delivered events are confirmed at an orderly end at the latest. Otherwise the last
    // transactions are delivered again, as a whole.
    assert!(
        left.is_empty() || !is_reported,
        "{} events were delivered again, as {:?}",
        left.len(),
        left[0]
    );
    let left: Vec<_> = left.iter().map(Delivered::of).collect();
    let again = Succession::of(journal.units.len()).process(&journal.units, &left);
    assert!(again.is_none_or(|again| again.end == journal.units.len()));
    reconnects.load(Ordering::Acquire)
}

fn reader(
    fixture: &Fixture<'_>,
    dsn: &str,
    manual: bool,
    random: &mut Random,
    reconnects: &Arc<AtomicUsize>,
) -> Reader {
    let more = if fixture.major() >= 12 { FREQUENT_UPDATES } else { "" };
    let config: Config = format!("{dsn} sslmode=disable {more}").parse().unwrap();
    let config = config.wal_receiver_timeout(SILENCE_LIMIT).connect_timeout(SILENCE_LIMIT * 2);
    let counter = Arc::clone(reconnects);
    let since_14 = fixture.major() >= 14;
    let mut options = StreamOptions::new().messages(since_14).binary(since_14 && random.one_in(2));
    if fixture.major() >= 16 && random.one_in(2) {
        options = options.streaming(Streaming::Parallel);
    } else if random.one_in(3) {
        options = options.streaming(Streaming::Off);
    }
    let memory_limit = *random.one_of(&[0, 50_000, 64 << 20]);
    ReaderBuilder::from(config)
        .slot(fixture.slot_name())
        .publication(PUBLICATION)
        .options(options)
        .spill(SpillOptions::new().memory_limit(memory_limit))
        .acknowledge(if manual { Acknowledge::Manual } else { Acknowledge::Automatic })
        .reconnect(
            Reconnect::default()
                .initial_delay(Duration::from_millis(5))
                .max_delay(Duration::from_millis(50)),
        )
        .on_reconnect(move |_| {
            counter.fetch_add(1, Ordering::AcqRel);
        })
        .connect()
        .unwrap()
}

/// Reads until stopped. Returns whether the server received the last status update, which a fault
/// may prevent.
fn consume(mut reader: Reader, manual: bool, account: &Account) -> Result<bool, Error> {
    let acknowledger = reader.acknowledger();
    let mut last = None;
    for event in &mut reader {
        let event = event?;
        account.deliver(Delivered::of(&event));
        last = Some(event.position());
        if !manual {
            // The next call acknowledges the event.
            account.acknowledge_all();
        } else if account.len().is_multiple_of(UNACKNOWLEDGED) {
            account.acknowledge_all();
            acknowledger.acknowledge_through(event.position()).unwrap();
        }
    }
    if let Some(last) = last {
        account.acknowledge_all();
        acknowledger.acknowledge_through(last).unwrap();
    }
    Ok(reader.stop().is_ok())
}

/// Records the confirmed LSN of the slot until the end.
fn watch(fixture: &Fixture<'_>, ended: &AtomicBool, account: &Account) {
    let mut client = None;
    while !ended.load(Ordering::Acquire) {
        client = client.or_else(|| fixture.database().try_client().ok());
        let query =
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1";
        let seen = client.as_mut().map(|client| client.query_one(query, &[&fixture.slot_name()]));
        match seen {
            Some(Ok(row)) => account.confirmed(row.get::<_, &str>(0).parse::<Lsn>().unwrap()),
            // The server is down.
            _ => client = None,
        }
        thread::sleep(Duration::from_millis(5));
    }
}
