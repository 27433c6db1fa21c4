//! Hand-written messages, keepalives and the time, without a server.

use std::time::Duration;

use pgoutput_decode::TimestampTz;

use super::*;
use crate::event::{Op, ReaderId};
use crate::schema::{Facts, TableDescription};

mod descriptions;
mod repeated;

const SECOND: Duration = Duration::from_secs(1);

/// A delivery with the schemas of its stream.
struct Feed {
    delivery: Delivery,
    schemas: Schemas,
    /// The event of the last message.
    out: Option<ChangeEvent>,
    start: Instant,
}

fn lsn(n: u64) -> Lsn {
    Lsn::new(n)
}

fn begin(commit_lsn: u64) -> Vec<u8> {
    [&b"B"[..], &commit_lsn.to_be_bytes(), &[0; 8], &[0, 0, 0, 9]].concat()
}

fn commit(commit_lsn: u64, end_lsn: u64) -> Vec<u8> {
    [&b"C\0"[..], &commit_lsn.to_be_bytes(), &end_lsn.to_be_bytes(), &[0; 8]].concat()
}

fn relation(oid: u8) -> Vec<u8> {
    [&b"R\0\0\0"[..], &[oid], b"public\0t\0d\0\x01\x01id\0\0\0\0\x17\xff\xff\xff\xff"].concat()
}

fn insert(oid: u8) -> Vec<u8> {
    [&b"I\0\0\0"[..], &[oid], b"N\0\x01t\0\0\0\x017"].concat()
}

fn truncate(oids: &[u8]) -> Vec<u8> {
    let count = u32::try_from(oids.len()).unwrap().to_be_bytes();
    let oids = oids.iter().flat_map(|oid| [0, 0, 0, *oid]).collect::<Vec<_>>();
    [&b"T"[..], &count, b"\0", &oids].concat()
}

/// A message outside of transactions, whose record ends at `lsn`.
fn message(prefix: &str, content: &str, lsn: u64) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap().to_be_bytes();
    let prefix = format!("{prefix}\0");
    [&b"M\0"[..], &lsn.to_be_bytes(), prefix.as_bytes(), &len, content.as_bytes()].concat()
}

impl Feed {
    fn new(mode: Acknowledge, idle: Idle, until: Option<u64>) -> Self {
        Self::with_output(mode, idle, until, OutputSettings::default())
    }

    fn with_output(
        mode: Acknowledge,
        idle: Idle,
        until: Option<u64>,
        output: OutputSettings,
    ) -> Self {
        Self::resumed(mode, idle, until, output, None)
    }

    /// A delivery that goes on after a position, with a slot that was confirmed at an LSN.
    fn resumed(
        mode: Acknowledge,
        idle: Idle,
        until: Option<u64>,
        output: OutputSettings,
        from: Option<(&Position, u64)>,
    ) -> Self {
        let reader = ReaderId::unique();
        let slot = "s".into();
        let identity = StreamIdentity {
            reader,
            system_identifier: 7,
            timeline: 1,
            slot,
            publications: 1,
            copied: None,
            known: None,
        };
        let settings = Settings {
            fingerprint: Fingerprint::new(7, "app"),
            identity: Arc::new(identity),
            resume: from
                .map(|(position, confirmed)| Resume::after(position, lsn(confirmed)))
                .unwrap_or_default(),
            newest: from.map(|(position, _)| (position.commit_lsn(), position.raw_index())),
            acknowledger: Acknowledger::new(reader, mode),
            mode,
            idle,
            until: until.map(lsn),
            output,
        };
        let start = Instant::now();
        if let Some((_, confirmed)) = from {
            settings.acknowledger.set_confirmed(lsn(confirmed));
        }
        let delivery = Delivery::new(settings, start);
        Self { delivery, schemas: Schemas::new("app", 10), out: None, start }
    }

    /// A delivery with descriptions of tables as events.
    fn describing(schema_changes: bool, schema_output: SchemaOutput) -> Self {
        let output = OutputSettings { schema_changes, schema_output, ..OutputSettings::default() };
        Self::with_output(Acknowledge::Manual, Idle::Keepalives, None, output)
    }

    fn plain(mode: Acknowledge) -> Self {
        Self::new(mode, Idle::Keepalives, None)
    }

    /// Hands a message in once, after answering what it needs.
    fn once(&mut self, wal_start: u64, frame: &[u8]) -> Result<Outcome, StreamError> {
        let message = Message::decode(frame, false).unwrap();
        let arrival = Arrival { lsn: lsn(wal_start), order: 0 };
        let start = self.start;
        self.out = None;
        loop {
            let schemas = &mut self.schemas;
            match self.delivery.message(&message, arrival, schemas, || start, &mut self.out)? {
                Outcome::Needs(need) => {
                    let Need::Table { relation, .. } = &need else { panic!("{need:?}") };
                    let stream_types = self.schemas.stream_types();
                    let description = TableDescription::by_stream(relation, stream_types);
                    self.schemas.learn(&need, Facts::Table(description));
                }
                outcome => return Ok(outcome),
            }
        }
    }

    fn nothing(&mut self, wal_start: u64, frame: &[u8]) {
        let outcome = self.once(wal_start, frame).unwrap();
        let is_commit = frame[0] == b'C';
        assert!(
            match outcome {
                Outcome::Committed { finished: false } => is_commit,
                Outcome::Nothing => true,
                _ => false,
            },
            "{outcome:?}"
        );
        assert!(self.out.is_none());
    }

    fn event(&mut self, wal_start: u64, frame: &[u8]) -> ChangeEvent {
        match self.once(wal_start, frame).unwrap() {
            Outcome::Event => self.out.take().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn is_finished(&mut self, wal_start: u64, frame: &[u8]) -> bool {
        matches!(
            self.once(wal_start, frame).unwrap(),
            Outcome::Finished | Outcome::Committed { finished: true }
        )
    }

    fn keepalive(&mut self, wal_end: u64) -> Outcome {
        self.delivery.keepalive(lsn(wal_end), self.start).unwrap()
    }

    /// A transaction with one row.
    fn transaction(&mut self, commit_lsn: u64) -> ChangeEvent {
        self.nothing(commit_lsn, &begin(commit_lsn));
        self.nothing(0, &relation(1));
        let event = self.event(commit_lsn - 8, &insert(1));
        self.nothing(commit_lsn, &commit(commit_lsn, commit_lsn + 48));
        event
    }

    fn acknowledged(&self) -> u64 {
        self.delivery.acknowledger().acknowledged().as_u64()
    }
}

#[test]
fn a_truncate_delivers_one_event_at_a_time() {
    let mut feed = Feed::plain(Acknowledge::Automatic);
    feed.nothing(100, &begin(100));
    for oid in 1..=3 {
        feed.nothing(0, &relation(oid));
    }
    let frame = truncate(&[1, 2, 3]);
    for (index, oid) in (0_u32..).zip(1_u32..=3) {
        let event = feed.event(90, &frame);
        assert_eq!(event.position().index(), Some(u64::from(index)));
        assert_eq!((event.ordinal, event.lsn()), (index, lsn(90)));
        assert_eq!(event.table().unwrap().relation().oid().as_u32(), oid);
        feed.delivery.next_requested(0);
        assert_eq!(feed.delivery.is_unfinished(), oid < 3);
    }
    feed.nothing(100, &commit(100, 148));
    assert!(!feed.delivery.in_transaction());
}

#[test]
fn an_interrupted_truncate_continues_with_the_next_table() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    feed.nothing(100, &begin(100));
    feed.nothing(0, &relation(1));
    feed.nothing(0, &relation(2));
    let frame = truncate(&[1, 2]);
    let first = feed.event(90, &frame);
    feed.delivery.restart(feed.start);
    assert!(!feed.delivery.is_unfinished() && !feed.delivery.in_transaction());
    feed.nothing(100, &begin(100));
    let second = feed.event(90, &frame);
    assert_eq!(second.position().index(), Some(1));
    assert_ne!(first.message_id(), second.message_id());
    assert!(!feed.delivery.is_unfinished());
    assert!(Arc::ptr_eq(first.transaction().unwrap(), second.transaction().unwrap()));
}

#[test]
fn a_repetition_that_is_cut_too_does_not_split_the_transaction_after_it() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    feed.transaction(1000);
    feed.nothing(2000, &begin(2000));
    let first = feed.event(1990, &insert(1));
    feed.delivery.restart(feed.start);
    feed.nothing(1000, &begin(1000));
    feed.delivery.restart(feed.start);
    feed.nothing(2000, &begin(2000));
    feed.nothing(1990, &insert(1));
    let second = feed.event(1991, &insert(1));
    assert!(Arc::ptr_eq(first.transaction().unwrap(), second.transaction().unwrap()));
    feed.nothing(2000, &commit(2000, 2048));
    assert_eq!(first.transaction().unwrap().end_lsn(), Some(lsn(2048)));
}

#[test]
fn the_end_is_reached_by_a_commit_a_keepalive_or_what_follows() {
    let until = || Feed::new(Acknowledge::Automatic, Idle::Keepalives, Some(148));
    assert!(until().is_finished(148, &begin(148)));
    assert!(until().is_finished(156, &message("p", "x", 156)));
    assert!(matches!(until().keepalive(148), Outcome::Finished));
    assert!(matches!(until().keepalive(147), Outcome::Nothing));

    let mut feed = until();
    feed.nothing(100, &begin(100));
    // The server's WAL end has no meaning while a transaction is arriving.
    assert!(matches!(feed.keepalive(200), Outcome::Nothing));
    assert!(feed.is_finished(100, &commit(100, 148)));
    let mut feed = until();
    feed.nothing(90, &begin(90));
    feed.nothing(90, &commit(90, 147));
    feed.event(148, &message("p", "x", 148));
}

#[test]
fn a_commit_is_acknowledged_inside_its_record_and_only_when_whole() {
    let mut feed = Feed::plain(Acknowledge::Automatic);
    feed.transaction(1000);
    assert_eq!(feed.acknowledged(), 0);
    feed.delivery.next_requested(0);
    assert!((1001..1048).contains(&feed.acknowledged()), "{}", feed.acknowledged());
    assert!(!feed.acknowledged().is_multiple_of(8));

    feed.nothing(2000, &begin(2000));
    feed.event(1990, &insert(1));
    feed.delivery.next_requested(0);
    assert!(feed.acknowledged() < 1048);
    feed.nothing(2000, &commit(2000, 2048));
    assert!(feed.acknowledged() > 2000);
}

#[test]
fn a_commit_that_the_server_waits_for_is_acknowledged_to_its_end() {
    for mode in [Acknowledge::Automatic, Acknowledge::Manual] {
        let mut feed = Feed::plain(mode);
        feed.delivery.set_commits_wait(true);
        let event = feed.transaction(1000);
        feed.delivery.acknowledger().acknowledge(event.position()).unwrap();
        assert_eq!(feed.acknowledged(), 1048);
        feed.keepalive(5000);
        assert_eq!(feed.acknowledged(), 5000);
    }
}

#[test]
fn an_idle_stream_is_acknowledged_up_to_a_kilobyte_below_the_server() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    let event = feed.transaction(1000);
    feed.keepalive(50_000);
    assert_eq!(feed.acknowledged(), 0);
    assert!(!feed.delivery.is_idle());
    feed.delivery.acknowledger().acknowledge(event.position()).unwrap();
    assert!((48_976..50_000).contains(&feed.acknowledged()), "{}", feed.acknowledged());
    assert!(feed.delivery.is_idle());
    feed.nothing(60_000, &begin(60_000));
    assert!(!feed.delivery.is_idle());
}

#[test]
fn with_idle_never_only_acknowledgements_move_the_slot() {
    let mut feed = Feed::new(Acknowledge::Manual, Idle::Never, None);
    assert_eq!(feed.delivery.idle_position(), None);
    feed.keepalive(5000);
    feed.nothing(6000, &begin(6000));
    feed.nothing(6000, &commit(6000, 6048));
    assert_eq!((feed.acknowledged(), feed.delivery.idle_position()), (0, None));
    feed.keepalive(7000);
    let position = feed.delivery.idle_position().unwrap();
    assert_eq!(position.commit_lsn(), lsn(7000));
    feed.delivery.acknowledger().acknowledge(position).unwrap();
    assert_eq!(feed.acknowledged(), 7000);
}

#[test]
fn with_acknowledge_never_nothing_moves_the_slot() {
    let mut feed = Feed::plain(Acknowledge::Never);
    feed.transaction(1000);
    feed.delivery.next_requested(0);
    feed.keepalive(5000);
    feed.delivery.set_commits_wait(true);
    feed.transaction(6000);
    feed.keepalive(9000);
    let position = feed.delivery.idle_position().unwrap();
    feed.delivery.acknowledger().acknowledge_through(position).unwrap();
    assert_eq!(feed.acknowledged(), 0);
}

#[test]
fn transactions_without_events_move_the_slot_as_keepalives_do() {
    let mut feed = Feed::plain(Acknowledge::Automatic);
    feed.nothing(1000, &begin(1000));
    feed.nothing(1000, &commit(1000, 1048));
    assert_eq!(feed.acknowledged(), 1048);
}

#[test]
fn messages_of_the_reader_itself_are_not_delivered() {
    let idle = Idle::Message { prefix: "own".into(), interval: 2 * SECOND };
    let mut feed = Feed::new(Acknowledge::Automatic, idle, None);
    feed.nothing(1000, &message("own", "", 1000));
    assert_eq!(feed.acknowledged(), 1000);
    assert!(feed.delivery.is_idle());
    assert!(feed.delivery.idle_position().is_some());
    feed.keepalive(2000);
    assert_eq!(feed.acknowledged(), 1000, "only the messages count");
    for (prefix, content, end) in [("own", "text", 3000), ("other", "", 4000)] {
        let event = feed.event(end, &message(prefix, content, end));
        assert_eq!(event.position().index(), None);
        feed.delivery.next_requested(0);
        // Inside its record, so that it is not sent again.
        assert_eq!(feed.acknowledged(), end - 1);
    }
}

#[test]
fn a_server_that_skips_an_interrupted_transaction_is_an_error() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    feed.nothing(1000, &begin(1000));
    feed.nothing(0, &relation(1));
    feed.event(990, &insert(1));
    feed.delivery.restart(feed.start);
    let changed = |error| matches!(error, StreamError::TransactionChanged { .. });
    assert!(changed(feed.delivery.keepalive(lsn(2000), feed.start).unwrap_err()));
    assert!(changed(feed.once(2000, &begin(2000)).unwrap_err()));
}

#[test]
fn messages_out_of_sequence_are_errors() {
    for frames in [
        &[begin(100), begin(200)][..],
        &[commit(100, 148)],
        &[[&b"O"[..], &[0; 8], b"origin\0"].concat()],
        &[begin(100), commit(100, 148), commit(100, 148)],
    ] {
        let mut feed = Feed::plain(Acknowledge::Automatic);
        let (last, first) = frames.split_last().unwrap();
        for frame in first {
            feed.nothing(100, frame);
        }
        let error = feed.once(100, last).unwrap_err();
        assert!(matches!(error, StreamError::OutOfSequence { .. }), "{error:?}");
    }
    // A row outside of a transaction.
    let mut feed = Feed::plain(Acknowledge::Automatic);
    feed.nothing(0, &relation(1));
    assert!(matches!(feed.once(100, &insert(1)), Err(StreamError::OutOfSequence { .. })));
}

#[test]
fn a_silent_server_is_asked_for_its_position() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    let start = feed.start;
    assert_eq!(feed.delivery.due_at(start), start + 5 * SECOND);
    assert_eq!(feed.delivery.take_due(start + 4 * SECOND), Due::default());
    let request = Due { keepalive: true, message: None };
    assert_eq!(feed.delivery.take_due(start + 5 * SECOND), request);
    assert_eq!(feed.delivery.take_due(start + 9 * SECOND), Due::default());
    feed.keepalive(1000);
    assert_eq!(feed.delivery.due_at(start), start + 5 * SECOND);
    // While events are not acknowledged, another thread may acknowledge them.
    feed.transaction(2000);
    assert_eq!(feed.delivery.due_at(start), start + SECOND);
    feed.nothing(3000, &begin(3000));
    assert_eq!(feed.delivery.take_due(start + 60 * SECOND), Due::default());
}

#[test]
fn the_server_is_asked_immediately_whether_the_end_is_reached() {
    let mut feed = Feed::new(Acknowledge::Automatic, Idle::Never, Some(5000));
    let start = feed.start;
    assert_eq!(feed.delivery.due_at(start), start);
    let request = Due { keepalive: true, message: None };
    assert_eq!(feed.delivery.take_due(start), request);
    assert_eq!(feed.delivery.take_due(start), Due::default());
    let next = feed.delivery.due_at(start);
    assert!(next > start && next < start + SECOND);
    assert_eq!(feed.delivery.take_due(next), request);
    assert!(feed.delivery.due_at(start) > next);
    feed.delivery.restart(next);
    assert_eq!(feed.delivery.due_at(next), next);
    feed.nothing(1000, &begin(1000));
    assert_eq!(feed.delivery.take_due(next), request);
}

#[test]
fn idle_messages_are_due_once_an_interval() {
    let idle = Idle::Message { prefix: "own".into(), interval: 2 * SECOND };
    let mut feed = Feed::new(Acknowledge::Automatic, idle, None);
    let start = feed.start;
    let write = Due { keepalive: false, message: Some("own") };
    assert_eq!(feed.delivery.take_due(start + 2 * SECOND), write);
    assert_eq!(feed.delivery.due_at(start), start + 4 * SECOND);
    feed.nothing(1000, &message("own", "", 1000));
    assert_eq!(feed.delivery.due_at(start), start + 2 * SECOND);
}

#[test]
fn the_newest_commit_time_is_that_of_a_delivered_event() {
    let mut feed = Feed::plain(Acknowledge::Automatic);
    feed.nothing(100, &begin(100));
    assert_eq!(feed.delivery.last_commit_time(), None);
    feed.nothing(100, &commit(100, 148));
    feed.transaction(1000);
    assert_eq!(feed.delivery.last_commit_time(), Some(TimestampTz::from_micros(0)));
}

/// A server that shuts down waits for the flushed LSN, unless it is known to lag.
#[test]
fn the_flushed_lsn_lags_while_idle_unless_commits_wait() {
    for (mode, idle, commits_wait, lags) in [
        (Acknowledge::Automatic, Idle::Keepalives, false, true),
        (Acknowledge::Automatic, Idle::Keepalives, true, false),
        (Acknowledge::Manual, Idle::Never, false, true),
        (Acknowledge::Manual, Idle::Never, true, true),
    ] {
        let mut feed = Feed::new(mode, idle.clone(), None);
        feed.delivery.set_commits_wait(commits_wait);
        let lsns = feed.delivery.acknowledger().lsns();
        assert_eq!(lsns.lags_when_idle(), lags, "{mode:?} {idle:?} {commits_wait}");
    }
}

#[test]
fn with_stages_a_commit_is_acknowledged_to_its_end() {
    let mut feed = Feed::plain(Acknowledge::Stages);
    feed.delivery.set_commits_wait(false);
    let event = feed.transaction(1000);
    feed.delivery.acknowledger().acknowledge(event.position()).unwrap();
    assert_eq!(feed.acknowledged(), 1048);
}

#[test]
fn idle_messages_have_a_prefix_and_an_interval() {
    let Idle::Message { prefix, interval } = Idle::message() else { panic!() };
    assert_eq!((prefix.as_str(), interval), ("pgoutput.idle", 5 * SECOND));
}

#[test]
fn each_change_of_a_row_is_an_event_with_the_origin_of_its_transaction() {
    let mut feed = Feed::plain(Acknowledge::Automatic);
    feed.nothing(1000, &begin(1000));
    feed.nothing(0, &[&b"O"[..], &700_u64.to_be_bytes(), b"elsewhere\0"].concat());
    feed.nothing(0, &relation(1));
    feed.nothing(0, b"Y\0\0\x40\x01public\0mood\0");
    let update = b"U\0\0\0\x01N\0\x01t\0\0\0\x018".to_vec();
    let delete = b"D\0\0\0\x01K\0\x01t\0\0\0\x018".to_vec();
    for (frame, op) in [(insert(1), Op::Insert), (update, Op::Update), (delete, Op::Delete)] {
        let event = feed.event(900, &frame);
        assert_eq!(event.op(), op);
        let origin = event.transaction().unwrap().origin().unwrap();
        assert_eq!((&*origin.name, origin.commit_lsn), ("elsewhere", Some(lsn(700))));
    }
}

#[test]
fn messages_outside_of_transactions_are_acknowledged_one_by_one() {
    let mut feed = Feed::plain(Acknowledge::Manual);
    let first = feed.event(1000, &message("p", "x", 1000));
    let second = feed.event(2000, &message("p", "x", 2000));
    assert_eq!((first.delivery, second.delivery), (1, 2));
    feed.delivery.acknowledger().acknowledge(second.position()).unwrap();
    assert_eq!(feed.acknowledged(), 0);
    feed.delivery.acknowledger().acknowledge(first.position()).unwrap();
    assert_eq!(feed.acknowledged(), 1999);
}

#[test]
fn the_need_for_a_table_names_the_commit_of_its_rows() {
    let mut feed = Feed::plain(Acknowledge::Automatic);
    feed.nothing(1000, &begin(1000));
    feed.nothing(0, &relation(1));
    let frame = insert(1);
    let message = Message::decode(&frame, false).unwrap();
    let arrival = Arrival { lsn: lsn(900), order: 0 };
    let (schemas, start) = (&mut feed.schemas, feed.start);
    match feed.delivery.message(&message, arrival, schemas, || start, &mut feed.out).unwrap() {
        Outcome::Needs(Need::Table { commit_lsn, .. }) => assert_eq!(commit_lsn, lsn(1000)),
        other => panic!("{other:?}"),
    }
}
