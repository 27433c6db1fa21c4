//! A check that a condition cannot end the statement that it is put into, or a part of it.
//!
//! It reads the tokens of PostgreSQL's lexer (`scan.l`) as far as they can hide a parenthesis or a
//! semicolon: strings, quoted names and comments. Whether the tokens are an expression is decided
//! by the server, on which `standard_conforming_strings` is on.

use crate::error::ConditionError;

/// Checks that `({sql}\n)` is one pair of parentheses with something inside.
pub(super) fn check(sql: &str) -> Result<(), ConditionError> {
    let (mut rest, mut depth) = (sql.as_bytes(), 0_u32);
    // After an E'…' string, another string could be a continuation with the same escapes.
    let mut is_continued = false;
    loop {
        let next = match rest {
            [] if depth == 0 => return Ok(()),
            [] => return Err(ConditionError::Parentheses),
            [0, ..] => return Err(ConditionError::ZeroByte),
            [b';', ..] => return Err(ConditionError::Semicolon),
            [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, next @ ..] => {
                rest = next;
                continue;
            }
            [b'-', b'-', comment @ ..] => {
                rest = after_line(comment);
                continue;
            }
            [b'/', b'*', comment @ ..] => {
                rest = after_comment(comment)?;
                continue;
            }
            [b'\'', ..] if is_continued => return Err(ConditionError::Continued),
            [b'e' | b'E', b'\'', string @ ..] => {
                rest = after_escape_string(string)?;
                is_continued = true;
                continue;
            }
            [quote @ (b'\'' | b'"'), string @ ..] => after_quoted(string, *quote)?,
            [b'$', tail @ ..] => after_dollar(tail)?,
            [b'(', next @ ..] => {
                depth = depth.checked_add(1).ok_or(ConditionError::Parentheses)?;
                next
            }
            [b')', next @ ..] => {
                depth = depth.checked_sub(1).ok_or(ConditionError::Parentheses)?;
                next
            }
            [first, next @ ..] if is_name_start(*first) => after_name(next),
            [_, next @ ..] => next,
        };
        is_continued = false;
        rest = next;
    }
}

/// Returns whether a name or a keyword can start with this byte.
pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

/// Returns whether a name or a keyword can go on with this byte.
pub(super) fn is_name_part(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Returns the bytes after a name without quotes, whose first byte is already read.
fn after_name(bytes: &[u8]) -> &[u8] {
    skip_while(bytes, is_name_part)
}

fn skip_while(bytes: &[u8], is_part: impl Fn(u8) -> bool) -> &[u8] {
    let length = bytes.iter().take_while(|byte| is_part(**byte)).count();
    bytes.get(length..).unwrap_or_default()
}

fn after_line(bytes: &[u8]) -> &[u8] {
    skip_while(bytes, |byte| byte != b'\n' && byte != b'\r')
}

/// Returns the bytes after a comment, which may contain others.
fn after_comment(mut bytes: &[u8]) -> Result<&[u8], ConditionError> {
    let mut depth = 1_u32;
    while depth > 0 {
        bytes = match bytes {
            [] | [0, ..] => return Err(ConditionError::Unterminated),
            [b'/', b'*', rest @ ..] => {
                depth = depth.checked_add(1).ok_or(ConditionError::Unterminated)?;
                rest
            }
            [b'*', b'/', rest @ ..] => {
                depth -= 1;
                rest
            }
            [_, rest @ ..] => rest,
        };
    }
    Ok(bytes)
}

/// Returns the bytes after a string or a name, in which a doubled quote is one.
fn after_quoted(mut bytes: &[u8], quote: u8) -> Result<&[u8], ConditionError> {
    loop {
        bytes = match bytes {
            [] | [0, ..] => return Err(ConditionError::Unterminated),
            [one, two, rest @ ..] if *one == quote && *two == quote => rest,
            [one, rest @ ..] if *one == quote => return Ok(rest),
            [_, rest @ ..] => rest,
        };
    }
}

/// Returns the bytes after a string in which a backslash escapes the byte that follows.
fn after_escape_string(mut bytes: &[u8]) -> Result<&[u8], ConditionError> {
    loop {
        bytes = match bytes {
            [] | [0, ..] | [b'\\', 0, ..] => return Err(ConditionError::Unterminated),
            [b'\\', _, rest @ ..] | [b'\'', b'\'', rest @ ..] => rest,
            [b'\'', rest @ ..] => return Ok(rest),
            [_, rest @ ..] => rest,
        };
    }
}

/// Returns the bytes after a string between `$tag$`, or after the dollar sign alone.
fn after_dollar(bytes: &[u8]) -> Result<&[u8], ConditionError> {
    let is_tag_part = |byte| is_name_start(byte) || byte.is_ascii_digit();
    let string = match bytes {
        [b'$', string @ ..] => string,
        [first, tail @ ..] if is_name_start(*first) => match skip_while(tail, is_tag_part) {
            [b'$', string @ ..] => string,
            _ => return Ok(bytes),
        },
        _ => return Ok(bytes),
    };
    // The tag, and the dollar sign after it.
    let tag = bytes.get(..bytes.len() - string.len()).unwrap_or_default();
    let is_end = |window: &[u8]| window.split_first() == Some((&b'$', tag));
    let end = string.windows(tag.len() + 1).position(is_end);
    let after = end.and_then(|end| string.get(end + tag.len() + 1..));
    after.filter(|_| !string.contains(&0)).ok_or(ConditionError::Unterminated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_accepted_whatever_its_strings_contain() {
        for sql in [
            "",
            "id > 100",
            "id IN (SELECT 1) AND (a OR (b))",
            "a = ');' AND b = 'it''s ('",
            r#""odd ) "" ;name" = 1"#,
            r"a = E'\'); ' AND b = 'C:\'",
            r"a ~ e'\\' AND b",
            "a = $$ ); ' $$ AND b = $tag$ $$ ) $ta$ $tag$",
            "a = $$;$$",
            "a = $1 OR b$c$d = 1",
            "true -- ) ;",
            "true /* ) ; /* ( */ ; */ AND (b)",
            "a = U&'d\\0061t) ' AND b = B'1' AND c = N')'",
            "xe'(' = 1",
            "é = ')'",
            "a['1'] - -1 > 2 */**/ 3",
        ] {
            assert_eq!(check(sql), Ok(()), "{sql}");
        }
    }

    #[test]
    fn whatever_could_leave_its_place_is_refused() {
        for (sql, expected) in [
            ("true) OR (true", ConditionError::Parentheses),
            ("(a", ConditionError::Parentheses),
            ("a)", ConditionError::Parentheses),
            ("true; DROP TABLE a", ConditionError::Semicolon),
            ("true) TO STDOUT; DROP TABLE a; --", ConditionError::Parentheses),
            ("a = 'x", ConditionError::Unterminated),
            ("a = \"x", ConditionError::Unterminated),
            ("a = $$x$a$", ConditionError::Unterminated),
            ("a = $b$x$a$", ConditionError::Unterminated),
            ("a /* /* */", ConditionError::Unterminated),
            // The server reads these two as one string, with escapes in both parts.
            ("a = E'x'\n'\\') OR (true) --'", ConditionError::Continued),
            ("a = E'x' -- y\n 'z'", ConditionError::Continued),
            // A backslash escapes nothing here, so the string ends.
            ("a = '\\'; DROP TABLE a; --'", ConditionError::Semicolon),
            ("a = xe'\\') OR (true", ConditionError::Parentheses),
            ("a = 1e'\\') OR (true", ConditionError::Unterminated),
            ("b$a$ ) $a$", ConditionError::Parentheses),
            ("a -- x\r) OR (true", ConditionError::Parentheses),
            ("a = '\0'", ConditionError::Unterminated),
            ("a\0", ConditionError::ZeroByte),
        ] {
            assert_eq!(check(sql), Err(expected), "{sql}");
        }
    }
}
