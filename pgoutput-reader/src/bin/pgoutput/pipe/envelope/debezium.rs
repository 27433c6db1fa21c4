//! The envelope of Debezium's connector for PostgreSQL, without schemas. `docs/debezium.md` has
//! every field and every difference.

mod bytes;
mod decimal;
mod extension;
mod geometry;
mod row;
mod source;
mod text;
mod time;
mod value;

use std::fmt::Write as _;
use std::sync::Arc;

use pgoutput_reader::decode::value::Field;
use pgoutput_reader::{ChangeEvent, Op, Row};

use self::source::Source;
use self::text::string;
use self::value::Settings;
use crate::args::DebeziumArgs;
use crate::pipe::batch::Batch;
use crate::pipe::route::{SourceNames, TableRoute};

/// Writes events in this envelope.
pub(super) struct Debezium {
    settings: Settings,
    tombstones: bool,
    source: Source,
    /// Nanoseconds since 1970.
    now: fn() -> i64,
    /// The old and the new key of an update.
    keys: (String, String),
}

/// One record of an event.
struct Change<'a> {
    op: char,
    before: Option<Row<'a>>,
    after: Option<Row<'a>>,
}

impl Debezium {
    pub(super) fn new(args: &DebeziumArgs, source: &SourceNames) -> Self {
        Self {
            settings: Settings::new(args),
            tombstones: !args.no_tombstones,
            source: Source::new(source),
            now: source::now,
            keys: Default::default(),
        }
    }

    /// Adds the records of an event of a table: one, or two for a delete, or three for a changed
    /// key.
    pub(super) fn encode(
        &mut self,
        event: &ChangeEvent,
        route: &TableRoute,
        batch: &mut Batch,
    ) -> Result<(), String> {
        let now = (self.now)();
        self.source.begin(event);
        let (before, after) = (event.before(), event.after());
        match event.op() {
            Op::Insert => self.change(event, 'c', None, after, route, now, batch),
            Op::SnapshotRow => self.change(event, 'r', None, after, route, now, batch),
            Op::Truncate => self.change(event, 't', None, None, route, now, batch),
            Op::Update if self.is_key_changed(before.as_ref(), after.as_ref(), route)? => {
                self.change(event, 'd', before, None, route, now, batch)?;
                self.tombstone(before.as_ref(), route, batch)?;
                self.change(event, 'c', None, after, route, now, batch)
            }
            Op::Update => self.change(event, 'u', before, after, route, now, batch),
            Op::Delete => {
                self.change(event, 'd', before, None, route, now, batch)?;
                self.tombstone(before.as_ref(), route, batch)
            }
            _ => Ok(()),
        }
    }

    /// Adds the record of a message. Ends of transactions and copies have none.
    pub(super) fn encode_without_table(
        &mut self,
        event: &ChangeEvent,
        topic: &Arc<str>,
        batch: &mut Batch,
    ) -> Result<(), String> {
        let now = (self.now)();
        self.source.begin(event);
        let Some(message) = event.logical_message() else { return Ok(()) };
        batch.push(topic, |record| {
            record.key(|out| {
                out.push_str("{\"prefix\":");
                string(out, message.prefix);
                out.push('}');
            });
            record.value(|out| {
                out.push_str("{\"op\":\"m\",");
                times(now, out);
                out.push_str(",\"source\":");
                self.source.write(event, now, out);
                out.push_str(",\"transaction\":null,\"message\":{\"prefix\":");
                string(out, message.prefix);
                out.push_str(",\"content\":");
                bytes::base64(message.content.iter().copied(), out);
                out.push_str("}}");
            });
            Ok(())
        })
    }

    #[expect(clippy::too_many_arguments, reason = "they are the parts of a record")]
    fn change(
        &self,
        event: &ChangeEvent,
        op: char,
        before: Option<Row<'_>>,
        after: Option<Row<'_>>,
        route: &TableRoute,
        now: i64,
        batch: &mut Batch,
    ) -> Result<(), String> {
        batch.push(&route.topic, |record| {
            if let Some(row) = after.as_ref().or(before.as_ref())
                && !route.key.is_empty()
            {
                record.key(|out| self.key(row, route, out))?;
            }
            record.value(|out| self.envelope(&Change { op, before, after }, event, route, now, out))
        })
    }

    /// Adds a record without a value, if the row has a key.
    fn tombstone(
        &self,
        before: Option<&Row<'_>>,
        route: &TableRoute,
        batch: &mut Batch,
    ) -> Result<(), String> {
        match before {
            Some(row) if self.tombstones && !route.key.is_empty() => {
                batch.push(&route.topic, |record| record.key(|out| self.key(row, route, out)))
            }
            _ => Ok(()),
        }
    }

    fn key(&self, row: &Row<'_>, route: &TableRoute, out: &mut String) -> Result<(), String> {
        route.key.write(row, out, |modifier: i32, field: &Field<'_>, out: &mut String| {
            value::write(field, modifier, &self.settings, out)
        })
    }

    /// Returns whether an update changes the key. The old row is sent for other reasons too.
    fn is_key_changed(
        &mut self,
        before: Option<&Row<'_>>,
        after: Option<&Row<'_>>,
        route: &TableRoute,
    ) -> Result<bool, String> {
        let (Some(before), Some(after), false) = (before, after, route.key.is_empty()) else {
            return Ok(false);
        };
        let (mut old, mut new) = std::mem::take(&mut self.keys);
        old.clear();
        new.clear();
        self.key(before, route, &mut old)?;
        self.key(after, route, &mut new)?;
        let is_changed = old != new;
        self.keys = (old, new);
        Ok(is_changed)
    }

    fn envelope(
        &self,
        change: &Change<'_>,
        event: &ChangeEvent,
        route: &TableRoute,
        now: i64,
        out: &mut String,
    ) -> Result<(), String> {
        let Change { op, before, after } = change;
        out.push_str("{\"before\":");
        row::write(before.as_ref(), &route.names, &self.settings, out)?;
        out.push_str(",\"after\":");
        row::write(after.as_ref(), &route.names, &self.settings, out)?;
        out.push_str(",\"source\":");
        self.source.write(event, now, out);
        out.push_str(",\"transaction\":null,\"op\":\"");
        out.push(*op);
        out.push_str("\",");
        times(now, out);
        out.push('}');
        Ok(())
    }
}

/// Writes the time of processing in three units.
fn times(nanos: i64, out: &mut String) {
    let (millis, micros) = (nanos.div_euclid(1_000_000), nanos.div_euclid(1_000));
    // Writing to a String cannot fail.
    let _ = write!(out, "\"ts_ms\":{millis},\"ts_us\":{micros},\"ts_ns\":{nanos}");
}

#[cfg(test)]
mod tests;
