//! The messages that consist of numbers, LSNs, times and names, as a list of fields. They begin and
//! end transactions.

use pgoutput_decode::{Lsn, Message, TimestampTz, Xid};

/// The value of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Xid(Xid),
    /// Flags, which no server uses so far.
    Flags(u8),
    Bool(bool),
    Lsn(Lsn),
    Time(TimestampTz),
    Text(&'a str),
}

use Value::{Bool, Flags, Text, Time};

/// Returns the fields of a message that begins or ends a transaction, in the order of the manual.
pub(super) fn fields<'a>(message: &Message<'a>) -> Vec<(&'static str, Value<'a>)> {
    let xid = |xid| ("xid", Value::Xid(xid));
    let lsn = |name, lsn| (name, Value::Lsn(lsn));
    match message {
        Message::Begin(body) => vec![
            xid(body.xid),
            lsn("final_lsn", body.final_lsn),
            ("commit_time", Time(body.commit_time)),
        ],
        Message::Commit(body) => vec![
            ("flags", Flags(body.flags)),
            lsn("commit_lsn", body.commit_lsn),
            lsn("end_lsn", body.end_lsn),
            ("commit_time", Time(body.commit_time)),
        ],
        Message::Origin(body) => {
            vec![("name", Text(body.name)), lsn("commit_lsn", body.commit_lsn)]
        }
        Message::StreamStart(body) => {
            vec![xid(body.xid), ("first_segment", Bool(body.is_first_segment()))]
        }
        Message::StreamCommit(body) => vec![
            xid(body.xid),
            ("flags", Flags(body.flags)),
            lsn("commit_lsn", body.commit_lsn),
            lsn("end_lsn", body.end_lsn),
            ("commit_time", Time(body.commit_time)),
        ],
        Message::StreamAbort(body) => {
            let mut fields = vec![xid(body.xid), ("subxid", Value::Xid(body.subxid))];
            if let Some(tail) = body.tail {
                fields.push(lsn("abort_lsn", tail.abort_lsn));
                fields.push(("abort_time", Time(tail.abort_time)));
            }
            fields
        }
        _ => prepared(message),
    }
}

/// Returns the fields of the messages about prepared transactions.
fn prepared<'a>(message: &Message<'a>) -> Vec<(&'static str, Value<'a>)> {
    let (xid, gid, flags, [first, second], times) = match message {
        Message::BeginPrepare(body) => (
            body.xid,
            body.gid,
            0,
            [("prepare_lsn", body.prepare_lsn), ("end_lsn", body.end_lsn)],
            vec![("prepare_time", body.prepare_time)],
        ),
        Message::Prepare(body) => (
            body.xid,
            body.gid,
            body.flags,
            [("prepare_lsn", body.prepare_lsn), ("end_lsn", body.end_lsn)],
            vec![("prepare_time", body.prepare_time)],
        ),
        Message::StreamPrepare(body) => (
            body.xid,
            body.gid,
            body.flags,
            [("prepare_lsn", body.prepare_lsn), ("end_lsn", body.end_lsn)],
            vec![("prepare_time", body.prepare_time)],
        ),
        Message::CommitPrepared(body) => (
            body.xid,
            body.gid,
            body.flags,
            [("commit_lsn", body.commit_lsn), ("end_lsn", body.end_lsn)],
            vec![("commit_time", body.commit_time)],
        ),
        Message::RollbackPrepared(body) => (
            body.xid,
            body.gid,
            body.flags,
            [
                ("prepare_end_lsn", body.prepare_end_lsn),
                ("rollback_end_lsn", body.rollback_end_lsn),
            ],
            vec![("prepare_time", body.prepare_time), ("rollback_time", body.rollback_time)],
        ),
        // Stream Stop has no fields. Changes are written elsewhere.
        _ => return Vec::new(),
    };
    let mut fields = vec![("xid", Value::Xid(xid)), ("gid", Text(gid))];
    if !matches!(message, Message::BeginPrepare(_)) {
        fields.push(("flags", Flags(flags)));
    }
    fields.extend([first, second].map(|(name, lsn)| (name, Value::Lsn(lsn))));
    fields.extend(times.into_iter().map(|(name, time)| (name, Time(time))));
    fields
}
