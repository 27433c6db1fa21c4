//! What the catalogue says of a table beyond its Relation message.

#[macro_use]
mod type_name;

mod answer;
mod blocking;
mod client;
mod prefetch;
mod published;
mod refused;
mod slot;
mod stream_types;
mod table_batch;
mod type_descriptions;
mod types;

use std::time::Duration;

use pgoutput_decode::value::format_type;
use pgoutput_decode::{Column, Lsn, Oid, Relation, ReplicaIdentity};

use crate::connection::SqlConnector;
use crate::error::{Error, ProtocolError};
use crate::event::ColumnSchema;
use crate::io::Waits;
use crate::sql::names::{bytes, escaped};
use client::{SqlClient, SqlParameters};
use prefetch::{Miss, Prefetch, Taken};

pub use blocking::BlockingSession;
pub(crate) use blocking::listed;
pub use published::Published;
pub use refused::{RefusalCause, RefusedTables};
pub use slot::SlotStatus;
pub(crate) use stream_types::StreamTypes;
pub(crate) use type_descriptions::{Types, with_elements};

/// One row for each column of a Relation message, in its order.
///
/// The message is of the past: the table may be gone or altered since. Columns are matched by name
/// in the table of that oid, and the type's name is queried for the type that the message named.
const DESCRIBE: &str = concat!(
    "SELECT ",
    bytes!("named.type_name"),
    ",
       attribute.attnotnull
FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.oid[]),
                pg_catalog.unnest($4::pg_catalog.int4[]))
     WITH ORDINALITY AS sent (name, type_oid, type_modifier, ordinal)
CROSS JOIN LATERAL (SELECT ",
    type_name!("sent.type_oid", "sent.type_modifier"),
    " AS type_name OFFSET 0) AS named
LEFT JOIN pg_catalog.pg_attribute AS attribute
     ON attribute.attrelid OPERATOR(pg_catalog.=) $1::pg_catalog.oid
    AND attribute.attname::pg_catalog.text OPERATOR(pg_catalog.=) sent.name
    AND attribute.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT attribute.attisdropped
ORDER BY sent.ordinal"
);

/// One unit of the currency in its smallest units, whose number `lc_monetary` determines. The
/// session must have the setting that new sessions have, not the one that the text of values is
/// read under.
const MONEY_UNIT: &str = "SELECT pg_catalog.cash_send('1'::pg_catalog.money)";

/// What `format_type` says of an id that no type has.
const UNKNOWN_TYPE: &str = "???";

/// The queries over the SQL connection, beside the replication connection.
pub(crate) struct Catalog {
    sql: SqlClient,
    prefetch: Prefetch,
}

/// A table to be described.
pub(crate) struct Wanted<'a> {
    pub(crate) relation: &'a Relation,
    pub(crate) said: &'a StreamTypes,
    /// The commit LSN of the transaction that its rows are of.
    pub(crate) commit_lsn: Lsn,
    pub(crate) publications: &'a [String],
    /// Whether a table has been described.
    pub(crate) is_known: &'a dyn Fn(Oid) -> bool,
}

/// The facts about a table beyond its Relation message.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) columns: Box<[ColumnSchema]>,
    pub(crate) types: Types,
}

impl Catalog {
    pub(crate) fn new(connector: SqlConnector) -> Self {
        Self { sql: SqlClient::new(connector), prefetch: Prefetch::default() }
    }

    /// Sets how answers are waited for.
    pub(crate) fn wait_with(&mut self, waits: Waits) {
        self.sql.wait_with(waits);
    }

    /// Describes a table, and with it others whose changes may come next.
    pub(crate) fn describe(&mut self, wanted: &Wanted<'_>) -> Result<Described, Error> {
        let (relation, said, commit_lsn) = (wanted.relation, wanted.said, wanted.commit_lsn);
        match self.prefetch.take(relation, said, commit_lsn) {
            Taken::Found(described) => return Ok(described),
            Taken::Useless => return self.describe_alone(relation, said),
            Taken::Missed => {}
        }
        match self.prefetch.miss(commit_lsn) {
            Miss::Alone => {}
            Miss::AskPosition => {
                let position = self.wal_end()?;
                self.prefetch.reached(position);
            }
            Miss::Batch => match self.prefetch_with(wanted) {
                Ok(()) => {
                    if let Taken::Found(found) = self.prefetch.take(relation, said, commit_lsn) {
                        return Ok(found);
                    }
                }
                // Something about other tables, which must not keep this one from being read.
                Err(error) if error.sqlstate().is_some() => self.prefetch.refuse(),
                Err(error) => return Err(error),
            },
        }
        self.describe_alone(relation, said)
    }

    /// Describes this version of a table: its columns in one query, and its types.
    fn describe_alone(
        &mut self,
        relation: &Relation,
        said: &StreamTypes,
    ) -> Result<Described, Error> {
        let types = self.describe_types(relation, said)?;
        let columns = relation.columns();
        let names: Vec<String> = columns.iter().map(|column| column.name.to_string()).collect();
        let oids: Vec<u32> = columns.iter().map(|column| column.type_oid.as_u32()).collect();
        let modifiers: Vec<i32> = columns.iter().map(|column| column.type_modifier).collect();
        let oid = relation.oid().as_u32();
        let parameters: SqlParameters =
            vec![Box::new(oid), Box::new(names), Box::new(oids), Box::new(modifiers)];
        let rows = self.sql.query(DESCRIBE, parameters)?;
        let facts: Vec<_> = rows.iter().map(|row| (name(row, 0), row.get(1))).collect();
        let facts = facts.iter().map(|(name, not_null)| (name.as_deref(), *not_null));
        Ok(Described { columns: column_schemas(relation, facts, said, &types.gone), types })
    }

    /// Prepares the first description, and waits for that for at most `limit`.
    pub(crate) fn make_ready(&mut self, limit: Duration) {
        let none: [Box<dyn postgres::types::ToSql + Send + Sync>; 4] = [
            Box::new(0_u32),
            Box::new(Vec::<String>::new()),
            Box::new(Vec::<u32>::new()),
            Box::new(Vec::<i32>::new()),
        ];
        self.sql.make_ready(limit, DESCRIBE, none.into());
    }

    /// The number of digits after the decimal point of a `money` amount.
    pub(crate) fn money_digits(&mut self) -> Result<u8, Error> {
        let rows = self.sql.query(MONEY_UNIT, vec![])?;
        let unit = rows.first().and_then(|row| row.get::<_, Vec<u8>>(0).try_into().ok());
        // PostgreSQL has 10 digits at most.
        let digits = unit
            .map(i64::from_be_bytes)
            .and_then(|unit| (0..=10).find(|digits| 10_i64.checked_pow(*digits) == Some(unit)));
        let digits = digits.and_then(|digits| u8::try_from(digits).ok());
        let unknown = ProtocolError::Answer { command: "cash_send", field: "the unit of money" };
        Ok(digits.ok_or(unknown)?)
    }
}

/// A name that was queried as its [`bytes!`]; bytes that are not UTF-8 are escaped.
fn name(row: &postgres::Row, index: usize) -> Option<String> {
    row.get::<_, Option<&[u8]>>(index).map(escaped)
}

/// The description of a table by the stream alone, as if the catalogue no longer had anything.
#[cfg(test)]
pub(crate) fn described_by_stream(relation: &Relation, said: &StreamTypes) -> Described {
    let of_columns = types::wanted(relation.columns().iter().map(|column| column.type_oid));
    let types = type_descriptions::describe(&of_columns, &types::Entries::new(), said);
    let facts = relation.columns().iter().map(|_| (None, None));
    Described { columns: column_schemas(relation, facts, said, &types.gone), types }
}

/// The columns of a table with what the catalogue says of each: the name of its type, and whether
/// it is `NOT NULL`. Types that are `gone` have the names that the stream gave them.
fn column_schemas<'a>(
    relation: &Relation,
    facts: impl IntoIterator<Item = (Option<&'a str>, Option<bool>)>,
    said: &StreamTypes,
    gone: &[Oid],
) -> Box<[ColumnSchema]> {
    // With FULL every column has the flag, which then says nothing of NULL.
    let is_full = relation.replica_identity() == ReplicaIdentity::FULL;
    let schema = |(column, (name, not_null)): (&Column, (Option<&str>, Option<bool>))| {
        let is_gone = gone.contains(&column.type_oid);
        let known = name.filter(|name| !is_gone && *name != UNKNOWN_TYPE);
        ColumnSchema {
            type_name: known.map_or_else(|| type_name(column, said), Into::into),
            optional: !not_null.unwrap_or(column.flags.is_key() && !is_full),
            wire: column.clone(),
        }
    };
    relation.columns().iter().zip(facts).map(schema).collect()
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
        f.debug_struct("Catalog")
            .field("connected", &self.sql.is_connected())
            .field("queries", &self.sql.queries())
            .finish_non_exhaustive()
    }
}
