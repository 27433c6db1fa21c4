//! The records of one capture file after the other.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use pgoutput_decode::{Lsn, PrimaryKeepalive, TimestampTz, XLogData};

use super::existing::{failed, name};
use super::header::CaptureHeader;
use super::record::{Kind, Record, Records};
use super::{NOT_ITS_KIND, keepalive, lsn, message};
use crate::error::CaptureError;

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

    pub(super) fn corrupt(&self, reason: &'static str) -> CaptureError {
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
    pub(super) fn take_facts(&mut self) -> (Kind, &[u8]) {
        self.ahead = None;
        (self.record.kind(), &self.record.payload)
    }
}
