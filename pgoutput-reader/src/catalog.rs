//! Queries over the SQL connection: the facts that the schemas of a stream need, slots and
//! publications.

#[macro_use]
mod type_name;

mod answer;
mod blocking;
mod client;
mod prefetch;
mod published;
mod refused;
mod slot;
mod table_batch;
mod types;

use std::time::Duration;

use pgoutput_decode::{Lsn, Oid, Relation};

use crate::connection::SqlConnector;
use crate::error::{Error, ProtocolError};
use crate::io::Waits;
use crate::schema::{ColumnFacts, StreamTypes, TableDescription, types_of};
use crate::sql::names::{bytes, escaped};
use client::SqlClient;
use prefetch::{Miss, Prefetch, Taken};

pub(crate) use blocking::TableLockWait;
pub(crate) use client::SqlParameters;
pub use published::Published;
pub(crate) use refused::RefusedTable;
pub use refused::{RefusalCause, RefusedTables};
pub use slot::SlotStatus;

/// One row for each column of a Relation message, in its order.
///
/// The table may have been dropped or altered since the message. Columns are matched by name in the
/// table of that oid, and the type's name is queried for the type that the message named.
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

/// The maximum wait for an answer of [`Catalog::examine`].
const EXAMINE_LIMIT: Duration = Duration::from_secs(10);

/// The SQL connection of a reader, with what was queried ahead of the stream.
pub(crate) struct Catalog {
    sql: SqlClient,
    prefetch: Prefetch,
}

/// A request for the description of a table.
struct TableRequest<'a> {
    relation: &'a Relation,
    /// The types that the stream has named.
    stream: &'a StreamTypes,
    /// The commit LSN of the transaction whose rows are read.
    commit_lsn: Lsn,
    publications: &'a [String],
    /// Returns whether a table has been described.
    is_described: &'a dyn Fn(Oid) -> bool,
}

impl Catalog {
    pub(crate) fn new(connector: SqlConnector) -> Self {
        Self { sql: SqlClient::new(connector), prefetch: Prefetch::default() }
    }

    /// Sets how answers are waited for.
    pub(crate) fn wait_with(&mut self, waits: Waits) {
        self.sql.wait_with(waits);
    }

    /// Returns the rows of a query of the doctor, within a few seconds.
    pub(crate) fn examine(
        &mut self,
        query: &'static str,
        parameters: SqlParameters,
    ) -> Result<Vec<postgres::Row>, Error> {
        self.sql.query_within(Some(EXAMINE_LIMIT), query, parameters)
    }

    /// Describes a table, and with it others whose changes may come next.
    fn describe(&mut self, request: &TableRequest<'_>) -> Result<TableDescription, Error> {
        let TableRequest { relation, stream, commit_lsn, .. } = *request;
        match self.prefetch.take(relation, stream, commit_lsn) {
            Taken::Found(description) => return Ok(description),
            Taken::Useless => return self.describe_alone(relation, stream),
            Taken::Missed => {}
        }
        match self.prefetch.miss(commit_lsn) {
            Miss::Alone => {}
            Miss::AloneAndWalEnd => {
                let position = self.wal_end()?;
                self.prefetch.reached(position);
            }
            Miss::Batch => match self.prefetch_with(request) {
                Ok(()) => {
                    if let Taken::Found(found) = self.prefetch.take(relation, stream, commit_lsn) {
                        return Ok(found);
                    }
                }
                // The cause may be in other tables, and must not keep this one from being read.
                Err(error) if error.sqlstate().is_some() => {
                    log::warn!("tables are described one by one, since a batch failed: {error}");
                    self.prefetch.refuse();
                }
                Err(error) => return Err(error),
            },
        }
        self.describe_alone(relation, stream)
    }

    /// Describes this version of a table: its columns in one query, and its types.
    fn describe_alone(
        &mut self,
        relation: &Relation,
        stream: &StreamTypes,
    ) -> Result<TableDescription, Error> {
        let types = self.types_and_parts(types_of(relation))?;
        let columns = relation.columns();
        let names: Vec<String> = columns.iter().map(|column| column.name.to_string()).collect();
        let oids: Vec<u32> = columns.iter().map(|column| column.type_oid.as_u32()).collect();
        let modifiers: Vec<i32> = columns.iter().map(|column| column.type_modifier).collect();
        let oid = relation.oid().as_u32();
        let parameters: SqlParameters =
            vec![Box::new(oid), Box::new(names), Box::new(oids), Box::new(modifiers)];
        let rows = self.sql.query(DESCRIBE, parameters)?;
        let facts: Vec<_> = rows.iter().map(|row| (name(row, 0), row.get(1))).collect();
        let facts = facts.iter().map(|(type_name, not_null)| ColumnFacts {
            type_name: type_name.as_deref(),
            not_null: *not_null,
        });
        Ok(TableDescription::new(relation, facts, &types, stream))
    }

    /// Prepares the first description, for at most `limit`.
    pub(crate) fn make_ready(&mut self, limit: Duration) {
        let none: [Box<dyn postgres::types::ToSql + Send + Sync>; 4] = [
            Box::new(0_u32),
            Box::new(Vec::<String>::new()),
            Box::new(Vec::<u32>::new()),
            Box::new(Vec::<i32>::new()),
        ];
        self.sql.make_ready(limit, DESCRIBE, none.into());
    }

    /// Returns the number of decimal places of a `money` amount.
    pub(crate) fn money_digits(&mut self) -> Result<u8, Error> {
        let rows = self.sql.query(MONEY_UNIT, vec![])?;
        let unit = rows.first().and_then(|row| row.get::<_, Vec<u8>>(0).try_into().ok());
        // PostgreSQL has 10 decimal places at most.
        let digits = unit
            .map(i64::from_be_bytes)
            .and_then(|unit| (0..=10).find(|digits| 10_i64.checked_pow(*digits) == Some(unit)));
        let digits = digits.and_then(|digits| u8::try_from(digits).ok());
        let unknown = ProtocolError::Answer { command: "cash_send", field: "the unit of money" };
        Ok(digits.ok_or(unknown)?)
    }
}

/// Returns a name that was queried as its [`bytes!`]; bytes that are not UTF-8 are escaped.
fn name(row: &postgres::Row, index: usize) -> Option<String> {
    row.get::<_, Option<&[u8]>>(index).map(escaped)
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings may contain a password, so none of them is shown.
        f.debug_struct("Catalog")
            .field("connected", &self.sql.is_connected())
            .field("queries", &self.sql.queries())
            .finish_non_exhaustive()
    }
}
