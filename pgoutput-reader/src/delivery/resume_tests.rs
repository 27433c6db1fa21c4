//! A server that repeats from anywhere, a connection that is cut anywhere: every event exactly once, in order.

use proptest::prelude::*;

use super::*;

/// What the log holds, in its order.
#[derive(Debug, Clone)]
enum Item {
    /// A transaction's events, by the place of their records. Rows of one record share it.
    Transaction { commit_lsn: Lsn, events: Vec<Lsn> },
    /// Where a message outside of transactions starts and where it ends, which is its position.
    Message { start: Lsn, lsn: Lsn },
}

impl Item {
    /// Where the record stands that decides whether it is sent.
    fn start(&self) -> Lsn {
        match self {
            Self::Transaction { commit_lsn, .. } => *commit_lsn,
            Self::Message { start, .. } => *start,
        }
    }
}

/// What the server sends, one after the other.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Begin(Lsn),
    Event(Lsn),
    Commit,
    Message(Lsn),
    Keepalive(Lsn),
}

/// Who gets the events.
#[derive(Debug, Default)]
struct Consumer {
    resume: Resume,
    open: Lsn,
    /// Transaction and place of each event; messages have no transaction.
    got: Vec<(Option<Lsn>, Lsn)>,
    /// Transactions whose end was news.
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
                    self.resume.made(lsn);
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

/// Lays items out in a log: each takes the room of its records. Transactions overlap in real logs; only commits matter here.
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

/// Everything from the confirmed position on; empty transactions and keepalives come or not.
fn sent(log: &[Item], confirmed: Lsn, talkative: bool) -> Vec<Sent> {
    let mut sent = Vec::new();
    for item in log.iter().filter(|item| item.start() >= confirmed) {
        if talkative {
            sent.push(Sent::Keepalive(item.start()));
        }
        match item {
            Item::Transaction { events, .. } if events.is_empty() && !talkative => {}
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

/// The furthest that may be confirmed: the first item that was not delivered whole must come again.
fn confirmable(log: &[Item], consumer: &Consumer) -> Vec<Lsn> {
    let delivered = |item: &&Item| match item {
        Item::Transaction { commit_lsn, events } => {
            events.is_empty() || consumer.whole.contains(commit_lsn)
        }
        Item::Message { lsn, .. } => consumer.got.contains(&(None, *lsn)),
    };
    let taken = log.iter().take_while(delivered).count();
    let positions = log.iter().take(taken + 1).map(Item::start);
    std::iter::once(Lsn::ZERO).chain(positions).collect()
}

proptest! {
    #[test]
    fn every_event_comes_exactly_once(
        log in log(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 0..6),
    ) {
        let mut consumer = Consumer::default();
        let mut confirmed = Lsn::ZERO;
        for (at, position, talkative) in cuts {
            let sent = sent(&log, confirmed, talkative);
            for sent in &sent[..at.index(sent.len() + 1)] {
                consumer.take(*sent).unwrap();
            }
            consumer.resume.cut();
            // Also back: a server that crashed may have forgotten what it was told.
            confirmed = *position.get(&confirmable(&log, &consumer));
        }
        for sent in sent(&log, confirmed, true) {
            consumer.take(sent).unwrap();
        }
        prop_assert_eq!(&consumer.got, &everything(&log));
        let mut whole = consumer.whole.clone();
        whole.dedup();
        prop_assert_eq!(whole.len(), consumer.whole.len(), "the end of a transaction was news twice");
    }
}

/// Three events of one transaction were made when the connection was lost.
fn cut_in_the_middle() -> Consumer {
    let mut consumer = Consumer::default();
    for sent in
        [Sent::Begin(lsn(50)), Sent::Event(lsn(10)), Sent::Event(lsn(20)), Sent::Event(lsn(20))]
    {
        consumer.take(sent).unwrap();
    }
    consumer.resume.cut();
    consumer
}

fn changed(again: u64) -> StreamError {
    StreamError::TransactionChanged { commit_lsn: lsn(50), delivered: 3, again }
}

#[test]
fn a_transaction_that_comes_back_with_fewer_events_is_an_error() {
    let mut consumer = cut_in_the_middle();
    for sent in [Sent::Begin(lsn(50)), Sent::Event(lsn(10)), Sent::Event(lsn(20))] {
        consumer.take(sent).unwrap();
    }
    assert_eq!(consumer.take(Sent::Commit), Err(changed(2)));
}

#[test]
fn a_transaction_that_comes_back_with_other_events_is_an_error() {
    let mut consumer = cut_in_the_middle();
    for sent in [Sent::Begin(lsn(50)), Sent::Event(lsn(10)), Sent::Event(lsn(20))] {
        consumer.take(sent).unwrap();
    }
    assert_eq!(consumer.take(Sent::Event(lsn(30))), Err(changed(2)));
}

#[test]
fn a_cut_transaction_that_is_passed_over_is_an_error() {
    for passed in [Sent::Begin(lsn(60)), Sent::Message(lsn(60)), Sent::Keepalive(lsn(60))] {
        assert_eq!(cut_in_the_middle().take(passed), Err(changed(0)), "{passed:?}");
    }
    for before in [Sent::Begin(lsn(40)), Sent::Message(lsn(40)), Sent::Keepalive(lsn(50))] {
        assert_eq!(cut_in_the_middle().take(before), Ok(()), "{before:?}");
    }
}
