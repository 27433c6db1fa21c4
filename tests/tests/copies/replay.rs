//! The rows that a file of events amounts to, as hashes, so that millions fit into memory.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::fs::File;
use std::hash::{Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use postgres::Client;
use serde_json::{Map, Value};

use crate::writer::{TABLES, Table};

/// The hash and the number of the rows with each key. A table without a key has its rows' hashes as
/// keys.
pub(crate) type Rows = HashMap<u64, (u64, u32)>;

/// What the events amount to.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    tables: HashMap<&'static str, Rows>,
    /// The number of events of each kind.
    ops: HashMap<String, u64>,
}

impl Replay {
    /// Applies the events of a file.
    pub(crate) fn of(path: &Path) -> Self {
        let mut replay = Self::default();
        let mut names: HashMap<u64, Option<Table>> = HashMap::new();
        for line in BufReader::new(File::open(path).unwrap()).lines() {
            let line = line.unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            let op = event["op"].as_str().unwrap();
            *replay.ops.entry(op.to_owned()).or_default() += 1;
            if op == "S" {
                let schema = &event["table_schema"];
                let name = schema["table"].as_str().unwrap();
                let table = TABLES.into_iter().find(|table| table.name == name);
                names.insert(schema["relation_id"].as_u64().unwrap(), table);
                continue;
            }
            let Some(relation) = event["relation_id"].as_u64() else { continue };
            let Some(table) = names[&relation] else { continue };
            replay.apply(op, table, &event);
        }
        replay
    }

    fn apply(&mut self, op: &str, table: Table, event: &Value) {
        let rows = self.tables.entry(table.name).or_default();
        let row = |name: &str| event[name].as_object().map(|row| hashed(table, row));
        if op == "T" {
            rows.clear();
            return;
        }
        let (before, after) = (row("before"), row("after"));
        // An update of a row without its key changed has no old row.
        let removed = match op {
            "U" => before.or(after),
            "D" => before,
            _ => None,
        };
        if let Some((key, _)) = removed {
            assert!(rows.remove(&key).is_some(), "no row for {event}");
        }
        if op != "D"
            && let Some((key, row)) = after
        {
            let (kept, count) = rows.entry(key).or_insert((row, 0));
            *count += 1;
            assert!(*count == 1 || !table.has_key, "twice: {event}");
            *kept = row;
        }
    }

    /// The number of completed copies.
    pub(crate) fn ends(&self) -> u64 {
        self.ops.get("Z").copied().unwrap_or_default()
    }

    pub(crate) fn assert_eq(&self, table: Table, source: &Rows, context: &str) {
        let none = Rows::new();
        let rows = self.tables.get(table.name).unwrap_or(&none);
        let differ = rows.iter().filter(|(key, row)| source.get(key) != Some(row)).count();
        let missing = source.keys().filter(|key| !rows.contains_key(key)).count();
        let name = table.name;
        assert!(
            differ == 0 && missing == 0,
            "{context}: {name}: {differ} of {} rows are not those of the source, {missing} of {} \
             are missing",
            rows.len(),
            source.len()
        );
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ops: Vec<_> = self.ops.iter().collect();
        ops.sort();
        for (index, (op, count)) in ops.iter().enumerate() {
            write!(f, "{}{count} {op}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// The rows of the source.
pub(crate) fn source(client: &mut Client, table: Table) -> Rows {
    let copy = format!("COPY {} ({}) TO STDOUT", table.name, table.columns.join(", "));
    let mut rows = Rows::new();
    for line in BufReader::new(client.copy_out(&copy).unwrap()).lines() {
        let line = line.unwrap();
        let (key, row) = keyed(table, &line.split('\t').collect::<Vec<_>>());
        rows.entry(key).or_insert((row, 0)).1 += 1;
    }
    rows
}

/// The hashes of the key and of the row, in the text of COPY. No value has a character that COPY
/// escapes.
fn hashed(table: Table, row: &Map<String, Value>) -> (u64, u64) {
    let text = |name: &&str| match row.get(*name) {
        None | Some(Value::Null) => "\\N".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let values: Vec<String> = table.columns.iter().map(text).collect();
    keyed(table, &values.iter().map(String::as_str).collect::<Vec<_>>())
}

fn keyed(table: Table, values: &[&str]) -> (u64, u64) {
    let row = hash(values);
    (if table.has_key { hash(&values[..1]) } else { row }, row)
}

fn hash(values: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    values.hash(&mut hasher);
    hasher.finish()
}
