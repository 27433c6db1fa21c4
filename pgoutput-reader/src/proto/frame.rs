//! The frame of one message of the server: a tag, a length that includes itself, the body.

use crate::error::{Error, ErrorKind, LimitError, ProtocolError};

/// The length of tag and length field.
pub(crate) const HEADER_LEN: usize = 5;

/// A header whose body may not have arrived yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) tag: u8,
    /// The length of the body in bytes.
    pub(crate) body_len: usize,
}

impl Header {
    /// The header at the front of `bytes`; `None` if it is incomplete.
    ///
    /// # Errors
    /// A length below 4, or a body longer than `limit`. Both are found before any memory is
    /// allocated.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], limit: usize) -> Result<Option<Self>, FrameError> {
        let Some(&[tag, a, b, c, d]) = bytes.first_chunk() else { return Ok(None) };
        let length = i32::from_be_bytes([a, b, c, d]);
        let Some(body_len) = usize::try_from(length).ok().and_then(|length| length.checked_sub(4))
        else {
            return Err(FrameError::Length { tag, length });
        };
        if body_len > limit {
            return Err(FrameError::TooLong { tag, body_len, limit });
        }
        Ok(Some(Self { tag, body_len }))
    }

    /// The length of the whole message in bytes.
    #[inline]
    pub(crate) const fn total(self) -> usize {
        HEADER_LEN + self.body_len
    }
}

/// Small, so that the hot path does not allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    Length { tag: u8, length: i32 },
    TooLong { tag: u8, body_len: usize, limit: usize },
}

impl From<FrameError> for Error {
    #[cold]
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Length { tag, length } => {
                ErrorKind::Protocol(ProtocolError::Length { tag, length }).into()
            }
            FrameError::TooLong { tag, body_len, limit } => {
                LimitError::Message { tag, length: body_len as u64, limit: limit as u64 }.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_header_is_not_an_error() {
        for end in 0..HEADER_LEN {
            assert_eq!(Header::parse(&b"d\0\0\0\x09"[..end], 100), Ok(None));
        }
        let header = Header { tag: b'd', body_len: 5 };
        assert_eq!(Header::parse(b"d\0\0\0\x09", 100), Ok(Some(header)));
        assert_eq!(header.total(), 10);
    }

    #[test]
    fn refuses_lengths_before_the_body_arrives() {
        for length in [i32::MIN, -1, 0, 3] {
            let [a, b, c, d] = length.to_be_bytes();
            let tag = b'd';
            assert_eq!(
                Header::parse(&[tag, a, b, c, d], usize::MAX),
                Err(FrameError::Length { tag, length })
            );
        }
        assert_eq!(Header::parse(b"d\0\0\0\x04", 0), Ok(Some(Header { tag: b'd', body_len: 0 })));
        assert_eq!(
            Header::parse(b"d\0\0\0\x05", 0),
            Err(FrameError::TooLong { tag: b'd', body_len: 1, limit: 0 })
        );
    }
}
