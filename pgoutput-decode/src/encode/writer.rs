//! Writes integers and strings into a frame, the counterpart of the cursor; no other file does.

use alloc::vec::Vec;

use byteorder::{BigEndian, ByteOrder};

use super::EncodeError;
use crate::id::{Oid, Xid};
use crate::lsn::Lsn;
use crate::timestamp::TimestampTz;

/// Writer that appends to a frame.
#[derive(Debug)]
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Runs `write`, and restores `out` if it fails.
    pub(super) fn append(
        out: &'o mut Vec<u8>,
        write: impl FnOnce(&mut Writer<'o>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        let mut writer = Self::new(out);
        let result = write(&mut writer);
        if result.is_err() {
            writer.out.truncate(before);
        }
        result
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        let mut bytes = [0; 2];
        BigEndian::write_u16(&mut bytes, value);
        self.out.extend_from_slice(&bytes);
    }

    pub(super) fn u32(&mut self, value: u32) {
        let mut bytes = [0; 4];
        BigEndian::write_u32(&mut bytes, value);
        self.out.extend_from_slice(&bytes);
    }

    pub(super) fn i32(&mut self, value: i32) {
        let mut bytes = [0; 4];
        BigEndian::write_i32(&mut bytes, value);
        self.out.extend_from_slice(&bytes);
    }

    pub(super) fn i16(&mut self, value: i16) {
        let mut bytes = [0; 2];
        BigEndian::write_i16(&mut bytes, value);
        self.out.extend_from_slice(&bytes);
    }

    pub(super) fn u64(&mut self, value: u64) {
        let mut bytes = [0; 8];
        BigEndian::write_u64(&mut bytes, value);
        self.out.extend_from_slice(&bytes);
    }

    pub(super) fn i64(&mut self, value: i64) {
        let mut bytes = [0; 8];
        BigEndian::write_i64(&mut bytes, value);
        self.out.extend_from_slice(&bytes);
    }

    pub(super) fn lsn(&mut self, value: Lsn) {
        self.u64(value.as_u64());
    }

    pub(super) fn timestamp(&mut self, value: TimestampTz) {
        self.i64(value.as_micros());
    }

    pub(super) fn xid(&mut self, value: Xid) {
        self.u32(value.as_u32());
    }

    pub(super) fn oid(&mut self, value: Oid) {
        self.u32(value.as_u32());
    }

    /// Writes the transaction id that seven kinds of messages carry inside a chunk.
    pub(super) fn stream_xid(&mut self, value: Option<Xid>) {
        if let Some(xid) = value {
            self.xid(xid);
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }

    /// Writes a name and its terminating zero.
    pub(super) fn string(&mut self, field: &'static str, value: &str) -> Result<(), EncodeError> {
        if let Some(offset) = value.bytes().position(|byte| byte == 0) {
            return Err(EncodeError::InteriorZero { field, offset });
        }
        self.bytes(value.as_bytes());
        self.u8(0);
        Ok(())
    }

    /// Writes the bytes that `write` appends, after their length.
    pub(super) fn sized(
        &mut self,
        field: &'static str,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.counted(field, |writer| {
            let before = writer.out.len();
            write(writer)?;
            Ok(writer.out.len().saturating_sub(before))
        })
    }

    /// Writes the bytes that `write` appends, after the count that it returns.
    pub(super) fn counted(
        &mut self,
        field: &'static str,
        write: impl FnOnce(&mut Writer<'_>) -> Result<usize, EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.out.len();
        self.i32(0);
        let count = signed(field, write(&mut Writer::new(self.out))?)?;
        if let Some(field) = self.out.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<4>) {
            BigEndian::write_i32(field, count);
        }
        Ok(())
    }

    /// Writes a signed count or length.
    pub(super) fn length(&mut self, field: &'static str, length: usize) -> Result<(), EncodeError> {
        self.i32(signed(field, length)?);
        Ok(())
    }
}

/// The greatest value of a signed 32-bit field.
const MAX: usize = i32::MAX as usize;

fn signed(field: &'static str, length: usize) -> Result<i32, EncodeError> {
    i32::try_from(length).map_err(|_| EncodeError::TooLong { field, length, limit: MAX })
}

/// Returns `count` plus one, if the wire format allows that many columns.
pub(super) fn one_more(count: u16) -> Result<u16, EncodeError> {
    let limit = usize::from(u16::MAX);
    count.checked_add(1).ok_or(EncodeError::TooLong {
        field: "column count",
        length: limit.saturating_add(1),
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_limited_to_the_greatest_signed_number() {
        assert_eq!(signed("value", MAX), Ok(i32::MAX));
        assert_eq!(
            signed("value", MAX + 1),
            Err(EncodeError::TooLong { field: "value", length: MAX + 1, limit: MAX })
        );
    }
}
