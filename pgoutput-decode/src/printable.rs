//! Unprintable characters, and text in which they are escaped.

use core::fmt::{self, Write};

/// Returns whether a character is displayed as itself: it is neither a control character nor one
/// that is invisible, breaks the line or changes the direction of the text around it.
///
/// These are not printable: the control characters (`U+0000` to `U+001F`, `U+007F` to `U+009F`),
/// the line and paragraph separators, and the format characters. Format characters are directional
/// marks, embeddings, overrides and isolates, zero-width characters, soft hyphens, byte order
/// marks, annotations and tags.
///
/// ```
/// use pgoutput_decode::is_printable;
///
/// assert!(is_printable('é') && is_printable('\u{a0}'));
/// assert!(!is_printable('\u{1b}') && !is_printable('\u{9b}') && !is_printable('\u{202e}'));
/// ```
#[inline]
pub const fn is_printable(c: char) -> bool {
    if c.is_ascii() { matches!(c, ' '..='~') } else { !is_hidden(c) }
}

/// Returns whether a character is neither ASCII nor printable.
#[inline]
pub(crate) const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Returns whether this byte may begin a hidden character in UTF-8.
#[inline]
#[expect(
    clippy::needless_bitwise_bool,
    reason = "only without branches are several bytes examined together"
)]
pub(crate) const fn may_start_hidden(byte: u8) -> bool {
    (byte == 0xc2)
        | (byte == 0xd8)
        | (byte == 0xe1)
        | (byte == 0xe2)
        | (byte == 0xef)
        | (byte == 0xf3)
}

/// Displays its content on one line that cannot move a terminal's cursor: a line feed becomes a
/// space, other characters that are not [printable](is_printable) become escapes such as `\u{1b}`.
///
/// Use it for names and values of a server in messages and logs. Text that is already escaped does
/// not change.
///
/// ```
/// use pgoutput_decode::Printable;
///
/// assert_eq!(Printable("p\u{1b}[2J\nq").to_string(), "p\\u{1b}[2J q");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(EscapeWriter(f), "{}", self.0)
    }
}

struct EscapeWriter<'f, 'g>(&'f mut fmt::Formatter<'g>);

impl Write for EscapeWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for run in text.split_inclusive(|c| !is_printable(c)) {
            let mut shown = run.chars();
            match shown.next_back() {
                Some(last) if !is_printable(last) => {
                    self.0.write_str(shown.as_str())?;
                    match last {
                        '\n' => self.0.write_char(' ')?,
                        last => write!(self.0, "{}", last.escape_unicode())?,
                    }
                }
                _ => self.0.write_str(run)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn may_hide_covers_every_hidden_character() {
        let mut hidden = 0;
        for c in ('\u{80}'..=char::MAX).filter(|c| is_hidden(*c)) {
            let mut buffer = [0; 4];
            assert!(may_start_hidden(c.encode_utf8(&mut buffer).as_bytes()[0]), "{c:?}");
            hidden += 1;
        }
        assert_eq!(hidden, 32 + 3 + 5 + 7 + 16 + 1 + 3 + 128);
        assert!((0..=0x7f).all(|byte| !may_start_hidden(byte)));
    }

    /// The list is what the standard library's `Debug` escapes, without spaces and letters.
    #[test]
    fn every_control_and_format_character_is_escaped() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_control()) {
            assert!(!is_printable(c), "{c:?}");
        }
        let format_characters = concat!(
            "\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}",
            "\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{fff9}\u{e0001}\u{e007f}",
        );
        for c in format_characters.chars() {
            assert!(!is_printable(c), "{c:?}");
            let shown = Printable(c).to_string();
            assert_eq!(shown, c.escape_unicode().to_string());
        }
        let plain = "a~ é\u{a0}日本語, русский, العربية 😀";
        assert_eq!(Printable(plain).to_string(), plain);
    }

    #[test]
    fn escapes_once_and_keeps_one_line() {
        let once = Printable("a\r\nb\u{202e}\\u{1b}").to_string();
        assert_eq!(once, "a\\u{d} b\\u{202e}\\u{1b}");
        assert_eq!(Printable(&once).to_string(), once);
    }
}
