//! Names as SQL reads and writes them.

/// Reads a name from the start of a text, and returns it with the text after it. Names without
/// double quotes are folded to lower case.
pub(crate) fn name(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let length = text.find(|c| !is_part(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(length)?;
        name.chars().next().filter(|first| !first.is_ascii_digit() && *first != '$')?;
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

/// Reads `schema.table`, and returns both with the text after them.
pub(crate) fn qualified(text: &str) -> Option<(String, String, &str)> {
    let (schema, rest) = name(text.trim_ascii_start())?;
    let rest = rest.trim_ascii_start().strip_prefix('.')?;
    let (table, rest) = name(rest.trim_ascii_start())?;
    Some((schema, table, rest.trim_ascii()))
}

/// Returns whether a name without quotes can contain the character.
pub(crate) fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// Writes a name for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
