//! A server that repeats from any LSN over connections that are cut anywhere: every event is
//! delivered exactly once, in order.

use proptest::prelude::*;

use super::*;

/// An entry of the WAL, in its order.
#[derive(Debug, Clone)]
enum Item {
    /// A transaction with the LSNs of its events. Rows of one record share one.
    Transaction { commit_lsn: Lsn, events: Vec<Lsn> },
    /// The start and the end of a message outside of transactions. The end is its LSN.
    Message { start: Lsn, lsn: Lsn },
}

impl Item {
    /// The start of the record that decides whether it is sent.
    fn start(&self) -> Lsn {
        match self {
            Self::Transaction { commit_lsn, .. } => *commit_lsn,
            Self::Message { start, .. } => *start,
        }
    }
}

/// A message of the server.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Begin(Lsn),
    Event(Lsn),
    Commit,
    Message(Lsn),
    Keepalive(Lsn),
}

/// A consumer of events.
#[derive(Debug, Default)]
struct Consumer {
    resume: Resume,
    open: Lsn,
    /// The transaction and the LSN of each event; messages have no transaction.
    got: Vec<(Option<Lsn>, Lsn)>,
    /// The transactions whose end was new.
    whole: Vec<Lsn>,
}

impl Consumer {
    fn take(&mut self, sent: Sent) -> Result<(), StreamError> {
        match sent {
            Sent::Begin(commit_lsn) => {
                self.open = commit_lsn;
                self.resume.begin(commit_lsn)?;
            }
            Sent::Event(lsn) => {
                if !self.resume.skip(lsn)? {
                    self.resume.delivered(lsn);
                    self.got.push((Some(self.open), lsn));
                }
            }
            Sent::Commit => {
                if self.resume.commit()? {
                    self.whole.push(self.open);
                }
            }
            Sent::Message(lsn) => {
                if !self.resume.skip_message(lsn)? {
                    self.got.push((None, lsn));
                }
            }
            Sent::Keepalive(lsn) => self.resume.reached(lsn)?,
        }
        Ok(())
    }
}

fn lsn(n: u64) -> Lsn {
    Lsn::new(n)
}

/// Places items in a WAL: each takes the space of its records. Transactions overlap in a real WAL;
/// only the order of commits matters here.
fn log() -> impl Strategy<Value = Vec<Item>> {
    let transaction = prop::collection::vec(0_u64..2, 0..6).prop_map(Some);
    prop::collection::vec(prop_oneof![4 => transaction, 1 => Just(None)], 1..8).prop_map(|items| {
        let mut at = 100;
        items
            .into_iter()
            .map(|item| {
                if let Some(steps) = item {
                    let events = steps
                        .into_iter()
                        .map(|step| {
                            at += step * 8;
                            lsn(at)
                        })
                        .collect();
                    at += 8;
                    let commit_lsn = lsn(at);
                    at += 8;
                    Item::Transaction { commit_lsn, events }
                } else {
                    let start = lsn(at);
                    at += 8;
                    Item::Message { start, lsn: lsn(at) }
                }
            })
            .collect()
    })
}

/// Everything from the confirmed LSN on. Empty transactions and keepalives are sent or not.
fn sent(log: &[Item], confirmed: Lsn, with_keepalives: bool) -> Vec<Sent> {
    let mut sent = Vec::new();
    for item in log.iter().filter(|item| item.start() >= confirmed) {
        if with_keepalives {
            sent.push(Sent::Keepalive(item.start()));
        }
        match item {
            Item::Transaction { events, .. } if events.is_empty() && !with_keepalives => {}
            Item::Transaction { commit_lsn, events } => {
                sent.push(Sent::Begin(*commit_lsn));
                sent.extend(events.iter().copied().map(Sent::Event));
                sent.push(Sent::Commit);
            }
            Item::Message { lsn, .. } => sent.push(Sent::Message(*lsn)),
        }
    }
    sent
}

fn everything(log: &[Item]) -> Vec<(Option<Lsn>, Lsn)> {
    let events = |item: &Item| match item {
        Item::Transaction { commit_lsn, events } => {
            events.iter().map(|lsn| (Some(*commit_lsn), *lsn)).collect()
        }
        Item::Message { lsn, .. } => vec![(None, *lsn)],
    };
    log.iter().flat_map(events).collect()
}

/// The LSNs that may be confirmed: the first item that was not delivered completely must be sent
/// again.
fn confirmable(log: &[Item], consumer: &Consumer) -> Vec<Lsn> {
    let delivered = |item: &&Item| match item {
        Item::Transaction { commit_lsn, events } => {
            events.is_empty() || consumer.whole.contains(commit_lsn)
        }
        Item::Message { lsn, .. } => consumer.got.contains(&(None, *lsn)),
    };
    let whole = log.iter().take_while(delivered).count();
    let positions = log.iter().take(whole + 1).map(Item::start);
    std::iter::once(Lsn::ZERO).chain(positions).collect()
}

proptest! {
    #[test]
    fn every_event_is_delivered_exactly_once(
        log in log(),
        cuts in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()),
            0..6,
        ),
    ) {
        let mut consumer = Consumer::default();
        let mut confirmed = Lsn::ZERO;
        for (at, position, with_keepalives) in cuts {
            let sent = sent(&log, confirmed, with_keepalives);
            for sent in &sent[..at.index(sent.len() + 1)] {
                consumer.take(*sent).unwrap();
            }
            // It may also decrease: a server that crashed may have lost what was reported to it.
            confirmed = *position.get(&confirmable(&log, &consumer));
        }
        for sent in sent(&log, confirmed, true) {
            consumer.take(sent).unwrap();
        }
        prop_assert_eq!(&consumer.got, &everything(&log));
        let mut whole = consumer.whole.clone();
        whole.dedup();
        prop_assert_eq!(whole.len(), consumer.whole.len(), "a transaction ended twice");
    }
}

/// A consumer that lost its connection after three events of one transaction.
fn cut_in_the_middle() -> Consumer {
    let mut consumer = Consumer::default();
    for sent in
        [Sent::Begin(lsn(50)), Sent::Event(lsn(10)), Sent::Event(lsn(20)), Sent::Event(lsn(20))]
    {
        consumer.take(sent).unwrap();
    }
    consumer
}

fn changed(again: u64) -> StreamError {
    StreamError::TransactionChanged { commit_lsn: lsn(50), delivered: 3, again }
}

#[test]
fn a_transaction_repeated_with_fewer_events_is_an_error() {
    let mut consumer = cut_in_the_middle();
    for sent in [Sent::Begin(lsn(50)), Sent::Event(lsn(10)), Sent::Event(lsn(20))] {
        consumer.take(sent).unwrap();
    }
    assert_eq!(consumer.take(Sent::Commit), Err(changed(2)));
}

#[test]
fn a_transaction_repeated_with_other_events_is_an_error() {
    let mut consumer = cut_in_the_middle();
    for sent in [Sent::Begin(lsn(50)), Sent::Event(lsn(10)), Sent::Event(lsn(20))] {
        consumer.take(sent).unwrap();
    }
    assert_eq!(consumer.take(Sent::Event(lsn(30))), Err(changed(2)));
}

#[test]
fn an_interrupted_transaction_that_the_server_skips_is_an_error() {
    for passed in [Sent::Begin(lsn(60)), Sent::Message(lsn(60)), Sent::Keepalive(lsn(60))] {
        assert_eq!(cut_in_the_middle().take(passed), Err(changed(0)), "{passed:?}");
    }
    for before in [Sent::Begin(lsn(40)), Sent::Message(lsn(40)), Sent::Keepalive(lsn(50))] {
        assert_eq!(cut_in_the_middle().take(before), Ok(()), "{before:?}");
    }
}

/// A transaction of four events, of which the first three were delivered: the number of its events
/// that count as delivered, with the slot confirmed up to `confirmed`.
fn skipped_after_position(confirmed: u64) -> usize {
    skipped_after_index("2", confirmed)
}

fn skipped_after_index(index: &str, confirmed: u64) -> usize {
    let position = format!("1:7:1:s:00000000000000aa:0/1000:{index}.").parse().unwrap();
    let mut resume = Resume::after(&position, Lsn::new(confirmed));
    resume.begin(Lsn::new(0x1000)).unwrap();
    (0..4).take_while(|lsn| resume.skip(Lsn::new(*lsn)).unwrap()).count()
}

#[test]
fn a_position_resumes_inside_its_transaction_unless_all_of_it_was_confirmed() {
    assert_eq!(skipped_after_position(0xFFF), 3);
    assert_eq!(skipped_after_position(0x1000), 3);
    assert_eq!(skipped_after_position(0x1001), 4);
}

#[test]
fn a_description_resumes_before_the_event_that_it_belongs_to() {
    for (index, skipped) in [("s0", 0), ("0", 1), ("s1", 1), ("s3", 3), ("end", 4)] {
        assert_eq!(skipped_after_index(index, 0xFFF), skipped, "{index}");
        assert_eq!(skipped_after_index(index, 0x1001), 4, "{index}");
    }
    let position = "1:7:1:s:00000000000000aa:0/1000:s0.".parse().unwrap();
    let mut resume = Resume::after(&position, Lsn::ZERO);
    assert!(resume.has_described() && resume.is_interrupted());
    resume.begin(Lsn::new(0x1000)).unwrap();
    assert!(!resume.skip(Lsn::new(1)).unwrap());
    resume.delivered(Lsn::new(1));
    assert!(!resume.has_described());
    // The server passes over the transaction.
    let resume = Resume::after(&position, Lsn::ZERO);
    assert!(resume.reached(Lsn::new(0x1001)).is_err());
}

#[test]
fn a_position_outside_of_transactions_resumes_after_it() {
    let position = "1:7:1:s:00000000000000aa:0/1000:-.".parse().unwrap();
    let mut resume = Resume::after(&position, Lsn::ZERO);
    assert!(resume.skip_message(Lsn::new(0x1000)).unwrap());
    assert!(!resume.skip_message(Lsn::new(0x1001)).unwrap());
    resume.begin(Lsn::new(0x2000)).unwrap();
    assert!(!resume.skip(Lsn::new(0x1F00)).unwrap());
}
