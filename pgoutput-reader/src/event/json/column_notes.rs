//! The columns that the JSON of an event names, because their values do not show everything.

use std::collections::BTreeMap;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::text::{is_plain, quoted, texts};
use super::value::{Written, WrittenAs};

/// The columns of one row that have notes, by the kind of note.
#[derive(Debug, Default)]
pub(super) struct ColumnNotes<'a> {
    invalid_utf8: ColumnNames<'a>,
    type_mismatch: ColumnNames<'a>,
    json_null: ColumnNames<'a>,
    json_as_text: ColumnNames<'a>,
    value_text: Texts<'a>,
    array_bounds: Texts<'a>,
}

impl<'a> ColumnNotes<'a> {
    pub(super) fn add(&mut self, column: &'a str, written: Written) {
        match written.how {
            WrittenAs::Itself => {}
            WrittenAs::Bytes => self.invalid_utf8.0.push(column),
            WrittenAs::Undescribed => self.type_mismatch.0.push(column),
        }
        if written.notes.json_null {
            self.json_null.0.push(column);
        }
        if written.notes.as_text {
            self.json_as_text.0.push(column);
        }
        if let Some(text) = written.text {
            self.value_text.0.insert(column, text);
        }
        if let Some(bounds) = written.bounds {
            self.array_bounds.0.insert(column, bounds);
        }
    }
}

/// The columns that a field of an event names, for each of its rows.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Named<'a> {
    BeforeAfter(BeforeAfter<ColumnNames<'a>>),
    Texts(BeforeAfter<Texts<'a>>),
    /// The columns of the only row.
    Row(ColumnNames<'a>),
}

#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct ColumnNames<'a>(#[serde(serialize_with = "texts")] Vec<&'a str>);

/// Texts by column.
#[derive(Debug, Default)]
pub(super) struct Texts<'a>(BTreeMap<&'a str, String>);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.iter().all(|(name, text)| is_plain(name) && is_plain(text)) {
            return self.0.serialize(serializer);
        }
        // A key cannot be raw JSON, so the whole object is.
        let pairs = self.0.iter().map(|(name, text)| format!("{}:{}", quoted(name), quoted(text)));
        let json = format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
        RawValue::from_string(json).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[derive(Serialize)]
pub(super) struct BeforeAfter<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<T>,
}

impl<T> BeforeAfter<T> {
    /// Returns `None` if there is nothing to name.
    fn of(before: T, after: T, is_empty: impl Fn(&T) -> bool) -> Option<Self> {
        let some = |columns: T| Some(columns).filter(|columns| !is_empty(columns));
        let rows = Self { before: some(before), after: some(after) };
        (rows.before.is_some() || rows.after.is_some()).then_some(rows)
    }
}

/// Returns the fields that name columns, in their order, without those that name none. A row that
/// the event does not have has no notes.
pub(super) fn named<'a>(
    before: Option<ColumnNotes<'a>>,
    after: Option<ColumnNotes<'a>>,
) -> impl Iterator<Item = (&'static str, Named<'a>)> {
    let has_both = before.is_some() && after.is_some();
    let (mut before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let list = |before, after| {
        BeforeAfter::of(before, after, |names: &ColumnNames<'_>| names.0.is_empty())
    };
    let invalid_utf8 = list(before.invalid_utf8, after.invalid_utf8).map(Named::BeforeAfter);
    let type_mismatch = list(before.type_mismatch, after.type_mismatch).map(Named::BeforeAfter);
    let json_null = if has_both {
        list(before.json_null, after.json_null).map(Named::BeforeAfter)
    } else {
        before.json_null.0.extend(after.json_null.0);
        Some(before.json_null).filter(|names| !names.0.is_empty()).map(Named::Row)
    };
    let json_as_text = list(before.json_as_text, after.json_as_text).map(Named::BeforeAfter);
    let map =
        |before, after| BeforeAfter::of(before, after, |texts: &Texts<'_>| texts.0.is_empty());
    let value_text = map(before.value_text, after.value_text).map(Named::Texts);
    let array_bounds = map(before.array_bounds, after.array_bounds).map(Named::Texts);
    [
        ("invalid_utf8", invalid_utf8),
        ("type_mismatch", type_mismatch),
        ("json_null", json_null),
        ("json_as_text", json_as_text),
        ("value_text", value_text),
        ("array_bounds", array_bounds),
    ]
    .into_iter()
    .filter_map(|(key, columns)| Some((key, columns?)))
}
