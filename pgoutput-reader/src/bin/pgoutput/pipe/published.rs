//! The published tables, before anything is stored.

use super::LogSink;
use crate::Failure;
use crate::args::Pipe;
use crate::filter::Filter;
use crate::report::Report;
use crate::session::Session;
use crate::sql::names::{hex, shown};

const TABLES: &str = concat!(
    "SELECT DISTINCT class.oid, ",
    hex!("tables.schemaname"),
    ", ",
    hex!("tables.tablename"),
    "
FROM pg_catalog.pg_publication_tables AS tables
JOIN pg_catalog.pg_namespace AS namespace
  ON namespace.nspname OPERATOR(pg_catalog.=) tables.schemaname
JOIN pg_catalog.pg_class AS class
  ON class.relnamespace OPERATOR(pg_catalog.=) namespace.oid
  AND class.relname OPERATOR(pg_catalog.=) tables.tablename
WHERE tables.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
ORDER BY class.oid"
);

/// The columns of a key that no published table has.
const MISSING: &str = concat!(
    "SELECT ",
    hex!("wanted.name"),
    "
FROM pg_catalog.unnest($2::pg_catalog.text[]) AS wanted (name)
WHERE NOT EXISTS (
  SELECT
  FROM pg_catalog.pg_publication_tables AS tables
  JOIN pg_catalog.pg_namespace AS namespace
    ON namespace.nspname OPERATOR(pg_catalog.=) tables.schemaname
  JOIN pg_catalog.pg_class AS class
    ON class.relnamespace OPERATOR(pg_catalog.=) namespace.oid
    AND class.relname OPERATOR(pg_catalog.=) tables.tablename
  JOIN pg_catalog.pg_attribute AS attribute
    ON attribute.attrelid OPERATOR(pg_catalog.=) class.oid
  WHERE tables.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
    AND attribute.attnum OPERATOR(pg_catalog.>) 0
    AND NOT attribute.attisdropped
    AND attribute.attname::pg_catalog.text OPERATOR(pg_catalog.=) wanted.name)"
);

/// Gives the published tables their topics, and reports columns of `--key` that none of them has.
///
/// # Errors
/// Two tables have the same topic, or the tables cannot be queried.
pub(super) fn check(
    pipe: &Pipe,
    filter: &Filter,
    sink: &mut LogSink,
    report: Report,
) -> Result<(), Failure> {
    let columns = pipe.key.names();
    let route = sink.route();
    if columns.is_empty() && !route.distinguishes_tables() {
        return Ok(());
    }
    let mut session = Session::connect(&pipe.source.server)?;
    for row in session.query(TABLES, &[&pipe.source.publications])? {
        let (schema, table) = (shown(row.get(1)), shown(row.get(2)));
        if filter.prints_table(&schema, &table) {
            route.reserve(row.get(0), &schema, &table).map_err(Failure::Run)?;
        }
    }
    if !columns.is_empty() {
        for row in session.query(MISSING, &[&pipe.source.publications, &columns])? {
            report.print(&format_args!(
                "warning: no published table has the column {} of --key; the keys of records are \
                 the replica identity until one does",
                shown(row.get(0))
            ));
        }
    }
    Ok(())
}
