//! The records of one capture file after the other, and the facts among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use pgoutput_decode::{Lsn, Oid, PrimaryKeepalive, Relation, TimestampTz, XLogData};

use super::existing::{failed, name};
use super::facts::{self, TableKey, key_of};
use super::header::CaptureHeader;
use super::record::{Kind, Record, Records};
use super::{NOT_ITS_KIND, keepalive, lsn, message};
use crate::error::CaptureError;
use crate::schema::{Facts, Need, TableDescription};

/// A capture file that is to be read.
pub(crate) enum Input {
    Path(PathBuf),
    Reader(Box<dyn Read + Send>, String),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Reader(_, name) => name.fmt(f),
        }
    }
}

impl Input {
    fn open(self) -> Result<(Records, CaptureHeader, Record), CaptureError> {
        let mut records = match self {
            Self::Path(path) => {
                let file = File::open(&path).map_err(|error| failed("opening", &path, error))?;
                Records::new(Box::new(file), name(&path))
            }
            Self::Reader(reader, name) => Records::new(reader, name),
        };
        let mut record = Record::default();
        let header = super::read_header(&mut records, &mut record)?;
        Ok((records, header, record))
    }
}

/// The kind of the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    Message,
    Keepalive(PrimaryKeepalive),
    /// A new stream from this LSN.
    Restart(Lsn),
    Facts,
    /// There are no more records.
    End,
}

/// A message that was taken.
#[derive(Debug, Default)]
pub(crate) struct CapturedMessage(Record);

impl CapturedMessage {
    /// Returns the message with its LSNs.
    pub(crate) fn get(&self) -> XLogData<'_> {
        message(&self.0.payload).unwrap_or(XLogData {
            wal_start: Lsn::ZERO,
            wal_end: Lsn::ZERO,
            send_time: TimestampTz::from_micros(0),
            data: &[],
        })
    }
}

/// The records of the files of a capture, with one record of lookahead.
#[derive(Debug)]
pub(crate) struct Played {
    records: Records,
    header: CaptureHeader,
    /// The files that follow.
    inputs: VecDeque<Input>,
    record: Record,
    /// The kind of `record`, if it was not taken.
    ahead: Option<Ahead>,
    /// Whether the file repeats descriptions that the one before has.
    repeats: bool,
}

impl Played {
    /// Opens the first file.
    pub(crate) fn open(
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<(Self, CaptureHeader), CaptureError> {
        let mut inputs: VecDeque<_> = inputs.into_iter().collect();
        let first = inputs.pop_front();
        let first = first.unwrap_or_else(|| Input::Reader(Box::new(&[][..]), "no file".into()));
        let (records, header, record) = first.open()?;
        let played =
            Self { records, header: header.clone(), inputs, record, ahead: None, repeats: false };
        Ok((played, header))
    }

    /// The name of the file.
    pub(crate) fn name(&self) -> &str {
        self.records.name()
    }

    /// The end of the last whole record.
    pub(crate) fn offset(&self) -> u64 {
        self.records.offset()
    }

    fn corrupt(&self, reason: &'static str) -> CaptureError {
        self.records.corrupt(self.record.offset, reason)
    }

    /// Returns the kind of the next record.
    pub(crate) fn peek(&mut self) -> Result<Ahead, CaptureError> {
        loop {
            if let Some(ahead) = self.ahead {
                return Ok(ahead);
            }
            self.records.next(&mut self.record)?;
            let payload = &*self.record.payload;
            let damaged = || self.corrupt(NOT_ITS_KIND);
            self.ahead = match self.record.kind() {
                Kind::KNOWN if self.repeats => None,
                Kind::MESSAGE | Kind::KNOWN => Some(Ahead::Message),
                Kind::KEEPALIVE => Some(Ahead::Keepalive(keepalive(payload).ok_or_else(damaged)?)),
                Kind::RESTART => Some(Ahead::Restart(lsn(payload).ok_or_else(damaged)?)),
                Kind::POSITION => None,
                Kind::END => {
                    self.records.expect_end()?;
                    Some(self.next_file()?)
                }
                kind if kind.is_facts() => Some(Ahead::Facts),
                kind if kind.is_optional() => None,
                _ => return Err(super::unknown(&self.records, &self.record)),
            };
            if matches!(self.ahead, Some(Ahead::Message)) && self.record.payload.len() < 24 {
                return Err(self.corrupt(NOT_ITS_KIND));
            }
        }
    }

    /// Goes on to the next file.
    fn next_file(&mut self) -> Result<Ahead, CaptureError> {
        let Some(input) = self.inputs.pop_front() else { return Ok(Ahead::End) };
        let (records, header, _) = input.open()?;
        let not_next = |reason| CaptureError::NotNext {
            name: records.name().into(),
            before: self.records.name().into(),
            reason,
        };
        if header.capture != self.header.capture {
            return Err(not_next("it is of another capture"));
        }
        if header.file != self.header.file + 1 {
            return Err(not_next("its number is not the next one"));
        }
        self.repeats = header.continues;
        (self.records, self.header) = (records, header);
        if self.repeats {
            self.ahead = None;
            return self.peek();
        }
        Ok(Ahead::Restart(self.header.start_lsn))
    }

    /// Takes the next record, into this one if it is a message.
    pub(crate) fn take(&mut self, message: &mut CapturedMessage) {
        if self.ahead.take() == Some(Ahead::Message) {
            std::mem::swap(&mut self.record, &mut message.0);
        }
    }

    /// Takes the next record, which is one of facts.
    fn take_facts(&mut self) -> Answer {
        self.ahead = None;
        Answer { kind: self.record.kind(), payload: self.record.payload.as_slice().into() }
    }
}

/// An answer of the catalogue that was recorded.
#[derive(Debug, Clone)]
struct Answer {
    kind: Kind,
    payload: Box<[u8]>,
}

/// The greatest number of bytes of answers between two messages that were not asked for.
const UNUSED_LIMIT: usize = 64 << 20;

/// The number of descriptions that are kept for each table.
const VERSIONS: usize = 4;

/// The facts of a capture: those after the last message, in order, and the last ones before it.
#[derive(Debug, Default)]
pub(crate) struct KnownFacts {
    unused: VecDeque<Answer>,
    unused_bytes: usize,
    tables: BTreeMap<Oid, Vec<KnownTable>>,
    money: Option<u8>,
}

#[derive(Debug)]
struct KnownTable {
    number: u32,
    table: Box<[u8]>,
    types: Option<Box<[u8]>>,
}

impl KnownFacts {
    /// Takes the facts that come next, without an answer to a need.
    pub(crate) fn pass(&mut self, played: &mut Played) -> Result<(), CaptureError> {
        while let Some(answer) = self.unused.pop_front() {
            self.know(answer);
        }
        self.unused_bytes = 0;
        while played.peek()? == Ahead::Facts {
            let answer = played.take_facts();
            self.know(answer);
        }
        Ok(())
    }

    /// Returns the answer to a need; `None` if the capture has none.
    pub(crate) fn answer(
        &mut self,
        need: &Need,
        played: &mut Played,
    ) -> Result<Option<Facts>, CaptureError> {
        let unused = self.unused.iter().position(|answer| answer.is_to(need));
        if let Some(answer) = unused.and_then(|index| self.unused.remove(index)) {
            self.unused_bytes -= answer.payload.len();
            return self.read(need, answer, played).map(Some);
        }
        while played.peek()? == Ahead::Facts {
            let answer = played.take_facts();
            if answer.is_to(need) {
                return self.read(need, answer, played).map(Some);
            }
            self.unused_bytes += answer.payload.len();
            self.unused.push_back(answer);
            if self.unused_bytes > UNUSED_LIMIT {
                return Err(played.corrupt("too many facts that nothing needs"));
            }
        }
        Ok(self.last(need))
    }

    fn read(
        &mut self,
        need: &Need,
        answer: Answer,
        played: &Played,
    ) -> Result<Facts, CaptureError> {
        let payload = &*answer.payload;
        let read = match need {
            Need::Table { relation, .. } => facts::table(payload, relation).map(Facts::Table),
            Need::Types { .. } => {
                facts::types(payload).map(|(queried_at, types)| Facts::Types { queried_at, types })
            }
            Need::MoneyDigits => facts::money(payload).map(Facts::MoneyDigits),
            Need::Dropped { .. } => facts::dropped(payload)
                .map(|(tables, answered_at)| Facts::Dropped { tables, answered_at }),
        };
        self.know(answer);
        read.ok_or_else(|| played.corrupt(NOT_ITS_KIND))
    }

    /// Records an answer as the last one.
    fn know(&mut self, answer: Answer) {
        let Answer { kind, payload } = answer;
        match kind {
            Kind::TABLE => {
                let Some((oid, number)) = facts::key(&payload) else { return };
                let versions = self.tables.entry(oid).or_default();
                versions.retain(|version| version.number != number);
                if versions.len() == VERSIONS {
                    versions.remove(0);
                }
                versions.push(KnownTable { number, table: payload, types: None });
            }
            Kind::TYPES => {
                let Some(key) = facts::key(&payload) else { return };
                if let Some(known) = self.table(key) {
                    known.types = Some(payload);
                }
            }
            Kind::MONEY => self.money = facts::money(&payload).or(self.money),
            _ => {}
        }
    }

    fn table(&mut self, (oid, number): TableKey) -> Option<&mut KnownTable> {
        self.tables.get_mut(&oid)?.iter_mut().find(|version| version.number == number)
    }

    /// Returns the last answer, as the capturing reader knew it.
    fn last(&mut self, need: &Need) -> Option<Facts> {
        Some(match need {
            Need::Table { relation, .. } => Facts::Table(self.last_table(relation)?),
            Need::Types { relation } => {
                // The capturing reader went on with what it knew. It may have a newer answer later.
                let types = self.last_table(relation)?.types;
                Facts::Types { queried_at: Lsn::ZERO, types }
            }
            Need::MoneyDigits => Facts::MoneyDigits(self.money?),
            Need::Dropped { .. } => {
                Facts::Dropped { tables: BTreeSet::new(), answered_at: Lsn::ZERO }
            }
        })
    }

    fn last_table(&mut self, relation: &Relation) -> Option<TableDescription> {
        let known = self.table(key_of(relation))?;
        let mut table = facts::table(&known.table, relation)?;
        if let Some((_, types)) = known.types.as_deref().and_then(facts::types) {
            table.types = types;
        }
        Some(table)
    }
}

impl Answer {
    fn is_to(&self, need: &Need) -> bool {
        match need {
            Need::Table { relation, .. } => {
                self.kind == Kind::TABLE && facts::key(&self.payload) == Some(key_of(relation))
            }
            Need::Types { relation } => {
                self.kind == Kind::TYPES && facts::key(&self.payload) == Some(key_of(relation))
            }
            Need::MoneyDigits => self.kind == Kind::MONEY,
            Need::Dropped { .. } => self.kind == Kind::DROPPED,
        }
    }
}
