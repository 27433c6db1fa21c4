//! JSON strings, and the default JSON form of a value.

use core::fmt::{self, Write};

use super::JsonOptions;

/// How a value is written as JSON; unless it says otherwise, as PostgreSQL's text in a string.
pub(super) trait WriteJson: fmt::Display {
    fn write_json(&self, out: &mut dyn Write, _options: JsonOptions) -> fmt::Result {
        quoted(out, self)
    }
}

/// Writes what `value` displays as a JSON string.
pub(super) fn quoted(out: &mut dyn Write, value: &(impl fmt::Display + ?Sized)) -> fmt::Result {
    out.write_char('"')?;
    write!(Escaped(out), "{value}")?;
    out.write_char('"')
}

/// Writes a JSON string.
pub(super) fn string(out: &mut dyn Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    Escaped(out).write_str(text)?;
    out.write_char('"')
}

/// Escapes what a JSON string must escape (RFC 8259, section 7) and passes on the rest in whole runs.
struct Escaped<'w>(&'w mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly every text needs none, and looking at bytes is much cheaper than at characters.
        if !text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            return self.0.write_str(text);
        }
        for run in text.split_inclusive(|c: char| c < ' ' || c == '"' || c == '\\') {
            let mut plain = run.chars();
            match plain.next_back() {
                Some(last @ ('"' | '\\' | '\0'..='\x1f')) => {
                    self.0.write_str(plain.as_str())?;
                    escape(self.0, last)?;
                }
                _ => self.0.write_str(run)?,
            }
        }
        Ok(())
    }
}

fn escape(out: &mut dyn Write, c: char) -> fmt::Result {
    match c {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        _ => write!(out, "\\u{:04x}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn escapes_what_json_must_and_nothing_else() {
        let mut out = String::new();
        string(&mut out, "a\"b\\c/\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}é\u{2028}😀").unwrap();
        assert_eq!(out, "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0000\\u001f\u{7f}é\u{2028}😀\"");
        out.clear();
        quoted(&mut out, &'"').unwrap();
        assert_eq!(out, "\"\\\"\"");
    }
}
