//! The translation of the rows of a COPY to Insert messages.
//!
//! A copied row then has the same form as one of the stream: the decoder checks it, and an event
//! keeps it in the same way. Manual, section "COPY", part "File Formats".

use pgoutput_decode::Oid;

use crate::error::CopyRowError;

/// The format of a COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyFormat {
    Text,
    Binary,
}

/// The start of the binary format; eleven bytes of signature, flags, and the length of an
/// extension.
const BINARY_HEADER_LEN: usize = 19;

const BINARY_SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// The bit of the flags that announces oids before each row. Only servers before PostgreSQL 12 have
/// tables with oids, and they send them only on request.
const WITH_OIDS: u32 = 1 << 16;

/// The rows of one COPY, translated one at a time.
#[derive(Debug)]
pub(crate) struct CopiedRows {
    format: CopyFormat,
    columns: u16,
    /// The Insert message of the last row.
    frame: Vec<u8>,
    /// The length of the frame before its first column.
    prefix_len: usize,
    /// Bytes of earlier parts that do not make up a row yet.
    carry: Vec<u8>,
    /// Whether the current part was appended to `carry`.
    is_carried: bool,
    /// The number of bytes of the current part, or of `carry`, that were read.
    at: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The header of the binary format is next.
    Header,
    Rows,
    /// The end of the binary format was read.
    Ended,
}

/// The number of bytes read, if there were enough.
type Consumed = Option<usize>;

impl CopiedRows {
    /// Rows of `columns` columns each, of this table.
    pub(crate) fn new(table: Oid, columns: u16, format: CopyFormat) -> Self {
        let mut frame = vec![b'I'];
        frame.extend(table.as_u32().to_be_bytes());
        frame.push(b'N');
        frame.extend(columns.to_be_bytes());
        Self {
            format,
            columns,
            prefix_len: frame.len(),
            frame,
            carry: Vec::new(),
            is_carried: false,
            at: 0,
            stage: if format == CopyFormat::Binary { Stage::Header } else { Stage::Rows },
        }
    }

    /// Reads the next row of `part`; [`frame`](Self::frame) returns it. False means that the part is
    /// read, and the next one is needed. Pass in the same part until then.
    ///
    /// # Errors
    /// Bytes that are not in the format, or a row with another number of columns.
    pub(crate) fn next(&mut self, part: &[u8]) -> Result<bool, CopyRowError> {
        if self.at == 0 && !self.is_carried && !self.carry.is_empty() {
            self.carry.extend_from_slice(part);
            self.is_carried = true;
        }
        let mut carry = std::mem::take(&mut self.carry);
        let found = if self.is_carried { self.read(&carry) } else { self.read(part) };
        if !matches!(found, Ok(true)) {
            // What is left of the part waits for the next one.
            if self.is_carried {
                carry.drain(..self.at.min(carry.len()));
            } else {
                carry.extend_from_slice(part.get(self.at..).unwrap_or_default());
            }
            (self.at, self.is_carried) = (0, false);
        }
        self.carry = carry;
        found
    }

    /// Returns the Insert message of the row.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Checks that the copy ended with a row.
    ///
    /// # Errors
    /// It ended inside a row, or without the end that the binary format has.
    pub(crate) fn finish(&self) -> Result<(), CopyRowError> {
        let is_whole = self.format == CopyFormat::Text || self.stage == Stage::Ended;
        if self.carry.is_empty() && is_whole { Ok(()) } else { Err(CopyRowError::EndsEarly) }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<bool, CopyRowError> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(false);
            }
            let stage = self.stage;
            let consumed = match (stage, self.format) {
                (Stage::Ended, _) => return Err(CopyRowError::TrailingBytes),
                (Stage::Header, _) => self.header(rest)?,
                (Stage::Rows, CopyFormat::Binary) => self.binary_row(rest)?,
                (Stage::Rows, CopyFormat::Text) => self.text_row(rest)?,
            };
            let Some(consumed) = consumed else { return Ok(false) };
            self.at += consumed;
            if stage == Stage::Rows && self.stage == Stage::Rows {
                return Ok(true);
            }
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Consumed, CopyRowError> {
        let Some((header, rest)) = bytes.split_first_chunk::<BINARY_HEADER_LEN>() else {
            return Ok(None);
        };
        let [signature @ .., f0, f1, f2, f3, e0, e1, e2, e3] = header;
        let flags = u32::from_be_bytes([*f0, *f1, *f2, *f3]);
        if signature != BINARY_SIGNATURE || flags & WITH_OIDS != 0 {
            return Err(CopyRowError::Header);
        }
        let extension = u32::from_be_bytes([*e0, *e1, *e2, *e3]) as usize;
        if rest.len() < extension {
            return Ok(None);
        }
        self.stage = Stage::Rows;
        Ok(Some(BINARY_HEADER_LEN + extension))
    }

    /// Each value has its length before it; -1 is NULL. A number of columns of -1 is the end.
    fn binary_row(&mut self, bytes: &[u8]) -> Result<Consumed, CopyRowError> {
        let Some((columns, mut rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
        if *columns == [0xFF, 0xFF] {
            self.stage = Stage::Ended;
            return Ok(Some(columns.len()));
        }
        self.check_columns(u16::from_be_bytes(*columns).into())?;
        self.frame.truncate(self.prefix_len);
        for _ in 0..self.columns {
            let Some((len, after)) = rest.split_first_chunk::<4>() else { return Ok(None) };
            rest = after;
            if *len == [0xFF; 4] {
                self.frame.push(b'n');
                continue;
            }
            let size =
                usize::try_from(i32::from_be_bytes(*len)).map_err(|_| CopyRowError::Length)?;
            let Some((value, after)) = rest.split_at_checked(size) else { return Ok(None) };
            rest = after;
            self.frame.push(b'b');
            self.frame.extend_from_slice(len);
            self.frame.extend_from_slice(value);
        }
        Ok(Some(bytes.len() - rest.len()))
    }

    /// A line has values between tabs; `\N` is NULL, and control characters are escaped.
    fn text_row(&mut self, bytes: &[u8]) -> Result<Consumed, CopyRowError> {
        self.frame.truncate(self.prefix_len);
        let (mut rest, mut columns) = (bytes, 0_usize);
        // A table without columns has empty lines.
        if self.columns == 0 && bytes.first() == Some(&b'\n') {
            return Ok(Some(1));
        }
        loop {
            let Some((consumed, is_last)) = self.text_value(rest)? else { return Ok(None) };
            rest = rest.get(consumed..).unwrap_or_default();
            columns += 1;
            if is_last {
                self.check_columns(columns)?;
                return Ok(Some(bytes.len() - rest.len()));
            }
        }
    }

    /// Reads a value and the tab or the end of the line after it. Returns the number of bytes read,
    /// and whether it is the last one.
    fn text_value(&mut self, bytes: &[u8]) -> Result<Option<(usize, bool)>, CopyRowError> {
        match bytes.strip_prefix(br"\N") {
            Some([end @ (b'\t' | b'\n'), ..]) => {
                self.frame.push(b'n');
                return Ok(Some((3, *end == b'\n')));
            }
            Some([]) => return Ok(None),
            _ => {}
        }
        if bytes == br"\N" {
            return Ok(None);
        }
        let start = self.frame.len();
        self.frame.extend_from_slice(b"t\0\0\0\0");
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(plain) = rest.iter().position(|byte| matches!(byte, b'\t' | b'\n' | b'\\'))
            else {
                return Ok(None);
            };
            let (text, special) = rest.split_at(plain);
            self.frame.extend_from_slice(text);
            at += plain + 1;
            match special {
                [b'\\', escaped, ..] => {
                    self.frame.push(unescaped(*escaped).ok_or(CopyRowError::Escape)?);
                    at += 1;
                }
                [end @ (b'\t' | b'\n'), ..] => {
                    let len = self.frame.len() - start - 5;
                    let len = i32::try_from(len).map_err(|_| CopyRowError::Length)?;
                    if let Some(place) = self.frame.get_mut(start + 1..start + 5) {
                        place.copy_from_slice(&len.to_be_bytes());
                    }
                    return Ok(Some((at, *end == b'\n')));
                }
                // The escaped character is in the next part.
                _ => return Ok(None),
            }
        }
    }

    fn check_columns(&self, found: usize) -> Result<(), CopyRowError> {
        let expected = self.columns.into();
        if found == expected { Ok(()) } else { Err(CopyRowError::Columns { expected, found }) }
    }
}

/// Returns the character that the server escapes with a backslash and this one.
fn unescaped(escaped: u8) -> Option<u8> {
    Some(match escaped {
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0B,
        b'\\' => b'\\',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::{Message, TupleColumn};
    use proptest::prelude::*;

    use super::*;

    const TABLE: Oid = Oid::new(16_403);

    type Value = Option<Vec<u8>>;

    fn text(rows: &[Vec<Value>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in rows {
            for (index, value) in row.iter().enumerate() {
                if index > 0 {
                    bytes.push(b'\t');
                }
                let Some(value) = value else {
                    bytes.extend(br"\N");
                    continue;
                };
                for byte in value {
                    match byte {
                        0x08 => bytes.extend(br"\b"),
                        0x0C => bytes.extend(br"\f"),
                        b'\n' => bytes.extend(br"\n"),
                        b'\r' => bytes.extend(br"\r"),
                        b'\t' => bytes.extend(br"\t"),
                        0x0B => bytes.extend(br"\v"),
                        b'\\' => bytes.extend(br"\\"),
                        other => bytes.push(*other),
                    }
                }
            }
            bytes.push(b'\n');
        }
        bytes
    }

    fn binary(rows: &[Vec<Value>]) -> Vec<u8> {
        let mut bytes = [&BINARY_SIGNATURE[..], &[0; 4], &3_u32.to_be_bytes(), b"ext"].concat();
        for row in rows {
            bytes.extend(u16::try_from(row.len()).unwrap().to_be_bytes());
            for value in row {
                let len = value.as_ref().map_or(-1, |value| i32::try_from(value.len()).unwrap());
                bytes.extend(len.to_be_bytes());
                bytes.extend(value.iter().flatten());
            }
        }
        bytes.extend([0xFF, 0xFF]);
        bytes
    }

    /// The rows of `bytes`, which arrive in parts of these lengths.
    fn read(
        format: CopyFormat,
        columns: u16,
        mut bytes: &[u8],
        lens: &[usize],
    ) -> Result<Vec<Vec<Value>>, CopyRowError> {
        let mut rows = CopiedRows::new(TABLE, columns, format);
        let (mut found, mut lens) = (Vec::new(), lens.iter().cycle());
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at((*lens.next().unwrap()).min(bytes.len()));
            bytes = rest;
            while rows.next(part)? {
                let Message::Insert(insert) = Message::decode(rows.frame(), false).unwrap() else {
                    panic!()
                };
                assert_eq!(insert.relation, TABLE);
                let values = insert.new.columns().map(|column| match (column, format) {
                    (TupleColumn::Null, _) => None,
                    (TupleColumn::Text(text), CopyFormat::Text) => Some(text.to_vec()),
                    (TupleColumn::Binary(bytes), CopyFormat::Binary) => Some(bytes.to_vec()),
                    other => panic!("{other:?}"),
                });
                found.push(values.collect());
            }
        }
        rows.finish()?;
        Ok(found)
    }

    fn rows() -> impl Strategy<Value = (u16, Vec<Vec<Value>>)> {
        let byte = prop_oneof![Just(b'\\'), Just(b'N'), Just(b'\t'), Just(b'\n'), any::<u8>()];
        let value = prop::option::of(prop::collection::vec(byte, 0..9));
        (0_u16..4).prop_flat_map(move |columns| {
            let row = prop::collection::vec(value.clone(), usize::from(columns));
            (Just(columns), prop::collection::vec(row, 0..6))
        })
    }

    proptest! {
        #[test]
        fn rows_are_read_back_however_they_are_divided(
            (columns, rows) in rows(),
            lens in prop::collection::vec(1_usize..40, 1..6),
        ) {
            for (format, bytes) in
                [(CopyFormat::Text, text(&rows)), (CopyFormat::Binary, binary(&rows))]
            {
                let found = read(format, columns, &bytes, &lens).unwrap();
                prop_assert_eq!(&found, &rows);
                // A strict prefix ends inside a row, before an empty line, or before the end of the
                // binary format.
                let cut = &bytes[..bytes.len().saturating_sub(1)];
                let is_inside = !cut.is_empty() && !cut.ends_with(b"\n");
                if format == CopyFormat::Binary || is_inside {
                    let found = read(format, columns, cut, &lens);
                    prop_assert_eq!(found, Err(CopyRowError::EndsEarly));
                }
            }
        }

        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), binary: bool) {
            let format = if binary { CopyFormat::Binary } else { CopyFormat::Text };
            let header = [&BINARY_SIGNATURE[..], &[0; 8]].concat();
            let bytes = if binary { [header, bytes].concat() } else { bytes };
            let _ = read(format, 3, &bytes, &[7]);
        }
    }

    #[test]
    fn other_numbers_of_columns_and_unknown_escapes_are_refused() {
        let columns = |found| Err(CopyRowError::Columns { expected: 2, found });
        for (bytes, expected) in [
            (&b"1\n"[..], columns(1)),
            (b"1\t2\t3\n", columns(3)),
            (b"1\t\\x\n", Err(CopyRowError::Escape)),
            (b"1\t\\.\n", Err(CopyRowError::Escape)),
            (b"1\t\\", Err(CopyRowError::EndsEarly)),
        ] {
            assert_eq!(read(CopyFormat::Text, 2, bytes, &[100]), expected, "{bytes:?}");
        }
        let header = [&BINARY_SIGNATURE[..], &[0; 8]].concat();
        for (rest, expected) in [
            (&b"\0\x01\0\0\0\0"[..], columns(1)),
            (b"\0\x02\xff\xff\xff\xfe", Err(CopyRowError::Length)),
            (b"\xff\xff\0", Err(CopyRowError::TrailingBytes)),
            (b"", Err(CopyRowError::EndsEarly)),
        ] {
            let bytes = [&header[..], rest].concat();
            assert_eq!(read(CopyFormat::Binary, 2, &bytes, &[100]), expected, "{rest:?}");
        }
        let oids = [&BINARY_SIGNATURE[..], &[0, 1, 0, 0], &[0; 4]].concat();
        assert_eq!(read(CopyFormat::Binary, 2, &oids, &[100]), Err(CopyRowError::Header));
    }
}
