//! The decoded reading: a short line for each message, in a stable format.

use std::fmt::{self, Display, Write};

use pgoutput_decode::message::{RelationBody, StreamAbortBody};
use pgoutput_decode::{
    Decoder, Lsn, Message, Oid, OldTuple, Relations, TimestampTz, TupleColumn, TupleData, Xid,
};

use super::Capture;

/// The number of bytes of a value that are shown.
const SHOWN: usize = 60;

/// Formats all messages of a capture as text, one per line.
///
/// Names are as on the wire, escaped as in Rust. Long values are truncated, with their length. A
/// message that cannot be decoded is a line with its error.
pub fn reading(capture: &Capture) -> String {
    let (mut decoder, mut relations) = (Decoder::new(), Relations::new());
    let mut text = String::new();
    for section in &capture.sections {
        let _ = writeln!(text, "# {}", section.title);
        for frame in &section.frames {
            let _ = write!(text, "{} ", frame.lsn);
            let _ = match decoder.decode(&frame.bytes) {
                Ok(message) => {
                    if let Message::Relation(body) = &message {
                        relations.update(body);
                    }
                    writeln!(text, "{}", Line { message, relations: &relations })
                }
                Err(error) => writeln!(text, "{}", error.at_lsn(frame.lsn)),
            };
        }
        text.push('\n');
    }
    text
}

/// A message, with the tables known so far for their names.
struct Line<'a> {
    message: Message<'a>,
    relations: &'a Relations,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In a chunk, the transaction of the change comes first.
        if let Some(xid) = self.message.stream_xid() {
            write!(f, "({xid}) ")?;
        }
        match &self.message {
            Message::Relation(body) => relation(f, body),
            Message::Type(body) => {
                write!(f, "Type {}: {:?}.{:?}", body.oid, body.wire_namespace, body.name)
            }
            Message::Insert(body) => {
                self.table(f, "Insert", body.relation)?;
                tuple(f, "new", body.new)
            }
            Message::Update(body) => {
                self.table(f, "Update", body.relation)?;
                body.old.map_or(Ok(()), |row| old(f, row))?;
                tuple(f, "new", body.new)
            }
            Message::Delete(body) => {
                self.table(f, "Delete", body.relation)?;
                old(f, body.old)
            }
            Message::Truncate(body) => {
                f.write_str("Truncate")?;
                for relation in body.relations {
                    self.table(f, "", relation)?;
                }
                if body.flags.cascade() {
                    f.write_str(" cascade")?;
                }
                if body.flags.restart_identity() {
                    f.write_str(" restart identity")?;
                }
                Ok(())
            }
            Message::Message(body) => {
                let kind = if body.flags.is_transactional() { "transactional" } else { "at once" };
                write!(f, "Message {kind} at {}: {:?} ", body.lsn, body.prefix)?;
                bytes(f, body.content)
            }
            other => transaction(f, other),
        }
    }
}

impl Line<'_> {
    fn table(&self, f: &mut fmt::Formatter<'_>, what: &str, oid: Oid) -> fmt::Result {
        match self.relations.get(oid) {
            Some(relation) => {
                write!(f, "{what} {:?}.{:?}", relation.namespace(), relation.name())
            }
            None => write!(f, "{what} unknown table {oid}"),
        }
    }
}

fn relation(f: &mut fmt::Formatter<'_>, body: &RelationBody<'_>) -> fmt::Result {
    write!(f, "Relation {}: {:?}.{:?}", body.oid, body.wire_namespace, body.name)?;
    write!(f, ", {:?}", body.replica_identity)?;
    for (position, column) in body.columns.iter().enumerate() {
        f.write_str(if position == 0 { ": " } else { ", " })?;
        write!(f, "{:?} {}", column.name, column.type_oid)?;
        if column.type_modifier != -1 {
            write!(f, "({})", column.type_modifier)?;
        }
        match column.flags.0 {
            0 => {}
            1 => f.write_str(" key")?,
            other => write!(f, " flags {other}")?,
        }
    }
    Ok(())
}

fn old(f: &mut fmt::Formatter<'_>, row: OldTuple<'_>) -> fmt::Result {
    match row {
        OldTuple::Key(key) => tuple(f, "key", key.full_width()),
        OldTuple::Full(row) => tuple(f, "old", row),
    }
}

fn tuple(f: &mut fmt::Formatter<'_>, what: &str, tuple: TupleData<'_>) -> fmt::Result {
    write!(f, " {what} (")?;
    for (position, column) in tuple.columns().enumerate() {
        f.write_str(if position == 0 { "" } else { ", " })?;
        match column {
            TupleColumn::Null => f.write_str("null")?,
            TupleColumn::Unchanged => f.write_str("unchanged")?,
            TupleColumn::Text(text) => bytes(f, text)?,
            TupleColumn::Binary(binary) => {
                f.write_str("x'")?;
                let (shown, cut) = shorten(binary, SHOWN / 2);
                shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")?;
                cut.fmt(f)?;
            }
        }
    }
    f.write_str(")")
}

/// Formats text, or bytes that may be text.
fn bytes(f: &mut fmt::Formatter<'_>, value: &[u8]) -> fmt::Result {
    let (mut shown, mut cut) = shorten(value, SHOWN);
    // Not in the middle of a character.
    if cut.0.is_some()
        && let Err(error) = std::str::from_utf8(shown)
        && error.error_len().is_none()
    {
        (shown, _) = shown.split_at(error.valid_up_to());
        cut = Cut(Some(value.len()));
    }
    match std::str::from_utf8(shown) {
        Ok(text) => write!(f, "{text:?}")?,
        Err(_) => write!(f, "b\"{}\"", shown.escape_ascii())?,
    }
    cut.fmt(f)
}

/// The full length of a value that is truncated.
struct Cut(Option<usize>);

fn shorten(value: &[u8], most: usize) -> (&[u8], Cut) {
    match value.get(..most) {
        Some(shown) if value.len() > most => (shown, Cut(Some(value.len()))),
        _ => (value, Cut(None)),
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |length| write!(f, "… {length} bytes"))
    }
}

/// Formats the messages that delimit transactions.
fn transaction(f: &mut fmt::Formatter<'_>, message: &Message<'_>) -> fmt::Result {
    match message {
        Message::Begin(m) => write!(f, "Begin {}, ends {}, {}", m.xid, m.final_lsn, m.commit_time),
        Message::Commit(m) => {
            write!(f, "Commit {}, end {}, {}", m.commit_lsn, m.end_lsn, m.commit_time)
        }
        Message::Origin(m) => write!(f, "Origin {:?}, commit there {}", m.name, m.commit_lsn),
        Message::StreamStart(m) => {
            let first = if m.is_first_segment() { ", first segment" } else { "" };
            write!(f, "Stream Start {}{first}", m.xid)
        }
        Message::StreamStop => f.write_str("Stream Stop"),
        Message::StreamCommit(m) => {
            write!(
                f,
                "Stream Commit {}, {}, end {}, {}",
                m.xid, m.commit_lsn, m.end_lsn, m.commit_time
            )
        }
        Message::StreamAbort(StreamAbortBody { xid, subxid, tail, .. }) => {
            write!(f, "Stream Abort {xid}, subtransaction {subxid}")?;
            tail.map_or(Ok(()), |tail| write!(f, ", {}, {}", tail.abort_lsn, tail.abort_time))
        }
        Message::BeginPrepare(m) => {
            prepared(f, "Begin Prepare", m.xid, m.gid, [m.prepare_lsn, m.end_lsn], m.prepare_time)
        }
        Message::Prepare(m) => {
            prepared(f, "Prepare", m.xid, m.gid, [m.prepare_lsn, m.end_lsn], m.prepare_time)
        }
        Message::StreamPrepare(m) => {
            prepared(f, "Stream Prepare", m.xid, m.gid, [m.prepare_lsn, m.end_lsn], m.prepare_time)
        }
        Message::CommitPrepared(m) => {
            prepared(f, "Commit Prepared", m.xid, m.gid, [m.commit_lsn, m.end_lsn], m.commit_time)
        }
        Message::RollbackPrepared(m) => {
            let lsns = [m.prepare_end_lsn, m.rollback_end_lsn];
            prepared(f, "Rollback Prepared", m.xid, m.gid, lsns, m.rollback_time)?;
            write!(f, ", prepared {}", m.prepare_time)
        }
        other => write!(f, "{other:?}"),
    }
}

fn prepared(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    xid: Xid,
    gid: &str,
    [lsn, end_lsn]: [Lsn; 2],
    time: TimestampTz,
) -> fmt::Result {
    write!(f, "{what} {xid} {gid:?}, {lsn}, end {end_lsn}, {time}")
}
