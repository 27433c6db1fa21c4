//! The characters of a quoted text inside arrays, composites and ranges.
//!
//! Each container writes a quote or a backslash in its values as two bytes: an array puts a
//! backslash before it, a composite or range doubles it. Inside `depth` containers it is therefore
//! written as 2 to the power of `depth` quotes and backslashes, of which the last is the character
//! itself. Every other byte is written as itself. Reading such a text needs no buffer at any depth.

use super::ValueError;

/// Reader of the bytes of a text from front to back that removes the escapes of the containers
/// around it.
///
/// The escapes have been checked by the code that read the text from its container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols<'a> {
    bytes: &'a [u8],
    len: usize,
    depth: u8,
}

/// Returns whether containers write this byte as two bytes.
pub(super) const fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

/// Returns the number of bytes for one quote or backslash inside `depth` containers.
pub(super) const fn width(depth: u8) -> usize {
    // At most MAX_DEPTH, which is less than the bits of a word.
    1_usize.wrapping_shl(depth as u32)
}

/// The notation of quotes and backslashes in a quoted text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteEscape {
    /// With a backslash before them: arrays, `hstore`.
    Backslash,
    /// Doubled: composites, ranges.
    Doubled,
}

impl<'a> Symbols<'a> {
    pub(super) const fn new(bytes: &'a [u8], depth: u8) -> Self {
        Self { bytes, len: bytes.len(), depth }
    }

    /// Returns the bytes that have not been read yet, with their escapes.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn offset(&self) -> usize {
        self.len - self.bytes.len()
    }

    pub(super) const fn malformed(&self, expected: &'static str) -> ValueError {
        ValueError::malformed(expected, self.offset())
    }

    /// Reads the next byte.
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

    /// Returns the next byte without reading it.
    pub(super) fn peek(mut self) -> Option<u8> {
        self.take()
    }

    /// Returns all bytes that follow.
    pub(super) fn iter(mut self) -> impl Iterator<Item = u8> + use<'a> {
        core::iter::from_fn(move || self.take())
    }

    /// Skips `byte` if it comes next, and returns whether it did.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let mut ahead = *self;
        let found = ahead.take() == Some(byte);
        if found {
            *self = ahead;
        }
        found
    }

    /// Skips `byte`, which must come next. `expected` describes it in the error.
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ValueError> {
        if self.eat(byte) { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// Ends the text: fails if bytes remain.
    pub(super) fn end(&self, expected: &'static str) -> Result<(), ValueError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// Returns the bytes read since `earlier`, with their escapes.
    pub(super) fn since(&self, earlier: &Self) -> &'a [u8] {
        earlier.bytes.get(..self.offset() - earlier.offset()).unwrap_or_default()
    }

    /// Reads the bytes up to the first for which `stop` is true. A quote or backslash before it is
    /// an error.
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

    /// Reads the text up to its closing quote, which the result leaves out. The opening quote has
    /// been read.
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
    fn escapes_of_all_containers_are_removed_at_once() {
        // The text a"\b in a composite in an array: doubled, then each with a backslash before it.
        let text = br#"a\"\"\\\\b"#;
        assert!(Symbols::new(text, 2).iter().eq(*br#"a"\b"#));
        assert!(Symbols::new(br#"a""\\b"#, 1).iter().eq(*br#"a"\b"#));
        assert!(Symbols::new(br#"a"\b"#, 0).iter().eq(*br#"a"\b"#));
        assert_eq!(Symbols::new(br"\\\", 2).take(), None, "cut off");
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
