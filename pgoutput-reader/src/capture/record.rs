//! The frame of records: kind, length, time and checksums.

use std::io::{self, BufReader, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crc32fast::Hasher;
use pgoutput_decode::TimestampTz;

use crate::error::CaptureError;

/// The first bytes of a capture. A transfer that converts line ends breaks them.
pub(super) const MAGIC: [u8; 8] = *b"PGOCAP\r\n";

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// The length of the magic number and the version.
pub(super) const START_LEN: usize = 12;

/// The length of a record without its payload.
const HEAD_LEN: usize = 17;

/// The longest payload: a message of PostgreSQL has at most 1 GiB.
const MAX_PAYLOAD: u64 = (1 << 30) + 1024;

/// The number of bytes that a payload's buffer grows by, before these bytes have been read.
const PIECE: u64 = 64 * 1024;

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(pub(super) u8);

impl Kind {
    /// The settings of the capture: the first record.
    pub(super) const HEADER: Self = Self(b'H');
    /// A message of the server.
    pub(super) const MESSAGE: Self = Self(b'w');
    /// A keepalive of the server.
    pub(super) const KEEPALIVE: Self = Self(b'k');
    /// A new stream.
    pub(super) const RESTART: Self = Self(b'R');
    /// A description that an earlier file has.
    pub(super) const KNOWN: Self = Self(b'K');
    /// The catalogue's facts about a table.
    pub(super) const TABLE: Self = Self(b'T');
    /// The catalogue's facts about the types of a table.
    pub(super) const TYPES: Self = Self(b'Y');
    /// The number of fractional digits of `money`.
    pub(super) const MONEY: Self = Self(b'M');
    /// Tables that no longer exist.
    pub(super) const DROPPED: Self = Self(b'D');
    /// The position of the last event that the capturing program had processed.
    pub(super) const POSITION: Self = Self(b'P');
    /// The end of the file.
    pub(super) const END: Self = Self(b'E');

    /// Returns whether a reader that does not know the kind may skip the record.
    pub(super) fn is_optional(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Returns whether it is an answer of the catalogue.
    pub(super) fn is_facts(self) -> bool {
        matches!(self, Self::TABLE | Self::TYPES | Self::MONEY | Self::DROPPED)
    }
}

/// Returns the current time of this machine.
pub(super) fn now() -> TimestampTz {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    TimestampTz::from_unix_micros(micros).unwrap_or(TimestampTz::from_micros(0))
}

/// The first checksum: that of the magic number and the version.
pub(super) fn first_checksum() -> u32 {
    checksum(0, &start())
}

/// The magic number and the version.
pub(super) fn start() -> [u8; START_LEN] {
    let mut start = [0; START_LEN];
    let (magic, version) = start.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    version.copy_from_slice(&VERSION.to_be_bytes());
    start
}

/// Continues a checksum with more bytes.
pub(super) fn checksum(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

/// Writes a record, whose payload is the concatenation of `parts`, and returns its length. The
/// checksum becomes that of the record.
pub(super) fn write(
    out: &mut impl Write,
    kind: Kind,
    parts: &[&[u8]],
    last_checksum: &mut u32,
) -> io::Result<u64> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let Some(len) = u32::try_from(len).ok().filter(|len| u64::from(*len) <= MAX_PAYLOAD) else {
        return Err(io::Error::other("a record of more than 1 GiB"));
    };
    let mut head = [0; HEAD_LEN - 4];
    let [kind_byte, rest @ ..] = &mut head;
    *kind_byte = kind.0;
    let (len_bytes, time_bytes) = rest.split_at_mut(4);
    len_bytes.copy_from_slice(&len.to_be_bytes());
    time_bytes.copy_from_slice(&now().as_micros().to_be_bytes());
    let of_head = checksum(*last_checksum, &head);
    out.write_all(&head)?;
    out.write_all(&of_head.to_be_bytes())?;
    let mut hasher = Hasher::new_with_initial(of_head);
    for part in parts {
        hasher.update(part);
        out.write_all(part)?;
    }
    *last_checksum = hasher.finalize();
    out.write_all(&last_checksum.to_be_bytes())?;
    Ok(HEAD_LEN as u64 + u64::from(len) + 4)
}

/// A record that was read.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) kind: u8,
    /// The time at which it was written.
    pub(super) time: i64,
    pub(super) payload: Vec<u8>,
    /// The offset of the record.
    pub(super) offset: u64,
}

impl Record {
    pub(super) fn kind(&self) -> Kind {
        Kind(self.kind)
    }
}

/// A reader of records.
pub(super) struct Records {
    input: BufReader<Box<dyn Read + Send>>,
    name: String,
    offset: u64,
    checksum: u32,
    is_started: bool,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("name", &self.name)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl Records {
    pub(super) fn new(input: Box<dyn Read + Send>, name: String) -> Self {
        Self {
            input: BufReader::with_capacity(64 * 1024, input),
            name,
            offset: 0,
            checksum: 0,
            is_started: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The end of the last whole record.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The checksum of the last whole record.
    pub(super) fn checksum(&self) -> u32 {
        self.checksum
    }

    pub(super) fn corrupt(&self, offset: u64, reason: &'static str) -> CaptureError {
        CaptureError::Corrupt { name: self.name.clone(), offset, reason }
    }

    fn unfinished(&self) -> CaptureError {
        CaptureError::Unfinished { name: self.name.clone(), offset: self.offset }
    }

    /// Reads as many bytes as there are, up to `len`.
    fn read(&mut self, len: u64, into: &mut Vec<u8>) -> Result<bool, CaptureError> {
        let before = into.len() as u64;
        let read = (&mut self.input).take(len).read_to_end(into);
        read.map_err(|source| self.io(source))?;
        Ok(into.len() as u64 - before == len)
    }

    fn io(&self, source: io::Error) -> CaptureError {
        CaptureError::Io { doing: "reading", name: self.name.clone(), source }
    }

    fn start(&mut self) -> Result<(), CaptureError> {
        let mut bytes = Vec::new();
        let is_whole = self.read(START_LEN as u64, &mut bytes)?;
        if !MAGIC.starts_with(bytes.get(..MAGIC.len().min(bytes.len())).unwrap_or_default()) {
            return Err(CaptureError::NotACapture { name: self.name.clone() });
        }
        if !is_whole {
            return Err(self.unfinished());
        }
        if bytes != start() {
            let version = bytes.get(MAGIC.len()..).and_then(|bytes| bytes.try_into().ok());
            let found = version.map_or(0, u32::from_be_bytes);
            return Err(CaptureError::Version { name: self.name.clone(), found });
        }
        (self.is_started, self.offset, self.checksum) = (true, START_LEN as u64, first_checksum());
        Ok(())
    }

    /// Reads the next record.
    ///
    /// # Errors
    /// [`CaptureError::Unfinished`] if it is not whole, or there is none.
    pub(super) fn next(&mut self, record: &mut Record) -> Result<(), CaptureError> {
        if !self.is_started {
            self.start()?;
        }
        let mut head = Vec::with_capacity(HEAD_LEN);
        if !self.read(HEAD_LEN as u64, &mut head)? {
            return Err(self.unfinished());
        }
        let damaged = self.corrupt(self.offset, "the checksum of a record's head does not match");
        let Some((fields, of_head)) = head.split_last_chunk::<4>() else { return Err(damaged) };
        let found = u32::from_be_bytes(*of_head);
        if checksum(self.checksum, fields) != found {
            return Err(damaged);
        }
        let mut fields = super::fields::Fields::new(fields);
        let (Some(kind), Some(len), Some(time)) = (fields.u8(), fields.u32(), fields.i64()) else {
            return Err(damaged);
        };
        if u64::from(len) > MAX_PAYLOAD {
            return Err(self.corrupt(self.offset, "a record is longer than 1 GiB"));
        }
        let payload = &mut record.payload;
        payload.clear();
        if payload.capacity() as u64 > 16 * PIECE {
            *payload = Vec::new();
        }
        let mut left = u64::from(len);
        while left > 0 {
            let piece = left.min(PIECE.max(payload.len() as u64));
            if !self.read(piece, payload)? {
                return Err(self.unfinished());
            }
            left -= piece;
        }
        let mut tail = Vec::with_capacity(4);
        if !self.read(4, &mut tail)? {
            return Err(self.unfinished());
        }
        let expected = checksum(found, payload);
        if tail != expected.to_be_bytes() {
            return Err(self.corrupt(self.offset, "the checksum of a record does not match"));
        }
        (record.kind, record.time, record.offset) = (kind, time, self.offset);
        self.checksum = expected;
        self.offset += HEAD_LEN as u64 + u64::from(len) + 4;
        Ok(())
    }

    /// Checks that nothing follows the last record.
    pub(super) fn expect_end(&mut self) -> Result<(), CaptureError> {
        let mut bytes = Vec::new();
        if self.read(1, &mut bytes)? {
            return Err(self.corrupt(self.offset, "bytes follow the record that ends the capture"));
        }
        Ok(())
    }
}
