//! JSON strings, and the default JSON form of a value.
#![expect(
    clippy::needless_bitwise_bool,
    reason = "only without branches are several bytes examined together"
)]

use core::cell::Cell;
use core::fmt::{self, Write};

use super::{JsonNotes, JsonOptions, MAX_JSON_NESTING};
use crate::printable::{is_hidden, may_start_hidden};

/// The JSON form of a value; by default PostgreSQL's text in a string.
pub(super) trait WriteJson: fmt::Display {
    fn write_json(&self, out: &mut dyn Write, _place: JsonContext<'_>) -> fmt::Result {
        quoted(out, self)
    }
}

/// The context in which a value is written as JSON: options, nesting and notes.
#[derive(Clone, Copy)]
pub(super) struct JsonContext<'n> {
    pub(super) options: JsonOptions,
    notes: &'n Cell<JsonNotes>,
}

impl<'n> JsonContext<'n> {
    pub(super) const fn new(options: JsonOptions, notes: &'n Cell<JsonNotes>) -> Self {
        Self { options, notes }
    }

    /// Returns the context this many arrays and objects further inside.
    pub(super) fn inside(self, levels: usize) -> Self {
        let levels = u8::try_from(levels).unwrap_or(u8::MAX);
        Self { options: self.options.nested_in(levels), ..self }
    }

    /// Returns how deeply the value written here may be nested in itself.
    pub(super) const fn remaining_nesting(self) -> u8 {
        MAX_JSON_NESTING.saturating_sub(self.options.nesting)
    }

    pub(super) fn note(self, note: impl FnOnce(&mut JsonNotes)) {
        let mut notes = self.notes.get();
        note(&mut notes);
        self.notes.set(notes);
    }
}

/// Writes the text that `value` displays as a JSON string.
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

/// Writes a text as a JSON string in quotes, with the same escapes as in values.
///
/// The escapes are those that JSON requires (RFC 8259, section 7), and those of all other
/// characters that are not [printable](crate::is_printable). So a line of JSON cannot move a
/// terminal's cursor or hide anything. A parser returns the original text.
///
/// ```
/// use pgoutput_decode::value::write_json_string;
///
/// let mut json = String::new();
/// write_json_string(&mut json, "say \"hi\"\u{202e}")?;
/// assert_eq!(json, r#""say \"hi\"\u202e""#);
/// # Ok::<(), std::fmt::Error>(())
/// ```
///
/// # Errors
///
/// Fails if `out` fails.
pub fn write_json_string(out: &mut impl Write, text: &str) -> fmt::Result {
    string(out, text)
}

/// Escapes the characters that JSON requires and those that are not printable, and writes the rest
/// in whole runs.
struct Escaped<'w>(&'w mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly every text needs no escapes, and examining bytes is much faster than examining
        // characters.
        let is_plain = !any_byte(text, |byte| is_special_byte(byte) | (byte > 0x7f))
            || !any_byte(text, |byte| is_special_byte(byte) | may_start_hidden(byte));
        if is_plain {
            return self.0.write_str(text);
        }
        let is_special = |c: char| match u8::try_from(c) {
            Ok(byte) if c.is_ascii() => is_special_byte(byte),
            _ => is_hidden(c),
        };
        escape_each(self.0, text, is_special)
    }
}

/// Returns whether an ASCII byte is escaped in a string.
#[inline]
const fn is_special_byte(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

/// Returns whether `is_it` holds for any byte. Examines several bytes together.
#[inline]
fn any_byte(text: &str, is_it: impl Fn(u8) -> bool) -> bool {
    let any = |bytes: &[u8]| bytes.iter().fold(false, |found, byte| found | is_it(*byte));
    let (chunks, rest) = text.as_bytes().as_chunks::<32>();
    chunks.iter().any(|chunk| any(chunk)) || any(rest)
}

/// Writes a part of a document.
///
/// Characters that JSON allows but that are not printable are escaped: they can only occur in
/// strings. Line breaks can only occur between tokens, so each becomes a space.
pub(super) fn document(out: &mut dyn Write, text: &str) -> fmt::Result {
    let is_break = |byte: u8| (byte == b'\r') | (byte == b'\n');
    if !any_byte(text, |byte| is_break(byte) | (byte >= 0x7f)) {
        return out.write_str(text);
    }
    for (at, line) in text.split(['\r', '\n']).enumerate() {
        if at > 0 {
            out.write_char(' ')?;
        }
        escape_each(out, line, |c| c == '\u{7f}' || is_hidden(c))?;
    }
    Ok(())
}

fn escape_each(out: &mut dyn Write, text: &str, is_special: impl Fn(char) -> bool) -> fmt::Result {
    for run in text.split_inclusive(&is_special) {
        let mut plain = run.chars();
        match plain.next_back() {
            Some(last) if is_special(last) => {
                out.write_str(plain.as_str())?;
                escape(out, last)?;
            }
            _ => out.write_str(run)?,
        }
    }
    Ok(())
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
        // A character outside the Basic Multilingual Plane takes two escapes.
        _ => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    #[test]
    fn escapes_what_json_must_and_what_is_not_printable() {
        let text = concat!(
            "a\"b\\c/\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}",
            "é\u{9b}\u{2028}\u{202e}\u{feff}\u{e0041}’，😀",
        );
        let mut out = String::new();
        string(&mut out, text).unwrap();
        assert_eq!(
            out,
            concat!(
                "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0000\\u001f\\u007f",
                "é\\u009b\\u2028\\u202e\\ufeff\\udb40\\udc41’，😀\"",
            )
        );
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        out.clear();
        quoted(&mut out, &'"').unwrap();
        assert_eq!(out, "\"\\\"\"");
    }

    /// Tests every character, alone and between others.
    #[test]
    fn a_string_is_printable_and_reads_as_the_same_text() {
        let mut out = String::new();
        for c in '\0'..=char::MAX {
            for text in [String::from(c), std::format!("é{c}a")] {
                out.clear();
                string(&mut out, &text).unwrap();
                assert!(out.chars().all(crate::is_printable), "{c:?}");
                assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
                if c > '\u{7e}' && crate::is_printable(c) {
                    assert_eq!(out, std::format!("\"{text}\""));
                }
            }
        }
    }

    #[test]
    fn a_document_is_printable_and_means_the_same() {
        for text in [
            "{\"a\u{7f}\": [\"\\\\\u{9b}\u{202e}\",\r\n\"é\u{feff}\u{e0001}\", 1.50]}",
            "\"\\u0000\\\"\u{7f}\"",
            "[1,\n2]",
            "\"plain é ’\"",
        ] {
            let mut out = String::new();
            document(&mut out, text).unwrap();
            assert!(out.chars().all(crate::is_printable), "{out}");
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(&out), value(text));
        }
    }
}
