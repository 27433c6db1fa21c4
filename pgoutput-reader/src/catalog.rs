//! What the catalogue knows of a table that its Relation message does not say.

mod client;
mod described;
mod slot;
mod stream_types;
#[macro_use]
mod type_name;
mod types;

use std::time::Duration;

use pgoutput_decode::value::format_type;
use pgoutput_decode::{Column, Oid, Relation, ReplicaIdentity};
use postgres::Row;

use crate::Error;
use crate::connection::Ordinary;
use crate::event::ColumnSchema;
use client::{Lazy, Parameters};

pub(crate) use client::Waits;
pub(crate) use described::{Types, with_elements};
pub use slot::SlotStatus;
pub(crate) use stream_types::StreamTypes;

/// One row for each column of a Relation message, in its order.
///
/// The message is of the past: the table may be gone or altered since. Columns are matched by name in the
/// table of that id, and the type's name is asked for the type that the message named.
const DESCRIBE: &str = concat!(
    "SELECT ",
    type_name!("sent.type_oid", "sent.type_modifier"),
    ",
       attribute.attnotnull
FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.oid[]),
                pg_catalog.unnest($4::pg_catalog.int4[]))
     WITH ORDINALITY AS sent (name, type_oid, type_modifier, place)
LEFT JOIN pg_catalog.pg_attribute AS attribute
     ON attribute.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
    AND attribute.attname::pg_catalog.text OPERATOR(pg_catalog.=) sent.name
    AND attribute.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT attribute.attisdropped
ORDER BY sent.place"
);

/// What `format_type` says of an id that no type has.
const UNKNOWN_TYPE: &str = "???";

/// What is asked over the ordinary connection, beside the replication one.
pub(crate) struct Catalog(Lazy);

impl Catalog {
    pub(crate) fn new(ordinary: Ordinary) -> Self {
        Self(Lazy::new(ordinary))
    }

    /// From now on answers are waited for like this.
    pub(crate) fn wait_with(&mut self, waits: Waits) {
        self.0.wait_with(waits);
    }

    /// The columns of this version of a table, in one query. Types that are `gone` have the names
    /// that the stream said.
    pub(crate) fn describe(
        &mut self,
        relation: &Relation,
        said: &StreamTypes,
        gone: &[Oid],
    ) -> Result<Box<[ColumnSchema]>, Error> {
        let columns = relation.columns();
        let names: Vec<String> = columns.iter().map(|column| column.name.to_string()).collect();
        let oids: Vec<u32> = columns.iter().map(|column| column.type_oid.as_u32()).collect();
        let modifiers: Vec<i32> = columns.iter().map(|column| column.type_modifier).collect();
        // With FULL every column has the flag, which then says nothing of NULL.
        let is_key = |column: &Column| {
            column.flags.is_key() && relation.replica_identity() != ReplicaIdentity::FULL
        };
        let oid = relation.oid().as_u32();
        let parameters: Parameters =
            vec![Box::new(oid), Box::new(names), Box::new(oids), Box::new(modifiers)];
        let rows = self.0.query(DESCRIBE, parameters)?;
        let described = columns.iter().zip(rows);
        Ok(described
            .map(|(column, row)| {
                let is_gone = gone.contains(&column.type_oid);
                describe(column, is_key(column), &row, said, is_gone)
            })
            .collect())
    }

    /// Makes ready for the first description, and waits for that for at most `limit`.
    pub(crate) fn make_ready(&mut self, limit: Duration) {
        let none: [Box<dyn postgres::types::ToSql + Send + Sync>; 4] = [
            Box::new(0_u32),
            Box::new(Vec::<String>::new()),
            Box::new(Vec::<u32>::new()),
            Box::new(Vec::<i32>::new()),
        ];
        self.0.make_ready(limit, DESCRIBE, none.into());
    }

    /// The names of all publications.
    pub(crate) fn publications(&mut self) -> Result<Vec<String>, Error> {
        let query = "SELECT pubname::pg_catalog.text FROM pg_catalog.pg_publication ORDER BY 1";
        Ok(self.0.query(query, vec![])?.iter().map(|row| row.get(0)).collect())
    }
}

fn describe(
    column: &Column,
    is_key: bool,
    row: &Row,
    said: &StreamTypes,
    is_gone: bool,
) -> ColumnSchema {
    let known: Option<&str> =
        row.get::<_, Option<&str>>(0).filter(|name| !is_gone && *name != UNKNOWN_TYPE);
    let not_null: Option<bool> = row.get(1);
    ColumnSchema {
        type_name: known.map_or_else(|| type_name(column, said), Into::into),
        optional: !not_null.unwrap_or(is_key),
        wire: column.clone(),
    }
}

/// The name of a type that the catalogue no longer has: what the stream said, or the number.
fn type_name(column: &Column, said: &StreamTypes) -> Box<str> {
    if let Some(name) = said.name(column.type_oid) {
        return name.into();
    }
    match format_type(column.type_oid, column.type_modifier) {
        Some(name) => name.to_string().into(),
        None => column.type_oid.to_string().into(),
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Of the settings, which may hold a password, nothing is shown.
        f.debug_struct("Catalog").field("connected", &self.0.is_connected()).finish_non_exhaustive()
    }
}
