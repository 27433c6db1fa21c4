//! Names that may not be UTF-8: a SQL_ASCII database holds any bytes in them, and its server
//! refuses to send those to a client whose encoding is UTF8.

use std::fmt::Write as _;

/// SQL: the bytes of an expression of type `name` or `text`, in UTF-8 or as they are stored. A
/// database in UTF8 may see names of other databases that are not UTF-8. `textsend` returns them
/// unchanged.
macro_rules! bytes {
    ($name:literal) => {
        concat!(
            "CASE
    WHEN pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.=) 'SQL_ASCII'::pg_catalog.name
    THEN pg_catalog.convert_to((",
            $name,
            ")::pg_catalog.text, 'SQL_ASCII'::pg_catalog.name)
    WHEN pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.=) 'UTF8'::pg_catalog.name
    THEN pg_catalog.textsend((",
            $name,
            ")::pg_catalog.text)
    ELSE pg_catalog.convert_to((",
            $name,
            ")::pg_catalog.text, 'UTF8'::pg_catalog.name) END"
        )
    };
}
pub(crate) use bytes;

/// SQL: the same as hexadecimal digits, for connections whose values are texts.
macro_rules! hex {
    ($name:literal) => {
        concat!(
            "pg_catalog.encode(",
            $crate::sql::names::bytes!($name),
            ", 'hex'::pg_catalog.text)"
        )
    };
}
pub(crate) use hex;

/// Decodes a name sent as hexadecimal digits; bytes that are not UTF-8 are escaped.
pub(crate) fn shown(hex: &str) -> String {
    let digits = hex.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    escaped(&digits.filter_map(byte).collect::<Vec<_>>())
}

/// Returns the text of these bytes; those that are not UTF-8 are escaped, as in `caf\xe9`.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_are_escaped() {
        assert_eq!(shown("636166c3a9"), "caf\u{e9}");
        assert_eq!(shown("636166e921"), "caf\\xe9!");
        assert_eq!(shown(""), "");
    }
}
