//! Writes values into the text of an array, composite or range, in quotes where they are needed.

use core::fmt::{self, Write};

use super::unescape::{QuoteEscape, is_escaped};

/// The kind of text into which a value is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Within {
    /// An array with this delimiter.
    Array { delimiter: u8 },
    /// A composite.
    Composite,
    /// A range.
    Range,
}

impl Within {
    /// Returns whether a byte may only be written in quotes.
    fn needs_quotes(self, byte: u8) -> bool {
        match byte {
            b'"' | b'\\' | b' ' | b'\t'..=b'\r' => true,
            b'{' | b'}' => matches!(self, Self::Array { .. }),
            b'(' | b')' => matches!(self, Self::Composite | Self::Range),
            b'[' | b']' => matches!(self, Self::Range),
            _ => {
                byte == match self {
                    Self::Array { delimiter } => delimiter,
                    Self::Composite | Self::Range => b',',
                }
            }
        }
    }

    const fn escape(self) -> QuoteEscape {
        match self {
            Self::Array { .. } => QuoteEscape::Backslash,
            Self::Composite | Self::Range => QuoteEscape::Doubled,
        }
    }

    /// Writes `value` with quotes and escapes if they are needed.
    pub(super) fn write(self, out: &mut dyn Write, value: &impl fmt::Display) -> fmt::Result {
        let mut check = QuoteCheck { within: self, len: 0, is_null: true, is_special: false };
        // `QuoteCheck` fails at the first character that needs quotes, so the error is not one of
        // `value`.
        let _ = write!(check, "{value}");
        let is_null = matches!(self, Self::Array { .. }) && check.is_null && check.len == 4;
        if check.len == 0 || is_null || check.is_special {
            write_quoted(out, value, self.escape())
        } else {
            write!(out, "{value}")
        }
    }
}

/// Writes `value` in quotes.
pub(super) fn write_quoted(
    out: &mut dyn Write,
    value: &impl fmt::Display,
    escape: QuoteEscape,
) -> fmt::Result {
    out.write_char('"')?;
    write!(Quoted { out, escape }, "{value}")?;
    out.write_char('"')
}

/// Determines whether a value needs quotes.
struct QuoteCheck {
    within: Within,
    len: usize,
    /// Whether the text so far is a prefix of NULL.
    is_null: bool,
    is_special: bool,
}

impl Write for QuoteCheck {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.within.needs_quotes(byte) {
                self.is_special = true;
                return Err(fmt::Error);
            }
            let null = b"NULL".get(self.len);
            self.is_null = self.is_null && null.is_some_and(|null| byte.eq_ignore_ascii_case(null));
            self.len += 1;
        }
        Ok(())
    }
}

/// Escapes quotes and backslashes.
struct Quoted<'w> {
    out: &'w mut dyn Write,
    escape: QuoteEscape,
}

impl Write for Quoted<'_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while let Some(at) = text.bytes().position(is_escaped) {
            let (plain, rest) = text.split_at_checked(at).unwrap_or_default();
            let (special, rest) = rest.split_at_checked(1).unwrap_or_default();
            self.out.write_str(plain)?;
            self.out.write_str(match self.escape {
                QuoteEscape::Backslash => "\\",
                QuoteEscape::Doubled => special,
            })?;
            self.out.write_str(special)?;
            text = rest;
        }
        self.out.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn written(within: Within, value: &str) -> String {
        let mut out = String::new();
        within.write(&mut out, &value).unwrap();
        out
    }

    #[test]
    fn values_are_quoted_only_where_the_server_does() {
        let array = Within::Array { delimiter: b',' };
        for plain in ["a", "(a)", "[a]", "a;b", "NULLS", "nul", "é\u{a0}"] {
            assert_eq!(written(array, plain), plain);
        }
        for (value, quoted) in [
            ("", r#""""#),
            ("null", r#""null""#),
            ("NULL", r#""NULL""#),
            ("a,b", r#""a,b""#),
            ("{", r#""{""#),
            ("a\u{b}", "\"a\u{b}\""),
            (r#"\"é"#, r#""\\\"é""#),
        ] {
            assert_eq!(written(array, value), quoted);
        }
        assert_eq!(written(Within::Array { delimiter: b';' }, "a,b"), "a,b");
        assert_eq!(written(Within::Composite, "NULL"), "NULL");
        assert_eq!(written(Within::Composite, "{[a]}"), "{[a]}");
        assert_eq!(written(Within::Composite, r#"\"("#), r#""\\""(""#);
        assert_eq!(written(Within::Range, "{a}"), "{a}");
        assert_eq!(written(Within::Range, "[a]"), r#""[a]""#);
    }
}
