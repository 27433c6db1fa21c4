//! A table to publish: its name, columns and rows.

use std::fmt::Write as _;
use std::str::FromStr;

use pgoutput_reader::SnapshotTable;

use crate::names::{name, qualified, quoted};

/// A table of a new publication, with its column list and row filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedTable {
    table: SnapshotTable,
    columns: Option<Vec<String>>,
}

impl PublishedTable {
    /// Returns whether the entry needs PostgreSQL 15.
    pub(super) fn is_limited(&self) -> bool {
        self.columns.is_some() || self.table.condition().is_some()
    }

    /// Returns whether it has a column list.
    pub(super) fn has_list(&self) -> bool {
        self.columns.is_some()
    }

    /// Returns whether it is this table, without a column list.
    pub(super) fn is_whole(&self, schema: &str, name: &str) -> bool {
        self.columns.is_none() && self.table.schema() == schema && self.table.name() == name
    }

    /// Returns the entry for CREATE PUBLICATION. The condition is closed in itself.
    pub(super) fn to_sql(&self) -> String {
        let mut sql = format!("{}.{}", quoted(self.table.schema()), quoted(self.table.name()));
        if let Some(columns) = &self.columns {
            let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
            // Writing to a String cannot fail.
            let _ = write!(sql, " ({})", columns.join(", "));
        }
        if let Some(condition) = self.table.condition() {
            // A comment at its end ends with the line.
            let _ = write!(sql, " WHERE ({condition}\n)");
        }
        sql
    }
}

/// Reads `schema.table`, `schema.table (column, …)`, and either with `WHERE condition`.
impl FromStr for PublishedTable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = "expected a table with its schema, as in public.orders, \
                       'public.orders (id, total)' or 'public.orders WHERE id > 100'";
        let (schema, table, rest) = qualified(text).ok_or(invalid)?;
        let (columns, rest) = match rest.strip_prefix('(') {
            Some(list) => {
                let (columns, rest) = column_list(list).ok_or(invalid)?;
                (Some(columns), rest.trim_ascii())
            }
            None => (None, rest),
        };
        let mut table = SnapshotTable::new(schema, table);
        if !rest.is_empty() {
            let (keyword, condition) = rest.split_at_checked("where".len()).ok_or(invalid)?;
            let follows = condition.chars().next().is_some_and(|c| !crate::names::is_part(c));
            let condition = condition.trim_ascii();
            if !keyword.eq_ignore_ascii_case("where") || !follows || condition.is_empty() {
                return Err(invalid.into());
            }
            table = table.filter(condition);
        }
        table.check().map_err(|error| error.to_string())?;
        Ok(Self { table, columns })
    }
}

/// Reads the names of a list after its opening parenthesis, and returns the text after the closing
/// one.
fn column_list(mut text: &str) -> Option<(Vec<String>, &str)> {
    let mut columns = Vec::new();
    loop {
        let (column, rest) = name(text.trim_ascii_start())?;
        columns.push(column);
        let rest = rest.trim_ascii_start();
        if let Some(rest) = rest.strip_prefix(')') {
            return Some((columns, rest));
        }
        text = rest.strip_prefix(',')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_quoted() {
        for (text, sql) in [
            ("public.Orders", "\"public\".\"orders\""),
            (" s . \"O\"\"s\" ", "\"s\".\"O\"\"s\""),
            ("s.t(id, \"To,tal\" )", "\"s\".\"t\" (\"id\", \"To,tal\")"),
            ("s.t WHERE id > 1 -- x", "\"s\".\"t\" WHERE (id > 1 -- x\n)"),
            ("s.t (id) where(id > 1)", "\"s\".\"t\" (\"id\") WHERE ((id > 1)\n)"),
        ] {
            assert_eq!(text.parse::<PublishedTable>().map(|table| table.to_sql()), Ok(sql.into()));
        }
        for text in [
            "",
            "t",
            "s.t ()",
            "s.t (a",
            "s.t (a,)",
            "s.t (a) b",
            "s.t WHERE",
            "s.t wherea = 1",
            "s.t WHERE true) , TABLE s.u WHERE (true",
            "s.t WHERE true; DROP TABLE s.t",
        ] {
            assert!(text.parse::<PublishedTable>().is_err(), "{text}");
        }
    }
}
