//! Copies the published tables into another PostgreSQL database: the rows that exist, then each
//! transaction as one transaction. That transaction also stores its position, so each is applied
//! once, however the program ends.
//!
//! ```text
//! cargo run --example postgres -- "postgresql://app@source/app" my_slot my_publication \
//!     "postgresql://app@target/app"
//! ```
//!
//! It needs `cargo add pgoutput-reader postgres bytes`. The tables must exist in the target, with
//! the same names and columns, without foreign keys, triggers and other writers. If a column is
//! missing after an ALTER TABLE in the source, the error names it: add it, and start again. The
//! slot is created if it is missing. Drop it when you no longer need it:
//! `SELECT pg_catalog.pg_drop_replication_slot('my_slot')`.

use std::collections::HashMap;
use std::error::Error;

use bytes::BytesMut;
use pgoutput_reader::decode::TupleColumn;
use pgoutput_reader::{ChangeEvent, Op, Position, Reader, ReplicaIdentity, Row, RowColumn};
use pgoutput_reader::{SlotCreation, Snapshot};
use postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, NoTls, Statement, Transaction};

type Result<T> = std::result::Result<T, Box<dyn Error + Sync + Send>>;

/// Creates the table of positions, in a session that reads and writes values as the reader does.
const SETUP: &str = "SET search_path = ''; SET DateStyle = 'ISO, MDY'; SET TimeZone = 'UTC';
    SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex';
    SET lc_monetary = 'C';
    CREATE TABLE IF NOT EXISTS public.pgoutput_position (slot text PRIMARY KEY, position text)";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, slot, publication, target] = arguments.as_slice() else {
        return Err("usage: postgres SOURCE SLOT PUBLICATION TARGET".into());
    };
    // For TLS, enable the feature `postgres` and use `Config::connect_postgres`.
    let mut target = Client::connect(target, NoTls)?;
    target.batch_execute(SETUP)?;
    let query = "SELECT position FROM public.pgoutput_position
                 WHERE slot OPERATOR(pg_catalog.=) $1";
    let stored = target.query_opt(query, &[slot])?;
    let mut builder = Reader::builder(source)
        .slot(slot)
        .publication(publication)
        .slot_creation(SlotCreation::IfMissing)
        .snapshot(Snapshot::initial());
    if let Some(row) = stored {
        builder = builder.resume(row.get::<_, &str>(0).parse::<Position>()?);
    }
    let mut reader = builder.connect()?;
    let mut statements = HashMap::new();
    // In the copy of existing rows, those of one table count as a transaction.
    while let Some(changes) = reader.next_transaction() {
        let mut transaction = target.transaction()?;
        let mut position = String::new();
        for event in changes? {
            let event = event?;
            apply(&mut transaction, &mut statements, &event).map_err(|error| {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("change at {}: {error}{cause}", event.lsn())
            })?;
            position = event.position().to_string();
        }
        let store = "INSERT INTO public.pgoutput_position VALUES ($1, $2)
                     ON CONFLICT (slot) DO UPDATE SET position = excluded.position";
        transaction.execute(store, &[slot, &position])?;
        transaction.commit()?; // The loop acknowledges these changes when it requests the next.
    }
    Ok(())
}

fn apply(
    target: &mut Transaction<'_>,
    statements: &mut HashMap<String, Statement>,
    event: &ChangeEvent,
) -> Result<()> {
    let mut values = Vec::new();
    let Some(sql) = sql(event, &mut values)? else { return Ok(()) };
    let statement = match statements.get(&sql) {
        Some(statement) => statement.clone(),
        None => target.prepare(&sql)?,
    };
    let parameters: Vec<_> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    let rows = target.execute(&statement, &parameters)?;
    if event.op() != Op::Truncate && rows != 1 {
        return Err(format!("{rows} rows in the target instead of one: {sql}").into());
    }
    statements.entry(sql).or_insert(statement);
    Ok(())
}

/// Returns the statement that applies a change, and its parameters.
fn sql<'a>(event: &'a ChangeEvent, values: &mut Vec<AsText<'a>>) -> Result<Option<String>> {
    // The end of the initial copy, and messages, have no table.
    let Some(table) = event.table() else { return Ok(None) };
    let name = format!("{}.{}", quote(table.schema_name()), quote(table.name()));
    let (before, after) = (event.before(), event.after());
    Ok(Some(match (event.op(), before, after) {
        (Op::Insert | Op::SnapshotRow, _, Some(new)) if !table.columns().is_empty() => {
            let names: Vec<_> = new.columns().map(|column| quote(column.name())).collect();
            let all: Vec<_> = new.columns().map(|column| parameter(&column, values)).collect();
            let (names, all) = (names.join(", "), all.join(", "));
            format!("INSERT INTO {name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({all})")
        }
        (Op::Insert | Op::SnapshotRow, ..) => format!("INSERT INTO {name} DEFAULT VALUES"),
        (Op::Update, old, Some(new)) => {
            // Neither an unchanged TOAST value, nor one that is the same as before. Without an old
            // row the key is.
            let is_changed =
                |column: &RowColumn<'_>| match old.and_then(|old| old.column(column.index)) {
                    _ if column.value == TupleColumn::Unchanged => false,
                    Some(old) => old.value != column.value,
                    None => old.is_some() || !column.column.flags.is_key(),
                };
            let set: Vec<_> = new
                .columns()
                .filter(is_changed)
                .map(|column| format!("{} = {}", quote(column.name()), parameter(&column, values)))
                .collect();
            if set.is_empty() {
                return Ok(None);
            }
            let row = condition(&name, old.unwrap_or(new), values);
            format!("UPDATE {name} SET {} WHERE {row}", set.join(", "))
        }
        (Op::Delete, Some(old), _) => {
            format!("DELETE FROM {name} WHERE {}", condition(&name, old, values))
        }
        // A table whose copy starts again is emptied too.
        (Op::Truncate, ..) => format!("TRUNCATE {name}"),
        (op, ..) => return Err(format!("cannot apply {op:?}").into()),
    }))
}

/// Returns the condition that finds a row by its replica identity.
fn condition<'a>(name: &str, row: Row<'a>, values: &mut Vec<AsText<'a>>) -> String {
    let is_full = row.table().replica_identity() == ReplicaIdentity::FULL;
    let keys = row.columns().filter(|column| column.column.flags.is_key());
    let keys: Vec<_> = keys
        .map(|column| match (quote(column.name()), column.value) {
            (name, TupleColumn::Null) => format!("{name} IS NULL"),
            // A type such as json has no operator. Its text is compared.
            (name, _) if is_full => {
                let value = parameter(&column, values);
                format!("pg_catalog.format('%s', {name}) OPERATOR(pg_catalog.=) {value}")
            }
            (name, _) => format!("{name} OPERATOR(pg_catalog.=) {}", parameter(&column, values)),
        })
        .collect();
    let keys = keys.join(" AND ");
    if !is_full {
        return keys;
    }
    // One of equal rows.
    format!(
        "(tableoid, ctid) OPERATOR(pg_catalog.=)
         (SELECT tableoid, ctid FROM {name} WHERE {keys} LIMIT 1)"
    )
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn parameter<'a>(column: &RowColumn<'a>, values: &mut Vec<AsText<'a>>) -> String {
    values.push(AsText(match column.value {
        TupleColumn::Text(text) => Some(text),
        _ => None,
    }));
    format!("${}", values.len())
}

/// The text of a value, which the target reads as the type of its column.
#[derive(Debug)]
struct AsText<'a>(Option<&'a [u8]>);

impl ToSql for AsText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull> {
        let Some(text) = self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text);
        Ok(IsNull::No)
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
