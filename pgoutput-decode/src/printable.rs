//! Characters that are not shown as themselves, and text in which they are escaped.

use core::fmt::{self, Write};

/// Whether a character is shown as itself: it is no control character, and none that shows nothing, breaks the line or turns
/// the direction of the text around it.
///
/// Not printable are the control characters (`U+0000` to `U+001F`, `U+007F` to `U+009F`), the separators of lines and paragraphs,
/// and the format characters: marks, embeddings, overrides and isolates of direction, zero-width characters, soft
/// hyphens, byte order marks, annotations and tags.
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

/// Of the characters that are not ASCII, those that are not shown as themselves.
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

/// Whether this byte may begin a hidden character in UTF-8.
#[inline]
#[expect(
    clippy::needless_bitwise_bool,
    reason = "only without branches several bytes are looked at together"
)]
pub(crate) const fn may_hide(byte: u8) -> bool {
    (byte == 0xc2)
        | (byte == 0xd8)
        | (byte == 0xe1)
        | (byte == 0xe2)
        | (byte == 0xef)
        | (byte == 0xf3)
}

/// Displays as its content does, on one line that cannot move a terminal's cursor: characters that are not
/// [printable](is_printable) are written as `\u{1b}`, a line feed as a space.
///
/// For names and values of a server in messages and logs. What is escaped once stays as it is.
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
    fn the_bytes_that_may_hide_begin_all_that_is_hidden() {
        let mut hidden = 0;
        for c in ('\u{80}'..=char::MAX).filter(|c| is_hidden(*c)) {
            let mut buffer = [0; 4];
            assert!(may_hide(c.encode_utf8(&mut buffer).as_bytes()[0]), "{c:?}");
            hidden += 1;
        }
        assert_eq!(hidden, 32 + 3 + 5 + 7 + 16 + 1 + 3 + 128);
        assert!((0..=0x7f).all(|byte| !may_hide(byte)));
    }

    /// The standard library escapes what does not show when it debugs: nothing of that but spaces and letters may be missed here.
    #[test]
    fn every_control_and_format_character_is_escaped() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_control()) {
            assert!(!is_printable(c), "{c:?}");
        }
        for c in "\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{fff9}\u{e0001}\u{e007f}"
            .chars()
        {
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
