//! `keyword=value` connection strings ([PostgreSQL manual,
//! 34.1.1.1](https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE)).

use std::fmt::Write as _;

use super::error::{ConfigError, ParameterOrigin};
use super::keyword;
use super::parameters::{Parameters, unknown};

/// Returns whether `c` is a space for C's `isspace`.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// A position in the string, which moves by whole characters.
struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        Some(c)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.next();
        }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| c == '=' || is_space(c)).unwrap_or(rest.len());
        self.position += length;
        rest.get(..length).unwrap_or_default()
    }
}

/// Parses `text` into `parameters`.
pub(crate) fn parse(
    text: &str,
    origin: ParameterOrigin,
    parameters: &mut Parameters,
) -> Result<(), ConfigError> {
    let mut cursor = Cursor { text, position: 0 };
    let mut secret_seen = false;
    cursor.skip_spaces();
    let first = cursor.position;
    loop {
        cursor.skip_spaces();
        if cursor.peek().is_none() {
            return Ok(());
        }
        let start = cursor.position;
        let word = cursor.word();
        if word.contains("://") {
            return Err(ConfigError::syntax(
                origin,
                start,
                "not a PostgreSQL URI, which begins with postgresql://",
            ));
        }
        // No keyword has any of these characters; a host and its port do.
        if start == first && word.contains(['@', '/', ':']) {
            return Err(ConfigError::syntax(
                origin,
                start,
                "neither a URI, which begins with postgresql://, nor keyword=value words",
            ));
        }
        cursor.skip_spaces();
        if cursor.next() != Some('=') {
            return Err(ConfigError::syntax(
                origin,
                start,
                "a word without a value; write keyword=value, and put a value with spaces into \
                 single quotes",
            ));
        }
        let Some(keyword) = keyword::find(word) else {
            return Err(unknown(word, !secret_seen, origin, start));
        };
        secret_seen |= keyword.is_secret();
        cursor.skip_spaces();
        let value = if cursor.peek() == Some('\'') {
            quoted(&mut cursor, origin)?
        } else {
            bare(&mut cursor)
        };
        parameters.set(keyword, value, origin, Some(start));
    }
}

/// Reads a value up to the next space. A backslash escapes the next character.
fn bare(cursor: &mut Cursor<'_>) -> String {
    let mut value = String::new();
    while let Some(c) = cursor.peek().filter(|c| !is_space(*c)) {
        cursor.next();
        value.extend(if c == '\\' { cursor.next() } else { Some(c) });
    }
    value
}

/// Reads a value in single quotes, in which a backslash escapes a quote or a backslash.
fn quoted(cursor: &mut Cursor<'_>, origin: ParameterOrigin) -> Result<String, ConfigError> {
    let start = cursor.position;
    cursor.next();
    let mut value = String::new();
    loop {
        match cursor.next() {
            Some('\'') => return Ok(value),
            Some('\\') => value.extend(cursor.next()),
            Some(c) => value.push(c),
            None => {
                return Err(ConfigError::syntax(
                    origin,
                    start,
                    "the quoted value has no closing quote; write a quote inside a value as \\'",
                ));
            }
        }
    }
}

/// Writes ` keyword='value'` so that [`parse`] reads the same value; quotes only where needed.
pub(crate) fn write(out: &mut String, keyword: &str, value: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    // Writing to a String cannot fail.
    let _ = write!(out, "{keyword}=");
    let plain = !value.is_empty() && !value.contains(|c| is_space(c) || c == '\'' || c == '\\');
    if plain {
        out.push_str(value);
        return;
    }
    out.push('\'');
    for c in value.chars() {
        if matches!(c, '\'' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('\'');
}
