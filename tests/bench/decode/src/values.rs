//! Functions that read the rows of the inputs `bulk` and `bulk binary`.

use std::hint::black_box;

use pgoutput_decode::row::{Row, RowError};
use pgoutput_decode::value::{Numeric, Value};
use pgoutput_decode::{Message, Relation, TimestampTz};
use serde::{Deserialize, Serialize};

use crate::Frame;

/// The row, with every column as a type of its own.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns of the input `bulk`")]
pub struct Record<'a> {
    pub id: i32,
    pub a: &'a str,
    pub b: i64,
    pub c: String,
    pub d: String,
    pub e: bool,
}

/// Returns the row that a frame inserts.
///
/// # Panics
/// If it is not an insert into this table.
pub fn row<'a>(relation: &'a Relation, frame: &Frame<'a>) -> Row<'a> {
    let Ok(Message::Insert(body)) = Message::decode(black_box(frame.bytes), frame.in_stream) else {
        panic!("an insert")
    };
    Row::new(relation, body.new).expect("as wide as its relation")
}

/// Reads each column by its name, as the type intended for it.
pub fn get(row: Row<'_>) -> Result<(), RowError> {
    let id: i32 = row.get("id")?;
    let text: &str = row.get("a")?;
    let number: i64 = row.get("b")?;
    let time: TimestampTz = row.get("c")?;
    let price: Numeric<'_> = row.get("d")?;
    let flag: bool = row.get("e")?;
    black_box((id, text, number, time, price, flag));
    Ok(())
}

/// Reads every column as a [`Value`], like a program that does not know its columns.
///
/// # Panics
/// If a value is invalid.
pub fn get_any(row: Row<'_>) -> Result<(), RowError> {
    for column in row.columns() {
        let value: Option<Value<'_>> = column.get().expect("a known type");
        black_box(value);
    }
    Ok(())
}

/// Reads all columns at once, two of them as owned strings.
pub fn deserialize(row: Row<'_>) -> Result<(), RowError> {
    black_box(row.deserialize::<Record<'_>>()?);
    Ok(())
}
