//! Statements that people read, whose names and texts may have characters that are not printable.

use std::fmt::Write as _;

use pgoutput_decode::is_printable;

/// Returns a statement with the same meaning and without characters that are not printable: those
/// in names and texts are escaped as SQL does it, as in `U&"\+00000a"` and `E'\U0000000a'`. `None`
/// if there are such characters elsewhere.
pub(crate) fn printable(statement: &str) -> Option<String> {
    if statement.chars().all(is_printable) {
        return Some(statement.to_owned());
    }
    let mut sql = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(start) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at_checked(start)?;
        let has_escapes = quoted.starts_with('\'') && ends_with_e(before);
        let (token, after) = quoted.split_at_checked(length(quoted, has_escapes)?)?;
        if !before.chars().all(is_printable) {
            return None;
        }
        match token.chars().all(is_printable) {
            true => sql = sql + before + token,
            false if token.starts_with('"') => {
                sql = sql + before + "U&";
                write_name(&mut sql, token);
            }
            false => {
                sql = sql + before + if has_escapes { "" } else { "E" };
                write_text(&mut sql, token, has_escapes);
            }
        }
        rest = after;
    }
    rest.chars().all(is_printable).then(|| sql + rest)
}

/// Returns whether the quote that follows begins a text with backslash escapes.
fn ends_with_e(before: &str) -> bool {
    let mut last = before.chars().rev();
    matches!(last.next(), Some('E' | 'e')) && !last.next().is_some_and(char::is_alphanumeric)
}

/// Returns the length of the quoted token at the start of the text.
fn length(text: &str, has_escapes: bool) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character == '\\' && has_escapes {
            characters.next();
        } else if character == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => drop(characters.next()),
                _ => return Some(index + 1),
            }
        }
    }
    None
}

/// Writes a name in double quotes that follows `U&`.
fn write_name(sql: &mut String, name: &str) {
    for character in name.chars() {
        // Writing to a String cannot fail.
        let _ = match character {
            '\\' => write!(sql, "\\\\"),
            _ if is_printable(character) => write!(sql, "{character}"),
            _ => write!(sql, "\\+{:06x}", u32::from(character)),
        };
    }
}

/// Writes a text in single quotes that follows `E`.
fn write_text(sql: &mut String, text: &str, has_escapes: bool) {
    for character in text.chars() {
        let _ = match character {
            '\\' if !has_escapes => write!(sql, "\\\\"),
            _ if is_printable(character) => write!(sql, "{character}"),
            _ => write!(sql, "\\U{:08x}", u32::from(character)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn characters_that_are_not_printable_are_escaped_in_names_and_texts() {
        for (statement, expected) in [
            ("SELECT 'it''s', \"a\"\"b\\\"", "SELECT 'it''s', \"a\"\"b\\\""),
            ("public.\"a\\\"\"\nq\" (id)", "public.U&\"a\\\\\"\"\\+00000aq\" (id)"),
            ("SELECT 'a\u{202e}\\''b', \"c\"", "SELECT E'a\\U0000202e\\\\''b', \"c\""),
            ("SELECT E'a\\'\u{1b}\\\\'", "SELECT E'a\\'\\U0000001b\\\\'"),
        ] {
            assert_eq!(printable(statement).as_deref(), Some(expected));
        }
        for statement in ["SELECT\n1", "SELECT 'a\n", "SELECT \"a\"\u{1b}"] {
            assert_eq!(printable(statement), None, "{statement:?}");
        }
    }
}
