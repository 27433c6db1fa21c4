//! Decides whether a document is JSON that every strict parser accepts.
//!
//! The server has checked the syntax of `json`, but it accepts more than most parsers: half of a
//! surrogate pair, numbers of any size, and thousands of nested arrays. The scan is one pass over
//! the bytes, without recursion and in constant memory.

use super::{MAX_JSON_NESTING, Text};

/// The result of scanning a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    /// Accepted by every parser.
    Strict,
    /// Accepted by every parser, and the whole document is `null`.
    Null,
    /// Rejected by some parser or by all.
    Other,
}

/// The power of ten from which numbers count as too great for a double, whose maximum is about 1.8
/// times as large.
const MAX_POWER: i64 = 308;

/// Scans a document that may be nested up to `max_depth` deep.
pub(super) fn scan(document: &Text<'_>, max_depth: u8) -> Document {
    let mut scan = Scan::new(max_depth.min(MAX_JSON_NESTING));
    for piece in document.pieces() {
        if scan.take(piece.as_bytes()).is_none() {
            return Document::Other;
        }
    }
    scan.finish()
}

struct Scan {
    expects: Expects,
    /// One bit for each open array or object, the lowest for the innermost; set for objects.
    open: u128,
    depth: u8,
    max_depth: u8,
    is_null: bool,
}

/// The input that may come next.
#[derive(Clone, Copy)]
enum Expects {
    Value,
    /// After an opening bracket: a value or the closing bracket.
    FirstElement,
    /// After an opening brace: a key or the closing brace.
    FirstKey,
    Key,
    Colon,
    /// After a value: a comma, the end of the innermost array or object, or the end of the
    /// document.
    Next,
    String(Chars),
    Number(Number),
    /// The rest of `null`, `true` or `false`.
    Word(&'static [u8]),
}

#[derive(Clone, Copy)]
struct Chars {
    is_key: bool,
    escape: EscapeState,
    /// The first half of a surrogate pair was read, so the second half must follow.
    is_half: bool,
}

/// The position inside an escape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EscapeState {
    None,
    Backslash,
    /// The number of hexadecimal digits read after `\u`, and their value.
    Digits(u8, u16),
}

#[derive(Clone, Copy)]
struct Number {
    part: Part,
    /// The power of ten of the first digit that is not zero: from 0 for the units, negative for a
    /// digit of the fraction. `None` before that digit.
    power: Option<i64>,
    /// The zeros of the fraction before that digit.
    zeros: i64,
    exponent: i64,
    is_negative: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Number {
    const fn new(part: Part) -> Self {
        Self { part, power: None, zeros: 0, exponent: 0, is_negative: false }
    }

    /// Returns the number with this byte added; `None` if the byte cannot follow.
    fn with(mut self, byte: u8) -> Option<Self> {
        use Part as P;
        self.part = match (self.part, byte) {
            (P::Minus, b'0') => P::Zero,
            (P::Minus, b'1'..=b'9') => {
                self.power = Some(0);
                P::Integer
            }
            (P::Integer, b'0'..=b'9') => {
                self.power = self.power.map(|power| power.saturating_add(1));
                P::Integer
            }
            (P::Zero | P::Integer, b'.') => P::Point,
            (P::Point | P::Fraction, b'0'..=b'9') => {
                if self.power.is_none() {
                    self.zeros = self.zeros.saturating_add(1);
                    if byte != b'0' {
                        self.power = Some(-self.zeros);
                    }
                }
                P::Fraction
            }
            (P::Zero | P::Integer | P::Fraction, b'e' | b'E') => P::E,
            (P::E, b'+' | b'-') => {
                self.is_negative = byte == b'-';
                P::Sign
            }
            (P::E | P::Sign | P::Exponent, b'0'..=b'9') => {
                let digit = i64::from(byte - b'0');
                self.exponent = self.exponent.saturating_mul(10).saturating_add(digit);
                P::Exponent
            }
            _ => return None,
        };
        Some(self)
    }

    /// Returns whether the number is complete and small enough for a double, possibly rounded.
    fn fits_double(&self) -> bool {
        let is_whole =
            matches!(self.part, Part::Zero | Part::Integer | Part::Fraction | Part::Exponent);
        let exponent = if self.is_negative { -self.exponent } else { self.exponent };
        is_whole && self.power.is_none_or(|power| power.saturating_add(exponent) < MAX_POWER)
    }
}

impl Scan {
    const fn new(max_depth: u8) -> Self {
        Self { expects: Expects::Value, open: 0, depth: 0, max_depth, is_null: false }
    }

    /// Reads the next bytes. Returns `None` if the document is known to be [`Document::Other`].
    fn take(&mut self, bytes: &[u8]) -> Option<()> {
        let mut rest = bytes;
        loop {
            if let Expects::String(chars) = self.expects
                && chars.escape == EscapeState::None
                && !chars.is_half
            {
                // Fast path: most bytes of most documents are in strings.
                let is_plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
                let at = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
                rest = rest.get(at..)?;
            }
            let Some((byte, after)) = rest.split_first() else { return Some(()) };
            rest = after;
            self.byte(*byte)?;
        }
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        let is_blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.expects = match self.expects {
            Expects::String(chars) => string(chars, byte)?,
            Expects::Word([]) | Expects::Next if is_blank => Expects::Next,
            Expects::Number(number) => match number.with(byte) {
                Some(number) => Expects::Number(number),
                None if number.fits_double() => {
                    self.expects = Expects::Next;
                    return self.byte(byte);
                }
                None => return None,
            },
            Expects::Word([]) | Expects::Next => self.after_value(byte)?,
            Expects::Word([next, rest @ ..]) if *next == byte => Expects::Word(rest),
            Expects::Word(_) => return None,
            expects if is_blank => expects,
            Expects::FirstElement if byte == b']' => self.close(false)?,
            Expects::FirstKey if byte == b'}' => self.close(true)?,
            Expects::Value | Expects::FirstElement => self.value(byte)?,
            Expects::Key | Expects::FirstKey if byte == b'"' => opened(true),
            Expects::Colon if byte == b':' => Expects::Value,
            Expects::Key | Expects::FirstKey | Expects::Colon => return None,
        };
        Some(())
    }

    fn value(&mut self, byte: u8) -> Option<Expects> {
        Some(match byte {
            b'"' => opened(false),
            b'{' | b'[' => {
                self.depth = self.depth.checked_add(1).filter(|depth| *depth <= self.max_depth)?;
                self.open = self.open << 1 | u128::from(byte == b'{');
                if byte == b'{' { Expects::FirstKey } else { Expects::FirstElement }
            }
            b'-' => Expects::Number(Number::new(Part::Minus)),
            b'0'..=b'9' => Expects::Number(Number::new(Part::Minus).with(byte)?),
            b't' => Expects::Word(b"rue"),
            b'f' => Expects::Word(b"alse"),
            b'n' => {
                self.is_null = self.depth == 0;
                Expects::Word(b"ull")
            }
            _ => return None,
        })
    }

    fn after_value(&mut self, byte: u8) -> Option<Expects> {
        let is_object = self.open & 1 == 1;
        match byte {
            b',' if self.depth == 0 => None,
            b',' => Some(if is_object { Expects::Key } else { Expects::Value }),
            b']' => self.close(false),
            b'}' => self.close(true),
            _ => None,
        }
    }

    fn close(&mut self, is_object: bool) -> Option<Expects> {
        if (self.open & 1 == 1) != is_object {
            return None;
        }
        self.depth = self.depth.checked_sub(1)?;
        self.open >>= 1;
        Some(Expects::Next)
    }

    fn finish(self) -> Document {
        let is_whole = match self.expects {
            Expects::Next | Expects::Word([]) => self.depth == 0,
            Expects::Number(number) => self.depth == 0 && number.fits_double(),
            _ => false,
        };
        match (is_whole, self.is_null) {
            (false, _) => Document::Other,
            (true, false) => Document::Strict,
            (true, true) => Document::Null,
        }
    }
}

const fn opened(is_key: bool) -> Expects {
    Expects::String(Chars { is_key, escape: EscapeState::None, is_half: false })
}

/// Reads one byte of a string after its opening quote.
fn string(mut chars: Chars, byte: u8) -> Option<Expects> {
    match (chars.escape, byte) {
        (EscapeState::None, b'\\') => chars.escape = EscapeState::Backslash,
        // Nothing may come between the halves of a pair, and no bare control character anywhere.
        (EscapeState::None, 0..=0x1F) => return None,
        (EscapeState::None, _) if chars.is_half => return None,
        (EscapeState::None, b'"') if chars.is_key => return Some(Expects::Colon),
        (EscapeState::None, b'"') => return Some(Expects::Next),
        (EscapeState::None, _) => {}
        (EscapeState::Backslash, b'u') => chars.escape = EscapeState::Digits(0, 0),
        (EscapeState::Backslash, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
            if !chars.is_half =>
        {
            chars.escape = EscapeState::None;
        }
        (EscapeState::Backslash, _) => return None,
        (EscapeState::Digits(count, value), _) => {
            let digit =
                char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())?;
            let value = value << 4 | digit;
            if count < 3 {
                chars.escape = EscapeState::Digits(count + 1, value);
            } else {
                let is_second = matches!(value, 0xDC00..=0xDFFF);
                if is_second != chars.is_half {
                    return None;
                }
                chars.is_half = matches!(value, 0xD800..=0xDBFF);
                chars.escape = EscapeState::None;
            }
        }
    }
    Some(Expects::String(chars))
}

#[cfg(test)]
mod tests;
