//! Columns whose values are replaced before they are written.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::snapshot::sql_name;

/// A column whose values a [`Capture`](crate::Capture) replaces.
///
/// The text is read as SQL reads names: those without double quotes are folded to lower case. The
/// schema may be left out, for the tables of this name in all schemas.
///
/// ```
/// use pgoutput_reader::MaskedColumn;
///
/// let column = MaskedColumn::new("public", "people", "E-mail");
/// assert_eq!(r#"public.People."E-mail""#.parse(), Ok(column));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedColumn {
    schema: Option<String>,
    table: String,
    column: String,
}

impl MaskedColumn {
    /// A column, with its names exactly as the catalogue has them.
    pub fn new(
        schema: impl Into<String>,
        table: impl Into<String>,
        column: impl Into<String>,
    ) -> Self {
        Self { schema: Some(schema.into()), table: table.into(), column: column.into() }
    }

    pub(super) fn column(&self) -> &str {
        &self.column
    }

    /// Returns whether it masks this column.
    pub(super) fn includes(&self, other: &Self) -> bool {
        let schema = other.schema.as_deref().unwrap_or_default();
        self.column == other.column && self.is_of(schema, &other.table)
    }

    pub(super) fn is_of(&self, schema: &str, table: &str) -> bool {
        self.table == table && self.schema.as_ref().is_none_or(|own| own == schema)
    }
}

/// The error of a text that is not `schema.table.column` or `table.column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a column with its table, as in public.people.email or people.email")]
#[non_exhaustive]
pub struct ParseMaskedColumnError;

impl FromStr for MaskedColumn {
    type Err = ParseMaskedColumnError;

    fn from_str(text: &str) -> Result<Self, ParseMaskedColumnError> {
        let (mut names, mut rest) = (Vec::new(), text.trim_ascii());
        loop {
            let (name, after) = sql_name(rest).ok_or(ParseMaskedColumnError)?;
            names.push(name);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => break,
                None => return Err(ParseMaskedColumnError),
            }
        }
        let mut names = names.into_iter();
        match (names.next(), names.next(), names.next(), names.next()) {
            (Some(table), Some(column), None, _) => Ok(Self { schema: None, table, column }),
            (Some(schema), Some(table), Some(column), None) => Ok(Self::new(schema, table, column)),
            _ => Err(ParseMaskedColumnError),
        }
    }
}

/// Displays the names with a dot between them, each in double quotes if it needs them.
impl fmt::Display for MaskedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.schema.iter().chain([&self.table, &self.column]);
        for (index, name) in names.enumerate() {
            f.write_str(if index > 0 { "." } else { "" })?;
            f.write_str(&quoted(name))?;
        }
        Ok(())
    }
}

/// Returns a name in double quotes if it needs them.
pub(super) fn quoted(name: &str) -> Cow<'_, str> {
    let is_plain = sql_name(name).is_some_and(|(read, rest)| read == name && rest.is_empty());
    if is_plain { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_displayed_as_in_sql() {
        for (text, displayed) in [
            ("people.email", "people.email"),
            ("Public.People.EMail", "public.people.email"),
            (r#""a.b"."c""d"."E""#, r#""a.b"."c""d"."E""#),
        ] {
            let column: MaskedColumn = text.parse().unwrap();
            assert_eq!(column.to_string(), displayed);
            assert_eq!(displayed.parse(), Ok(column));
        }
        for text in ["", "email", "a.b.c.d", "a..b", "a.b.", ".a.b", "a b.c", "\"a.b", "a.1"] {
            assert!(text.parse::<MaskedColumn>().is_err(), "{text}");
        }
    }
}
