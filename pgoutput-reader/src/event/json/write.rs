//! Writes the JSON of an event into a string.
//!
//! Values are written in place, without a copy. The JSON that all events of a table or transaction
//! share is written once.

use std::fmt::{self, Write as _};

use pgoutput_decode::row::RowColumn;
use pgoutput_decode::{Lsn, TupleColumn};
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Error;

use super::super::{ChangeEvent, Content, Context, Op, Row, TableSchema, TransactionInfo};
use super::column_notes::{ColumnNotes, named};
use super::text::{JsonText, quoted};
use super::value::{self, Written, WrittenAs};
use super::{OriginJson, TransactionJson, logical_message, truncate};

/// JSON that many events have in common.
pub(crate) struct Fragment {
    json: String,
    /// The column names of a table as keys, each with its colon.
    keys: Box<[String]>,
}

impl Fragment {
    fn of_transaction(transaction: &TransactionInfo, as_text: bool) -> Result<Self, Error> {
        let json = serde_json::to_string(&TransactionJson { transaction, as_text })?;
        Ok(Self { json, keys: Box::default() })
    }

    fn of_table(table: &TableSchema) -> Result<Self, Error> {
        Ok(Self { json: serde_json::to_string(table)?, keys: keys(table) })
    }
}

/// Returns the names of the columns as keys, each with its colon.
pub(super) fn keys(table: &TableSchema) -> Box<[String]> {
    table.columns().iter().map(|column| quoted(column.name()) + ":").collect()
}

/// An error of [`ChangeEvent::write_json`]: a value that is not in the form that PostgreSQL writes
/// for its type.
///
/// The text names the LSN of the change, the table, the column and the key of the row.
#[derive(Debug)]
pub struct JsonError(Error);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for JsonError {}

impl ChangeEvent {
    /// Appends the event as JSON on one line, without the line end. These are the bytes that
    /// `serde_json::to_string` returns, several times faster.
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
    /// A value is not in the form that PostgreSQL writes for its type. The error names the LSN of
    /// the change, the table, the column and the key of the row; `out` is unchanged. The reader
    /// continues with the next event.
    pub fn write_json(&self, out: &mut String) -> Result<(), JsonError> {
        let start = out.len();
        let written = self.append(out);
        if written.is_err() {
            out.truncate(start);
        }
        written.map_err(JsonError)
    }

    fn append(&self, out: &mut String) -> Result<(), Error> {
        out.push_str("{\"op\":\"");
        out.push(self.op().code());
        out.push_str("\",\"message_id\":\"");
        self.message_id().with_text(|text| out.push_str(text));
        out.push_str("\",\"lsn\":");
        lsn(out, self.lsn(), self.lsns_as_text);
        out.push_str(",\"transaction\":");
        match &self.context {
            Context::Transaction(shared) => {
                out.push_str(
                    &shared.json(|value| Fragment::of_transaction(value, self.lsns_as_text))?.json,
                );
            }
            Context::Alone(_) | Context::Copy(_) => out.push_str("null"),
        }
        if matches!(self.content, Content::End) {
            out.push('}');
            return Ok(());
        }
        let keys = self.append_table(out)?;
        // Most events have only one of the two rows.
        let before = matches!(self.op(), Op::Update | Op::Delete).then(|| self.before()).flatten();
        let has_new = matches!(self.op(), Op::Insert | Op::Update | Op::SnapshotRow);
        let after = has_new.then(|| self.after()).flatten();
        let mut left = Notes::default();
        out.push_str(",\"before\":");
        row(out, before.as_ref(), keys, &mut left)?;
        let mut right = Notes::default();
        out.push_str(",\"after\":");
        row(out, after.as_ref(), keys, &mut right)?;
        if !right.unchanged.is_empty() {
            field(out, "unchanged_toast", &right.unchanged)?;
        }
        let before = before.map(|_| left.columns);
        let after = after.map(|_| right.columns);
        for (key, columns) in named(before, after) {
            field(out, key, &columns)?;
        }
        if let Some(flags) = self.truncate() {
            field(out, "truncate", &truncate(flags))?;
        }
        if let Some(origin) = self.transaction().and_then(|transaction| transaction.origin()) {
            field(out, "origin", &OriginJson { origin, as_text: self.lsns_as_text })?;
        }
        if self.op() == Op::Message
            && let Some(body) = self.logical_message()
        {
            field(out, "message", &logical_message(&body))?;
        }
        if let Some(change) = self.schema_change() {
            field(out, "schema_change", change)?;
        }
        out.push('}');
        Ok(())
    }

    /// Appends the description of the table, or its id if another event has that. Returns the names
    /// of the columns as keys.
    fn append_table(&self, out: &mut String) -> Result<&[String], Error> {
        let Some(shared) = &self.table else {
            out.push_str(",\"table_schema\":null");
            return Ok(&[]);
        };
        let table = shared.json(Fragment::of_table)?;
        if self.schema_apart {
            // Writing to a String cannot fail.
            let _ = write!(out, ",\"relation_id\":{}", shared.relation().oid().as_u32());
        } else {
            out.push_str(",\"table_schema\":");
            out.push_str(&table.json);
        }
        Ok(&table.keys)
    }
}

/// Writes a field that few events have.
fn field(out: &mut String, key: &str, value: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string(value)?;
    for part in [",\"", key, "\":", &json] {
        out.push_str(part);
    }
    Ok(())
}

/// The columns of a row that the JSON names. Most rows have none.
#[derive(Default)]
pub(super) struct Notes<'a> {
    /// Unchanged TOAST values, which the JSON omits.
    unchanged: Vec<JsonText<'a>>,
    pub(super) columns: ColumnNotes<'a>,
}

/// Writes a row or `null`.
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
        notes.columns.add(column.name(), written.of_type(is_known));
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
        .map_err(|error| Error::custom(format_args!("{}: {error}", row.location(column.name()))))?;
    // A `json` document keeps the white space inside, but not around it.
    if out.ends_with(BLANK) || out[start..].starts_with(BLANK) {
        trim(out, start);
    }
    Ok(written)
}

/// Removes the white space around the text from `start` on.
#[cold]
fn trim(out: &mut String, start: usize) {
    out.truncate(out.trim_end_matches(BLANK).len());
    let blank = out[start..].len() - out[start..].trim_start_matches(BLANK).len();
    out.replace_range(start..start + blank, "");
}

/// White space between the tokens of JSON.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

fn lsn(out: &mut String, lsn: Lsn, as_text: bool) {
    // Writing to a String cannot fail.
    let _ = if as_text { write!(out, "\"{lsn}\"") } else { write!(out, "{}", lsn.as_u64()) };
}

#[cfg(test)]
mod tests;
