//! The LSNs of the history, and what a server sends of it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use pgoutput_decode::Lsn;

use super::history::{History, Transaction, relation};

/// The distance between commits.
const STEP: u64 = 1_000_000;

/// The start of the commit record of a transaction.
pub(super) fn commit_lsn(transaction: usize) -> Lsn {
    Lsn::new((transaction as u64 + 1) * STEP)
}

/// The LSN of a change. It is before the commits that the transaction spans, and before the
/// snapshots that are taken meanwhile.
fn change_lsn(transaction: usize, spans: usize, number: u64) -> Lsn {
    let begun = (transaction - spans.min(transaction)) as u64 * STEP + STEP / 2;
    Lsn::new(begun + transaction as u64 * 1024 + number * 64)
}

/// The WAL that is written outside of transactions. Each record has an LSN of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Wal(Rc<Cell<u64>>);

impl Wal {
    /// Returns the LSN after the records so far, and after this many transactions.
    pub(super) fn end(&self, transactions: usize) -> Lsn {
        self.0.set(self.0.get() + 1);
        assert!(self.0.get() * 64 < STEP / 2 - 4096, "too many records");
        Lsn::new(transactions as u64 * STEP + 4096 + self.0.get() * 64)
    }
}

#[derive(Debug)]
pub(super) enum Sent {
    Message { lsn: Lsn, frame: Vec<u8>, in_chunk: bool },
    Keepalive(Lsn),
}

/// Returns what a server sends of the first transactions, of which whole ones are sent if their
/// commit record is not before the start, and in a chunk as soon as possible.
pub(super) fn sent(
    history: &History,
    end: usize,
    (start_lsn, confirmed): (Lsn, Lsn),
    keepalives: Option<&Wal>,
) -> Vec<Sent> {
    let from = start_lsn.max(confirmed);
    let mut described = BTreeSet::new();
    let mut parts: Vec<(Lsn, Vec<Sent>)> = Vec::new();
    for (index, transaction) in history.iter().enumerate().take(end) {
        let commit = commit_lsn(index);
        if commit < from {
            continue;
        }
        let (changes, last) = changes(index, transaction, &mut described);
        if transaction.is_chunk {
            parts.push((last.max(from), changes));
            parts.push((commit, vec![stream_commit(index)]));
        } else {
            parts.push((commit, whole(index, changes)));
        }
    }
    if let Some(wal) = keepalives {
        // The server reports its position also while it reads what it does not send: from the
        // restart LSN on.
        let restart = Lsn::new((confirmed.as_u64() / 8 * 8).saturating_sub(4096));
        let little = Lsn::new(from.as_u64() / 8 * 8 + 96);
        let commits = (0..end).map(commit_lsn);
        let after = commits.map(|commit| Lsn::new(commit.as_u64() + 2048));
        let lsns = [restart, confirmed, from, little].into_iter().chain(after);
        let is_read = |lsn: &Lsn| *lsn >= restart;
        parts.extend(lsns.filter(is_read).map(|lsn| (lsn, vec![Sent::Keepalive(lsn)])));
        let lsn = wal.end(end);
        parts.push((lsn, vec![Sent::Keepalive(lsn)]));
    }
    parts.sort_by_key(|(lsn, sent)| (*lsn, !matches!(sent[0], Sent::Keepalive(_))));
    parts.into_iter().flat_map(|(_, sent)| sent).collect()
}

fn message(lsn: Lsn, parts: &[&[u8]]) -> Sent {
    Sent::Message { lsn, frame: parts.concat(), in_chunk: false }
}

fn xid(transaction: usize) -> u32 {
    700 + u32::try_from(transaction).unwrap()
}

/// Returns the messages of the changes, and the LSN of the last one.
fn changes(
    index: usize,
    transaction: &Transaction,
    described: &mut BTreeSet<u32>,
) -> (Vec<Sent>, Lsn) {
    let xid = transaction.is_chunk.then(|| xid(index));
    let in_chunk = xid.is_some();
    let (mut sent, mut last, mut in_this) = (Vec::new(), Lsn::ZERO, BTreeSet::new());
    let described = if in_chunk { &mut in_this } else { described };
    if let Some(xid) = xid {
        sent.push(message(Lsn::ZERO, &[b"S", &xid.to_be_bytes(), b"\x01"]));
    }
    for (number, change) in (1..).zip(&transaction.changes) {
        for table in change.tables() {
            if described.insert(table) {
                let frame = relation(table, xid);
                sent.push(Sent::Message { lsn: Lsn::ZERO, frame, in_chunk });
            }
        }
        last = change_lsn(index, transaction.spans, number);
        sent.push(Sent::Message { lsn: last, frame: change.frame(xid), in_chunk });
    }
    if in_chunk {
        sent.push(Sent::Message { lsn: Lsn::ZERO, frame: b"E".to_vec(), in_chunk });
    }
    (sent, last)
}

fn whole(index: usize, changes: Vec<Sent>) -> Vec<Sent> {
    let commit = commit_lsn(index);
    let (lsn, end) = (commit.as_u64().to_be_bytes(), (commit.as_u64() + 48).to_be_bytes());
    let begin = message(commit, &[b"B", &lsn, &[0; 8], &xid(index).to_be_bytes()]);
    let commit = message(commit, &[b"C\0", &lsn, &end, &[0; 8]]);
    [begin].into_iter().chain(changes).chain([commit]).collect()
}

fn stream_commit(index: usize) -> Sent {
    let commit = commit_lsn(index);
    let (lsn, end) = (commit.as_u64().to_be_bytes(), (commit.as_u64() + 48).to_be_bytes());
    message(commit, &[b"c", &xid(index).to_be_bytes(), b"\0", &lsn, &end, &[0; 8]])
}
