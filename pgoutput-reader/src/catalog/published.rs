//! The content of publications, and their tables that cannot be changed.

use std::fmt;
use std::time::{Duration, Instant};

use pgoutput_decode::Printable;
use postgres::Row;

use super::client::SqlParameters;
use super::refused::{RefusalCause, RefusedTables, queries};
use super::{Catalog, table_batch};
use crate::error::Error;
use crate::sql::names::bytes;
use crate::sql::publications::publications;

/// The maximum wait for all answers: nothing depends on them.
const LIMIT: Duration = Duration::from_secs(5);

/// One row: the number of tables that the publications list, the publications that list none, the
/// number of tables without the replica identity that their UPDATE and DELETE need, and some of
/// their names.
///
/// The rows of a partitioned table are in its partitions, each of which has its own replica
/// identity.
const PUBLISHED: &str = concat!(
    "WITH RECURSIVE listed AS (
    SELECT publication.pubname, publication.pubupdate OR publication.pubdelete AS needs_identity,
           tables.relid AS table_id
    FROM ",
    publications!("$1"),
    " AS publication
    LEFT JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)
         AS tables ON true
), written AS (
    SELECT listed.table_id FROM listed WHERE listed.needs_identity AND listed.table_id IS NOT NULL
    UNION ALL
    SELECT partition.inhrelid
    FROM written
    JOIN pg_catalog.pg_class AS parent
         ON parent.oid OPERATOR(pg_catalog.=) written.table_id
        AND parent.relkind OPERATOR(pg_catalog.=) 'p'
    JOIN pg_catalog.pg_inherits AS partition
         ON partition.inhparent OPERATOR(pg_catalog.=) parent.oid
), lacking AS (
    SELECT namespace.nspname AS schema_name, class.relname AS table_name
    FROM pg_catalog.pg_class AS class
    JOIN pg_catalog.pg_namespace AS namespace
         ON namespace.oid OPERATOR(pg_catalog.=) class.relnamespace
    WHERE class.relkind OPERATOR(pg_catalog.=) 'r'
      AND class.relreplident OPERATOR(pg_catalog.<>) 'f'
      AND EXISTS (SELECT FROM written WHERE written.table_id OPERATOR(pg_catalog.=) class.oid)
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_index AS identity
          WHERE identity.indrelid OPERATOR(pg_catalog.=) class.oid
            AND identity.indisvalid AND identity.indimmediate
            AND (class.relreplident OPERATOR(pg_catalog.=) 'd' AND identity.indisprimary
                 OR class.relreplident OPERATOR(pg_catalog.=) 'i' AND identity.indisreplident))
), named AS (
    SELECT lacking.schema_name, lacking.table_name FROM lacking LIMIT 10
)
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class AS class
        WHERE EXISTS (SELECT FROM listed WHERE listed.table_id OPERATOR(pg_catalog.=) class.oid)),
       ARRAY(SELECT listed.pubname::pg_catalog.text FROM listed WHERE listed.table_id IS NULL),
       (SELECT pg_catalog.count(*) FROM lacking),
       ARRAY(SELECT ",
    bytes!("named.schema_name"),
    " FROM named),
       ARRAY(SELECT ",
    bytes!("named.table_name"),
    " FROM named)"
);

/// The content of a reader's publications at the time of the query; from
/// [`Reader::published`](crate::Reader::published).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The number of tables they list, each counted once. A partitioned table counts as one where
    /// it is published as one.
    pub tables: u64,
    /// Publications without tables, which publish nothing.
    pub empty: Vec<String>,
    /// Tables whose UPDATE and DELETE the server refuses because of these publications: one entry
    /// for each cause. Of partitioned tables these are the partitions.
    pub refused: Vec<RefusedTables>,
}

impl Published {
    /// Likely mistakes, one line each, printable.
    pub fn warnings(&self) -> Vec<String> {
        let empty = self.empty.iter().map(|name| {
            format!(
                "publication \"{}\" has no tables, so nothing comes of it yet: create its tables, \
                 or ALTER PUBLICATION … ADD TABLE",
                Printable(name)
            )
        });
        let refused =
            self.refused.iter().map(|refused| format!("UPDATE and DELETE will fail {refused}"));
        empty.chain(refused).collect()
    }
}

/// Displays `3 published tables`.
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.tables == 1 { "" } else { "s" };
        write!(f, "{} published table{plural}", self.tables)
    }
}

impl Catalog {
    /// Returns the content of these publications, queried for at most five seconds.
    pub(crate) fn published(&mut self, publications: &[String]) -> Result<Published, Error> {
        let since = Instant::now();
        Published::read(|text, takes_names| {
            let left = LIMIT.saturating_sub(since.elapsed());
            let names: SqlParameters =
                if takes_names { vec![Box::new(publications.to_vec())] } else { vec![] };
            self.sql.query_within(Some(left), text, names)
        })
    }
}

impl Published {
    /// Returns the content of these publications, queried in a session of the `postgres` crate. In
    /// the transaction that creates or alters a publication, this finds the tables whose UPDATE and
    /// DELETE would fail, before anyone is affected.
    ///
    /// ```no_run
    /// let config: pgoutput_reader::Config = "host=localhost dbname=app".parse()?;
    /// let mut client = config.connect_postgres()?;
    /// let mut transaction = client.transaction()?;
    /// transaction.batch_execute("CREATE PUBLICATION p FOR TABLE public.orders")?;
    /// let published = pgoutput_reader::Published::query(&mut transaction, &["p".to_owned()])?;
    /// if published.refused.is_empty() {
    ///     transaction.commit()?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of the queries.
    #[cfg(feature = "postgres")]
    pub fn query(
        client: &mut impl postgres::GenericClient,
        publications: &[String],
    ) -> Result<Self, Error> {
        Self::read(|text, takes_names| {
            let rows = if takes_names {
                client.query(text, &[&publications])
            } else {
                client.query(text, &[])
            };
            rows.map_err(Error::sql)
        })
    }

    /// Reads the answers of these queries. Each takes the names of the publications as its
    /// parameter, if the second argument is true.
    fn read(
        mut query: impl FnMut(&'static str, bool) -> Result<Vec<Row>, Error>,
    ) -> Result<Self, Error> {
        let rows = query(PUBLISHED, true)?;
        let published = rows.first().map(published).transpose();
        let mut published = published.map_err(Error::sql)?.unwrap_or_default();
        let version = query(table_batch::VERSION, false)?;
        let version: i32 =
            version.first().map_or(Ok(0), |row| row.try_get(0)).map_err(Error::sql)?;
        for (text, first) in [
            (queries::BY_LIST, queries::WITH_LISTS),
            (queries::BY_GENERATED, queries::WITH_GENERATED),
        ] {
            if version >= first {
                for row in &query(text, true)? {
                    published.refused.extend(RefusedTables::read(row).map_err(Error::sql)?);
                }
            }
        }
        published.refused.sort_unstable_by_key(|refused| refused.cause);
        Ok(published)
    }
}

fn published(row: &Row) -> Result<Published, postgres::Error> {
    // Never negative.
    let number = |index| row.try_get::<_, i64>(index).map(|number| number.max(0).unsigned_abs());
    let without_identity = number(2)?;
    let refused = RefusedTables::new(
        RefusalCause::NoIdentity,
        without_identity,
        row.try_get(3)?,
        row.try_get(4)?,
    );
    Ok(Published {
        tables: number(0)?,
        empty: row.try_get(1)?,
        refused: if without_identity == 0 { vec![] } else { vec![refused] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_bounded_and_printable() {
        let names: Vec<String> = (0..12).map(|number| format!("t{number:02}\u{1b}[2J")).collect();
        let refused = |cause, tables: u64| {
            let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
            RefusedTables::new(cause, tables, vec![b"public"; names.len()], names)
        };
        let published = Published {
            tables: 30,
            empty: vec!["p\u{202e}".into()],
            refused: vec![
                refused(RefusalCause::NoIdentity, 12),
                refused(RefusalCause::RowFilter, 1_000),
            ],
        };
        let warnings = published.warnings();
        assert!(warnings[0].starts_with("publication \"p\\u{202e}\" has no tables"));
        assert!(warnings[1].starts_with(
            "UPDATE and DELETE will fail on 12 published tables for lack of a replica identity: \
             public.t00\\u{1b}[2J, "
        ));
        assert!(warnings[1].contains("public.t09\\u{1b}[2J and 2 more; "), "{}", warnings[1]);
        assert!(warnings[2].contains("row filter") && warnings[2].contains(" and 990 more; "));
        assert_eq!(published.to_string(), "30 published tables");
        assert_eq!(
            Published { tables: 1, ..Published::default() }.to_string(),
            "1 published table"
        );
        assert!(Published::default().warnings().is_empty());
    }
}
