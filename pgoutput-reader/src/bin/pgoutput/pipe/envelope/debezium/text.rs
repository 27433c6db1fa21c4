//! Strings of JSON.

use std::fmt::{self, Write};

use pgoutput_reader::decode::is_printable;

/// Writes a text as a JSON string.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    let _ = Escaped(&mut *out).write_str(text);
    out.push('"');
}

/// Writes what `value` displays as a JSON string.
pub(super) fn displayed(out: &mut String, value: impl fmt::Display) {
    out.push('"');
    let _ = write!(Escaped(&mut *out), "{value}");
    out.push('"');
}

/// Escapes the inside of a JSON string. Characters that are not printable are escaped too, so that
/// records can be printed.
pub(super) struct Escaped<W>(pub(super) W);

impl<W: Write> Write for Escaped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_plain = |c: char| c != '"' && c != '\\' && is_printable(c);
        let mut rest = text;
        while let Some(end) = rest.find(|c| !is_plain(c)) {
            let (plain, special) = rest.split_at(end);
            self.0.write_str(plain)?;
            let mut characters = special.chars();
            match characters.next() {
                Some(c @ ('"' | '\\')) => {
                    self.0.write_char('\\')?;
                    self.0.write_char(c)?;
                }
                Some('\n') => self.0.write_str("\\n")?,
                Some('\r') => self.0.write_str("\\r")?,
                Some('\t') => self.0.write_str("\\t")?,
                Some(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(self.0, "\\u{unit:04x}")?;
                    }
                }
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_json_requires() {
        for text in ["", "plain", "say \"hi\"\\", "a\nb\r\tc", "\u{0}\u{7f}\u{202e}", "é 𝄞"] {
            let mut json = String::new();
            string(&mut json, text);
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{json}");
            assert!(json.chars().all(is_printable), "{json}");
        }
    }
}
