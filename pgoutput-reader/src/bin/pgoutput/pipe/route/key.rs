//! The key of a record: a JSON object of some of the row's columns.

use pgoutput_reader::decode::TupleColumn;
use pgoutput_reader::decode::value::{
    Field, Format, JsonOptions, ValueError, ValueErrorKind, type_oid, write_json_string,
};
use pgoutput_reader::{ChangeEvent, ColumnSchema, ReplicaIdentity, Row, TableSchema};

/// The columns of a record's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyColumns {
    /// Those of the replica identity.
    Identity,
    None,
    /// These, in tables that have them all in every old row. Other tables have their identity.
    Named(Vec<String>),
}

impl KeyColumns {
    /// Reads the text of `--key`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "identity" => Ok(Self::Identity),
            "none" => Ok(Self::None),
            _ if text.split(',').any(str::is_empty) => Err("the name of a column is empty".into()),
            _ => Ok(Self::Named(text.split(',').map(str::to_owned).collect())),
        }
    }

    /// Returns the names of columns.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Named(names) => names,
            Self::Identity | Self::None => &[],
        }
    }

    /// Returns the key of a table.
    pub(super) fn of_table(&self, table: &TableSchema, names: &[String]) -> Key {
        let indexes = match self {
            Self::None => Vec::new(),
            Self::Identity => identity(table),
            Self::Named(columns) => named(table, columns).unwrap_or_else(|| identity(table)),
        };
        let name = |index: usize| names.get(index).cloned().unwrap_or_default();
        Key(indexes.into_iter().map(|index| (index, name(index))).collect())
    }
}

/// Returns the columns of the replica identity. With FULL these are all columns, which identify
/// nothing: the key is then empty.
fn identity(table: &TableSchema) -> Vec<usize> {
    if table.replica_identity() == ReplicaIdentity::FULL {
        return Vec::new();
    }
    let columns = table.columns().iter().enumerate();
    columns.filter(|(_, column)| column.is_key()).map(|(index, _)| index).collect()
}

/// Returns the columns of these names in the table's order, if every event of the table has them.
/// A delete has only the identity, unless that is FULL. A table without an identity has no deletes.
fn named(table: &TableSchema, names: &[String]) -> Option<Vec<usize>> {
    let columns = table.columns();
    let has_old_rows = columns.iter().any(ColumnSchema::is_key);
    let mut indexes = Vec::with_capacity(names.len());
    for name in names {
        let index = columns.iter().position(|column| column.name() == name)?;
        let is_in_old_rows = columns.get(index).is_some_and(ColumnSchema::is_key);
        if has_old_rows && !is_in_old_rows {
            return None;
        }
        indexes.push(index);
    }
    indexes.sort_unstable();
    indexes.dedup();
    Some(indexes)
}

/// Returns the names of the columns as keys of JSON, each with its colon.
pub(super) fn json_names(table: &TableSchema) -> Box<[String]> {
    let quoted = |name: &str| {
        let mut json = String::new();
        // Writing to a String cannot fail.
        let _ = write_json_string(&mut json, name);
        json.push(':');
        json
    };
    table.columns().iter().map(|column| quoted(column.name())).collect()
}

/// The key of a table's records: indexes of columns, with their names as keys of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(Box<[(usize, String)]>);

impl Key {
    /// Returns whether the records have no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the key of a row. `write` appends a value that is not NULL, of a column
    /// with the type modifier that it is given.
    ///
    /// # Errors
    /// A value is missing, or those of `write`.
    pub(crate) fn write<E: ToString>(
        &self,
        row: &Row<'_>,
        out: &mut String,
        mut write: impl FnMut(i32, &Field<'_>, &mut String) -> Result<(), E>,
    ) -> Result<(), String> {
        let mut separator = '{';
        for (index, name) in &self.0 {
            let missing = || format!("the column {name} of the key is missing");
            let column = row.column(*index).ok_or_else(missing)?;
            out.push(separator);
            separator = ',';
            out.push_str(name);
            match column.field() {
                Some(field) => write(column.column.type_modifier, &field, out)
                    .map_err(|error| format!("column {name} {}", error.to_string()))?,
                None if column.value == TupleColumn::Null => {
                    out.push_str("null");
                }
                None => return Err(missing()),
            }
        }
        out.push('}');
        Ok(())
    }
}

/// Returns the row that has the key of an event: the new one, or that which was deleted.
pub(crate) fn row(event: &ChangeEvent) -> Option<Row<'_>> {
    event.after().or_else(|| event.before())
}

/// Writes a value as in the JSON of events.
pub(crate) fn value(
    field: &Field<'_>,
    options: JsonOptions,
    out: &mut String,
) -> Result<(), ValueError> {
    let start = out.len();
    match field.write_json(out, options) {
        // As in events: text that is not UTF-8 is written as its bytes.
        Err(error) if error.kind() == ValueErrorKind::InvalidUtf8 => {
            out.truncate(start);
            let bytes = Field::new(type_oid::BYTEA, Format::Binary, field.bytes());
            bytes.write_json(out, options)
        }
        written => written,
    }
}
