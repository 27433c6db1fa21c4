//! The characters of a text that stands in quotes inside of arrays, composites and ranges.
//!
//! Each container writes a quote or a backslash of what it holds as two bytes: an array puts a backslash in front, a
//! composite or range doubles it. So inside of `depth` containers each of them is written as two to the `depth`
//! quotes and backslashes, the last of which is the one that is meant, and every other byte is written as itself. No
//! buffer is needed to read such a text, however deep it stands.

use super::ValueError;

/// Reads the bytes of a text from the front, without the escapes of the containers it stands in.
///
/// Whoever cuts a text out of a container has checked its escapes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols<'a> {
    bytes: &'a [u8],
    len: usize,
    depth: u8,
}

/// What containers write as two bytes.
pub(super) const fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

/// How many bytes stand for one quote or backslash inside of `depth` containers.
pub(super) const fn width(depth: u8) -> usize {
    // Never more than MAX_DEPTH, and always less than a word.
    1_usize.wrapping_shl(depth as u32)
}

/// How a quoted text ends, and how quotes and backslashes are written in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteEscape {
    /// With a backslash in front: arrays, `hstore`.
    Backslash,
    /// Doubled: composites, ranges.
    Doubled,
}

impl<'a> Symbols<'a> {
    pub(super) const fn new(bytes: &'a [u8], depth: u8) -> Self {
        Self { bytes, len: bytes.len(), depth }
    }

    /// What has not been read yet, with its escapes.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn offset(&self) -> usize {
        self.len - self.bytes.len()
    }

    pub(super) const fn malformed(&self, expected: &'static str) -> ValueError {
        ValueError::malformed(expected, self.offset())
    }

    /// Takes what comes next.
    pub(super) fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        if self.depth == 0 || !is_escaped(*first) {
            self.bytes = rest;
            return Some(*first);
        }
        let Some((symbol, rest)) = self.bytes.split_at_checked(width(self.depth)) else {
            self.bytes = &[];
            return None;
        };
        self.bytes = rest;
        symbol.last().copied()
    }

    /// What comes next.
    pub(super) fn peek(mut self) -> Option<u8> {
        self.take()
    }

    /// All that comes.
    pub(super) fn iter(mut self) -> impl Iterator<Item = u8> + use<'a> {
        core::iter::from_fn(move || self.take())
    }

    /// Steps over `byte` if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let mut ahead = *self;
        let found = ahead.take() == Some(byte);
        if found {
            *self = ahead;
        }
        found
    }

    /// Steps over `byte`, which must come next; `expected` is what the error calls it.
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ValueError> {
        if self.eat(byte) { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// The text is finished.
    pub(super) fn end(&self, expected: &'static str) -> Result<(), ValueError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// What was read since `earlier`, with its escapes.
    pub(super) fn since(&self, earlier: &Self) -> &'a [u8] {
        earlier.bytes.get(..self.offset() - earlier.offset()).unwrap_or_default()
    }

    /// The bytes up to the first for which `stop` is true, without quotes and backslashes.
    pub(super) fn unquoted(&mut self, stop: impl Fn(u8) -> bool) -> Result<&'a [u8], ValueError> {
        let at = self.bytes.iter().position(|byte| is_escaped(*byte) || stop(*byte));
        let (head, rest) =
            self.bytes.split_at_checked(at.unwrap_or(self.bytes.len())).unwrap_or_default();
        self.bytes = rest;
        if rest.first().is_some_and(|byte| is_escaped(*byte)) {
            return Err(self.malformed("no quote or backslash outside of quotes"));
        }
        Ok(head)
    }

    /// What stands in quotes, with its escapes; the opening quote has been read, the closing one will be.
    pub(super) fn quoted(&mut self, escape: QuoteEscape) -> Result<&'a [u8], ValueError> {
        let start = *self;
        loop {
            let before = *self;
            match self.take() {
                None => return Err(self.malformed("a closing quote")),
                Some(b'"') if escape == QuoteEscape::Backslash || !self.eat(b'"') => {
                    return Ok(before.since(&start));
                }
                Some(b'\\') => {
                    let is_paired = match escape {
                        QuoteEscape::Backslash => self.take().is_some_and(is_escaped),
                        QuoteEscape::Doubled => self.eat(b'\\'),
                    };
                    if !is_paired {
                        return Err(before.malformed("a quote or backslash after a backslash"));
                    }
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_all_containers_are_taken_off_at_once() {
        // The text a"\b in a composite in an array: doubled, then behind backslashes.
        let text = br#"a\"\"\\\\b"#;
        assert!(Symbols::new(text, 2).iter().eq(*br#"a"\b"#));
        assert!(Symbols::new(br#"a""\\b"#, 1).iter().eq(*br#"a"\b"#));
        assert!(Symbols::new(br#"a"\b"#, 0).iter().eq(*br#"a"\b"#));
        assert_eq!(Symbols::new(br"\\\", 2).take(), None, "torn");
    }

    #[test]
    fn quoted_text_ends_at_its_own_quote() {
        let mut array = Symbols::new(br#"a\"b\\",c"#, 0);
        assert_eq!(array.quoted(QuoteEscape::Backslash), Ok(&br#"a\"b\\"#[..]));
        assert_eq!(array.rest(), b",c");
        let mut composite = Symbols::new(br#"a""b\\",c"#, 0);
        assert_eq!(composite.quoted(QuoteEscape::Doubled), Ok(&br#"a""b\\"#[..]));
        assert_eq!(composite.rest(), b",c");
        // A composite in quotes in an array: its own quotes are two bytes wide.
        let mut inner = Symbols::new(br#"\"x\"\"y\",z"#, 1);
        assert!(inner.eat(b'"'));
        assert_eq!(inner.quoted(QuoteEscape::Doubled), Ok(&br#"x\"\"y"#[..]));
        assert_eq!(inner.rest(), b",z");
        for open in [&b"abc"[..], br"abc\", br#"abc\n""#] {
            assert!(Symbols::new(open, 0).quoted(QuoteEscape::Backslash).is_err());
            assert!(Symbols::new(open, 0).quoted(QuoteEscape::Doubled).is_err());
        }
    }
}
