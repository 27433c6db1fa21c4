//! The row of the input `bulk` and of the workload of the same name, as a struct.

use serde::{Deserialize, Serialize};

/// Its columns, in types that every deserializer reads.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the columns' own names")]
pub struct Record {
    pub id: i32,
    pub a: String,
    pub b: i64,
    pub c: String,
    pub d: String,
    pub e: bool,
}
