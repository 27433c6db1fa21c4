//! The content of a log, compared with the source.

use std::collections::HashMap;

use postgres::Client;
use serde_json::{Map, Value};
use std::io::{BufRead as _, BufReader};

/// A table, and the columns that are compared: the key first.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: &'static [&'static str],
    pub(super) has_key: bool,
}

/// The rows of a table, and how often each is there: once, if the table has a key.
type Rows = HashMap<Vec<Option<String>>, (Vec<Option<String>>, usize)>;

/// The rows of tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content(HashMap<String, Rows>);

impl Table {
    fn key(&self, row: &[Option<String>]) -> Vec<Option<String>> {
        if self.has_key { row.first().cloned().into_iter().collect() } else { row.to_vec() }
    }
}

impl Content {
    /// Reads the tables of the source.
    pub(super) fn read(client: &mut Client, tables: &[Table]) -> Self {
        let mut content = Self::default();
        for table in tables {
            let copy = format!("COPY {} ({}) TO STDOUT", table.name, table.columns.join(", "));
            let rows = content.0.entry(table.name.clone()).or_default();
            for line in BufReader::new(client.copy_out(&copy).unwrap()).lines() {
                let line = line.unwrap();
                // No value has a character that COPY escapes.
                let value = |text: &str| (text != "\\N").then(|| text.to_owned());
                let row: Vec<_> = line.split('\t').map(value).collect();
                add(rows, table, &row).unwrap();
            }
        }
        content
    }

    /// Applies a record in the seed's envelope.
    pub(super) fn apply(&mut self, tables: &[Table], record: &str) -> Result<(), String> {
        let event: Value = serde_json::from_str(record).map_err(|e| format!("{e}: {record}"))?;
        let name = event["table_schema"]["table"].as_str();
        let table = tables.iter().find(|table| Some(table.name.as_str()) == name);
        let (Some(op), Some(table)) = (event["op"].as_str(), table) else { return Ok(()) };
        let rows = self.0.entry(table.name.clone()).or_default();
        let (before, after) = (event["before"].as_object(), event["after"].as_object());
        match (op, before, after) {
            ("T", ..) => rows.clear(),
            ("I" | "R", _, Some(after)) => add(rows, table, &values(table, after, None))?,
            ("U", before, Some(after)) => {
                let old = before.unwrap_or(after);
                let old = remove(rows, table, old).ok_or_else(|| format!("no row: {record}"))?;
                add(rows, table, &values(table, after, Some(&old)))?;
            }
            ("D", Some(before), _) => {
                remove(rows, table, before).ok_or_else(|| format!("no row: {record}"))?;
            }
            _ => return Err(format!("not a change: {record}")),
        }
        Ok(())
    }

    /// Compares with the source.
    pub(super) fn equals(&self, source: &Self) -> Result<(), String> {
        for (table, rows) in &source.0 {
            let own = self.0.get(table).cloned().unwrap_or_default();
            let differ = rows.iter().filter(|(key, row)| own.get(*key) != Some(row)).count();
            let more = own.keys().filter(|key| !rows.contains_key(*key)).count();
            if differ + more > 0 {
                return Err(format!(
                    "{table}: {differ} of {} rows are missing or differ, {more} are too many",
                    rows.len()
                ));
            }
        }
        Ok(())
    }
}

fn add(rows: &mut Rows, table: &Table, row: &[Option<String>]) -> Result<(), String> {
    let (_, count) = rows.entry(table.key(row)).or_insert_with(|| (row.to_vec(), 0));
    *count += 1;
    if table.has_key && *count > 1 {
        return Err(format!("{}: twice: {row:?}", table.name));
    }
    Ok(())
}

fn remove(rows: &mut Rows, table: &Table, old: &Map<String, Value>) -> Option<Vec<Option<String>>> {
    rows.remove(&table.key(&values(table, old, None))).map(|(row, _)| row)
}

/// Returns the values of a row as text. Those that are left out are unchanged.
fn values(
    table: &Table,
    row: &Map<String, Value>,
    old: Option<&[Option<String>]>,
) -> Vec<Option<String>> {
    let value = |(index, name): (usize, &&str)| match row.get(*name) {
        None => old.and_then(|old| old.get(index)).cloned().flatten(),
        Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(value) => Some(value.to_string()),
    };
    table.columns.iter().enumerate().map(value).collect()
}

/// Compares the records of a log with those of the source: none is missing, repeated or out of
/// order.
pub(super) fn compare(source: &[String], log: &[String]) -> Result<(), String> {
    let Some(at) = (0..source.len().max(log.len())).find(|at| source.get(*at) != log.get(*at))
    else {
        return Ok(());
    };
    let mut counts: HashMap<&String, (usize, usize)> = HashMap::new();
    for record in source {
        counts.entry(record).or_default().0 += 1;
    }
    for record in log {
        counts.entry(record).or_default().1 += 1;
    }
    let missing: usize = counts.values().map(|(source, log)| source.saturating_sub(*log)).sum();
    let more: usize = counts.values().map(|(source, log)| log.saturating_sub(*source)).sum();
    let show = |records: &[String]| {
        let start = |record: &String| record.chars().take(300).collect::<String>();
        records.get(at).map_or_else(|| "the end".to_owned(), start)
    };
    Err(format!(
        "of {} records, {missing} are missing, and {more} are too many; record {at} differs:\n\
         source: {}\nlog:    {}",
        source.len(),
        show(source),
        show(log)
    ))
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn lost_repeated_and_exchanged_records_are_noticed() {
        let log = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(compare(&log("a b c"), &log("a b c")), Ok(()));
        for other in ["a b", "a c", "b c", "a b b c", "a b c a b c", "b a c", "a b c d"] {
            assert!(compare(&log("a b c"), &log(other)).is_err(), "{other}");
        }
    }
}
