//! Reads PostgreSQL's text of lexemes, for `tsvector` and `tsquery`.

use super::{EncodeError, Writer};
use crate::id::Oid;
use crate::value::{Format, Text, ValueError};

/// Reader of the characters of a text, without its escapes, from front to back.
pub(super) struct Scanner<I> {
    characters: I,
    next: Option<char>,
    offset: usize,
    type_oid: Oid,
}

pub(super) fn scan(text: Text<'_>, type_oid: Oid) -> Scanner<impl Iterator<Item = char>> {
    let mut characters = text.chars();
    Scanner { next: characters.next(), characters, offset: 0, type_oid }
}

impl<I: Iterator<Item = char>> Scanner<I> {
    /// Returns the next character without reading it.
    pub(super) const fn peek(&self) -> Option<char> {
        self.next
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let next = self.next?;
        self.offset = self.offset.saturating_add(next.len_utf8());
        self.next = self.characters.next();
        Some(next)
    }

    /// Skips `character` if it comes next, and returns whether it did.
    pub(super) fn eat(&mut self, character: char) -> bool {
        let found = self.next == Some(character);
        if found {
            self.take();
        }
        found
    }

    pub(super) fn expect(
        &mut self,
        character: char,
        expected: &'static str,
    ) -> Result<(), EncodeError> {
        if self.eat(character) { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// Creates an error for a next character that is not `expected`.
    pub(super) fn malformed(&self, expected: &'static str) -> EncodeError {
        ValueError::malformed(expected, self.offset).within(self.type_oid, Format::Text).into()
    }

    /// Reads a decimal number of at most `max`.
    pub(super) fn number(&mut self, max: u16, expected: &'static str) -> Result<u16, EncodeError> {
        let mut number = None;
        while let Some(digit) = self.next.and_then(|digit| digit.to_digit(10)) {
            let digit = u16::try_from(digit).unwrap_or_default();
            let larger = number.unwrap_or(0_u16).checked_mul(10).and_then(|n| n.checked_add(digit));
            number = Some(larger.filter(|n| *n <= max).ok_or_else(|| self.malformed(expected))?);
            self.take();
        }
        number.ok_or_else(|| self.malformed(expected))
    }

    /// Reads a lexeme in apostrophes, in which apostrophes and backslashes are doubled, and writes
    /// it with a zero byte after it.
    pub(super) fn lexeme(&mut self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.expect('\'', "a lexeme in apostrophes")?;
        loop {
            let character = match self.peek() {
                None => return Err(self.malformed("a closing apostrophe")),
                Some('\0') => return Err(self.malformed("no zero byte in a lexeme")),
                Some(character) => character,
            };
            self.take();
            match character {
                '\'' if !self.eat('\'') => break,
                '\\' => self.expect('\\', "a backslash after a backslash")?,
                _ => {}
            }
            writer.bytes(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        writer.u8(0);
        Ok(())
    }
}
