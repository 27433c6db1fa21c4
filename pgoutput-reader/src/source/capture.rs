//! A recorded capture as a source: a server that repeats the events that it does not know to be
//! acknowledged, over a connection that can be cut after any message.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{CopyData, XLogData};
use pgoutput_decode::{Decoder, Lsn, Message, Oid, TimestampTz};

use super::{Source, Step};
use crate::delivery::Due;
use crate::error::{Error, ErrorKind};
use crate::io::{BodyRange, Inbox};
use crate::schema::{Facts, Need, Schemas, TableDescription};
use crate::stream::{AcknowledgedLsns, StreamEvent};

/// A message of a capture and the LSN in its envelope.
pub(crate) type Recorded = (Lsn, Vec<u8>);

/// A transaction, or a message outside of transactions.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// The start of the record that decides whether the server sends it.
    pub(crate) start: Lsn,
    pub(crate) end: Lsn,
    pub(crate) messages: Vec<Recorded>,
}

/// Reads the messages of a committed capture, such as `15/proto1-messages`.
pub(crate) fn messages(name: &str) -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let path = folder.join(name).with_extension("hex");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().filter_map(recorded).collect()
}

/// Reads a capture with transactions in progress as one unit, which every stream repeats.
pub(crate) fn undivided(name: &str) -> Vec<Unit> {
    vec![Unit { start: Lsn::MAX, end: Lsn::ZERO, messages: messages(name) }]
}

/// Leaves out transactional messages, which a stream with transactions in progress does not have.
pub(crate) fn without_messages(mut units: Vec<Unit>) -> Vec<Unit> {
    let mut decoder = Decoder::new();
    for unit in &mut units {
        unit.messages.retain(|(_, bytes)| match decoder.decode(bytes).unwrap() {
            Message::Message(body) => !body.flags.is_transactional(),
            _ => true,
        });
    }
    units
}

/// Reads the units of a capture in which every transaction was sent after its commit.
pub(crate) fn units(name: &str) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut open = Vec::new();
    for (lsn, bytes) in messages(name) {
        let ends = match Message::decode(&bytes, false).unwrap() {
            Message::Commit(commit) => Some((commit.commit_lsn, commit.end_lsn)),
            Message::Message(body) if !body.flags.is_transactional() => {
                Some((Lsn::new(body.lsn.as_u64() - 8), body.lsn))
            }
            _ => None,
        };
        open.push((lsn, bytes));
        if let Some((start, end)) = ends {
            units.push(Unit { start, end, messages: std::mem::take(&mut open) });
        }
    }
    assert!(open.is_empty() && units.len() > 10, "{name}: {} units", units.len());
    units
}

fn recorded(line: &str) -> Option<Recorded> {
    let (data, _) = line.split_once('#').unwrap_or((line, ""));
    let (lsn, hex) = data.trim().split_once(' ')?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    Some((lsn.parse().unwrap(), hex.trim().as_bytes().chunks(2).map(byte).collect()))
}

/// The way in which a capture is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// The number of bytes that arrive at a time; zero for all at once.
    pub(crate) chunk: usize,
    /// The numbers of messages after which each connection but the last is cut.
    pub(crate) cuts: Vec<usize>,
    /// Whether the server reports its position after each unit.
    pub(crate) keepalives: bool,
    /// Whether the program has stopped the reader.
    pub(crate) stopped: bool,
}

/// A source that sends a capture.
#[derive(Debug)]
pub(crate) struct Capture {
    units: Arc<[Unit]>,
    pub(crate) plan: Plan,
    acknowledged: Arc<AcknowledgedLsns>,
    /// The LSNs that the streams after the first were started from.
    pub(crate) started_from: Vec<Lsn>,
    decoder: Decoder,
    inbox: Inbox,
    /// The bytes of the connection, and the number of them that have arrived.
    wire: Vec<u8>,
    arrived: usize,
    /// The number of messages read from this connection.
    read: usize,
    is_lost: bool,
}

/// The range of a message in the receive buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CapturedFrame {
    body: BodyRange,
    wal_start: Lsn,
    wal_end: Lsn,
    send_time: TimestampTz,
}

impl Capture {
    pub(crate) fn new(units: Arc<[Unit]>, plan: Plan, acknowledged: Arc<AcknowledgedLsns>) -> Self {
        let mut capture = Self {
            units,
            plan,
            acknowledged,
            started_from: Vec::new(),
            decoder: Decoder::new(),
            inbox: Inbox::new(usize::MAX),
            wire: Vec::new(),
            arrived: 0,
            read: 0,
            is_lost: false,
        };
        capture.start(Lsn::ZERO);
        capture
    }

    /// Starts a stream from this LSN. As a server does, it describes a table before its first row.
    fn start(&mut self, from: Lsn) {
        let mut definitions: BTreeMap<(u8, Oid), Recorded> = BTreeMap::new();
        let mut sent = BTreeMap::new();
        let mut wire = Vec::new();
        for unit in self.units.iter() {
            if unit.start == Lsn::MAX {
                unit.messages.iter().for_each(|(lsn, bytes)| xlog_data(&mut wire, *lsn, bytes));
                continue;
            }
            let is_sent = unit.start >= from;
            for recorded in &unit.messages {
                let (lsn, bytes) = recorded;
                let tables: Vec<Oid> = match Message::decode(bytes, false).unwrap() {
                    Message::Relation(body) => {
                        definitions.insert((b'R', body.oid), recorded.clone());
                        continue;
                    }
                    Message::Type(body) => {
                        definitions.insert((b'Y', body.oid), recorded.clone());
                        continue;
                    }
                    Message::Insert(body) => vec![body.relation],
                    Message::Update(body) => vec![body.relation],
                    Message::Delete(body) => vec![body.relation],
                    Message::Truncate(body) => body.relations.into_iter().collect(),
                    _ => Vec::new(),
                };
                if !is_sent {
                    continue;
                }
                for table in tables {
                    let definition = &definitions[&(b'R', table)];
                    if sent.insert(table, definition.1.clone()).as_ref() != Some(&definition.1) {
                        let types = definitions.range((b'Y', Oid::new(0))..).map(|(_, sent)| sent);
                        types.for_each(|(lsn, bytes)| xlog_data(&mut wire, *lsn, bytes));
                        xlog_data(&mut wire, definition.0, &definition.1);
                    }
                }
                xlog_data(&mut wire, *lsn, bytes);
            }
            if self.plan.keepalives && is_sent {
                keepalive(&mut wire, unit.end);
            }
        }
        (self.wire, self.arrived, self.read) = (wire, 0, 0);
        (self.inbox, self.decoder) = (Inbox::new(usize::MAX), Decoder::new());
    }

    fn receive(&mut self) {
        let rest = &self.wire[self.arrived..];
        let chunk = if self.plan.chunk == 0 { usize::MAX } else { self.plan.chunk };
        let free = self.inbox.space();
        let len = rest.len().min(chunk).min(free.len());
        free[..len].copy_from_slice(&rest[..len]);
        self.inbox.filled(len);
        self.arrived += len;
    }

    fn receive_message(&mut self) -> Result<Step<CapturedFrame>, Error> {
        let body = loop {
            match self.inbox.next().unwrap() {
                Some((_, body)) => break body,
                None if self.arrived == self.wire.len() => return Ok(Step::Stopped),
                None => self.receive(),
            }
        };
        self.read += 1;
        Ok(match CopyData::decode(self.inbox.body(body))? {
            CopyData::XLogData(XLogData { wal_start, wal_end, send_time, .. }) => {
                Step::Message(CapturedFrame { body, wal_start, wal_end, send_time })
            }
            CopyData::PrimaryKeepalive(keepalive) => Step::Keepalive(keepalive),
        })
    }
}

impl Source for Capture {
    type Frame = CapturedFrame;

    fn step(&mut self, _: impl FnOnce() -> Instant) -> Result<Step<CapturedFrame>, Error> {
        if self.plan.stopped {
            return Ok(Step::Stopped);
        }
        if std::mem::take(&mut self.is_lost) {
            let from = self.acknowledged.flushed();
            self.started_from.push(from);
            self.start(from);
            return Ok(Step::Restarted);
        }
        if self.plan.cuts.first() == Some(&self.read) {
            self.plan.cuts.remove(0);
            let reset = io::ErrorKind::ConnectionReset.into();
            return Err(Error::io("reading from", "a capture", reset));
        }
        self.receive_message()
    }

    fn step_after_stop(&mut self, _: Instant) -> Result<Step<CapturedFrame>, Error> {
        self.receive_message()
    }

    fn read(&mut self, frame: CapturedFrame) -> Result<Option<StreamEvent<'_>>, Error> {
        let CapturedFrame { body, wal_start, wal_end, send_time } = frame;
        let frame = &self.inbox.body(body)[XLogData::HEADER_LEN..];
        let in_stream = self.decoder.stream_xid().is_some();
        let message = self.decoder.decode(frame)?;
        Ok(Some(StreamEvent { wal_start, wal_end, send_time, message, frame, in_stream }))
    }

    fn release(&mut self) {
        self.inbox.release();
    }

    /// Answers as if the catalogue had no facts.
    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error> {
        Ok(match need {
            Need::Table { relation, .. } => {
                Facts::Table(TableDescription::by_stream(relation, schemas.stream_types()))
            }
            Need::Types { relation } => {
                let types = TableDescription::by_stream(relation, schemas.stream_types()).types;
                Facts::Types { queried_at: Lsn::MAX, types }
            }
            Need::MoneyDigits => Facts::MoneyDigits(2),
            Need::Dropped { .. } => {
                Facts::Dropped { tables: BTreeSet::default(), answered_at: Lsn::MAX }
            }
        })
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
        Lsn::ZERO
    }

    fn is_stopped(&self) -> bool {
        self.plan.stopped
    }

    fn is_stop(&self, _: &Error) -> bool {
        false
    }
}

fn xlog_data(wire: &mut Vec<u8>, lsn: Lsn, data: &[u8]) {
    let lsn = lsn.as_u64().to_be_bytes();
    copy_data(wire, &[&b"w"[..], &lsn, &lsn, &[0; 8], data].concat());
}

fn keepalive(wire: &mut Vec<u8>, wal_end: Lsn) {
    copy_data(wire, &[&b"k"[..], &wal_end.as_u64().to_be_bytes()[..], &[0; 9]].concat());
}

fn copy_data(wire: &mut Vec<u8>, body: &[u8]) {
    wire.push(b'd');
    wire.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    wire.extend(body);
}
