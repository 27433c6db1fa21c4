//! The input, split into messages. It is read in pieces of any size, without waiting for more than
//! the message at hand.

use std::fmt;

use pgoutput_decode::{DecodeError, Lsn, Tag};

use super::psql::Rows;
use super::recvlogical;

/// The number of bytes by which a message has shown a control character.
const LONGEST_START: usize = 4096;

/// The form of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Messages as bytes, each followed by a line feed, as pg_recvlogical writes them.
    Recvlogical,
    /// Rows as text, as psql and COPY write them.
    Psql,
}

impl Form {
    /// Finds out the form from the beginning of the input; `None` if that is too short.
    ///
    /// A file format that starts with fixed bytes is recognised here, before the others.
    ///
    /// The first message is a Begin, a Begin Prepare, a Stream Start, a Message or a Relation. It
    /// contains control characters: the high bytes of a time, an oid or a flag.
    fn of(bytes: &[u8], is_end: bool) -> Option<Self> {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.iter().any(|byte| byte.is_ascii_control() && !b"\t\r".contains(byte)) {
            return Some(Self::Recvlogical);
        }
        if line.len() < bytes.len() || line.len() > LONGEST_START {
            return Some(Self::Psql);
        }
        let is_message = bytes.first().is_some_and(|tag| Tag(*tag).name().is_some());
        let has_row = line.windows(2).any(|two| two == b"\\x");
        match is_end {
            true if is_message && !has_row => Some(Self::Recvlogical),
            true => Some(Self::Psql),
            false => None,
        }
    }
}

/// The input that has arrived.
#[derive(Debug)]
pub(crate) struct Input {
    form: Option<Form>,
    rows: Rows,
    /// The bytes that have arrived, of which those up to `start` have been used.
    buffer: Vec<u8>,
    start: usize,
    /// The number of bytes before the buffer.
    before: u64,
    /// The number of bytes after `start` without which there is no next message.
    needed: usize,
    is_end: bool,
    /// The message that was decoded from text.
    row: Vec<u8>,
}

/// A message of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The LSN, if the input has it.
    pub(crate) lsn: Option<Lsn>,
    pub(crate) place: Place,
    pub(crate) bytes: &'a [u8],
}

/// A place in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of bytes before it.
    pub(crate) offset: u64,
    /// The number of the line, from 1, if the input is text.
    pub(crate) line: Option<u64>,
}

/// The next step of a form: what is at the front of the unused bytes.
#[derive(Debug)]
pub(crate) enum Step {
    /// A message of this many bytes, after which `used` bytes are used.
    Bytes { message: usize, used: usize },
    /// A message that was decoded from text. It started this many bytes before the unused ones.
    Row { lsn: Option<Lsn>, line: u64, back: u64, used: usize },
    /// Bytes without a message.
    Skip(usize),
    /// An incomplete message or line, which takes at least this many bytes.
    More(usize),
    /// The end of the input.
    End,
}

/// The reason why the input cannot be read further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The bytes are not a message.
    Message(DecodeError),
    /// The input ends inside a message.
    Incomplete(DecodeError),
    /// A message is not followed by a line feed.
    NoLineFeed { tag: Tag, found: u8 },
    /// A line is not a row, with what to do.
    Line { line: u64, what: String },
}

/// A [`Problem`] and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputError {
    pub(crate) place: Place,
    pub(crate) problem: Problem,
}

impl Input {
    /// Creates an empty input of this form, or of the one that its beginning shows.
    pub(crate) fn new(form: Option<Form>) -> Self {
        Self {
            form,
            rows: Rows::default(),
            buffer: Vec::new(),
            start: 0,
            before: 0,
            needed: 1,
            is_end: false,
            row: Vec::new(),
        }
    }

    /// Adds bytes that have arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.before += self.start as u64;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Notes that there are no more bytes.
    pub(crate) fn finish(&mut self) {
        self.is_end = true;
    }

    /// Returns the next message; `None` if it has not arrived in full, or at the end.
    ///
    /// `in_stream` is whether a chunk of an in-progress transaction is open.
    pub(crate) fn next(&mut self, in_stream: bool) -> Result<Option<Frame<'_>>, InputError> {
        loop {
            let unused = self.buffer.get(self.start..).unwrap_or_default();
            if unused.len() < self.needed && !self.is_end {
                return Ok(None);
            }
            let Some(form) = self.form.or_else(|| Form::of(unused, self.is_end)) else {
                self.needed = unused.len() + 1;
                return Ok(None);
            };
            self.form = Some(form);
            let step = match form {
                Form::Recvlogical => recvlogical::next(unused, self.is_end, in_stream),
                Form::Psql => self.rows.next(unused, self.is_end, &mut self.row),
            };
            let offset = self.before + self.start as u64;
            let step = step.map_err(|problem| {
                let line = match &problem {
                    Problem::Line { line, .. } => Some(*line),
                    _ => None,
                };
                InputError { place: Place { offset, line }, problem }
            })?;
            match step {
                Step::Bytes { message, used } => {
                    let start = self.start;
                    self.advance(used);
                    let bytes = self.buffer.get(start..start + message).unwrap_or_default();
                    let place = Place { offset, line: None };
                    return Ok(Some(Frame { lsn: None, place, bytes }));
                }
                Step::Row { lsn, line, back, used } => {
                    self.advance(used);
                    let place = Place { offset: offset - back, line: Some(line) };
                    return Ok(Some(Frame { lsn, place, bytes: &self.row }));
                }
                Step::Skip(used) => self.advance(used),
                Step::More(needed) => {
                    self.needed = needed;
                    return Ok(None);
                }
                Step::End => return Ok(None),
            }
        }
    }

    fn advance(&mut self, used: usize) {
        self.start += used;
        self.needed = 1;
    }
}

impl Place {
    /// Returns an error of the message here as text.
    pub(crate) fn describe(&self, error: &impl fmt::Display) -> String {
        format!("{self}: {error}; nothing after it was read")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line} (byte {})", self.offset),
            None => write!(f, "message at byte {}", self.offset),
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.problem {
            Problem::Message(error) => write!(
                f,
                "{error}; expected the output of pg_recvlogical from its start, or rows of psql \
                 with a column data such as \\x42"
            ),
            Problem::Incomplete(error) => {
                write!(f, "the input ends inside this message: {error}; record it to the end")
            }
            Problem::NoLineFeed { tag, found } => write!(
                f,
                "{tag} is followed by 0x{found:02X} instead of a line feed, so this is not the \
                 output of pg_recvlogical, or it was changed"
            ),
            Problem::Line { what, .. } => f.write_str(what),
        }
    }
}
