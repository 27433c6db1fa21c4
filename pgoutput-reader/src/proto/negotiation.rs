//! The request for TLS: SSLRequest and its one-byte answer (manual, section "SSL Session
//! Encryption").

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use crate::error::TlsError;

/// The server's answer to SSLRequest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SslAnswer {
    /// TLS: the handshake begins now.
    Tls,
    /// No TLS: the connection continues unencrypted, if the client accepts that.
    Plain,
}

pub(crate) fn request(out: &mut BytesMut) {
    frontend::ssl_request(out);
}

impl SslAnswer {
    /// The answer, from everything that has arrived; `None` if nothing has.
    ///
    /// The server sends nothing more before the client does, so more than one byte is an attempt to
    /// have unencrypted bytes taken for protected ones. The text of an error is not authenticated
    /// and not read.
    pub(crate) fn read(arrived: &[u8]) -> Result<Option<Self>, TlsError> {
        match *arrived {
            [] => Ok(None),
            [b'E', ..] => Err(TlsError::ErrorAnswer),
            [b'S'] => Ok(Some(Self::Tls)),
            [b'N'] => Ok(Some(Self::Plain)),
            [b'S' | b'N', ref more @ ..] => Err(TlsError::Injected(more.len())),
            [other, ..] => Err(TlsError::Answer(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_the_one_of_the_manual() {
        let mut out = BytesMut::new();
        request(&mut out);
        assert_eq!(&out[..], [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F]);
    }

    #[test]
    fn one_byte_answers_and_more_is_refused() {
        assert_eq!(SslAnswer::read(b""), Ok(None));
        assert_eq!(SslAnswer::read(b"S"), Ok(Some(SslAnswer::Tls)));
        assert_eq!(SslAnswer::read(b"N"), Ok(Some(SslAnswer::Plain)));
        assert_eq!(SslAnswer::read(b"SR\0\0\0\x08"), Err(TlsError::Injected(5)));
        assert_eq!(SslAnswer::read(b"NR"), Err(TlsError::Injected(1)));
        assert_eq!(SslAnswer::read(b"ESFATAL lies"), Err(TlsError::ErrorAnswer));
        assert_eq!(SslAnswer::read(b"HTTP/1.1"), Err(TlsError::Answer(b'H')));
        let text = SslAnswer::read(b"Elies\0").unwrap_err().to_string();
        assert!(
            !text.contains("lies\0") && text.contains("not shown, as it is not authenticated"),
            "{text}"
        );
    }
}
