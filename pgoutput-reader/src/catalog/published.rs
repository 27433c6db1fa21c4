//! What publications hold, and which of their tables cannot be changed.

use std::fmt;
use std::time::Duration;

use pgoutput_decode::Printable;
use postgres::Row;

use super::Catalog;
use super::client::SqlParameters;
use crate::Error;
use crate::setup::names::{bytes, escaped};

/// How many names are asked for.
const NAMES: usize = 10;

/// Longest wait for the answer: nothing depends on it.
const LIMIT: Duration = Duration::from_secs(5);

/// One row: how many tables the publications list, which publications list none, how many tables lack a replica identity that
/// their UPDATE and DELETE need, and some of their names as pairs.
///
/// What is written are partitions, where partitioned tables are published; each has a replica identity of its own.
const PUBLISHED: &str = concat!(
    "WITH RECURSIVE listed AS (
    SELECT publication.pubname, publication.pubupdate OR publication.pubdelete AS needs_identity,
           tables.relid AS table_id
    FROM pg_catalog.pg_publication AS publication
    LEFT JOIN LATERAL pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text) AS tables
         ON true
    WHERE publication.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
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

/// What the publications of a reader hold at the moment of asking; from
/// [`Reader::published`](crate::Reader::published).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// How many tables they list, each counted once. A partitioned table counts as one where it is published as one.
    pub tables: u64,
    /// Publications without a table, from which nothing comes.
    pub empty: Vec<String>,
    /// How many tables have no replica identity while a publication publishes their UPDATE or DELETE, which the server then
    /// refuses (manual, section "Logical Replication", "Publication").
    pub without_identity: u64,
    /// Schema and name of such tables: ten at most. Bytes that are not UTF-8 are escaped, as in `caf\xe9`.
    pub without_identity_names: Vec<(String, String)>,
}

impl Published {
    /// What is likely to be a mistake, one line each, printable.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .empty
            .iter()
            .map(|name| {
                let name = Printable(name);
                format!(
                    "publication \"{name}\" has no tables, so nothing comes of it yet: create its tables, or ALTER PUBLICATION … ADD TABLE"
                )
            })
            .collect();
        if self.without_identity > 0 {
            warnings.push(format!(
                "UPDATE and DELETE will fail on {} for lack of a replica identity: {}; add a primary key, or ALTER TABLE … REPLICA \
                 IDENTITY FULL",
                count(self.without_identity, "published table"),
                TableNames(self)
            ));
        }
        warnings
    }
}

/// So many of them.
fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `3 published tables`
impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&count(self.tables, "published table"))
    }
}

/// The names of tables without an identity, and how many more there are.
struct TableNames<'a>(&'a Published);

impl fmt::Display for TableNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = &self.0.without_identity_names;
        for (place, (schema, table)) in names.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{}.{}", Printable(schema), Printable(table))?;
        }
        match self.0.without_identity.saturating_sub(names.len() as u64) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Catalog {
    /// What the publications of these names hold: one query, asked for no longer than five seconds.
    pub(crate) fn published(&mut self, publications: &[String]) -> Result<Published, Error> {
        let parameters: SqlParameters = vec![Box::new(publications.to_vec())];
        let rows = self.sql.query_within(Some(LIMIT), PUBLISHED, parameters)?;
        Ok(rows.first().map(published).transpose()?.unwrap_or_default())
    }
}

fn published(row: &Row) -> Result<Published, postgres::Error> {
    // Never negative.
    let number = |place| row.try_get::<_, i64>(place).map(|number| number.max(0).unsigned_abs());
    let texts = |place| {
        let names = row.try_get::<_, Vec<&[u8]>>(place);
        names.map(|names| names.into_iter().map(escaped))
    };
    let mut names: Vec<_> = texts(3)?.zip(texts(4)?).collect();
    names.sort_unstable();
    names.truncate(NAMES);
    Ok(Published {
        tables: number(0)?,
        empty: row.try_get(1)?,
        without_identity: number(2)?,
        without_identity_names: names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_bounded_and_printable() {
        let name = |number: usize| ("public".to_owned(), format!("t{number}\u{1b}[2J"));
        let published = Published {
            tables: 30,
            empty: vec!["p\u{202e}".into()],
            without_identity: 12,
            without_identity_names: (0..NAMES).map(name).collect(),
        };
        let warnings = published.warnings();
        assert!(warnings[0].starts_with("publication \"p\\u{202e}\" has no tables"));
        assert!(warnings[1].contains(
            " on 12 published tables for lack of a replica identity: public.t0\\u{1b}[2J, "
        ));
        assert!(warnings[1].contains("public.t9\\u{1b}[2J and 2 more; "), "{}", warnings[1]);
        assert_eq!(published.to_string(), "30 published tables");
        assert_eq!(
            Published { tables: 1, ..Published::default() }.to_string(),
            "1 published table"
        );
        assert!(Published::default().warnings().is_empty());
    }
}
