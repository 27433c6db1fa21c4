//! Answers to the request for TLS.

use pgoutput_reader::{ErrorKind, SslMode, TlsError};

use super::{Case, SHORT, case, check_with};
use crate::server::welcome;

#[test]
fn tls_that_was_required_is_had_or_nothing_is_said() {
    let cases = [
        case!(
            "refused",
            |client| {
                client.tls_request();
                client.say(b"N");
                client.left_in_silence();
            },
            ErrorKind::Tls(TlsError::NotOffered { mode: SslMode::Require })
        ),
        case!(
            "refused, and on in clear",
            |client| {
                client.tls_request();
                client.say([&b"N"[..], &welcome()].concat());
                client.left_in_silence();
            },
            ErrorKind::Tls(TlsError::Injected(_))
        ),
        case!(
            "granted, with bytes in clear behind it",
            |client| {
                client.tls_request();
                client.say([&b"S"[..], &welcome()].concat());
                client.left_in_silence();
            },
            ErrorKind::Tls(TlsError::Injected(_))
        ),
        case!(
            "an error whose text nobody vouches for",
            |client| {
                client.tls_request();
                client.say([&b"E"[..], b"call 555 and say swordfish\0"].concat());
                client.left_in_silence();
            },
            ErrorKind::Tls(TlsError::ErrorAnswer)
        ),
        case!(
            "an answer that is none",
            |client| {
                client.tls_request();
                client.say(b"?");
                client.left_in_silence();
            },
            ErrorKind::Tls(TlsError::Answer(b'?'))
        ),
        case!("closed at the request", |client| client.tls_request(), ErrorKind::Io { .. }),
    ];
    check_with(&cases, |config| {
        config.ssl_mode(SslMode::Require);
    });
    let broken = [case!(
        "no handshake behind it",
        |client| {
            client.tls_request();
            client.say(b"S");
            // The client's first words; what comes now cannot have been injected before them.
            client.hear();
            client.say(b"no TLS at all, and long enough for the head of a record");
            client.left();
        },
        ErrorKind::Tls(_)
    )];
    check_with(&broken, |config| {
        config.ssl_mode(SslMode::Require);
    });
    let silent = [case!(
        "silence behind it",
        |client| {
            client.tls_request();
            client.say(b"S");
            client.left();
        },
        ErrorKind::Timeout { .. }
    )];
    check_with(&silent, |config| {
        config.ssl_mode(SslMode::Require).connect_timeout(SHORT);
    });
}
