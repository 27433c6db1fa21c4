//! The key of a row, for messages.

use std::fmt::Write as _;

use pgoutput_decode::message::ReplicaIdentity;
use pgoutput_decode::{Printable, TupleColumn};

use super::Row;

/// The characters shown of a value; a longer one is truncated.
const SHOWN_LIMIT: usize = 64;

/// Returns the columns of the key with their values, as in `id=7, name=a b`; empty without a key.
/// No other column is shown.
///
/// With `REPLICA IDENTITY FULL` every column is part of the identity. This is not a key, so the
/// text is empty.
pub(super) fn text(row: &Row<'_>) -> String {
    let mut text = String::new();
    if row.decoded().relation().replica_identity() == ReplicaIdentity::FULL {
        return text;
    }
    for column in row.decoded().columns() {
        if !column.column.flags.is_key() || column.value == TupleColumn::Unchanged {
            continue;
        }
        let mut value = String::new();
        match column.field() {
            None => value.push_str("NULL"),
            Some(field) if field.write_text(&mut value).is_ok() => {}
            Some(_) => {
                value.clear();
                value.push_str("(unreadable)");
            }
        }
        if let Some((end, _)) = value.char_indices().nth(SHOWN_LIMIT) {
            value.truncate(end);
            value.push('…');
        }
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{}={}", Printable(column.name()), Printable(&value));
    }
    text
}
