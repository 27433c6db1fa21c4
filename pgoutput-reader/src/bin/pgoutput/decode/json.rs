//! A message as a JSON object with all of its fields.

use std::fmt::{self, Display, Write as _};

use pgoutput_decode::message::{RelationBody, TruncateBody};
use pgoutput_decode::value::write_json_string;
use pgoutput_decode::{Lsn, Message, Oid, TupleColumn, Xid};

use super::names::{NamedColumn, Names, replica_identity};
use super::transaction::{self, Value};
use super::value::{Hex, readable};

/// Appends the object of a message.
pub(super) fn write(out: &mut String, lsn: Option<Lsn>, message: &Message<'_>, names: &Names) {
    let mut object = Object::open(out);
    // A failure to write to a String is impossible.
    let _ = object.message(lsn, message, names);
    out.push('}');
}

/// Appends the object of a new stream.
pub(super) fn write_restart(out: &mut String, start_lsn: Lsn) {
    let _ = write!(out, "{{\"new_stream\":true,\"start_lsn\":\"{start_lsn}\"}}");
}

/// A JSON object that is being written. The caller closes it.
struct Object<'a> {
    out: &'a mut String,
    has_fields: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, has_fields: false }
    }

    fn key(&mut self, name: &str) -> Result<&mut String, fmt::Error> {
        if std::mem::replace(&mut self.has_fields, true) {
            self.out.push(',');
        }
        write!(self.out, "\"{name}\":")?;
        Ok(self.out)
    }

    /// Writes a number or a truth value.
    fn bare(&mut self, name: &str, value: impl Display) -> fmt::Result {
        write!(self.key(name)?, "{value}")
    }

    fn text(&mut self, name: &str, value: &str) -> fmt::Result {
        write_json_string(self.key(name)?, value)
    }

    fn hex(&mut self, name: &str, value: &[u8]) -> fmt::Result {
        write!(self.key(name)?, "\"{}\"", Hex(value))
    }

    /// Writes text, or with another name the bytes that are not text.
    fn text_or_hex(&mut self, name: &str, name_of_bytes: &str, value: &[u8]) -> fmt::Result {
        match str::from_utf8(value) {
            Ok(text) => self.text(name, text),
            Err(_) => self.hex(name_of_bytes, value),
        }
    }

    fn message(&mut self, lsn: Option<Lsn>, message: &Message<'_>, names: &Names) -> fmt::Result {
        self.text("message", super::name(message))?;
        if let Some(lsn) = lsn {
            self.text("wal_start", &lsn.to_string())?;
        }
        if let Some(xid) = message.stream_xid() {
            self.xid("xid", xid)?;
        }
        match message {
            Message::Relation(body) => self.relation(body, names),
            Message::Type(body) => {
                self.bare("type_id", body.oid)?;
                self.text("schema", body.namespace())?;
                self.text("name", body.name)
            }
            Message::Truncate(body) => self.truncate(body, names),
            Message::Message(body) => {
                self.bare("transactional", body.flags.is_transactional())?;
                self.bare("flags", body.flags.0)?;
                self.text("lsn", &body.lsn.to_string())?;
                self.text("prefix", body.prefix)?;
                self.text_or_hex("content", "content_hex", body.content)
            }
            Message::Insert(body) => {
                self.table(body.relation, names)?;
                self.row("new", &names.row(body.relation, body.new))
            }
            Message::Update(body) => {
                self.table(body.relation, names)?;
                if let Some(old) = body.old {
                    let (what, columns) = names.old_row(body.relation, old);
                    self.row(what, &columns)?;
                }
                self.row("new", &names.row(body.relation, body.new))
            }
            Message::Delete(body) => {
                self.table(body.relation, names)?;
                let (what, columns) = names.old_row(body.relation, body.old);
                self.row(what, &columns)
            }
            other => transaction::fields(other).into_iter().try_for_each(|field| self.field(field)),
        }
    }

    fn field(&mut self, (name, value): (&str, Value<'_>)) -> fmt::Result {
        match value {
            Value::Xid(xid) => self.xid(name, xid),
            Value::Flags(flags) => self.bare(name, flags),
            Value::Bool(value) => self.bare(name, value),
            Value::Lsn(lsn) => self.text(name, &lsn.to_string()),
            Value::Time(time) => self.text(name, &time.rfc3339().to_string()),
            Value::Text(text) => self.text(name, text),
        }
    }

    fn xid(&mut self, name: &str, xid: Xid) -> fmt::Result {
        self.bare(name, xid)
    }

    fn table(&mut self, oid: Oid, names: &Names) -> fmt::Result {
        self.bare("relation_id", oid)?;
        if let Some((schema, table)) = names.table(oid) {
            self.text("schema", schema)?;
            self.text("table", table)?;
        }
        Ok(())
    }

    fn objects<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Object<'_>, T) -> fmt::Result,
    ) -> fmt::Result {
        let out = self.key(name)?;
        out.push('[');
        for (position, item) in items.into_iter().enumerate() {
            out.push_str(if position == 0 { "" } else { "," });
            each(&mut Object::open(out), item)?;
            out.push('}');
        }
        out.push(']');
        Ok(())
    }

    fn row(&mut self, name: &str, columns: &[NamedColumn<'_>]) -> fmt::Result {
        self.objects(name, columns, |object, column| {
            object.bare("index", column.index)?;
            if let Some((name, type_oid)) = column.described {
                object.text("name", name)?;
                object.bare("type_id", type_oid)?;
            }
            match column.value {
                TupleColumn::Null => object.bare("null", true),
                TupleColumn::Unchanged => object.bare("unchanged_toast", true),
                TupleColumn::Text(text) => object.text_or_hex("text", "text_hex", text),
                TupleColumn::Binary(bytes) => {
                    object.hex("binary", bytes)?;
                    let oid = column.described.map(|(_, oid)| oid);
                    match oid.and_then(|oid| readable(oid, bytes)) {
                        Some(text) => object.text("value", &text),
                        None => Ok(()),
                    }
                }
            }
        })
    }

    fn relation(&mut self, body: &RelationBody<'_>, names: &Names) -> fmt::Result {
        self.table(body.oid, names)?;
        self.text("replica_identity", &replica_identity(body.replica_identity))?;
        self.objects("columns", body.columns, |object, column| {
            object.text("name", column.name)?;
            object.bare("type_id", column.type_oid)?;
            object.bare("type_modifier", column.type_modifier)?;
            if let Some(name) = names.type_name(column.type_oid, column.type_modifier) {
                object.text("type", &name)?;
            }
            object.bare("key", column.flags.is_key())?;
            object.bare("flags", column.flags.0)
        })
    }

    fn truncate(&mut self, body: &TruncateBody<'_>, names: &Names) -> fmt::Result {
        self.bare("cascade", body.flags.cascade())?;
        self.bare("restart_identity", body.flags.restart_identity())?;
        self.bare("flags", body.flags.0)?;
        self.objects("relations", body.relations, |object, oid| object.table(oid, names))
    }
}
