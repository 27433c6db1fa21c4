//! Tables by name, with wildcards.

use std::fmt;
use std::str::FromStr;

use pgoutput_reader::SnapshotTable;

use crate::names::{is_part, name};

/// A table, or all tables whose names fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TablePattern {
    schema: NamePattern,
    table: NamePattern,
    /// The condition on the rows that are copied.
    condition: Option<String>,
    /// The names as they were written.
    text: String,
}

/// The parts of a name between its wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamePattern(Vec<String>);

const INVALID: &str = "expected a table with its schema, as in public.orders or \
                       'public.\"Orders\"'; * stands for any characters, as in 'audit.*'";

impl TablePattern {
    pub(crate) fn matches(&self, schema: &str, table: &str) -> bool {
        self.schema.matches(schema) && self.table.matches(table)
    }

    pub(crate) fn has_condition(&self) -> bool {
        self.condition.is_some()
    }

    /// Returns the table for an initial copy; `None` for one with wildcards.
    pub(crate) fn to_snapshot_table(&self) -> Option<SnapshotTable> {
        let table = SnapshotTable::new(self.schema.exact()?, self.table.exact()?);
        Some(match &self.condition {
            Some(condition) => table.filter(condition),
            None => table,
        })
    }

    /// Reads a table without a condition.
    pub(crate) fn without_condition(text: &str) -> Result<Self, String> {
        let table = text.parse::<Self>()?;
        if table.has_condition() { Err(INVALID.into()) } else { Ok(table) }
    }
}

impl fmt::Display for TablePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads `schema.table`, or `schema.table WHERE condition`.
impl FromStr for TablePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (schema, rest) = NamePattern::read(text.trim_ascii_start()).ok_or(INVALID)?;
        let rest = rest.trim_ascii_start().strip_prefix('.').ok_or(INVALID)?;
        let (table, rest) = NamePattern::read(rest.trim_ascii_start()).ok_or(INVALID)?;
        let names = text.len() - rest.len();
        let names = text.get(..names).unwrap_or_default().trim_ascii().to_owned();
        let rest = rest.trim_ascii();
        if rest.is_empty() {
            return Ok(Self { schema, table, condition: None, text: names });
        }
        // The library reads the condition.
        let with_condition: SnapshotTable = format!("s.t {rest}").parse().map_err(|_| INVALID)?;
        let condition = with_condition.condition().map(str::to_owned);
        Ok(Self { schema, table, condition, text: names })
    }
}

impl NamePattern {
    /// Reads a name from the start of a text. Between double quotes an asterisk is a character like
    /// others.
    fn read(text: &str) -> Option<(Self, &str)> {
        if text.starts_with('"') {
            let (name, rest) = name(text)?;
            return Some((Self(vec![name]), rest));
        }
        let length = text.find(|c| !(is_part(c) || c == '*')).unwrap_or(text.len());
        let (pattern, rest) = text.split_at_checked(length)?;
        pattern.chars().next().filter(|first| !first.is_ascii_digit() && *first != '$')?;
        let parts = pattern.split('*').map(str::to_ascii_lowercase).collect();
        Some((Self(parts), rest))
    }

    fn exact(&self) -> Option<&str> {
        match self.0.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }

    fn matches(&self, name: &str) -> bool {
        let [first, between @ .., last] = self.0.as_slice() else {
            return self.exact() == Some(name);
        };
        let Some(mut rest) = name.strip_prefix(&**first) else { return false };
        for part in between {
            let Some((_, after)) = rest.split_once(&**part) else { return false };
            rest = after;
        }
        rest.ends_with(&**last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_as_in_sql_and_with_wildcards() {
        for (pattern, fits, others) in [
            ("public.Orders", &["public.orders"][..], &["public.Orders", "public.orders2"][..]),
            ("public.\"Orders\"", &["public.Orders"], &["public.orders"]),
            ("audit.*", &["audit.a", "audit."], &["audit2.a", "public.audit"]),
            ("*.log_*_old", &["a.log_1_old", "b.log__old"], &["a.log_old", "a.log_1_older"]),
            ("s.a*b*c", &["s.abc", "s.a1b2b3c", "s.abcbc"], &["s.acb", "s.ac", "s.abcd"]),
            ("s.\"a*\"", &["s.a*"], &["s.ab"]),
            ("s.**", &["s.a"], &["t.a"]),
        ] {
            let pattern: TablePattern = pattern.parse().unwrap();
            let matches = |text: &&str| {
                let (schema, table) = text.split_once('.').unwrap();
                pattern.matches(schema, table)
            };
            assert!(fits.iter().all(matches), "{pattern:?}");
            assert!(!others.iter().any(matches), "{pattern:?}");
        }
        for text in ["", "t", "*", "s.", "s.t.u", "s.t x", "s.\"\"", "1s.t", "s.t wherea"] {
            assert!(text.parse::<TablePattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_names_can_be_copied() {
        let copied = |text: &str| text.parse::<TablePattern>().unwrap().to_snapshot_table();
        assert_eq!(copied("s.t"), Some(SnapshotTable::new("s", "t")));
        let filtered = SnapshotTable::new("s", "T").filter("id > 1");
        assert_eq!(copied("s.\"T\" WHERE id > 1"), Some(filtered));
        assert_eq!(copied("s.*"), None);
        assert!(TablePattern::without_condition("s.t WHERE id > 1").is_err());
    }
}
