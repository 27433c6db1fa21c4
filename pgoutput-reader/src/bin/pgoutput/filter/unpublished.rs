//! A warning about names that fit no table: they would print nothing, or leave out nothing.

use super::{Filter, TablePattern};
use crate::Failure;
use crate::args::Source;
use crate::report::Report;
use crate::session::Session;
use crate::sql::names::{hex, shown};

const TABLES: &str = concat!(
    "SELECT ",
    hex!("tables.schemaname"),
    ", ",
    hex!("tables.tablename"),
    "
FROM pg_catalog.pg_publication_tables AS tables
WHERE tables.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])"
);

impl Filter {
    /// Reports the names that fit no published table, unless reports were declined.
    pub(crate) fn report_unpublished(&self, source: &Source, report: Report) {
        if report == Report::Quiet {
            return;
        }
        // Nothing depends on the answer.
        let [tables, excluded] = self.unpublished(source).unwrap_or_default();
        for table in excluded {
            report.print(&format_args!(
                "warning: no published table fits --exclude {table}; it leaves out nothing until \
                 one does"
            ));
        }
        for table in tables {
            report.print(&format_args!(
                "warning: no published table fits --table {table}; nothing is printed for it until \
                 one does"
            ));
        }
    }

    /// Returns the names of `--table`, and those of `--exclude`, that fit no published table.
    fn unpublished(&self, source: &Source) -> Result<[Vec<&TablePattern>; 2], Failure> {
        if self.tables.is_empty() && self.excluded.is_empty() {
            return Ok([vec![], vec![]]);
        }
        let mut session = Session::connect(&source.server)?;
        let rows = session.query(TABLES, &[&source.publications])?;
        let published: Vec<(String, String)> =
            rows.iter().map(|row| (shown(row.get(0)), shown(row.get(1)))).collect();
        let fits_none = |pattern: &&TablePattern| {
            !published.iter().any(|(schema, table)| pattern.matches(schema, table))
        };
        Ok([&self.tables, &self.excluded]
            .map(|patterns| patterns.iter().filter(fits_none).collect()))
    }
}
