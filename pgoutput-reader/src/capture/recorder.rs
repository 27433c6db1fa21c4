//! The writer of a capture.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use pgoutput_decode::{Decoder, Lsn, Message, PrimaryKeepalive, Tag, XLogData, Xid};

use super::existing::{End, Existing, create, failed, name, numbered, sync_folder};
use super::header::CaptureHeader;
use super::known::Known;
use super::masked_frames::Masks;
use super::masked_tables::MaskedTables;
use super::record::{self, Kind};
use super::settings::{Capture, CaptureStatus};
use super::{END_CONTINUED, END_STOPPED, facts};
use crate::error::CaptureError;
use crate::event::Position;
use crate::schema::{Facts, Need};

/// The writer of a capture.
#[derive(Debug)]
pub(crate) struct Recorder {
    capture: Capture,
    header: CaptureHeader,
    path: PathBuf,
    out: BufWriter<File>,
    bytes: u64,
    checksum: u32,
    started: Instant,
    messages: u64,
    /// The messages of the files before, and the length of what this file repeats of them.
    base: (u64, u64),
    /// Whether a write has failed: after a part of a record, nothing may be written.
    has_failed: bool,
    /// Whether something was written since the last sync.
    is_dirty: bool,
    /// The last position that was written.
    position: Option<Position>,
    decoder: Decoder,
    /// The LSN up to which the stream repeats what the file has from an earlier run.
    repeated_until: Lsn,
    /// The transactions in progress that were sent in part.
    open: BTreeSet<Xid>,
    known: Known,
    masks: Masks,
}

impl Recorder {
    /// Starts to write. The header is that of this run; a capture to be continued keeps its own.
    /// `published` has the tables that are masked, as the catalogue names them.
    pub(crate) fn start(
        capture: Capture,
        mut existing: Existing,
        mut header: CaptureHeader,
        published: MaskedTables,
    ) -> Result<Self, CaptureError> {
        header.masks = capture.masks.iter().map(ToString::to_string).collect();
        header.capture = RandomState::new().hash_one(&capture.path);
        header.file = existing.number;
        if let Some(before) = &existing.header {
            if let Some(setting) = before.difference(&header) {
                return Err(CaptureError::OtherSettings { name: name(&existing.path), setting });
            }
            header.capture = before.capture;
            if header.resumed_after.is_none() && header.confirmed > existing.received {
                let (name, received) = (name(&existing.path), existing.received);
                return Err(CaptureError::Gap { name, received, confirmed: header.confirmed });
            }
        }
        header.masked_tables = std::mem::take(&mut existing.masked_tables);
        let end = existing.end.unwrap_or(End { offset: 0, checksum: 0 });
        let file = existing.cut(end.offset)?;
        let is_new = existing.end.is_none();
        if let Some(before) = &existing.header {
            header.before = before.before;
            if is_new {
                // The file before is complete.
                header.add_before(existing.newest.commit_lsn, existing.newest.repeated_until());
            }
        }
        let mut recorder = Self {
            masks: Masks::new(capture.masks.clone(), header.masked_tables.clone(), published),
            capture,
            path: existing.path,
            out: BufWriter::with_capacity(64 * 1024, file),
            bytes: end.offset,
            checksum: end.checksum,
            started: Instant::now(),
            messages: 0,
            base: (0, 0),
            has_failed: false,
            is_dirty: true,
            position: header.resumed_after.clone(),
            decoder: Decoder::new(),
            repeated_until: if is_new { Lsn::ZERO } else { existing.newest.repeated_until() },
            open: BTreeSet::new(),
            known: Known::default(),
            header,
        };
        let start_lsn = recorder.header.start_lsn;
        if is_new {
            recorder.write_header()?;
            sync_folder(&recorder.path)?;
        } else {
            recorder.restart(start_lsn)?;
        }
        recorder.sync(None)?;
        Ok(recorder)
    }

    fn write_header(&mut self) -> Result<(), CaptureError> {
        let start = record::start();
        let written = self.out.write_all(&start);
        self.checked(written)?;
        self.bytes += start.len() as u64;
        self.checksum = record::first_checksum();
        let payload = self.header.encode();
        self.write(Kind::HEADER, &[&payload])
    }

    fn write(&mut self, kind: Kind, parts: &[&[u8]]) -> Result<(), CaptureError> {
        let written = record::write(&mut self.out, kind, parts, &mut self.checksum);
        self.bytes += self.checked(written)?;
        self.is_dirty = true;
        Ok(())
    }

    /// Records whether a write has failed.
    fn checked<T>(&mut self, written: io::Result<T>) -> Result<T, CaptureError> {
        written.map_err(|error| {
            self.has_failed = true;
            failed("writing", &self.path, error)
        })
    }

    /// Writes a message.
    pub(crate) fn message(&mut self, frame: &XLogData<'_>) -> Result<(), CaptureError> {
        let XLogData { wal_start, wal_end, send_time, data } = *frame;
        let in_stream = self.decoder.stream_xid().is_some();
        let tag = Tag(data.first().copied().unwrap_or_default());
        let is_control = matches!(
            tag,
            Tag::STREAM_START
                | Tag::STREAM_STOP
                | Tag::STREAM_COMMIT
                | Tag::STREAM_ABORT
                | Tag::STREAM_PREPARE
        );
        let masks = !self.masks.tables().is_empty();
        let mut data = data;
        if is_control || masks {
            let decoded = self.decoder.decode(data);
            if let Ok(message) = &decoded {
                track(&mut self.open, message);
            }
            if masks {
                data = self.masks.apply(data, decoded, in_stream)?;
            }
        }
        if self.capture.rotates() {
            self.known.message(data, in_stream);
        }
        let envelope = envelope(wal_start, wal_end, send_time.as_micros());
        let written =
            record::write(&mut self.out, Kind::MESSAGE, &[&envelope, data], &mut self.checksum);
        self.bytes += self.checked(written)?;
        self.messages += 1;
        self.is_dirty = true;
        Ok(())
    }

    /// Writes a keepalive.
    pub(crate) fn keepalive(&mut self, keepalive: &PrimaryKeepalive) -> Result<(), CaptureError> {
        let PrimaryKeepalive { wal_end, send_time, reply } = keepalive;
        let (wal_end, send_time) = (wal_end.as_u64(), send_time.as_micros());
        let parts: [&[u8]; 3] = [&wal_end.to_be_bytes(), &send_time.to_be_bytes(), &[*reply]];
        self.write(Kind::KEEPALIVE, &parts)?;
        // The slot may be moved to this LSN, which then shows that nothing is missing.
        let flushed = self.out.flush();
        self.checked(flushed)
    }

    /// Writes that a new stream has started.
    pub(crate) fn restart(&mut self, start_lsn: Lsn) -> Result<(), CaptureError> {
        self.decoder = Decoder::new();
        self.open.clear();
        self.known.clear();
        self.header.start_lsn = start_lsn;
        self.write(Kind::RESTART, &[&start_lsn.as_u64().to_be_bytes()])
    }

    /// Writes an answer of the catalogue.
    pub(crate) fn facts(&mut self, need: &Need, facts: &Facts) -> Result<(), CaptureError> {
        let (kind, payload) = facts::encode(need, facts);
        if self.capture.rotates() {
            self.known.facts(kind, &payload);
        }
        self.write(kind, &[&payload])
    }

    /// Starts another file if that is due. Everything before `read` was delivered, up to the
    /// transaction with this commit LSN.
    pub(crate) fn between(&mut self, read: Lsn, commit_lsn: Lsn) -> Result<(), CaptureError> {
        let (messages, repeated) = self.base;
        let size = self.bytes.saturating_sub(repeated);
        let is_full = self.capture.rotate_size.is_some_and(|limit| size >= limit);
        let age = self.capture.rotate_time;
        let is_due = is_full || age.is_some_and(|age| self.started.elapsed() >= age);
        let is_open = !self.open.is_empty() || self.decoder.stream_xid().is_some();
        // What the file has in part must be completed there.
        let is_repeated = read < self.repeated_until;
        if !is_due || is_open || is_repeated || self.messages == messages {
            return Ok(());
        }
        self.end(END_CONTINUED)?;
        self.header.add_before(commit_lsn, read);
        self.header.file += 1;
        self.header.continues = true;
        self.header.masked_tables.clone_from(self.masks.tables().masked_tables());
        self.path = numbered(&self.capture.path, self.header.file);
        self.out = BufWriter::with_capacity(64 * 1024, create(&self.path)?);
        (self.bytes, self.started) = (0, Instant::now());
        self.write_header()?;
        if let Some(position) = self.position.take() {
            self.write_position(&position)?;
            self.position = Some(position);
        }
        sync_folder(&self.path)?;
        let known = std::mem::take(&mut self.known);
        for (kind, payload) in known.records() {
            let parts: &[&[u8]] = match kind {
                Kind::KNOWN => &[&[0; 24], payload],
                _ => &[payload],
            };
            self.write(kind, parts)?;
        }
        self.known = known;
        self.base = (self.messages, self.bytes);
        self.sync(None)
    }

    fn write_position(&mut self, position: &Position) -> Result<(), CaptureError> {
        self.write(Kind::POSITION, &[position.to_string().as_bytes()])
    }

    /// Makes everything durable that was written, with the position to resume after.
    pub(crate) fn sync(&mut self, position: Option<&Position>) -> Result<(), CaptureError> {
        if self.has_failed {
            let source = io::Error::other("an earlier write has failed");
            return Err(failed("writing", &self.path, source));
        }
        if let Some(position) = position
            && self.position.as_ref() != Some(position)
        {
            self.write_position(position)?;
            self.position = Some(position.clone());
        }
        if !std::mem::take(&mut self.is_dirty) {
            return Ok(());
        }
        let synced = self.out.flush().and_then(|()| self.out.get_ref().sync_data());
        self.checked(synced)
    }

    fn end(&mut self, reason: u8) -> Result<(), CaptureError> {
        self.write(Kind::END, &[&[reason]])?;
        self.sync(None)
    }

    /// Ends the capture.
    pub(crate) fn finish(&mut self) -> Result<(), CaptureError> {
        if self.has_failed {
            return Ok(());
        }
        for mask in self.masks.tables().unseen() {
            log::warn!("no table with the column {mask} was captured, so nothing of it is masked");
        }
        self.end(END_STOPPED)
    }

    pub(crate) fn status(&self) -> CaptureStatus {
        CaptureStatus {
            path: self.path.clone(),
            bytes: self.bytes,
            messages: self.messages,
            unseen_masks: self.masks.tables().unseen(),
        }
    }
}

/// The fields of an envelope after its first byte.
fn envelope(wal_start: Lsn, wal_end: Lsn, send_time: i64) -> [u8; 24] {
    let mut envelope = [0; 24];
    let numbers = [wal_start.as_u64(), wal_end.as_u64()].map(u64::to_be_bytes);
    let fields = numbers.into_iter().chain([send_time.to_be_bytes()]);
    for (place, field) in envelope.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field);
    }
    envelope
}

/// Records which transactions are in progress.
fn track(open: &mut BTreeSet<Xid>, message: &Message<'_>) {
    match message {
        Message::StreamStart(start) => drop(open.insert(start.xid)),
        Message::StreamCommit(commit) => drop(open.remove(&commit.xid)),
        Message::StreamPrepare(prepare) => drop(open.remove(&prepare.xid)),
        Message::StreamAbort(abort) if abort.xid == abort.subxid => drop(open.remove(&abort.xid)),
        _ => {}
    }
}
