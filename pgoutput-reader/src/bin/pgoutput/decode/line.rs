//! A message as a line for people.

use std::fmt::Write as _;

use pgoutput_decode::message::{MessageBody, RelationBody, TruncateBody};
use pgoutput_decode::{Lsn, Message, Oid};

use super::names::{NamedColumn, Names, qualified, replica_identity};
use super::transaction::{self, Value};
use super::value::{write_column, write_quoted};

/// The width of the LSN, which is longer beyond 4 PiB of WAL.
const LSN_WIDTH: usize = 12;

/// Appends the line of a message.
pub(super) fn write(
    out: &mut String,
    lsn: Option<Lsn>,
    depth: usize,
    message: &Message<'_>,
    names: &Names,
    full: bool,
) {
    if let Some(lsn) = lsn {
        let _ = write!(out, "{:LSN_WIDTH$} ", lsn.to_string());
    }
    for _ in 0..depth {
        out.push_str("  ");
    }
    out.push_str(super::name(message));
    let mut line = Line { out, names, full };
    match message {
        Message::Relation(body) => line.relation(body),
        Message::Type(body) => {
            line.out.push(' ');
            line.out.push_str(&qualified(body.namespace(), body.name));
            let _ = write!(line.out, " oid={}", body.oid);
        }
        Message::Truncate(body) => line.truncate(body),
        Message::Message(body) => line.message(body),
        Message::Insert(body) => {
            line.table(body.relation);
            line.row("new", &names.row(body.relation, body.new));
        }
        Message::Update(body) => {
            line.table(body.relation);
            if let Some(old) = body.old {
                let (what, columns) = names.old_row(body.relation, old);
                line.row(what, &columns);
            }
            line.row("new", &names.row(body.relation, body.new));
        }
        Message::Delete(body) => {
            line.table(body.relation);
            let (what, columns) = names.old_row(body.relation, body.old);
            line.row(what, &columns);
        }
        other => line.fields(&transaction::fields(other)),
    }
    // In a chunk, the (sub)transaction of the message.
    if let Some(xid) = message.stream_xid() {
        let _ = write!(out, " xid={xid}");
    }
}

/// Appends the line of a new stream.
pub(super) fn write_restart(out: &mut String, start_lsn: Lsn) {
    let _ = write!(
        out,
        "{:LSN_WIDTH$} (a new stream starts; messages may be repeated)",
        start_lsn.to_string()
    );
}

struct Line<'a> {
    out: &'a mut String,
    names: &'a Names,
    full: bool,
}

impl Line<'_> {
    fn table(&mut self, oid: Oid) {
        match self.names.table(oid) {
            Some((schema, name)) => {
                self.out.push(' ');
                self.out.push_str(&qualified(schema, name));
            }
            None => {
                let _ = write!(self.out, " table {oid}");
            }
        }
    }

    fn row(&mut self, what: &str, columns: &[NamedColumn<'_>]) {
        let _ = write!(self.out, " {what} (");
        for (position, column) in columns.iter().enumerate() {
            self.out.push_str(if position == 0 { "" } else { ", " });
            match column.described {
                Some((name, _)) => super::value::write_name(self.out, name),
                None => {
                    let _ = write!(self.out, "#{}", column.index);
                }
            }
            self.out.push('=');
            let type_oid = column.described.map(|(_, oid)| oid);
            write_column(self.out, column.value, type_oid, self.full);
        }
        self.out.push(')');
    }

    fn relation(&mut self, body: &RelationBody<'_>) {
        let identity = replica_identity(body.replica_identity);
        let name = qualified(body.namespace(), body.name);
        let _ = write!(self.out, " {name} oid={} replica_identity={identity} (", body.oid);
        for (position, column) in body.columns.iter().enumerate() {
            self.out.push_str(if position == 0 { "" } else { ", " });
            super::value::write_name(self.out, column.name);
            match self.names.type_name(column.type_oid, column.type_modifier) {
                Some(name) => {
                    let _ = write!(self.out, " {name}");
                }
                None => {
                    let _ = write!(self.out, " type {}", column.type_oid);
                }
            }
            self.out.push_str(if column.flags.is_key() { " key" } else { "" });
        }
        self.out.push(')');
    }

    fn truncate(&mut self, body: &TruncateBody<'_>) {
        for (position, relation) in body.relations.into_iter().enumerate() {
            self.out.push_str(if position == 0 { "" } else { "," });
            self.table(relation);
        }
        self.out.push_str(if body.flags.cascade() { " cascade" } else { "" });
        self.out.push_str(if body.flags.restart_identity() { " restart_identity" } else { "" });
    }

    fn message(&mut self, body: &MessageBody<'_>) {
        let is_transactional = body.flags.is_transactional();
        self.out.push_str(if is_transactional { " transactional" } else { "" });
        self.out.push_str(" prefix=");
        write_quoted(self.out, body.prefix.as_bytes(), self.full);
        self.out.push_str(" content=");
        write_quoted(self.out, body.content, self.full);
        let _ = write!(self.out, " lsn={}", body.lsn);
    }

    fn fields(&mut self, fields: &[(&str, Value<'_>)]) {
        for (name, value) in fields {
            let _ = match value {
                // No server uses flags so far.
                Value::Flags(0) => Ok(()),
                Value::Flags(flags) => write!(self.out, " {name}={flags}"),
                Value::Xid(xid) => write!(self.out, " {name}={xid}"),
                Value::Bool(value) => write!(self.out, " {name}={value}"),
                Value::Lsn(lsn) => write!(self.out, " {name}={lsn}"),
                Value::Time(time) => write!(self.out, " {name}={}", time.rfc3339()),
                Value::Text(text) => {
                    let _ = write!(self.out, " {name}=");
                    write_quoted(self.out, text.as_bytes(), self.full);
                    Ok(())
                }
            };
        }
    }
}
