//! Decoding the messages of a stream, also if names in them are not UTF-8.

use pgoutput_decode::{DecodeError, ErrorKind, Lsn, Tag};
#[cfg(feature = "reader")]
use pgoutput_decode::{Decoder, XLogData};

use super::{Frame, ReplicationStream, StreamEvent, data};
use crate::error::{Error, StreamError};
use crate::sql::names::escaped;

impl ReplicationStream {
    /// Decodes the message of the last step. An error finishes the stream.
    pub(crate) fn read(&mut self, frame: Frame) -> Result<StreamEvent<'_>, Error> {
        let data = data(&self.copy, frame);
        let in_stream = self.decoder.stream_xid().is_some();
        match self.decoder.decode(data) {
            Ok(message) => Ok(StreamEvent {
                wal_start: frame.wal_start,
                wal_end: frame.wal_end,
                send_time: frame.send_time,
                message,
                frame: data,
                in_stream,
            }),
            Err(error) => {
                self.finished = true;
                self.heartbeat = None;
                Err(explain(error, data, in_stream, self.position))
            }
        }
    }

    /// Decodes the message of the last step as [`read`](Self::read) does, but escapes names that
    /// are not UTF-8 where no value of a row depends on them.
    #[cfg(feature = "reader")]
    pub(crate) fn read_escaped(&mut self, frame: Frame) -> Result<StreamEvent<'_>, Error> {
        let in_stream = self.decoder.stream_xid().is_some();
        match escape(data(&self.copy, frame), in_stream) {
            Some(bytes) => self.escaped = bytes,
            None => return self.read(frame),
        }
        let Frame { wal_start, wal_end, send_time, .. } = frame;
        match self.decoder.decode(&self.escaped) {
            Ok(message) => {
                let frame = &self.escaped;
                Ok(StreamEvent { wal_start, wal_end, send_time, message, frame, in_stream })
            }
            Err(error) => {
                self.finished = true;
                self.heartbeat = None;
                Err(error.at_lsn(self.position).into())
            }
        }
    }
}

/// Decodes a message. Names that are not UTF-8 are escaped where no value of a row depends on them.
#[cfg(feature = "reader")]
pub(crate) fn decode_escaped<'a>(
    decoder: &mut Decoder,
    message: &XLogData<'a>,
    escaped: &'a mut Vec<u8>,
) -> Result<StreamEvent<'a>, Error> {
    let XLogData { wal_start, wal_end, send_time, data } = *message;
    let in_stream = decoder.stream_xid().is_some();
    let frame: &'a [u8] = match escape(data, in_stream) {
        Some(bytes) => {
            *escaped = bytes;
            escaped
        }
        None => data,
    };
    match decoder.decode(frame) {
        Ok(message) => Ok(StreamEvent { wal_start, wal_end, send_time, message, frame, in_stream }),
        Err(error) => Err(explain(error, frame, in_stream, wal_start)),
    }
}

/// Returns the error for a frame that cannot be decoded. If a name is not UTF-8, the error names
/// its owner.
fn explain(error: DecodeError, frame: &[u8], in_stream: bool, lsn: Lsn) -> Error {
    let ErrorKind::InvalidUtf8 { field } = error.kind() else { return error.at_lsn(lsn).into() };
    let Some((name, _)) = frame.get(error.offset()..).and_then(string) else {
        return error.at_lsn(lsn).into();
    };
    StreamError::NameNotUtf8 {
        field,
        name: escaped(name),
        table: qualified(frame, Tag::RELATION, in_stream),
        type_name: qualified(frame, Tag::TYPE, in_stream),
        lsn,
    }
    .into()
}

/// The table of a Relation message or the type of a Type message, with its schema.
fn qualified(frame: &[u8], tag: Tag, in_stream: bool) -> Option<String> {
    let rest = frame.strip_prefix(&[tag.0])?.get(if in_stream { 8 } else { 4 }..)?;
    let (namespace, rest) = string(rest)?;
    let (name, _) = string(rest)?;
    let namespace = if namespace.is_empty() { b"pg_catalog" } else { namespace };
    Some(format!("{}.{}", escaped(namespace), escaped(name)))
}

/// A Type, Origin or Message message with its names escaped; `None` if they are UTF-8.
#[cfg(feature = "reader")]
fn escape(frame: &[u8], in_stream: bool) -> Option<Vec<u8>> {
    let xid = if in_stream { 4 } else { 0 };
    let (fixed, names) = match Tag(*frame.first()?) {
        Tag::TYPE => (1 + xid + 4, 2),
        Tag::ORIGIN => (1 + 8, 1),
        Tag::MESSAGE => (1 + xid + 1 + 8, 1),
        _ => return None,
    };
    let (head, names_and_rest) = frame.split_at_checked(fixed)?;
    let (mut bytes, mut rest, mut is_utf8) = (head.to_vec(), names_and_rest, true);
    for _ in 0..names {
        let (name, after) = string(rest)?;
        is_utf8 &= str::from_utf8(name).is_ok();
        bytes.extend_from_slice(escaped(name).as_bytes());
        bytes.push(0);
        rest = after;
    }
    if is_utf8 {
        return None;
    }
    bytes.extend_from_slice(rest);
    Some(bytes)
}

/// The bytes before the first zero, and those after it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}
