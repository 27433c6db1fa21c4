//! Names and values on a line for a terminal: quoted, escaped and shortened.

use std::fmt::{self, Write as _};

use pgoutput_decode::value::{Field, Format, type_oid};
use pgoutput_decode::{Oid, TupleColumn, is_printable};

/// The number of characters of a value that are shown.
const SHOWN: usize = 64;

/// Writes a name as SQL would: in quotes unless it is a simple one.
pub(super) fn write_name(out: &mut String, name: &str) {
    let is_simple = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if is_simple {
        out.push_str(name);
        return;
    }
    out.push('"');
    for c in name.chars() {
        match c {
            '"' => out.push_str("\"\""),
            c if is_printable(c) => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out.push('"');
}

/// Writes bytes in quotes, as the text that they may be. Other bytes become `\xNN`.
pub(super) fn write_quoted(out: &mut String, bytes: &[u8], full: bool) {
    out.push('\'');
    let mut left = if full { usize::MAX } else { SHOWN };
    let mut is_cut = false;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            is_cut |= left == 0;
            if left == 0 {
                break;
            }
            left -= 1;
            match c {
                '\'' | '\\' | '\n' | '\r' | '\t' => out.extend(c.escape_default()),
                c if is_printable(c) => out.push(c),
                c => out.extend(c.escape_unicode()),
            }
        }
        for byte in chunk.invalid() {
            is_cut |= left == 0;
            if left > 0 {
                left -= 1;
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
        if is_cut {
            break;
        }
    }
    out.push_str(if is_cut { "…'" } else { "'" });
    if is_cut {
        let _ = write!(out, "({} bytes)", bytes.len());
    }
}

/// Writes the value of a column. `type_oid` is its type, if that is known.
pub(super) fn write_column(
    out: &mut String,
    column: TupleColumn<'_>,
    type_oid: Option<Oid>,
    full: bool,
) {
    match column {
        TupleColumn::Null => out.push_str("null"),
        TupleColumn::Unchanged => out.push_str("unchanged"),
        TupleColumn::Text(text) => write_value(out, text, type_oid, full),
        TupleColumn::Binary(bytes) => match type_oid.and_then(|oid| readable(oid, bytes)) {
            Some(text) => write_value(out, text.as_bytes(), type_oid, full),
            None => write_hex(out, bytes, full),
        },
    }
}

/// Returns the text of a value in binary format, if its type is built in.
pub(super) fn readable(type_oid: Oid, bytes: &[u8]) -> Option<String> {
    // What is not known as a type is written as its bytes.
    pgoutput_decode::value::PgType::from_oid(type_oid)?;
    let mut text = String::new();
    Field::new(type_oid, Format::Binary, bytes).write_text(&mut text).ok()?;
    Some(text)
}

fn write_value(out: &mut String, text: &[u8], type_oid: Option<Oid>, full: bool) {
    let is_number = matches!(
        type_oid,
        Some(
            type_oid::BOOL
                | type_oid::INT2
                | type_oid::INT4
                | type_oid::INT8
                | type_oid::OID
                | type_oid::FLOAT4
                | type_oid::FLOAT8
                | type_oid::NUMERIC
        )
    );
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    match str::from_utf8(text) {
        Ok(number) if is_number && number.len() <= SHOWN && text.iter().all(is_word) => {
            out.push_str(number);
        }
        _ => write_quoted(out, text, full),
    }
}

fn write_hex(out: &mut String, bytes: &[u8], full: bool) {
    let shown = if full { bytes } else { bytes.get(..SHOWN / 2).unwrap_or(bytes) };
    out.push_str("\\x");
    let _ = write!(out, "{}", Hex(shown));
    if shown.len() < bytes.len() {
        let _ = write!(out, "…({} bytes)", bytes.len());
    }
}

/// Displays bytes as hexadecimal digits.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
