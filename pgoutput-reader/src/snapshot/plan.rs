//! The statements of a copy, as text: locks, and one COPY for each chunk.

#[cfg(test)]
pub(super) mod tests;

use std::num::NonZeroU32;

use super::published::{Leaf, PublishedTable};
use super::row::CopyFormat;
use crate::server_version::ServerVersion;

/// The length from which a LOCK statement is followed by another one.
const LOCK_LENGTH: usize = 16 * 1024;

/// The first version that reads a range of `ctid` without reading the pages before it.
const WITH_CTID_RANGES: u32 = 14;

/// A part of a table that one COPY reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// The leaf with this index, or these of its pages.
    Leaf { index: usize, pages: Option<Pages> },
    /// All leaves, read through the partitioned table. This needs no privileges on them, and also
    /// reads the partitions that are not published, such as foreign tables.
    Partitioned,
}

/// A range of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) first: u32,
    /// The first page after the range; `None` for the last range, which includes the pages that are
    /// added to the table meanwhile.
    pub(crate) end: Option<u32>,
}

/// Returns statements that lock these tables and their leaves against TRUNCATE, rewrites and DROP.
pub(crate) fn lock_statements<'t>(
    tables: impl IntoIterator<Item = &'t PublishedTable>,
) -> Vec<String> {
    const MODE: &str = " IN ACCESS SHARE MODE";
    let mut statements: Vec<String> = Vec::new();
    let mut add = |name: String| match statements.last_mut() {
        Some(last) if last.len() + name.len() < LOCK_LENGTH => {
            last.push_str(", ");
            last.push_str(&name);
        }
        _ => statements.push(format!("LOCK TABLE {name}")),
    };
    for table in tables {
        if table.is_partitioned {
            add(qualified(&table.schema, &table.name));
        }
        // The lock of a partitioned table does not include a partition that was just detached.
        for leaf in &table.leaves {
            if !table.is_partitioned || leaf.is_readable {
                add(format!("ONLY {}", qualified(&leaf.schema, &leaf.name)));
            }
        }
    }
    for statement in &mut statements {
        statement.push_str(MODE);
    }
    statements
}

/// Returns a query of one row whose columns are the current columns of the table, for a comparison
/// with [`PublishedTable::all_columns`].
pub(crate) fn columns_query(table: &PublishedTable) -> String {
    format!(
        "SELECT described.* FROM (SELECT) AS one LEFT JOIN ONLY {} AS described ON false",
        qualified(&table.schema, &table.name)
    )
}

/// Returns a query without a result, which fails if `condition` is not one on rows of the table.
pub(crate) fn condition_query(table: &PublishedTable, condition: &str) -> String {
    let name = qualified(&table.schema, &table.name);
    let source = if table.is_partitioned { Source::All(name) } else { Source::Only(name) };
    let source = source.item(&quoted(&table.name));
    format!("SELECT FROM {source} WHERE {} LIMIT 0", in_parentheses(condition))
}

/// Divides a table into chunks of about this many pages.
pub(crate) fn chunks(
    table: &PublishedTable,
    pages: NonZeroU32,
    version: ServerVersion,
) -> Vec<Chunk> {
    if table.is_partitioned && table.leaves.iter().any(|leaf| !leaf.is_readable) {
        return vec![Chunk::Partitioned];
    }
    let has_ranges = version.major() >= WITH_CTID_RANGES;
    let of_leaf = |(index, leaf): (usize, &Leaf)| {
        let length = if leaf.is_heap && has_ranges { pages.get() } else { u32::MAX };
        ranges(leaf.pages, length).map(move |pages| Chunk::Leaf { index, pages })
    };
    table.leaves.iter().enumerate().flat_map(of_leaf).collect()
}

/// Divides pages into ranges of at most `length`. One range is `None`: all pages.
fn ranges(pages: u32, length: u32) -> impl Iterator<Item = Option<Pages>> {
    let count = pages.div_ceil(length.max(1)).max(1);
    (0..count).map(move |index| {
        let first = index.saturating_mul(length);
        let end = (index + 1 < count).then(|| first.saturating_add(length));
        (count > 1).then_some(Pages { first, end })
    })
}

/// Returns the statement that copies a chunk. `condition` is an SQL expression on the columns of
/// the table, which rows must satisfy in addition to the row filter.
///
/// It returns the published columns in their order. Its names are resolved with an empty
/// `search_path`.
pub(crate) fn copy_statement(
    table: &PublishedTable,
    chunk: &Chunk,
    condition: Option<&str>,
    format: CopyFormat,
) -> String {
    let format = match format {
        CopyFormat::Text => "",
        CopyFormat::Binary => " WITH (FORMAT binary)",
    };
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let columns = columns.join(", ");
    let (source, range) = source(table, chunk);
    let filters = table.row_filter.as_deref().into_iter().chain(condition).map(in_parentheses);
    let filters: Vec<String> = filters.chain(range).collect();
    if let Source::Only(name) = &source
        && filters.is_empty()
        && !table.columns.is_empty()
        && !table.columns.iter().any(|column| column.is_generated)
    {
        return format!("COPY {name} ({columns}) TO STDOUT{format}");
    }
    let source = source.item(&quoted(&table.name));
    let filters = if filters.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", filters.join(" AND "))
    };
    let separator = if columns.is_empty() { "" } else { " " };
    format!("COPY (SELECT{separator}{columns} FROM {source}{filters}) TO STDOUT{format}")
}

/// Puts an expression into parentheses. It may end with a comment.
fn in_parentheses(expression: &str) -> String {
    format!("({expression}\n)")
}

/// The relation that a COPY names.
enum Source {
    /// A table without those that inherit from it, which COPY never includes.
    Only(String),
    /// A partitioned table.
    All(String),
}

impl Source {
    /// Returns the item of FROM. `alias` is the name that a condition may use.
    fn item(&self, alias: &str) -> String {
        match self {
            Self::Only(name) => format!("ONLY {name} AS {alias}"),
            Self::All(name) => format!("{name} AS {alias}"),
        }
    }
}

/// Returns the relation of a chunk, and the condition for its part of the relation.
fn source(table: &PublishedTable, chunk: &Chunk) -> (Source, Option<String>) {
    match chunk {
        Chunk::Leaf { index, pages } => {
            let leaf = table.leaves.get(*index);
            let name = leaf.map_or_else(
                || qualified(&table.schema, &table.name),
                |leaf| qualified(&leaf.schema, &leaf.name),
            );
            (Source::Only(name), pages.map(ctid_range))
        }
        Chunk::Partitioned => {
            // The table may also have partitions that are not published: foreign or unlogged ones.
            let leaves: Vec<String> =
                table.leaves.iter().map(|leaf| leaf.oid.to_string()).collect();
            let leaves = format!(
                "tableoid OPERATOR(pg_catalog.=) ANY ('{{{}}}'::pg_catalog.oid[])",
                leaves.join(",")
            );
            (Source::All(qualified(&table.schema, &table.name)), Some(leaves))
        }
    }
}

/// Returns the condition for the rows of a range of pages.
fn ctid_range(Pages { first, end }: Pages) -> String {
    let from = format!("ctid OPERATOR(pg_catalog.>=) '({first},0)'::pg_catalog.tid");
    match end {
        None => from,
        Some(end) => {
            format!("{from} AND ctid OPERATOR(pg_catalog.<) '({end},0)'::pg_catalog.tid")
        }
    }
}

/// Returns a table's name with its schema, as SQL.
fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(name))
}

/// Puts a name of the catalogue into double quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
