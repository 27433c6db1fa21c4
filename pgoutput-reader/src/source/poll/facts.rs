//! The facts that a poll starts with, and the messages as they are copied out.

use pgoutput_decode::{Lsn, TimestampTz};

use crate::error::ProtocolError;

/// The state of the slot and the server at the start of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// The slot's confirmed LSN; `None` if there is no slot.
    pub(super) confirmed: Option<Lsn>,
    /// The end of the server's WAL.
    pub(super) wal_end: Lsn,
    /// The server process of the transaction.
    pub(super) pid: i32,
    /// The server's clock.
    pub(super) time: TimestampTz,
}

impl Facts {
    /// Parses a row in the text format of COPY. The settings after the facts are left out.
    pub(super) fn parse(row: &[u8]) -> Result<Self, ProtocolError> {
        let wrong = |field| ProtocolError::Answer { command: "a poll", field };
        let text = str::from_utf8(row).map_err(|_| wrong("text"))?;
        let mut columns = text.trim_end_matches('\n').split('\t');
        let mut column = |field| columns.next().ok_or_else(|| wrong(field));
        let confirmed = match column("confirmed_flush_lsn")? {
            "\\N" => None,
            text => Some(text.parse().map_err(|_| wrong("confirmed_flush_lsn"))?),
        };
        let wal_end = column("wal_end")?.parse().map_err(|_| wrong("wal_end"))?;
        let pid = column("pid")?.parse().map_err(|_| wrong("pid"))?;
        let micros = column("time")?.parse().map_err(|_| wrong("time"))?;
        let time = TimestampTz::from_unix_micros(micros).ok_or_else(|| wrong("time"))?;
        Ok(Self { confirmed, wal_end, pid, time })
    }
}

/// Parses a row with one LSN in the text format of COPY.
pub(super) fn lsn(row: &[u8]) -> Result<Lsn, ProtocolError> {
    let text = str::from_utf8(row).ok().and_then(|text| text.trim_end().parse().ok());
    text.ok_or(ProtocolError::Answer { command: "a poll", field: "confirmed_flush_lsn" })
}

/// The signature of the binary format of COPY, before the flags and the length of an extension.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// The two columns of a message in the binary format of COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageRow {
    pub(super) lsn: Lsn,
    /// The number of bytes before the message, which reaches to the end.
    pub(super) offset: usize,
}

impl MessageRow {
    /// Parses what the server sends at a time: a row, in the first one after the format's header;
    /// `None` for the format's end.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let (mut row, mut offset) = (bytes, 0);
        if let Some(rest) = bytes.strip_prefix(SIGNATURE) {
            // The header has neither flags nor an extension.
            row = rest.strip_prefix(&[0; 8]).ok_or_else(|| wrong("header"))?;
            offset = bytes.len() - row.len();
        }
        if row == [0xff, 0xff] {
            return Ok(None);
        }
        let fixed = [&2_i16.to_be_bytes()[..], &8_i32.to_be_bytes()].concat();
        let row = row.strip_prefix(&fixed[..]).ok_or_else(|| wrong("lsn"))?;
        let (lsn, row) = row.split_first_chunk().ok_or_else(|| wrong("lsn"))?;
        let (len, data) = row.split_first_chunk().ok_or_else(|| wrong("length"))?;
        if usize::try_from(i32::from_be_bytes(*len)) != Ok(data.len()) {
            return Err(wrong("data"));
        }
        offset += fixed.len() + lsn.len() + len.len();
        Ok(Some(Self { lsn: Lsn::new(u64::from_be_bytes(*lsn)), offset }))
    }
}

fn wrong(field: &'static str) -> ProtocolError {
    ProtocolError::Malformed { message: "CopyData", field }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[u8] = b"\0\x02\0\0\0\x08\0\0\0\0\0\0\x01\x02\0\0\0\x03abc";

    #[test]
    fn a_row_starts_with_the_header_or_without() {
        let row = MessageRow { lsn: Lsn::new(0x102), offset: 18 };
        assert_eq!(MessageRow::parse(ROW), Ok(Some(row)));
        let first = [&SIGNATURE[..], &[0; 8], ROW].concat();
        let parsed = MessageRow::parse(&first).unwrap().unwrap();
        assert_eq!((parsed.lsn, &first[parsed.offset..]), (row.lsn, &b"abc"[..]));
    }

    #[test]
    fn the_end_comes_after_the_header_or_without() {
        assert_eq!(MessageRow::parse(b"\xff\xff"), Ok(None));
        let empty = [&SIGNATURE[..], &[0; 8], b"\xff\xff"].concat();
        assert_eq!(MessageRow::parse(&empty), Ok(None));
    }

    #[test]
    fn every_prefix_and_other_columns_are_refused() {
        for len in 0..ROW.len() {
            assert!(MessageRow::parse(&ROW[..len]).is_err(), "{len}");
        }
        assert!(MessageRow::parse(&[ROW, b"d"].concat()).is_err());
        assert!(MessageRow::parse(&[&SIGNATURE[..], &[1; 8], ROW].concat()).is_err());
    }

    #[test]
    fn facts_are_read_and_what_is_missing_is_named() {
        let facts = Facts::parse(b"0/10\t0/20\t7\t946684800000001\tUTF8\tISO, MDY\n").unwrap();
        assert_eq!((facts.confirmed, facts.wal_end), (Some(Lsn::new(16)), Lsn::new(32)));
        assert_eq!((facts.pid, facts.time), (7, TimestampTz::from_micros(1)));
        assert_eq!(Facts::parse(b"\\N\t0/20\t7\t946684800000001").unwrap().confirmed, None);
        for (row, wrong) in [
            (&b""[..], "confirmed_flush_lsn"),
            (b"0/1", "wal_end"),
            (b"0/1\t0/1\tx", "pid"),
            (b"0/1\t0/1\t1\tx", "time"),
        ] {
            let error = ProtocolError::Answer { command: "a poll", field: wrong };
            assert_eq!(Facts::parse(row), Err(error));
        }
        assert_eq!(lsn(b"0/A1\n"), Ok(Lsn::new(0xA1)));
        assert!(lsn(b"\\N\n").is_err());
    }
}
