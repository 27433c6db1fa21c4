//! A source without a server: a history of transactions, copied in a snapshot and then streamed,
//! over connections that can be cut after any message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Message, Oid, PrimaryKeepalive, TimestampTz};

use crate::delivery::Due;
use crate::error::{Error, ErrorKind};
use crate::event::{Copied, CopyContext, StreamIdentity};
use crate::schema::{Facts, Need, Schemas, TableDescription};
use crate::source::{CopyPart, CopyStep, Source, Step};
use crate::stream::{AcknowledgedLsns, StreamEvent};

/// The tables, in ascending order.
pub(super) const TABLES: [u32; 4] = [16_384, 16_385, 16_400, 70_000];

/// The rows of each table: values by key.
pub(super) type State = BTreeMap<u32, BTreeMap<u32, u32>>;

#[derive(Debug, Clone)]
pub(super) enum Change {
    Insert { table: u32, id: u32, value: u32 },
    Update { table: u32, id: u32, value: u32 },
    Delete { table: u32, id: u32 },
    Truncate(Vec<u32>),
}

pub(super) type History = Arc<[Vec<Change>]>;

/// The distance between commits.
const STEP: u64 = 100_000;

/// The start of the commit record of a transaction.
fn commit_lsn(transaction: usize) -> Lsn {
    Lsn::new((transaction as u64 + 1) * STEP)
}

/// The LSN of the snapshot with this number, which shows this many transactions. Every creation of
/// a slot has an LSN of its own.
pub(super) fn point(transactions: usize, number: usize) -> Lsn {
    Lsn::new(transactions as u64 * STEP + 40_000 + number as u64 * 64)
}

/// The WAL end of a server with this many transactions.
fn wal_end(transactions: usize) -> Lsn {
    Lsn::new(transactions as u64 * STEP + 80_000)
}

impl Change {
    /// Applies the change, which must fit the state.
    pub(super) fn apply(&self, state: &mut State) {
        match self {
            Self::Insert { table, id, value } => {
                let replaced = state.entry(*table).or_default().insert(*id, *value);
                assert_eq!(replaced, None, "{self:?}");
            }
            Self::Update { table, id, value } => {
                let replaced = state.entry(*table).or_default().insert(*id, *value);
                assert!(replaced.is_some(), "{self:?}");
            }
            Self::Delete { table, id } => {
                let removed = state.entry(*table).or_default().remove(id);
                assert!(removed.is_some(), "{self:?}");
            }
            Self::Truncate(tables) => {
                for table in tables {
                    state.entry(*table).or_default().clear();
                }
            }
        }
    }

    /// Applies the change again, or to a later state.
    pub(super) fn apply_again(&self, state: &mut State) {
        let mut rows = |table: &u32| std::mem::take(state.entry(*table).or_default());
        let (table, mut rows) = match self {
            Self::Insert { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. } => (*table, rows(table)),
            Self::Truncate(_) => return self.apply(state),
        };
        match self {
            Self::Insert { id, value, .. } | Self::Update { id, value, .. } => {
                rows.insert(*id, *value);
            }
            Self::Delete { id, .. } => drop(rows.remove(id)),
            Self::Truncate(_) => {}
        }
        state.insert(table, rows);
    }

    fn tables(&self) -> Vec<u32> {
        match self {
            Self::Insert { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. } => vec![*table],
            Self::Truncate(tables) => tables.clone(),
        }
    }

    fn frame(&self) -> Vec<u8> {
        match self {
            Self::Insert { table, id, value } => insert(*table, *id, *value),
            Self::Update { table, id, value } => {
                [&b"U"[..], &table.to_be_bytes(), b"N", &row(*id, *value)].concat()
            }
            Self::Delete { table, id } => {
                [&b"D"[..], &table.to_be_bytes(), b"K", &row(*id, 0)].concat()
            }
            Self::Truncate(tables) => {
                let count = u32::try_from(tables.len()).unwrap().to_be_bytes();
                let oids = tables.iter().flat_map(|table| table.to_be_bytes());
                [&b"T"[..], &count, b"\0", &oids.collect::<Vec<_>>()].concat()
            }
        }
    }
}

fn row(id: u32, value: u32) -> Vec<u8> {
    let values = [id, value].into_iter().flat_map(|value| {
        let text = value.to_string();
        let len = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&b"t"[..], &len, text.as_bytes()].concat()
    });
    [0, 2].into_iter().chain(values).collect()
}

fn insert(table: u32, id: u32, value: u32) -> Vec<u8> {
    [&b"I"[..], &table.to_be_bytes(), b"N", &row(id, value)].concat()
}

fn relation(table: u32) -> Vec<u8> {
    let columns = b"d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0v\0\0\0\0\x17\xff\xff\xff\xff";
    let name = format!("public\0t{table}\0");
    [&b"R"[..], &table.to_be_bytes(), name.as_bytes(), columns].concat()
}

/// The state after this many transactions.
pub(super) fn state(history: &[Vec<Change>], transactions: usize) -> State {
    let mut state = State::new();
    let changes = history.iter().take(transactions).flatten();
    changes.for_each(|change| change.apply(&mut state));
    state
}

/// What is sent, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// The number of transactions that are streamed.
    pub(super) end: usize,
    /// The numbers of messages after which each stream but the last is cut.
    pub(super) cuts: Vec<usize>,
    /// Whether the server reports its position after each transaction.
    pub(super) keepalives: bool,
}

#[derive(Debug)]
enum Sent {
    Message(Lsn, Vec<u8>),
    Keepalive(Lsn),
}

/// A part of a copy, with what [`CopyPart`] borrows.
#[derive(Debug)]
struct Part {
    step: CopyStep,
    context: Arc<CopyContext>,
    table: Option<u32>,
    relation: Vec<u8>,
    row: Vec<u8>,
    number: u64,
}

/// A copy of the tables that are not finished, as the reader makes it.
#[derive(Debug)]
pub(super) struct ModelCopy {
    point: Lsn,
    parts: VecDeque<Part>,
    current: Option<Part>,
}

impl ModelCopy {
    pub(super) fn new(
        rows: &State,
        point: Lsn,
        mut copied: Copied,
        repeats: bool,
        stream_lsn: Lsn,
        identity: &StreamIdentity,
    ) -> Self {
        let context = |within, after, number| {
            let identity = |copied| Arc::new(identity.with_copied(copied));
            let (within, after) = (identity(within), identity(after));
            Arc::new(CopyContext { within, after, stream_lsn, number })
        };
        let left = TABLES.into_iter().filter(|table| !copied.has(Oid::new(*table)));
        let (mut parts, mut tables) = (VecDeque::new(), 0);
        for table in left.collect::<Vec<_>>() {
            tables += 1;
            let (within, after) =
                (copied.during(Oid::new(table)), copied.with(Oid::new(table), point));
            let context = context(Some(within), Some(after.clone()), tables);
            let part = |step, row, number| Part {
                step,
                context: Arc::clone(&context),
                table: Some(table),
                relation: relation(table),
                row,
                number,
            };
            parts.push_back(part(CopyStep::Table, Vec::new(), 0));
            if repeats || copied.in_part() == Some(Oid::new(table)) {
                parts.push_back(part(CopyStep::Again, Vec::new(), 0));
            }
            for (number, (id, value)) in (1..).zip(rows.get(&table).into_iter().flatten()) {
                parts.push_back(part(CopyStep::Row, insert(table, *id, *value), number));
            }
            parts.push_back(part(CopyStep::TableEnd, Vec::new(), 0));
            copied = after;
        }
        let after = Some(copied.complete(point)).filter(|copied| copied.end() > stream_lsn);
        parts.push_back(Part {
            step: CopyStep::End,
            context: context(after.clone(), after, tables + 1),
            table: None,
            relation: Vec::new(),
            row: Vec::new(),
            number: 0,
        });
        Self { point, parts, current: None }
    }
}

#[derive(Debug)]
pub(super) struct Model {
    history: History,
    plan: Plan,
    copy: Option<ModelCopy>,
    /// Where every stream starts, unless more is acknowledged.
    start_lsn: Lsn,
    acknowledged: Arc<AcknowledgedLsns>,
    /// The LSN that the slot was confirmed at when a stream was lost.
    pub(super) confirmed: Lsn,
    sent: Vec<Sent>,
    at: usize,
    is_lost: bool,
}

impl Model {
    pub(super) fn new(
        history: History,
        plan: Plan,
        copy: Option<ModelCopy>,
        (start_lsn, confirmed): (Lsn, Lsn),
        acknowledged: Arc<AcknowledgedLsns>,
    ) -> Self {
        let mut model = Self {
            history,
            plan,
            copy,
            start_lsn,
            acknowledged,
            confirmed,
            sent: Vec::new(),
            at: 0,
            is_lost: false,
        };
        model.start();
        model
    }

    /// Starts a stream, as the server does: transactions are sent whole, from the first one whose
    /// commit record is not before the start.
    fn start(&mut self) {
        let from = self.start_lsn.max(self.confirmed);
        let mut described = BTreeSet::new();
        (self.sent, self.at) = (Vec::new(), 0);
        // A little has been written since the start, and nothing published.
        let little = Lsn::new(from.as_u64() / 8 * 8 + 96);
        let mut commits = (0..self.plan.end).map(commit_lsn);
        let is_before = |commit: Lsn| little < commit;
        if self.plan.keepalives && commits.find(|commit| *commit >= from).is_none_or(is_before) {
            self.sent.push(Sent::Keepalive(little));
        }
        for (index, changes) in self.history.iter().enumerate().take(self.plan.end) {
            let commit = commit_lsn(index);
            if commit < from {
                continue;
            }
            let lsn = commit.as_u64().to_be_bytes();
            let begin = [&b"B"[..], &lsn, &[0; 8], &[0, 0, 0, 9]].concat();
            self.sent.push(Sent::Message(commit, begin));
            for (number, change) in (1..).zip(changes) {
                for table in change.tables() {
                    if described.insert(table) {
                        self.sent.push(Sent::Message(Lsn::ZERO, relation(table)));
                    }
                }
                let lsn = Lsn::new(commit.as_u64() - 50_000 + number * 64);
                self.sent.push(Sent::Message(lsn, change.frame()));
            }
            let end = (commit.as_u64() + 48).to_be_bytes();
            let commit_message = [&b"C\0"[..], &lsn, &end, &[0; 8]].concat();
            self.sent.push(Sent::Message(commit, commit_message));
            if self.plan.keepalives {
                self.sent.push(Sent::Keepalive(wal_end(index + 1)));
            }
        }
        if self.plan.keepalives {
            self.sent.push(Sent::Keepalive(wal_end(self.plan.end)));
        }
    }
}

impl Source for Model {
    type Frame = usize;

    fn step(&mut self, _: impl FnOnce() -> Instant) -> Result<Step<usize>, Error> {
        if let Some(copy) = &mut self.copy {
            copy.current = copy.parts.pop_front();
            if let Some(part) = &copy.current {
                let step = part.step;
                if matches!(step, CopyStep::TableEnd) {
                    copy.current = None;
                }
                return Ok(Step::Copy(step));
            }
            self.copy = None;
            return Ok(Step::Restarted);
        }
        if std::mem::take(&mut self.is_lost) {
            self.confirmed = self.confirmed.max(self.acknowledged.flushed());
            self.start();
            return Ok(Step::Restarted);
        }
        if self.plan.cuts.first() == Some(&self.at) {
            self.plan.cuts.remove(0);
            let reset = io::ErrorKind::ConnectionReset.into();
            return Err(Error::io("reading from", "a model", reset));
        }
        let Some(sent) = self.sent.get(self.at) else { return Ok(Step::Stopped) };
        self.at += 1;
        Ok(match sent {
            Sent::Message(..) => Step::Message(self.at - 1),
            Sent::Keepalive(wal_end) => Step::Keepalive(PrimaryKeepalive {
                wal_end: *wal_end,
                send_time: TimestampTz::from_micros(0),
                reply: 0,
            }),
        })
    }

    fn step_after_stop(&mut self, _: Instant) -> Result<Step<usize>, Error> {
        Ok(Step::Stopped)
    }

    fn read(&mut self, frame: usize) -> Result<Option<StreamEvent<'_>>, Error> {
        let Some(Sent::Message(lsn, frame)) = self.sent.get(frame) else { return Ok(None) };
        Ok(Some(StreamEvent {
            wal_start: *lsn,
            wal_end: *lsn,
            send_time: TimestampTz::from_micros(0),
            message: Message::decode(frame, false)?,
            frame,
            in_stream: false,
        }))
    }

    fn copy_part(&self) -> Option<CopyPart<'_>> {
        let copy = self.copy.as_ref()?;
        let Part { context, table, relation, row, number, .. } = copy.current.as_ref()?;
        let (table, number) = (table.map(Oid::new), *number);
        Some(CopyPart { context, point: copy.point, table, relation, row, number })
    }

    fn release(&mut self) {}

    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error> {
        match need {
            Need::Table { relation, .. } => {
                Ok(Facts::Table(TableDescription::by_stream(relation, schemas.stream_types())))
            }
            other => panic!("{other:?}"),
        }
    }

    fn perform(&mut self, _: Due<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn commits_wait(&self) -> bool {
        false
    }

    fn caught_up(&mut self, _: Lsn) {}

    fn delivered(&mut self) {}

    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        if !matches!(error.kind(), ErrorKind::Io { .. }) {
            return Err(error);
        }
        self.is_lost = true;
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn start_lsn(&self) -> Lsn {
        self.start_lsn.max(self.confirmed)
    }

    fn is_stopped(&self) -> bool {
        false
    }

    fn is_stop(&self, _: &Error) -> bool {
        false
    }
}
