//! Checked reads of integers and strings from a frame; no other file reads them.
//!
//! Every read is checked against the bytes that remain and names its field; a failed read reports
//! its offset. A length from the wire never sizes an allocation: it only splits the existing slice.
//!
//! Functions that create errors are out of line and take the cursor by value, so that the compiler
//! keeps the cursor in registers.

use byteorder::{BigEndian, ByteOrder};

use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::{Oid, Xid};
use crate::lsn::Lsn;
use crate::tag::Tag;
use crate::timestamp::TimestampTz;

/// Splits an integer off the front, without an error to report: for fast paths that fall back to a
/// [`Cursor`].
#[inline]
pub(crate) fn split_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk::<2>().map(|(head, rest)| (BigEndian::read_u16(head), rest))
}

/// Does the same as [`split_u16`] for four bytes.
#[inline]
pub(crate) fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk::<4>().map(|(head, rest)| (BigEndian::read_u32(head), rest))
}

/// Does the same as [`split_u16`] for eight bytes.
#[inline]
pub(crate) fn split_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes.split_first_chunk::<8>().map(|(head, rest)| (BigEndian::read_u64(head), rest))
}

/// Reader of a frame from front to back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    frame_len: usize,
    tag: Option<Tag>,
}

impl<'a> Cursor<'a> {
    /// Reads the tag of a frame.
    #[inline]
    pub(crate) fn open(frame: &'a [u8]) -> Result<(Tag, Self), DecodeError> {
        let Some((&tag, rest)) = frame.split_first() else {
            return Err(DecodeError::truncated(FieldName::MessageTag, 1, 0));
        };
        let tag = Tag(tag);
        Ok((tag, Self { rest, frame_len: frame.len(), tag: Some(tag) }))
    }

    /// Creates a cursor over bytes that have no tag.
    #[cfg(feature = "encode")]
    pub(crate) const fn over(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, frame_len: bytes.len(), tag: None }
    }

    /// Returns the bytes that have not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Moves to `rest`, which must be a tail of the bytes that this cursor reads.
    pub(crate) fn advance_to(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// Creates an error about the field that starts at the current byte.
    #[cold]
    pub(crate) fn error(self, error: DecodeError) -> DecodeError {
        error.at(self.tag, self.frame_len.saturating_sub(self.rest.len()))
    }

    /// Creates an error about the byte that was read last.
    #[cold]
    pub(crate) fn error_before(self, error: DecodeError) -> DecodeError {
        let offset = self.frame_len.saturating_sub(self.rest.len()).saturating_sub(1);
        error.at(self.tag, offset)
    }

    /// Ends the message: fails if bytes of the frame remain.
    #[inline]
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.error(DecodeError::trailing_bytes(self.rest.len())))
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: FieldName) -> Result<&'a [u8; N], DecodeError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(field, N));
        };
        self.rest = rest;
        Ok(head)
    }

    #[cold]
    fn truncated(self, field: FieldName, needed: usize) -> DecodeError {
        self.error(DecodeError::truncated(field, needed, self.rest.len()))
    }

    #[inline]
    pub(crate) fn u8(&mut self, field: FieldName) -> Result<u8, DecodeError> {
        let [byte] = *self.array::<1>(field)?;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self, field: FieldName) -> Result<u16, DecodeError> {
        Ok(BigEndian::read_u16(self.array::<2>(field)?))
    }

    #[inline]
    pub(crate) fn u32(&mut self, field: FieldName) -> Result<u32, DecodeError> {
        Ok(BigEndian::read_u32(self.array::<4>(field)?))
    }

    #[inline]
    pub(crate) fn i32(&mut self, field: FieldName) -> Result<i32, DecodeError> {
        Ok(BigEndian::read_i32(self.array::<4>(field)?))
    }

    #[inline]
    pub(crate) fn lsn(&mut self, field: FieldName) -> Result<Lsn, DecodeError> {
        Ok(Lsn::new(BigEndian::read_u64(self.array::<8>(field)?)))
    }

    #[inline]
    pub(crate) fn timestamp(&mut self, field: FieldName) -> Result<TimestampTz, DecodeError> {
        Ok(TimestampTz::from_micros(BigEndian::read_i64(self.array::<8>(field)?)))
    }

    #[inline]
    pub(crate) fn xid(&mut self, field: FieldName) -> Result<Xid, DecodeError> {
        self.u32(field).map(Xid::new)
    }

    #[inline]
    pub(crate) fn oid(&mut self, field: FieldName) -> Result<Oid, DecodeError> {
        self.u32(field).map(Oid::new)
    }

    /// Reads a signed count or length. A negative one is an error, reported at its own offset.
    #[inline]
    pub(crate) fn length(&mut self, field: FieldName) -> Result<usize, DecodeError> {
        let before = *self;
        let length = self.i32(field)?;
        match usize::try_from(length) {
            Ok(length) => Ok(length),
            Err(_) => Err(before.error(DecodeError::negative_length(field, length))),
        }
    }

    #[inline]
    pub(crate) fn bytes(
        &mut self,
        field: FieldName,
        length: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.truncated(field, length));
        };
        self.rest = rest;
        Ok(head)
    }

    /// Reads a string and its terminating zero byte, which the result leaves out.
    pub(crate) fn string(&mut self, field: FieldName) -> Result<&'a str, DecodeError> {
        // Two checked splits instead of slicing by an index: nothing here can panic.
        let end = self.rest.iter().position(|&byte| byte == 0);
        let Some((head, rest)) = end.and_then(|end| self.rest.split_at_checked(end)) else {
            return Err(self.error(DecodeError::missing_terminator(field)));
        };
        let rest = rest.get(1..).unwrap_or_default();
        match crate::utf8::text(head) {
            Ok(text) => {
                self.rest = rest;
                Ok(text)
            }
            Err(_) => Err(self.error(DecodeError::invalid_utf8(field))),
        }
    }
}
