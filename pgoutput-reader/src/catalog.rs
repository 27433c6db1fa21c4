//! What the catalogue knows of a table that its Relation message does not say.

mod slot;
mod types;

use std::collections::BTreeMap;

use pgoutput_decode::value::format_type;
use pgoutput_decode::{Column, Oid, Relation};
use postgres::error::{DbError, Severity};
use postgres::types::ToSql;
use postgres::{Client, Row};

use crate::Error;
use crate::connection::Ordinary;
use crate::event::ColumnSchema;

pub use slot::SlotStatus;

/// One row for each column of a Relation message, in its order.
///
/// The message is of the past: the table may be gone or altered since. Columns are matched by name in the
/// table of that id, and the type's name is asked for the type that the message named.
const DESCRIBE: &str = "\
SELECT pg_catalog.format_type(sent.type_oid, sent.type_modifier),
       attribute.attnotnull,
       coalesce(attribute.attnum = ANY (pkey.indkey), false)
FROM ROWS FROM (unnest($2::text[]), unnest($3::oid[]), unnest($4::int4[]))
     WITH ORDINALITY AS sent (name, type_oid, type_modifier, place)
LEFT JOIN pg_catalog.pg_attribute AS attribute
     ON attribute.attrelid = $1 AND attribute.attname = sent.name
    AND attribute.attnum > 0 AND NOT attribute.attisdropped
LEFT JOIN pg_catalog.pg_index AS pkey
     ON pkey.indrelid = $1 AND pkey.indisprimary
ORDER BY sent.place";

/// What `format_type` says of an id that no type has.
const UNKNOWN_TYPE: &str = "???";

/// Names that Type messages gave to types, by id.
pub(crate) type TypeNames = BTreeMap<Oid, Box<str>>;

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The ordinary connection beside the replication one. Opened when it is first needed, and again when it was lost.
pub(crate) struct Catalog {
    ordinary: Ordinary,
    client: Option<Client>,
}

impl Catalog {
    pub(crate) fn new(ordinary: Ordinary) -> Self {
        Self { ordinary, client: None }
    }

    /// The columns of this version of a table, in one query.
    pub(crate) fn describe(
        &mut self,
        relation: &Relation,
        types: &TypeNames,
    ) -> Result<Box<[ColumnSchema]>, Error> {
        let columns = relation.columns();
        let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
        let oids: Vec<u32> = columns.iter().map(|column| column.type_oid.as_u32()).collect();
        let modifiers: Vec<i32> = columns.iter().map(|column| column.type_modifier).collect();
        let parameters: [&(dyn ToSql + Sync); 4] =
            [&relation.oid().as_u32(), &names, &oids, &modifiers];
        let rows = self.query(DESCRIBE, &parameters)?;
        Ok(columns.iter().zip(rows).map(|(column, row)| describe(column, &row, types)).collect())
    }

    /// The names of all publications.
    pub(crate) fn publications(&mut self) -> Result<Vec<String>, Error> {
        let query = "SELECT pubname::text FROM pg_catalog.pg_publication ORDER BY 1";
        Ok(self.query(query, &[])?.iter().map(|row| row.get(0)).collect())
    }

    fn query(&mut self, query: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        Ok(match self.client()?.query(query, parameters) {
            // An idle connection may have been ended meanwhile; a fresh one decides.
            Err(error) if is_lost(&error) => {
                self.client = None;
                self.client()?.query(query, parameters)
            }
            result => result,
        }?)
    }

    fn client(&mut self) -> Result<&mut Client, Error> {
        match &mut self.client {
            Some(client) => Ok(client),
            empty => {
                let mut client = self.ordinary.connect()?;
                // Whether format_type qualifies a name depends on the search path, which roles and databases may set.
                client.batch_execute("SET search_path = \"$user\", public")?;
                Ok(empty.insert(client))
            }
        }
    }
}

/// Anything but an answer of the server to the query, after which the connection would be of use.
fn is_lost(error: &postgres::Error) -> bool {
    let goes_on =
        |said: &DbError| !matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    !error.as_db_error().is_some_and(goes_on)
}

fn describe(column: &Column, row: &Row, types: &TypeNames) -> ColumnSchema {
    let known: Option<&str> = row.get::<_, Option<&str>>(0).filter(|name| *name != UNKNOWN_TYPE);
    let not_null: Option<bool> = row.get(1);
    let key = column.flags.is_key();
    ColumnSchema {
        type_name: known.map_or_else(|| type_name(column, types), Into::into),
        primary_key: if not_null.is_some() { row.get(2) } else { key },
        optional: !not_null.unwrap_or(key),
        wire: column.clone(),
    }
}

/// The name of a type that the catalogue no longer has: what the stream said, or the number.
fn type_name(column: &Column, types: &TypeNames) -> Box<str> {
    if let Some(name) = types.get(&column.type_oid) {
        return name.clone();
    }
    match format_type(column.type_oid, column.type_modifier) {
        Some(name) => name.to_string().into(),
        None => column.type_oid.to_string().into(),
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // `postgres::Config` hides the password by itself; its other fields are of no use here.
        f.debug_struct("Catalog").field("connected", &self.client.is_some()).finish_non_exhaustive()
    }
}
