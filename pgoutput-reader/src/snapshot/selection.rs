//! The tables that a copy is limited to.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use pgoutput_decode::Oid;

use super::condition::{self, is_name_part, is_name_start};
use super::published::PublishedTable;
use crate::error::{ParseSnapshotTableError, SnapshotError};

/// A table to be copied, for [`Snapshot::only`](crate::Snapshot::only).
///
/// [`new`](Self::new) takes names exactly as the catalogue has them. A text is read as SQL reads
/// it: names without double quotes are folded to lower case, and `WHERE` with a
/// [condition](Self::filter) may follow.
///
/// ```
/// use pgoutput_reader::SnapshotTable;
///
/// let orders = SnapshotTable::new("public", "Orders").filter("id > 100");
/// assert_eq!(r#"public."Orders" WHERE id > 100"#.parse(), Ok(orders));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotTable {
    schema: String,
    name: String,
    condition: Option<String>,
}

impl SnapshotTable {
    /// All published rows of a table.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into(), condition: None }
    }

    /// Limits the copy to the rows for which this SQL expression is true, in addition to the row
    /// filters of the publications. The stream is not limited by it.
    ///
    /// The expression may use all columns of the table, also unpublished ones. It is evaluated in a
    /// read-only transaction, with an empty `search_path`: names that are not in `pg_catalog` need
    /// their schema. It is not a value: never build it from untrusted text. One that is not closed
    /// in itself, such as `true) OR (true`, or that contains a semicolon outside of strings, is
    /// refused.
    #[must_use]
    pub fn filter(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// Returns the schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the name of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the condition on the rows, if there is one.
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    /// Checks that the condition is closed in itself, as [`filter`](Self::filter) describes.
    ///
    /// # Errors
    /// [`SnapshotError::Condition`] with the reason.
    pub fn check(&self) -> Result<(), SnapshotError> {
        condition::check(self.condition().unwrap_or_default()).map_err(|reason| {
            let (schema, table) = (self.schema.clone(), self.name.clone());
            SnapshotError::Condition { schema, table, reason }
        })
    }

    /// Returns whether only some rows are copied.
    pub(crate) fn is_filtered(&self) -> bool {
        self.condition.is_some()
    }

    /// Returns the schema and the name.
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.schema, &self.name)
    }
}

/// Reads `schema.table`, or `schema.table WHERE condition`.
impl FromStr for SnapshotTable {
    type Err = ParseSnapshotTableError;

    fn from_str(text: &str) -> Result<Self, ParseSnapshotTableError> {
        let invalid = ParseSnapshotTableError(());
        let (schema, rest) = name(text.trim_ascii_start()).ok_or(invalid)?;
        let rest = rest.trim_ascii_start().strip_prefix('.').ok_or(invalid)?;
        let (table, rest) = name(rest.trim_ascii_start()).ok_or(invalid)?;
        let table = Self::new(schema, table);
        let rest = rest.trim_ascii();
        if rest.is_empty() {
            return Ok(table);
        }
        let length = rest.bytes().take_while(|byte| is_name_part(*byte)).count();
        match rest.split_at_checked(length) {
            Some((keyword, condition)) if keyword.eq_ignore_ascii_case("where") => {
                Ok(table.filter(condition.trim_ascii()))
            }
            _ => Err(invalid),
        }
    }
}

/// Reads a name as SQL does, and returns it with the text after it.
pub(crate) fn name(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let length = text.bytes().take_while(|byte| is_name_part(*byte)).count();
        let (name, rest) = text.split_at_checked(length)?;
        name.bytes().next().filter(|first| is_name_start(*first))?;
        return Some((name.to_ascii_lowercase(), rest));
    };
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        let Some(next) = after.strip_prefix('"') else {
            return (!name.is_empty()).then_some((name, after));
        };
        name.push('"');
        rest = next;
    }
}

/// The tables that a copy is limited to; by default it is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Selection {
    /// In the order of their names.
    tables: Option<Arc<[SnapshotTable]>>,
    /// The tables with these oids, if they are published.
    oids: Option<Arc<BTreeSet<Oid>>>,
}

impl Selection {
    pub(super) fn of(tables: impl IntoIterator<Item = SnapshotTable>) -> Self {
        let mut tables: Vec<SnapshotTable> = tables.into_iter().collect();
        tables.sort_by(|one, next| one.key().cmp(&next.key()));
        Self { tables: Some(tables.into()), oids: None }
    }

    /// Those of these tables that are published.
    pub(crate) fn of_oids(oids: BTreeSet<Oid>) -> Self {
        Self { tables: None, oids: Some(Arc::new(oids)) }
    }

    /// Returns whether all published tables are copied.
    pub(crate) fn is_all(&self) -> bool {
        self.tables.is_none() && self.oids.is_none()
    }

    /// Checks what can be checked without a server.
    pub(crate) fn check(&self) -> Result<(), SnapshotError> {
        let tables = self.tables.as_deref().unwrap_or_default();
        for pair in tables.windows(2) {
            if let [one, next] = pair
                && one.key() == next.key()
            {
                let (schema, table) = (one.schema.clone(), one.name.clone());
                return Err(SnapshotError::TableRepeated { schema, table });
            }
        }
        tables.iter().try_for_each(SnapshotTable::check)
    }

    /// Returns those of the published tables that are copied.
    ///
    /// # Errors
    /// One that was named is not published.
    pub(crate) fn apply(
        &self,
        mut published: Vec<PublishedTable>,
    ) -> Result<Vec<PublishedTable>, SnapshotError> {
        if let Some(oids) = &self.oids {
            published.retain(|table| oids.contains(&table.oid));
        }
        let Some(tables) = self.tables.as_deref() else { return Ok(published) };
        let mut is_published = vec![false; tables.len()];
        published.retain(|table| match self.index(table) {
            Some(index) => {
                if let Some(is_published) = is_published.get_mut(index) {
                    *is_published = true;
                }
                true
            }
            None => false,
        });
        let missing = tables.iter().zip(is_published).find(|(_, is_published)| !is_published);
        missing.map_or(Ok(published), |(table, _)| {
            let (schema, table) = (table.schema.clone(), table.name.clone());
            Err(SnapshotError::NotPublished { schema, table })
        })
    }

    /// Returns the condition on the rows of a table.
    pub(crate) fn condition(&self, table: &PublishedTable) -> Option<&str> {
        self.tables.as_ref()?.get(self.index(table)?)?.condition.as_deref()
    }

    fn index(&self, table: &PublishedTable) -> Option<usize> {
        let key = (&*table.schema, &*table.name);
        self.tables.as_ref()?.binary_search_by(|selected| selected.key().cmp(&key)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::table;
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        for (text, schema, name, condition) in [
            ("public.orders", "public", "orders", None),
            ("Public.ORDERS", "public", "orders", None),
            (" public . orders ", "public", "orders", None),
            ("\"My \"\"s\"\"\".\"T.1\"", "My \"s\"", "T.1", None),
            ("s._t$1é", "s", "_t$1é", None),
            ("s.t where a = 'X'", "s", "t", Some("a = 'X'")),
            ("s.\"t\"WHERE(a > 1) ", "s", "t", Some("(a > 1)")),
        ] {
            let mut expected = SnapshotTable::new(schema, name);
            expected.condition = condition.map(Into::into);
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "t",
            "s.",
            ".t",
            "s.t.u",
            "s.1t",
            "s.t x",
            "s.t wherea",
            "s.\"t",
            "s.\"\"",
            "my-s.t",
            "s.t, s.u",
        ] {
            assert_eq!(text.parse::<SnapshotTable>(), Err(ParseSnapshotTableError(())), "{text}");
        }
    }

    #[test]
    fn only_what_was_named_is_copied() {
        let published = || vec![table("s", "a"), table("s", "b"), table("t", "a")];
        let all = Selection::default();
        assert!(all.is_all() && all.check().is_ok());
        assert_eq!(all.apply(published()).unwrap(), published());
        let some = Selection::of([
            SnapshotTable::new("t", "a"),
            SnapshotTable::new("s", "b").filter("id > 1"),
        ]);
        some.check().unwrap();
        assert_eq!(some.apply(published()).unwrap(), [table("s", "b"), table("t", "a")]);
        assert_eq!(some.condition(&table("s", "b")), Some("id > 1"));
        assert_eq!(some.condition(&table("t", "a")), None);
        assert_eq!(Selection::of([]).apply(published()).unwrap(), []);
        let missing = Selection::of([SnapshotTable::new("s", "c")]).apply(published()).unwrap_err();
        assert!(missing.to_string().starts_with("\"s\".\"c\" is not published"), "{missing}");
        let twice = Selection::of([SnapshotTable::new("s", "a"), SnapshotTable::new("s", "a")]);
        assert!(matches!(twice.check(), Err(SnapshotError::TableRepeated { .. })));
    }
}
