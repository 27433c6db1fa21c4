//! One line of text around a message: a row of psql in any of its formats, or of COPY.

use pgoutput_decode::Lsn;

/// The characters between columns, and around a row as one value, in the formats of psql and COPY.
const SEPARATORS: [char; 9] = ['|', '│', '║', ',', ';', '"', '\'', '(', ')'];

/// The characters of the lines between rows.
const RULES: &str = "-+|=─│┼├┤┌┐└┘┬┴═║╬╠╣╔╗╚╝╦╩╪╫╞╡╟╢╤╧";

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Nothing but spaces.
    Empty,
    /// A line between rows.
    Rule,
    /// The line before a row in expanded format, such as `-[ RECORD 1 ]-`.
    Record,
    /// The number of rows after them, such as `(2 rows)`.
    Count(u64),
    /// A command tag or another line of psql that has nothing to do with rows.
    Note,
    /// A message as hexadecimal digits, with its LSN if there is one.
    Row { lsn: Option<Lsn>, hex: &'a str },
    /// A column of a row in expanded format. `hex` is the message.
    Column { name: &'a str, lsn: Option<Lsn>, hex: Option<&'a str> },
    /// The names of columns.
    Header,
}

/// What a part of a line between separators is.
#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Lsn(Lsn),
    Number,
    Hex(&'a str),
    Name(&'a str),
}

impl<'a> Line<'a> {
    /// Reads a line, or returns why it cannot be one.
    pub(crate) fn read(line: &'a str) -> Result<Self, String> {
        let line = line.trim();
        let bare = line.trim_matches(|c| RULES.contains(c));
        if line.is_empty() {
            return Ok(Self::Empty);
        }
        if line.chars().all(|c| c == ' ' || RULES.contains(c))
            && line.contains(['-', '─', '═', '+', '='])
        {
            return Ok(Self::Rule);
        }
        if bare.starts_with("[ ") && bare.ends_with(" ]") || line.starts_with("* ") {
            return Ok(Self::Record);
        }
        if let Some(rows) = count(line) {
            return Ok(Self::Count(rows));
        }
        if is_note(line) {
            return Ok(Self::Note);
        }
        let mut parts = Vec::new();
        for text in line.split(|c: char| c.is_whitespace() || SEPARATORS.contains(&c)) {
            if !text.is_empty() {
                parts.push(Part::of(text)?);
            }
        }
        Self::of_parts(&parts)
    }

    fn of_parts(parts: &[Part<'a>]) -> Result<Self, String> {
        if parts.iter().all(|part| matches!(part, Part::Name(_))) {
            return Ok(Self::Header);
        }
        if let [Part::Name(name), value] = *parts {
            return Ok(match value {
                Part::Hex(hex) => Self::Column { name, lsn: None, hex: Some(hex) },
                Part::Lsn(lsn) => Self::Column { name, lsn: Some(lsn), hex: None },
                _ => Self::Column { name, lsn: None, hex: None },
            });
        }
        let (mut lsn, mut numbers, mut found) = (None, 0, None);
        for part in parts {
            let is_first = match part {
                Part::Lsn(value) => lsn.replace(*value).is_none(),
                Part::Hex(hex) => found.replace(*hex).is_none(),
                Part::Number => {
                    numbers += 1;
                    numbers == 1
                }
                Part::Name(_) => false,
            };
            if !is_first {
                return Err("more columns than lsn, xid and data; select only these".into());
            }
        }
        match found {
            Some(hex) => Ok(Self::Row { lsn, hex }),
            None => Err("a row without its column data".into()),
        }
    }
}

impl<'a> Part<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        // COPY doubles the backslash.
        let unescaped = text.strip_prefix('\\').filter(|rest| rest.starts_with('\\'));
        if let Some(hex) = unescaped.unwrap_or(text).strip_prefix("\\x") {
            return Ok(Self::Hex(hex));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Number);
        }
        if text.contains('/')
            && let Ok(lsn) = text.parse()
        {
            return Ok(Self::Lsn(lsn));
        }
        // An alias of a column may have any letters; a value has others.
        if text.chars().all(|c| c.is_alphanumeric() || "_?".contains(c)) {
            return Ok(Self::Name(text));
        }
        Err("not a row of pg_logical_slot_peek_binary_changes: expected its column data as \
             hexadecimal digits after \\x (SET bytea_output = hex)"
            .into())
    }
}

/// Reads the number of rows. The word after it depends on the language.
fn count(line: &str) -> Option<u64> {
    let (number, word) = line.strip_prefix('(')?.strip_suffix(')')?.split_once(' ')?;
    word.chars().all(char::is_alphabetic).then(|| number.parse().ok())?
}

/// Returns whether this is a command tag, a time that psql measured, or the end of a COPY.
fn is_note(line: &str) -> bool {
    let is_tag = || {
        let mut words = line.split(' ');
        let is_command =
            |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        words.next().is_some_and(is_command)
            && words.all(|word| is_command(word) || word.bytes().all(|byte| byte.is_ascii_digit()))
    };
    line == "\\." || line.starts_with("Time: ") || is_tag()
}

/// Writes the bytes of these digits to `out`.
pub(crate) fn unhex(hex: &str, out: &mut Vec<u8>) -> Result<(), String> {
    out.clear();
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    for (index, [high, low]) in pairs.iter().enumerate() {
        let byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low);
        out.push(byte.ok_or_else(|| {
            format!(
                "digits {} and {} after \\x are not hexadecimal; psql must not wrap lines (\\pset \
                 format aligned)",
                2 * index + 1,
                2 * index + 2
            )
        })?);
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err("an odd number of digits after \\x: the line is incomplete".into())
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
