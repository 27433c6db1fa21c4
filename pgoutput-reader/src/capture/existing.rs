//! The files that an earlier run has left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use pgoutput_decode::{Decoder, Lsn, Message, Tag};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::header::CaptureHeader;
use super::mask::MaskedColumn;
use super::masked_tables::MaskedTables;
use super::record::{Kind, Record, Records};
use super::settings::Capture;
use super::{NOT_ITS_KIND, keepalive, message};
use crate::error::CaptureError;
use crate::event::{Position, TransactionStart};

/// The file to write to.
#[derive(Debug)]
pub(crate) struct Existing {
    pub(super) path: PathBuf,
    /// The file, locked; `None` if it does not exist.
    pub(super) file: Option<File>,
    /// The number of the file.
    pub(super) number: u64,
    /// The header of the capture to be continued.
    pub(super) header: Option<CaptureHeader>,
    /// Where the records of the file end; `None` if it is to be written from its beginning.
    pub(super) end: Option<End>,
    /// The last position that was written.
    pub(crate) position: Option<Position>,
    /// The greatest LSN that was received.
    pub(super) received: Lsn,
    pub(super) newest: Newest,
    /// The tables that were masked in it and in the files before.
    pub(super) masked_tables: MaskedTables,
}

/// The newest of what a file has, also if it has only a part of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Newest {
    /// The greatest commit LSN of a transaction.
    pub(super) commit_lsn: Lsn,
    /// The greatest LSN of a message outside of transactions.
    pub(super) message_lsn: Lsn,
}

/// The end of the records that a file has.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) offset: u64,
    pub(super) checksum: u32,
}

/// The name of a file, for errors.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> CaptureError {
    CaptureError::Io { doing, name: name(path), source }
}

/// Returns the path of a file with a number.
pub(super) fn numbered(path: &Path, number: u64) -> PathBuf {
    let mut file_name = path.file_name().unwrap_or_default().to_owned();
    file_name.push(format!(".{number:06}"));
    path.with_file_name(file_name)
}

/// Creates a file, and locks it. One that another process has just created is refused.
pub(super) fn create(path: &Path) -> Result<File, CaptureError> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error| failed("creating", path, error))?;
    lock(&file, path)?;
    let metadata = file.metadata().map_err(|error| failed("creating", path, error))?;
    if metadata.len() > 0 {
        return Err(CaptureError::InUse { name: name(path) });
    }
    Ok(file)
}

/// Opens a file, and locks it; `None` if it does not exist.
fn open(path: &Path) -> Result<Option<File>, CaptureError> {
    // Opening a named pipe would wait for its other end.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(CaptureError::NotAFile { name: name(path) });
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => {
            lock(&file, path)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("opening", path, error)),
    }
}

fn lock(file: &File, path: &Path) -> Result<(), CaptureError> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        Errno::WOULDBLOCK => CaptureError::InUse { name: name(path) },
        error => failed("locking", path, error.into()),
    })
}

/// Makes the name of a new file durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), CaptureError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| failed("syncing the folder of", path, error))
}

/// Decodes a message, except for those that change rows: they neither start nor end a transaction.
fn decode_control<'a>(frame: &'a [u8], decoder: &mut Decoder) -> Option<Message<'a>> {
    let tag = frame.first().copied().map_or(Tag(0), Tag);
    if matches!(tag, Tag::INSERT | Tag::UPDATE | Tag::DELETE | Tag::TRUNCATE) {
        return None;
    }
    decoder.decode(frame).ok()
}

impl Newest {
    fn add(&mut self, message: &Message<'_>) {
        let commit_lsn = match message {
            Message::Begin(begin) => begin.final_lsn,
            Message::BeginPrepare(begin) => begin.prepare_lsn,
            Message::StreamCommit(commit) => commit.commit_lsn,
            Message::StreamPrepare(prepare) => prepare.prepare_lsn,
            Message::CommitPrepared(commit) => commit.commit_lsn,
            Message::RollbackPrepared(rollback) => TransactionStart::from(rollback).commit_lsn,
            Message::Message(body) if !body.flags.is_transactional() => {
                self.message_lsn = self.message_lsn.max(body.lsn);
                return;
            }
            _ => return,
        };
        self.commit_lsn = self.commit_lsn.max(commit_lsn);
    }

    fn or(self, before: Self) -> Self {
        if self.commit_lsn.is_zero() && self.message_lsn.is_zero() { before } else { self }
    }

    /// Returns the LSN from which on a stream repeats nothing of it.
    pub(super) fn repeated_until(self) -> Lsn {
        let after_commit = Lsn::new(self.commit_lsn.as_u64().saturating_add(1));
        if self.commit_lsn.is_zero() {
            self.message_lsn
        } else {
            after_commit.max(self.message_lsn)
        }
    }
}

impl Existing {
    /// Finds the file to write to, and reads what it has.
    pub(crate) fn find(capture: &Capture) -> Result<Self, CaptureError> {
        let masks = &capture.masks;
        if !capture.rotates() {
            return Self::read(&capture.path, 1, masks);
        }
        let last = last_number(&capture.path)?;
        let Some(number) = last else {
            return Self::read(&numbered(&capture.path, 1), 1, masks);
        };
        let mut found = Self::read(&numbered(&capture.path, number), number, masks)?;
        if number == 1 || found.header.is_some() && found.position.is_some() {
            return Ok(found);
        }
        // The program was killed while it started this file. The one before has the position.
        let before = Self::read(&numbered(&capture.path, number - 1), number - 1, masks)?;
        found.masked_tables.extend(&before.masked_tables);
        Ok(Self {
            header: found.header.or(before.header),
            position: found.position.or(before.position),
            received: found.received.max(before.received),
            newest: found.newest.or(before.newest),
            ..found
        })
    }

    fn read(path: &Path, number: u64, masks: &[MaskedColumn]) -> Result<Self, CaptureError> {
        let Some(file) = open(path)? else {
            return Ok(Self {
                path: path.into(),
                file: None,
                number,
                header: None,
                end: None,
                position: None,
                received: Lsn::ZERO,
                newest: Newest::default(),
                masked_tables: MaskedTables::default(),
            });
        };
        let input = file.try_clone().map_err(|error| failed("opening", path, error))?;
        let mut records = Records::new(Box::new(input), name(path));
        let (mut record, mut header, mut position) = (Record::default(), None, None);
        let (mut end, mut received) = (None, Lsn::ZERO);
        let (mut newest, mut decoder) = (Newest::default(), Decoder::new());
        let mut masked_tables = MaskedTables::default();
        loop {
            match records.next(&mut record) {
                Ok(()) => {}
                Err(CaptureError::Unfinished { .. }) => break,
                Err(error) => return Err(error),
            }
            let damaged = |reason| records.corrupt(record.offset, reason);
            match (record.kind(), &header) {
                (Kind::HEADER, None) => {
                    let read = CaptureHeader::decode(&record.payload, record.time);
                    let read = read.map_err(damaged)?;
                    position.clone_from(&read.resumed_after);
                    masked_tables.extend(&read.masked_tables);
                    header = Some(read);
                }
                (_, None) | (Kind::HEADER, _) => {
                    return Err(damaged("the header is not the first record"));
                }
                (Kind::POSITION, _) => {
                    let text = str::from_utf8(&record.payload).ok();
                    let read = text.and_then(|text| text.parse().ok());
                    position = Some(read.ok_or_else(|| damaged("a position cannot be read"))?);
                }
                (Kind::MESSAGE, _) => {
                    let message = message(&record.payload).ok_or_else(|| damaged(NOT_ITS_KIND))?;
                    received = received.max(message.wal_start).max(message.wal_end);
                    if let Some(message) = decode_control(message.data, &mut decoder) {
                        newest.add(&message);
                        masked_tables.message(&message, masks);
                    }
                }
                (Kind::KNOWN, _) => {
                    let message = message(&record.payload).ok_or_else(|| damaged(NOT_ITS_KIND))?;
                    if let Ok(message) = Message::decode(message.data, false) {
                        masked_tables.message(&message, masks);
                    }
                }
                (Kind::KEEPALIVE, _) => {
                    let keepalive = keepalive(&record.payload);
                    let keepalive = keepalive.ok_or_else(|| damaged(NOT_ITS_KIND))?;
                    received = received.max(keepalive.wal_end);
                }
                (Kind::RESTART, _) => decoder = Decoder::new(),
                (Kind::END, _) => {
                    records.expect_end()?;
                    break;
                }
                _ => {}
            }
            end = Some(End { offset: records.offset(), checksum: records.checksum() });
        }
        let (path, file) = (path.into(), Some(file));
        Ok(Self { path, file, number, header, end, position, received, newest, masked_tables })
    }

    /// Removes what follows the last whole record, and returns the file, to be written from there.
    /// A file that does not exist is created.
    pub(super) fn cut(&mut self, offset: u64) -> Result<File, CaptureError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => create(&self.path)?,
        };
        let cut = file.set_len(offset).and_then(|()| file.seek(SeekFrom::Start(offset)));
        cut.map(|_| file).map_err(|error| failed("writing", &self.path, error))
    }
}

/// Returns the greatest number of the files of a capture.
fn last_number(path: &Path) -> Result<Option<u64>, CaptureError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .map_err(|error| failed("listing the folder of", path, error))?;
    let mut last = None;
    for entry in entries {
        let entry = entry.map_err(|error| failed("listing the folder of", path, error))?;
        let file_name = entry.file_name();
        let number = path.file_name().and_then(|base| {
            let rest = file_name.to_str()?.strip_prefix(base.to_str()?)?.strip_prefix('.')?;
            let is_number = rest.len() >= 6 && rest.bytes().all(|byte| byte.is_ascii_digit());
            rest.parse::<u64>().ok().filter(|_| is_number)
        });
        last = last.max(number);
    }
    Ok(last)
}
