//! Reader of the bytes of one value from front to back, in either format.

use super::{ValueError, ValueErrorKind};

#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, len: bytes.len() }
    }

    /// Returns the bytes that have not been read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn offset(&self) -> usize {
        self.len - self.bytes.len()
    }

    pub(super) const fn malformed(&self, expected: &'static str) -> ValueError {
        ValueError::malformed(expected, self.offset())
    }

    /// Skips `byte` if it comes next, and returns whether it did.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        self.eat_all(&[byte])
    }

    /// Skips `text` if it comes next, and returns whether it did.
    pub(super) fn eat_all(&mut self, text: &[u8]) -> bool {
        match self.bytes.strip_prefix(text) {
            Some(rest) => {
                self.bytes = rest;
                true
            }
            None => false,
        }
    }

    /// Skips `byte`, which must come next. `expected` describes it in the error.
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ValueError> {
        if self.eat(byte) { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// Reads the bytes up to the first that is not `wanted`.
    pub(super) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.bytes.iter().position(|byte| !wanted(*byte)).unwrap_or(self.bytes.len());
        let (run, rest) = self.bytes.split_at_checked(end).unwrap_or((self.bytes, &[]));
        self.bytes = rest;
        run
    }

    /// Reads the decimal digits that come next, possibly none.
    pub(super) fn digits(&mut self) -> &'a [u8] {
        self.take_while(|byte| byte.is_ascii_digit())
    }

    /// Reads at least one decimal digit.
    pub(super) fn number_run(&mut self) -> Result<&'a [u8], ValueError> {
        let digits = self.digits();
        if digits.is_empty() { Err(self.malformed("a digit")) } else { Ok(digits) }
    }

    /// Reads a decimal number of at least `min` and at most `max` digits, without a sign.
    pub(super) fn number(&mut self, min: usize, max: usize) -> Result<i64, ValueError> {
        let start = *self;
        let digits = self.digits();
        if digits.len() < min {
            return Err(self.malformed("a digit"));
        }
        if digits.len() > max.min(18) {
            return Err(start.malformed("fewer digits"));
        }
        Ok(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    /// Reads two hexadecimal digits.
    pub(super) fn hex_byte(&mut self) -> Result<u8, ValueError> {
        let mut byte = 0;
        for _ in 0..2 {
            let digit =
                self.bytes.split_first().and_then(|(digit, rest)| Some((hex_digit(*digit)?, rest)));
            let Some((digit, rest)) = digit else {
                return Err(self.malformed("a hexadecimal digit"));
            };
            byte = byte << 4 | digit;
            self.bytes = rest;
        }
        Ok(byte)
    }

    /// Ends a text value: fails if bytes remain.
    pub(super) fn end(&self, expected: &'static str) -> Result<(), ValueError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.malformed(expected)) }
    }

    /// Reads the next `N` bytes of a binary value.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ValueError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(self.truncated(N))?;
        self.bytes = rest;
        Ok(*head)
    }

    /// Reads the next `count` bytes of a binary value.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ValueError> {
        let (head, rest) = self.bytes.split_at_checked(count).ok_or(self.truncated(count))?;
        self.bytes = rest;
        Ok(head)
    }

    const fn truncated(&self, needed: usize) -> ValueError {
        let kind = ValueErrorKind::Truncated { needed, available: self.bytes.len() };
        ValueError::new(kind, self.offset())
    }

    /// Ends a binary value: fails if bytes remain.
    pub(super) fn finish(&self) -> Result<(), ValueError> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let kind = ValueErrorKind::TrailingBytes { count: self.bytes.len() };
        Err(ValueError::new(kind, self.offset()))
    }
}

/// Returns the bytes of a binary value of exactly `N` bytes.
#[inline]
pub(super) fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ValueError> {
    bytes.try_into().map_err(|_| other_length(bytes, N))
}

#[cold]
fn other_length(bytes: &[u8], needed: usize) -> ValueError {
    let mut input = Input::new(bytes);
    match input.take(needed).and_then(|_| input.finish()) {
        Err(error) => error,
        // Not reached: bytes of this length are no error.
        Ok(()) => input.malformed("the length of the type"),
    }
}

/// Returns the value of a hexadecimal digit in either case.
pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
