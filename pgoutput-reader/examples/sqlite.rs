//! Keeps a copy of the published tables in SQLite: the rows that exist, then each change exactly
//! once, however the program ends. The transaction that stores changes also stores their position.
//!
//! ```text
//! cargo run --example sqlite -- "postgresql://app@localhost/app" my_slot my_publication copy.db
//! ```
//!
//! It needs `cargo add pgoutput-reader`, `cargo add serde_json --features raw_value` and
//! `cargo add rusqlite --features bundled`. It creates the slot if it is missing. Drop it when you
//! no longer need it: `SELECT pg_catalog.pg_drop_replication_slot('my_slot')`.

use std::collections::BTreeMap;

use pgoutput_reader::decode::value::JsonOptions;
use pgoutput_reader::decode::{ColumnFlags, TupleColumn};
use pgoutput_reader::{ChangeEvent, Op, Position, Reader, Row, RowColumn, SlotCreation, Snapshot};
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::value::RawValue;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dsn, slot, publication, file] = arguments.as_slice() else {
        return Err("usage: sqlite CONNINFO|URI SLOT PUBLICATION FILE".into());
    };
    copy(dsn, slot, publication, &mut Connection::open(file)?)
}

fn copy(dsn: &str, slot: &str, publication: &str, db: &mut Connection) -> Result<()> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS row (relation TEXT, key TEXT, columns TEXT NOT NULL,
                                         PRIMARY KEY (relation, key));
         CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT)",
    )?;
    let stored = db.query_row("SELECT text FROM position", [], |row| row.get::<_, String>(0));
    let mut builder = Reader::builder(dsn)
        .slot(slot)
        .publication(publication)
        .slot_creation(SlotCreation::IfMissing)
        .snapshot(Snapshot::initial());
    if let Some(text) = stored.optional()? {
        builder = builder.resume(text.parse::<Position>()?);
    }
    let mut reader = builder.connect()?;
    // In the copy of existing rows, those of one table count as a transaction.
    while let Some(changes) = reader.next_transaction() {
        let transaction = db.transaction()?;
        let mut position = String::new();
        for event in changes? {
            let event = event?;
            apply(&transaction, &event)?;
            position = event.position().to_string();
        }
        transaction.execute("INSERT OR REPLACE INTO position VALUES (1, ?1)", [position])?;
        transaction.commit()?; // The loop acknowledges these changes when it requests the next.
    }
    Ok(())
}

/// Stores one change. Rows are JSON objects.
fn apply(db: &Connection, event: &ChangeEvent) -> Result<()> {
    // The end of the initial copy, and messages, have no table.
    let Some(table) = event.table() else { return Ok(()) };
    let relation = format!("{}.{}", table.schema_name(), table.name());
    if event.op() == Op::Truncate {
        db.execute("DELETE FROM row WHERE relation = ?1", [&relation])?;
        return Ok(());
    }
    let old = match event.op() {
        // Without an old row the key did not change.
        Op::Update => event.before().or_else(|| event.after()),
        Op::Delete => event.before(),
        _ => None,
    };
    let mut columns = BTreeMap::<String, Box<RawValue>>::new();
    if let Some(old) = old {
        let stored: String = db.query_row(
            "DELETE FROM row WHERE relation = ?1 AND key = ?2 RETURNING columns",
            [&relation, &key(event, &old)?],
            |row| row.get(0),
        )?;
        columns = serde_json::from_str(&stored)?;
    }
    if let Some(new) = event.after() {
        // An unchanged TOAST value is still that of the old row.
        for column in new.columns().filter(|column| column.value != TupleColumn::Unchanged) {
            columns.insert(column.name().into(), RawValue::from_string(json(&column)?)?);
        }
        db.execute(
            "INSERT INTO row VALUES (?1, ?2, ?3)",
            [&relation, &key(event, &new)?, &serde_json::to_string(&columns)?],
        )?;
    }
    Ok(())
}

/// Returns the columns of the replica identity as JSON, or a unique id for a table without one,
/// which has only INSERT.
fn key(event: &ChangeEvent, row: &Row<'_>) -> Result<String> {
    let is_key = |column: &RowColumn<'_>| ColumnFlags::is_key(column.column.flags);
    let values: Vec<_> =
        row.columns().filter(is_key).map(|column| json(&column)).collect::<Result<_>>()?;
    if values.is_empty() {
        return Ok(event.message_id().to_string());
    }
    Ok(format!("[{}]", values.join(",")))
}

fn json(column: &RowColumn<'_>) -> Result<String> {
    let mut json = String::new();
    match column.field() {
        Some(field) => drop(field.write_json(&mut json, JsonOptions::default())?),
        None => json.push_str("null"),
    }
    Ok(json)
}
