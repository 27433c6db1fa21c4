//! All quoting: of names and values in replication commands, whose grammar is PostgreSQL's
//! `repl_scanner.l`, and in the few queries on the same connection.

use crate::error::Error;

/// Puts a name into double quotes, which preserves capitals and spaces.
///
/// # Errors
/// A double quote in the name. Unlike SQL, the replication grammar has no escape for one, and no
/// slot name has one.
pub(crate) fn identifier(name: &str) -> Result<String, Error> {
    if name.contains('"') {
        return Err(Error::usage(
            "a slot name contains only lower-case letters, digits and underscores: no double \
             quotes",
        ));
    }
    quote(name, '"')
}

/// Quotes the name of a slot like [`identifier`].
///
/// # Errors
/// Also a name that the server would truncate silently, to one that may be another slot's.
pub(crate) fn slot_name(name: &str) -> Result<String, Error> {
    const LONGEST: usize = 63;
    if name.len() > LONGEST {
        return Err(Error::usage("a slot name has at most 63 bytes: choose a shorter one"));
    }
    identifier(name)
}

/// Puts a text into single quotes. The replication grammar has no backslash escapes.
pub(crate) fn literal(text: &str) -> Result<String, Error> {
    quote(text, '\'')
}

/// Formats a list as pgoutput parses `publication_names`: identifiers between commas, quoted as in
/// SQL.
pub(crate) fn identifier_list(names: &[String]) -> Result<String, Error> {
    let quoted = names.iter().map(|name| quote(name, '"')).collect::<Result<Vec<_>, _>>()?;
    Ok(quoted.join(","))
}

/// A text in SQL, whatever `standard_conforming_strings` is set to. A zero byte is refused when the
/// statement is sent.
pub(crate) fn sql_literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name in SQL. One longer than the server's names is truncated, as the server does everywhere.
pub(crate) fn sql_name(text: &str) -> String {
    format!("{}::pg_catalog.name", sql_literal(text))
}

/// Puts a text between quotes and doubles each quote in it.
fn quote(text: &str, with: char) -> Result<String, Error> {
    if text.contains('\0') {
        return Err(Error::usage(
            "a name or value contains a zero byte, which PostgreSQL does not accept",
        ));
    }
    let mut quoted = String::from(with);
    for c in text.chars() {
        if c == with {
            quoted.push(with);
        }
        quoted.push(c);
    }
    quoted.push(with);
    Ok(quoted)
}
