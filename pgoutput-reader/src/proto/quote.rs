//! All quoting: of names and values in replication commands, whose grammar is PostgreSQL's `repl_scanner.l`, and in the few
//! queries made on the same connection.

use crate::Error;

/// A name in double quotes: taken as it stands, capitals, spaces and all.
///
/// # Errors
/// A double quote within: unlike SQL the replication grammar has no way to write one, and no slot has one in its name.
pub(crate) fn identifier(name: &str) -> Result<String, Error> {
    if name.contains('"') {
        return Err(Error::usage(
            "a slot's name holds only lower-case letters, digits and underscores: no double quotes",
        ));
    }
    quote(name, '"')
}

/// The name of a slot, as [`identifier`] quotes it.
///
/// # Errors
/// Also a name that the server would cut without a word, to one that may be another slot's.
pub(crate) fn slot_name(name: &str) -> Result<String, Error> {
    const LONGEST: usize = 63;
    if name.len() > LONGEST {
        return Err(Error::usage("a slot's name has at most 63 bytes: choose a shorter one"));
    }
    identifier(name)
}

/// A text in single quotes. The replication grammar knows no backslash escapes.
pub(crate) fn literal(text: &str) -> Result<String, Error> {
    quote(text, '\'')
}

/// What pgoutput splits `publication_names` by: identifiers between commas, quoted as in SQL.
pub(crate) fn identifier_list(names: &[String]) -> Result<String, Error> {
    let quoted = names.iter().map(|name| quote(name, '"')).collect::<Result<Vec<_>, _>>()?;
    Ok(quoted.join(","))
}

/// Between two marks, a mark within doubled.
fn quote(text: &str, mark: char) -> Result<String, Error> {
    if text.contains('\0') {
        return Err(Error::usage(
            "a name or value holds a zero byte, which PostgreSQL cannot take",
        ));
    }
    let mut quoted = String::from(mark);
    for c in text.chars() {
        if c == mark {
            quoted.push(mark);
        }
        quoted.push(c);
    }
    quoted.push(mark);
    Ok(quoted)
}
