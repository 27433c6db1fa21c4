//! Rows of `pg_logical_slot_peek_binary_changes` as text: as psql prints them, aligned, unaligned,
//! expanded, as CSV, with or without headers; as COPY writes them; or `\x…` alone.

use pgoutput_decode::Lsn;

use super::input::{Problem, Step};
use super::row_text::{Line, unhex};

/// The state between two lines.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// The number of lines read.
    lines: u64,
    /// The number of bytes at the front that do not contain the end of the line.
    searched: usize,
    /// The rows since the last header or count.
    count: u64,
    /// The line with the names of the columns.
    header: Option<String>,
    /// The columns so far of a row in expanded format.
    record: Record,
}

#[derive(Debug, Default)]
struct Record {
    names: Vec<String>,
    lsn: Option<Lsn>,
    data: Option<Vec<u8>>,
    line: u64,
    /// The number of bytes since the beginning of the line.
    back: u64,
}

impl Rows {
    /// Reads the line at the front, and writes its message to `row`.
    pub(crate) fn next(
        &mut self,
        bytes: &[u8],
        is_end: bool,
        row: &mut Vec<u8>,
    ) -> Result<Step, Problem> {
        let rest = bytes.get(self.searched..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n').map(|end| self.searched + end);
        self.searched = 0;
        let (line, used) = match end {
            Some(end) => (bytes.get(..end).unwrap_or_default(), end + 1),
            None if !is_end => {
                self.searched = bytes.len();
                return Ok(Step::More(bytes.len() + 1));
            }
            None if bytes.is_empty() => return self.end(row),
            None => (bytes, bytes.len()),
        };
        let number = self.lines + 1;
        let fail = |what: String| Problem::Line { line: number, what };
        let text = str::from_utf8(line).map_err(|_| fail("not UTF-8 text".into()))?;
        let line = Line::read(text).map_err(fail)?;
        // A line of the next row ends one in expanded format, before it is read itself.
        let ends_record = match &line {
            Line::Column { name, .. } => self.record.names.iter().any(|held| held == name),
            _ => !self.record.names.is_empty(),
        };
        if ends_record {
            return self.end_record(row, 0);
        }
        self.lines = number;
        match line {
            // Rows in expanded format end with it.
            Line::Empty if self.count > 0 => (self.count, self.header) = (0, None),
            Line::Empty | Line::Rule | Line::Record | Line::Note => {}
            Line::Count(rows) if rows == self.count => (self.count, self.header) = (0, None),
            Line::Count(rows) => {
                return Err(fail(format!(
                    "{rows} rows were printed, and {} are here: some are missing",
                    self.count
                )));
            }
            // Without counts, the next rows start with the same names.
            Line::Header
                if self.count == 0 && self.header.is_none()
                    || self.count > 0 && self.header.as_deref() == Some(text) =>
            {
                (self.count, self.header) = (0, Some(text.into()));
            }
            Line::Header => return Err(fail("neither a row nor the names of its columns".into())),
            Line::Row { lsn, hex } => {
                unhex(hex, row).map_err(fail)?;
                self.count += 1;
                return Ok(Step::Row { lsn, line: number, back: 0, used });
            }
            Line::Column { name, lsn, hex } => {
                self.record.names.push(name.into());
                self.record.lsn = self.record.lsn.or(lsn);
                if let Some(hex) = hex {
                    unhex(hex, row).map_err(fail)?;
                    (self.record.data, self.record.line) = (Some(std::mem::take(row)), number);
                    self.record.back = 0;
                }
                self.record.back += used as u64;
            }
        }
        Ok(Step::Skip(used))
    }

    /// Returns the message of a row in expanded format.
    fn end_record(&mut self, row: &mut Vec<u8>, used: usize) -> Result<Step, Problem> {
        let Record { lsn, data, line, back, .. } = std::mem::take(&mut self.record);
        let Some(data) = data else {
            let what = "a row without its column data ends before this line".into();
            return Err(Problem::Line { line: self.lines + 1, what });
        };
        *row = data;
        self.count += 1;
        Ok(Step::Row { lsn, line, back, used })
    }

    fn end(&mut self, row: &mut Vec<u8>) -> Result<Step, Problem> {
        if !self.record.names.is_empty() {
            return self.end_record(row, 0);
        }
        if self.header.is_some() && self.count == 0 {
            let what = "names of columns without rows or their number: the input is incomplete";
            return Err(Problem::Line { line: self.lines, what: what.into() });
        }
        Ok(Step::End)
    }
}
