//! Names and texts in the statements of a cure.

use crate::sql::names::escaped;
use crate::sql::slot::SlotRow;

/// A name from the catalogue, as the server quotes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Quoted {
    /// The text to show. Bytes that are not UTF-8 are escaped.
    shown: String,
    /// Whether the text is the name in SQL.
    is_sql: bool,
}

impl Quoted {
    /// Reads the bytes of a quoted name.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self { shown: escaped(bytes), is_sql: str::from_utf8(bytes).is_ok() }
    }

    /// Quotes a name that is not in the catalogue.
    pub(super) fn of(name: &str) -> Self {
        Self { shown: identifier(name), is_sql: !name.contains('\0') }
    }

    /// Returns the text to show.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns the name in SQL; `None` if it has bytes that a statement in UTF-8 cannot have.
    pub(super) fn sql(&self) -> Option<&str> {
        self.is_sql.then_some(&*self.shown)
    }
}

#[cfg(test)]
impl From<&str> for Quoted {
    fn from(quoted: &str) -> Self {
        Self { shown: quoted.into(), is_sql: true }
    }
}

/// Puts a name into double quotes.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Puts a text into single quotes, whatever `standard_conforming_strings` is set to.
pub(super) fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Returns whether an object such as a publication can have this name: the server would cut off a
/// longer one.
pub(super) fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len()) && !name.contains('\0')
}

/// Returns whether a slot can have this name.
pub(super) fn is_slot_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Returns a name for a slot to use instead of this one.
pub(super) fn other_slot_name(name: &str) -> String {
    const SUFFIX: &str = "_pgoutput";
    let kept = name.len().min(63 - SUFFIX.len());
    format!("{}{SUFFIX}", name.get(..kept).unwrap_or("slot"))
}

/// Returns the statement that creates a slot.
pub(super) fn create_slot(name: &str) -> String {
    format!("SELECT pg_catalog.pg_create_logical_replication_slot({}, 'pgoutput')", literal(name))
}

/// Returns the statement that creates a slot with the options of another one. A server that does
/// not have an option does not report it.
pub(super) fn create_slot_like(name: &str, like: &SlotRow) -> String {
    let mut options = String::new();
    for (option, is_set) in [("twophase", like.two_phase), ("failover", like.failover)] {
        if is_set == Some(true) {
            options = options + ", " + option + " => true";
        }
    }
    format!(
        "SELECT pg_catalog.pg_create_logical_replication_slot({}, 'pgoutput'{options})",
        literal(name)
    )
}

/// Returns the statement that drops a slot.
pub(super) fn drop_slot(name: &str) -> String {
    format!("SELECT pg_catalog.pg_drop_replication_slot({})", literal(name))
}

/// Returns the statement that changes a setting of the server. It takes effect after
/// [`RELOAD`], or after a restart.
pub(super) fn alter_system(setting: &str, value: &str) -> String {
    format!("ALTER SYSTEM SET {setting} = {}", literal(value))
}

/// The statement that lets the server read its settings again.
pub(super) const RELOAD: &str = "SELECT pg_catalog.pg_reload_conf()";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_quoted() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(Quoted::read(b"public.t").sql(), Some("public.t"));
        let other = Quoted::read(b"\"caf\xe9\"");
        assert_eq!((other.shown(), other.sql()), ("\"caf\\xe9\"", None));
    }

    #[test]
    fn another_name_is_one_that_a_slot_can_have() {
        for name in ["s", &"s".repeat(63), &"s".repeat(54)] {
            let other = other_slot_name(name);
            assert!(is_slot_name(&other) && other != name, "{other}");
        }
        for name in ["", "S", "a-b", "it's", &"s".repeat(64)] {
            assert!(!is_slot_name(name), "{name}");
        }
    }
}
