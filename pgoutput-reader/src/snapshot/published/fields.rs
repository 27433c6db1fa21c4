//! The values of a row of the catalogue.

use std::str::FromStr;

use crate::connection::QueryRow;
use crate::error::{Error, ProtocolError};

/// The values of a row, read in order.
pub(super) struct Fields<'r> {
    values: Box<dyn Iterator<Item = Option<&'r str>> + 'r>,
    catalogue: &'static str,
}

impl<'r> Fields<'r> {
    pub(super) fn new(row: &'r QueryRow, catalogue: &'static str) -> Self {
        Self { values: Box::new(row.values()), catalogue }
    }

    fn wrong(&self, field: &'static str) -> Error {
        ProtocolError::Answer { command: self.catalogue, field }.into()
    }

    /// Returns the next value; `None` is NULL.
    pub(super) fn optional(&mut self) -> Option<&'r str> {
        self.values.next().flatten()
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<&'r str, Error> {
        let value = self.optional();
        value.ok_or_else(|| self.wrong(field))
    }

    pub(super) fn parse<T: FromStr>(&mut self, field: &'static str) -> Result<T, Error> {
        let text = self.text(field)?;
        text.parse().map_err(|_| self.wrong(field))
    }

    pub(super) fn parse_optional<T: FromStr>(
        &mut self,
        field: &'static str,
    ) -> Result<Option<T>, Error> {
        let parsed = self.optional().map(str::parse).transpose();
        parsed.map_err(|_| self.wrong(field))
    }

    /// Returns the next value, a boolean; NULL is false.
    pub(super) fn is_true(&mut self) -> bool {
        self.optional() == Some("t")
    }

    /// Returns the next value, one ASCII character; an empty text is a space.
    pub(super) fn character(&mut self, field: &'static str) -> Result<u8, Error> {
        Ok(self.text(field)?.bytes().next().unwrap_or(b' '))
    }

    /// Returns the numbers of the next value, an `int2vector`; `None` is NULL.
    pub(super) fn numbers(&mut self, field: &'static str) -> Result<Option<Vec<i16>>, Error> {
        let Some(text) = self.optional() else { return Ok(None) };
        let numbers: Result<_, _> = text.split_ascii_whitespace().map(str::parse).collect();
        numbers.map(Some).map_err(|_| self.wrong(field))
    }

    /// Returns the bytes of the next value, which are hexadecimal digits.
    pub(super) fn bytes(&mut self, field: &'static str) -> Result<Vec<u8>, Error> {
        let digits = self.text(field)?;
        bytes(digits).ok_or_else(|| self.wrong(field))
    }

    pub(super) fn bytes_optional(&mut self, field: &'static str) -> Result<Option<Vec<u8>>, Error> {
        let Some(digits) = self.optional() else { return Ok(None) };
        bytes(digits).map(Some).ok_or_else(|| self.wrong(field))
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            (pair.len() == 2).then(|| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn hexadecimal_digits_are_read_in_pairs() {
        assert_eq!(bytes(""), Some(vec![]));
        assert_eq!(bytes("00ff61"), Some(vec![0, 255, b'a']));
        for wrong in ["0", "0g", "\u{e9}\u{e9}"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
