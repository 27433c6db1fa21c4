//! The same JSON, written straight into a string.
//!
//! Serialising makes a string of each value, parses it again and describes the table anew for every event. Here values go
//! where they are wanted, and what is the same for all events of a table or transaction is kept as text.

use std::fmt::{self, Write};
use std::sync::OnceLock;

use pgoutput_decode::TupleColumn;
use pgoutput_decode::row::RowColumn;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Error;

use super::super::{ChangeEvent, Op, Row, TableSchema};
use super::column_notes::{Marks, named};
use super::text::{JsonText, quoted};
use super::value::{self, Written, WrittenAs};
use super::{logical_message, truncate};

/// JSON of something that never changes, made when it is first asked for. No part of what that is.
#[derive(Clone)]
pub(crate) struct Kept<T>(OnceLock<T>);

impl<T> Kept<T> {
    fn get(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
        match self.0.get() {
            Some(text) => Ok(text),
            None => make().map(|text| self.0.get_or_init(|| text)),
        }
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Kept<T> {}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

/// What every event of a table says alike.
#[derive(Clone)]
pub(crate) struct TableText {
    schema: String,
    /// The names of the columns as keys, each with its colon.
    keys: Box<[String]>,
}

impl TableText {
    fn new(table: &TableSchema) -> Result<Self, Error> {
        let keys = table.columns().iter().map(|column| quoted(column.name()) + ":");
        Ok(Self { schema: serde_json::to_string(table)?, keys: keys.collect() })
    }
}

impl ChangeEvent {
    /// Appends the event as JSON on one line, without the line's end: the very bytes that `serde_json::to_string` gives, several
    /// times faster.
    ///
    /// ```no_run
    /// # let mut reader = pgoutput_reader::Reader::builder("").connect()?;
    /// let mut line = String::new();
    /// for event in &mut reader {
    ///     line.clear();
    ///     event?.write_json(&mut line)?;
    ///     println!("{line}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When a value is not what PostgreSQL writes for its type; the error names the place of the change in the log, table, column
    /// and the key of the row, and `out` is as it was. The reader goes on with the next event.
    pub fn write_json(&self, out: &mut String) -> Result<(), Error> {
        let start = out.len();
        let written = self.append(out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn append(&self, out: &mut String) -> Result<(), Error> {
        out.push_str("{\"op\":\"");
        out.push(self.op().code());
        out.push_str("\",\"message_id\":\"");
        out.push_str(self.message_id().hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
        out.push_str("\",\"lsn\":");
        number(out, self.lsn().as_u64());
        out.push_str(",\"transaction\":");
        if let Some(transaction) = self.transaction() {
            out.push_str(transaction.json.get(|| serde_json::to_string(&**transaction))?);
        } else {
            out.push_str("null");
        }
        out.push_str(",\"table_schema\":");
        let keys = if let Some(table) = self.table() {
            let text = table.json.get(|| TableText::new(table))?;
            out.push_str(&text.schema);
            text.keys.as_ref()
        } else {
            out.push_str("null");
            &[]
        };
        // Most events have one of the two: the other need not be looked for.
        let before = matches!(self.op(), Op::Update | Op::Delete).then(|| self.before()).flatten();
        let after = matches!(self.op(), Op::Insert | Op::Update).then(|| self.after()).flatten();
        let mut left = Notes::default();
        out.push_str(",\"before\":");
        row(out, before.as_ref(), keys, &mut left)?;
        let mut right = Notes::default();
        out.push_str(",\"after\":");
        row(out, after.as_ref(), keys, &mut right)?;
        if !right.unchanged.is_empty() {
            field(out, "unchanged_toast", &right.unchanged)?;
        }
        let before = before.map(|_| left.marks);
        let after = after.map(|_| right.marks);
        for (key, columns) in named(before, after) {
            field(out, key, &columns)?;
        }
        if let Some(flags) = self.truncate() {
            field(out, "truncate", &truncate(flags))?;
        }
        if let Some(origin) = self.transaction().and_then(|transaction| transaction.origin()) {
            field(out, "origin", origin)?;
        }
        if self.op() == Op::Message
            && let Some(body) = self.logical_message()
        {
            field(out, "message", &logical_message(&body))?;
        }
        out.push('}');
        Ok(())
    }
}

/// One of the fields that few events have.
fn field(out: &mut String, key: &str, value: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string(value)?;
    for part in [",\"", key, "\":", &json] {
        out.push_str(part);
    }
    Ok(())
}

/// Columns of a row that few rows have.
#[derive(Default)]
pub(super) struct Notes<'a> {
    /// Left out, because the change did not touch them.
    unchanged: Vec<JsonText<'a>>,
    pub(super) marks: Marks<'a>,
}

/// A row or `null`.
pub(super) fn row<'a>(
    out: &mut String,
    row: Option<&Row<'a>>,
    keys: &[String],
    notes: &mut Notes<'a>,
) -> Result<(), Error> {
    let Some(row) = row else {
        out.push_str("null");
        return Ok(());
    };
    let mut separator = '{';
    for column in row.decoded().columns() {
        if column.value == TupleColumn::Unchanged {
            notes.unchanged.push(JsonText(column.name()));
            continue;
        }
        out.push(separator);
        separator = ',';
        out.push_str(keys.get(column.index).map(String::as_str).unwrap_or_default());
        let written = write_value(out, row, &column)?;
        let is_known = column.value == TupleColumn::Null || row.is_known(column.ty.oid());
        notes.marks.add(column.name(), written.of_type(is_known));
    }
    out.push_str(if separator == '{' { "{}" } else { "}" });
    Ok(())
}

fn write_value(out: &mut String, row: &Row<'_>, column: &RowColumn<'_>) -> Result<Written, Error> {
    let Some(field) = column.field() else {
        out.push_str("null");
        return Ok(Written::plainly(WrittenAs::Itself));
    };
    let start = out.len();
    let written = value::write(&field, out, row.json_options())
        .map_err(|error| Error::custom(format_args!("{}: {error}", row.place(column.name()))))?;
    // A `json` document keeps the white space inside, but not around it.
    if out.ends_with(BLANK) || out[start..].starts_with(BLANK) {
        trim(out, start);
    }
    Ok(written)
}

/// Takes off the white space around what stands from `start` on.
#[cold]
fn trim(out: &mut String, start: usize) {
    out.truncate(out.trim_end_matches(BLANK).len());
    let blank = out[start..].len() - out[start..].trim_start_matches(BLANK).len();
    out.replace_range(start..start + blank, "");
}

/// White space between the tokens of JSON.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

fn number(out: &mut String, number: u64) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests;
